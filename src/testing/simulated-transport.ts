/**
 * The transport of a simulated host: channels in memory whose bytes and ends arrive as I/O that the host schedules.
 *
 * Invariant: within one direction of a channel nothing overtakes; between channels the host chooses. `closed` comes
 * once on each side, unless the channel is half-open. Where its host plans faults, a channel loses, doubles and delays
 * what is written, is cut, or falls silent in one direction and is never told closed.
 */
import { createError } from '../base/errors.ts';
import type { Channel, ChannelListeners, Fault, Listening, Timer, Transport } from '../base/host.ts';

/** What a channel needs of its host. */
export interface Carrier {
  /** Runs `run` as an event from outside, in order with others of the same `link`. */
  arrive(link: object, label: string, run: () => void): void;
  timer(delayMs: number, label: string, run: () => void): Timer;
  fault(point: string, subject?: string): Fault | undefined;
}

/** How long what is delayed is held back where the fault does not say, ms. */
const DELAY_MS = 100;

type Accept = (channel: Channel) => ChannelListeners;

/** One side of a channel. */
class End implements Channel {
  listeners: ChannelListeners | undefined;
  peer: End | undefined;
  open = true;
  readonly #carrier: Carrier;
  readonly #address: string;
  /** What is held back by a delay, with all that was written after it. */
  #held: (() => void)[] | undefined;
  /** Nothing that is written gets through any more, and nobody is told. */
  #silent = false;

  constructor(carrier: Carrier, address: string) {
    this.#carrier = carrier;
    this.#address = address;
  }

  write(bytes: Uint8Array): boolean {
    const peer = this.peer;
    if (!this.open || peer === undefined) return false;
    const copy = new Uint8Array(bytes);
    const fault = this.#carrier.fault('transport.data', this.#address);
    if (fault?.kind === 'cut') {
      this.close();
      return false;
    }
    if (fault?.kind === 'half_open') this.#silent = true;
    if (fault?.kind === 'delay') this.#holdBack(fault.value ?? DELAY_MS);
    const copies = fault?.kind === 'loss' ? 0 : fault?.kind === 'duplication' ? 2 : 1;
    for (let copyNumber = 0; copyNumber < copies; copyNumber++)
      this.#carry('channel.data', () => {
        if (peer.open) peer.listeners?.data(copy);
      });
    return true;
  }

  close(): void {
    if (!this.open) return;
    this.#carry('channel.closed', () => this.peer?.shut());
    this.shut();
  }

  /** Brings something to the other side, behind all that was written before. */
  #carry(label: string, run: () => void): void {
    if (this.#silent) return;
    const send = (): void => this.#carrier.arrive(this, label, run);
    if (this.#held === undefined) send();
    else this.#held.push(send);
  }

  #holdBack(delayMs: number): void {
    if (this.#held !== undefined) return;
    const held: (() => void)[] = [];
    this.#held = held;
    this.#carrier.timer(delayMs, 'channel.delay', () => {
      this.#held = undefined;
      for (const send of held) send();
    });
  }

  /** Ends this side; its listeners are told once. */
  shut(): void {
    if (!this.open) return;
    this.open = false;
    this.#carrier.arrive(this.peer ?? this, 'channel.closed', () => this.listeners?.closed());
  }
}

const refused = (address: string, why: string) => createError('ERR_HOST_TRANSPORT', { address, why });

export const createSimulatedTransport = (carrier: Carrier): Transport => {
  const listening = new Map<string, { readonly accept: Accept; readonly accepted: Set<End> }>();

  const listen = async (address: string, accept: Accept): Promise<Listening> => {
    if (listening.has(address)) throw refused(address, 'the address is taken');
    const accepted = new Set<End>();
    listening.set(address, { accept, accepted });
    return {
      address,
      close: async () => {
        if (listening.get(address)?.accepted === accepted) listening.delete(address);
        for (const end of accepted) end.close();
      },
    };
  };

  const connect = (address: string, listeners: ChannelListeners): Promise<Channel> =>
    new Promise((resolve, reject) => {
      carrier.arrive({}, 'channel.connect', () => {
        const server = listening.get(address);
        if (server === undefined) {
          reject(refused(address, 'nobody listens there'));
          return;
        }
        if (carrier.fault('transport.connect', address) !== undefined) {
          reject(refused(address, 'the way there is cut'));
          return;
        }
        const near = new End(carrier, address);
        const far = new End(carrier, address);
        near.peer = far;
        far.peer = near;
        near.listeners = listeners;
        server.accepted.add(far);
        far.listeners = server.accept(far);
        resolve(near);
      });
    });

  return { listen, connect };
};
