/**
 * The transport of a simulated host: channels in memory whose bytes and ends arrive as I/O that the host schedules.
 *
 * Invariant: within one direction of a channel nothing overtakes; between channels the host chooses. `closed` comes
 * once on each side. It deliberately loses, delays and cuts nothing yet.
 */
import { createError } from '../base/errors.ts';
import type { Channel, ChannelListeners, Listening, Transport } from '../base/host.ts';

type Arrive = (link: object, label: string, run: () => void) => void;
type Accept = (channel: Channel) => ChannelListeners;

/** One side of a channel. */
class End implements Channel {
  listeners: ChannelListeners | undefined;
  peer: End | undefined;
  open = true;
  readonly #arrive: Arrive;

  constructor(arrive: Arrive) {
    this.#arrive = arrive;
  }

  write(bytes: Uint8Array): boolean {
    const peer = this.peer;
    if (!this.open || peer === undefined) return false;
    const copy = new Uint8Array(bytes);
    this.#arrive(this, 'channel.data', () => {
      if (peer.open) peer.listeners?.data(copy);
    });
    return true;
  }

  close(): void {
    if (!this.open) return;
    this.#arrive(this, 'channel.closed', () => this.peer?.shut());
    this.shut();
  }

  /** Ends this side; its listeners are told once. */
  shut(): void {
    if (!this.open) return;
    this.open = false;
    this.#arrive(this, 'channel.closed', () => this.listeners?.closed());
  }
}

const refused = (address: string, why: string) => createError('ERR_HOST_TRANSPORT', { address, why });

export const createSimulatedTransport = (arrive: Arrive): Transport => {
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
      arrive({}, 'channel.connect', () => {
        const server = listening.get(address);
        if (server === undefined) {
          reject(refused(address, 'nobody listens there'));
          return;
        }
        const near = new End(arrive);
        const far = new End(arrive);
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
