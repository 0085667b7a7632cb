/**
 * A host that remembers what was made through it and has not ended: timers, OS processes, threads, sockets, listeners.
 *
 * Invariant: it changes nothing but that it remembers: each thing is remembered from its making to its end, once, and never
 * ended by us. Where it samples, it remembers every n-th timer and passes the others on untouched.
 */
import type {
  Channel,
  ChannelListeners,
  ChildPort,
  Fault,
  Host,
  Listening,
  ProcessListeners,
  ProcessSpec,
  StallListener,
  ThreadListeners,
  ThreadPort,
  ThreadSpec,
  Timer,
  TimerOptions,
  Transport,
} from '../base/host.ts';
import type { Random } from '../base/random.ts';
import type { Vitals } from '../base/vitals.ts';
import { placeAbove } from './origin.ts';

export type ResourceKind = 'timer' | 'child_process' | 'thread' | 'server' | 'socket' | 'listener' | 'task';

/** Something that has not ended. */
export interface LiveResource {
  readonly kind: ResourceKind;
  /** A timer's label, a process's command, an address, a task's name. */
  readonly name: string;
  readonly ageMs: number;
  /** Where it was made: file and line, where that was looked at. */
  readonly origin: string | undefined;
}

interface Made {
  seen: boolean;
  readonly kind: ResourceKind;
  readonly name: string;
  readonly atMs: number;
  readonly origin: string | undefined;
}

const resourceOf = ({ kind, name, atMs, origin }: Made, now: number): LiveResource => ({
  kind,
  name,
  ageMs: now - atMs,
  origin,
});

export interface WatchedHostOptions {
  /** Every n-th timer is remembered, the first included; all else always. */
  readonly timerSample: number;
  /** Whether to note where things are made: 4 µs each. */
  readonly origins: boolean;
}

export class WatchedHost implements Host {
  readonly random: Random;
  readonly vitals: Vitals;
  readonly transport: Transport;
  readonly choose?: NonNullable<Host['choose']>;
  readonly #host: Host;
  readonly #options: WatchedHostOptions;
  readonly #live = new Set<Made>();
  #untilSample = 1;

  constructor(host: Host, options: WatchedHostOptions) {
    this.#host = host;
    this.#options = options;
    this.random = host.random;
    this.vitals = host.vitals;
    this.transport = {
      listen: (address, accept) => this.#listen(address, accept),
      connect: (address, listeners) => this.#connect(address, listeners),
    };
    if (host.choose !== undefined) this.choose = host.choose.bind(host);
  }

  /** What was made through it and has not ended, the oldest first. */
  live(): readonly LiveResource[] {
    const now = this.monotonic();
    return Array.from(this.#live, (made) => resourceOf(made, now));
  }

  /** Of these, those that were not asked for before. */
  news(): readonly LiveResource[] {
    const now = this.monotonic();
    const unseen = [...this.#live].filter((made) => !made.seen);
    return unseen.map((made) => {
      made.seen = true;
      return resourceOf(made, now);
    });
  }

  monotonic(): number {
    return this.#host.monotonic();
  }

  wall(): number {
    return this.#host.wall();
  }

  timer(delayMs: number, label: string, fire: () => void, options?: TimerOptions): Timer {
    this.#untilSample -= 1;
    // What never fires is no more than an object.
    if (this.#untilSample > 0 || delayMs === Number.POSITIVE_INFINITY)
      return this.#host.timer(delayMs, label, fire, options);
    this.#untilSample = this.#options.timerSample;
    const ended = this.#made('timer', label, this.timer);
    const timer = this.#host.timer(
      delayMs,
      label,
      () => {
        ended();
        fire();
      },
      options,
    );
    return {
      cancel: () => {
        ended();
        timer.cancel();
      },
    };
  }

  step(label: string, run: () => void): void {
    this.#host.step(label, run);
  }

  yield(label: string, run: () => void): void {
    this.#host.yield(label, run);
  }

  newId(kind: string): string {
    return this.#host.newId(kind);
  }

  spawn(spec: ProcessSpec, listeners: ProcessListeners): ChildPort {
    const ended = this.#made('child_process', [spec.command, ...spec.args].join(' '), this.spawn);
    return this.#host.spawn(spec, follow(listeners, 'ended', ended));
  }

  startThread(spec: ThreadSpec, listeners: ThreadListeners): ThreadPort {
    const ended = this.#made('thread', spec.isSource ? 'functions' : spec.code, this.startThread);
    return this.#host.startThread(spec, follow(listeners, 'ended', ended));
  }

  fault(point: string, subject?: string): Fault | undefined {
    return this.#host.fault(point, subject);
  }

  onStall(listener: StallListener): () => void {
    const ended = this.#made('listener', 'host stall', this.onStall);
    const stop = this.#host.onStall(listener);
    return () => {
      ended();
      stop();
    };
  }

  async #listen(address: string, accept: (channel: Channel) => ChannelListeners): Promise<Listening> {
    const listening = await this.#host.transport.listen(address, (channel) => {
      const ended = this.#made('socket', `from ${address}`, this.#listen);
      return follow(accept(channel), 'closed', ended);
    });
    const ended = this.#made('server', listening.address, this.transport.listen);
    return {
      address: listening.address,
      close: () => {
        ended();
        return listening.close();
      },
    };
  }

  async #connect(address: string, listeners: ChannelListeners): Promise<Channel> {
    const ended = this.#made('socket', `to ${address}`, this.transport.connect);
    try {
      return await this.#host.transport.connect(address, follow(listeners, 'closed', ended));
    } catch (error) {
      ended();
      throw error;
    }
  }

  #made(kind: ResourceKind, name: string, below: Function): () => void {
    const origin = this.#options.origins ? placeAbove(below) : undefined;
    const made: Made = { seen: false, kind, name, atMs: this.monotonic(), origin };
    this.#live.add(made);
    return () => void this.#live.delete(made);
  }
}

/** Listeners that tell us first when one of them is called. They may be an object with private parts: it stays `this`. */
const follow = <L extends object>(listeners: L, last: keyof L, ended: () => void): L =>
  new Proxy(listeners, {
    get: (target, key) => {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== 'function') return value;
      return (...args: readonly unknown[]): unknown => {
        if (key === last) ended();
        return Reflect.apply(value, target, args);
      };
    },
  });
