/**
 * Keyed locks in a tree: one for all who run there, by the spec that they share.
 *
 * Invariant: the locks belong to the place and outlive restarts: what is held stays held, who waits goes on waiting. They
 * refuse all from when the place is gone. The actor adds inspection; no claim goes through its mailbox.
 */
import { resolveOptions } from '../base/options.ts';
import type { EventStream } from '../base/telemetry.ts';
import type { ActorContext, Behaviour, Handle, Inspection, Logic, Place } from '../kernel/logic.ts';
import type { Ref } from '../kernel/ref.ts';
import { createSpec, SPEC_FIELDS, type Spec, type SpecOptions } from '../kernel/spec.ts';
import type { LockLease } from './lock-lease.ts';
import { LOCKS_FIELDS, type LockOptions, type LocksOptions, type LockWork } from './lock-options.ts';
import type { LocksReport } from './lock-report.ts';
import { KeyedLocks, type Locks, type OwnedLocks } from './locks.ts';

/** What `app.get(spec)` gives for locks. */
export interface LocksHandle extends Handle, Omit<Locks, 'dispose' | typeof Symbol.dispose> {}

/** The options of the locks, but for what the tree knows, and those of every spec. */
export type KeyedLocksOptions = Omit<LocksOptions, 'name' | 'host' | 'events'> & Omit<SpecOptions, 'input'>;

class LocksActor implements Behaviour {
  readonly #context: ActorContext;
  readonly #locks: KeyedLocks;

  constructor(context: ActorContext, locks: KeyedLocks) {
    this.#context = context;
    this.#locks = locks;
  }

  tell(message: unknown): void {
    this.#context.system.deadLetter(this.#context.path, message);
  }

  inspect(): Inspection {
    const { keys, granted, refused, lost } = this.#locks.inspect();
    const waiting = keys.reduce((sum, key) => sum + key.waiting.length, 0);
    return {
      state: keys.length === 0 ? 'free' : 'held',
      facts: { keys: keys.length, waiting, granted, refused, lost },
    };
  }
}

class PlacedLocks implements LocksHandle {
  readonly kind = 'locks';
  readonly path: string;
  readonly name: string;
  readonly #place: Place;
  readonly #locks: KeyedLocks;

  constructor(place: Place) {
    this.#place = place;
    this.#locks = place.shared as KeyedLocks;
    this.path = place.path;
    this.name = place.path;
  }

  get events(): EventStream {
    return this.#locks.events;
  }

  ref(): Ref | undefined {
    return this.#place.ref();
  }

  use<T>(key: string, work: LockWork<T>, options?: LockOptions): Promise<T> {
    return this.#locks.use(key, work, options);
  }

  acquire(key: string, options?: LockOptions): Promise<LockLease> {
    return this.#locks.acquire(key, options);
  }

  tryAcquire(key: string, options?: LockOptions): LockLease | undefined {
    return this.#locks.tryAcquire(key, options);
  }

  as(owner: string | object): OwnedLocks {
    return this.#locks.as(owner);
  }

  releaseAll(owner: string | object): number {
    return this.#locks.releaseAll(owner);
  }

  inspect(): LocksReport {
    return this.#locks.inspect();
  }
}

class LocksLogic implements Logic<LocksHandle> {
  readonly kind = 'locks';
  readonly #options: LocksOptions;

  constructor(options: LocksOptions) {
    this.#options = options;
  }

  share({ system, path }: Place): KeyedLocks {
    return new KeyedLocks({ ...this.#options, name: path, host: system.host, events: system.events });
  }

  start(context: ActorContext): Behaviour {
    return new LocksActor(context, context.place.shared as KeyedLocks);
  }

  retire(place: Place): void {
    (place.shared as KeyedLocks).dispose();
  }

  handle(place: Place): LocksHandle {
    return new PlacedLocks(place);
  }
}

const { input: _none, ...PLACED_FIELDS } = SPEC_FIELDS;
const { name: _name, host: _host, events: _events, ...OWN_FIELDS } = LOCKS_FIELDS;

/**
 * Keyed locks as a child of a supervisor: `app.get(spec).use('doc', work)`, and inside an actor
 * `ctx.get(spec).as(ctx).use('doc', work)`, so that what it holds ends with it. Options as of `createLocks`, and of every spec.
 *
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const keyedLocks = (id: string, options: KeyedLocksOptions = {}): Spec<LocksHandle> => {
  const where = `locks ${String(id)}`;
  const resolved = resolveOptions(where, options, { ...PLACED_FIELDS, ...OWN_FIELDS }, {});
  const own: Record<string, unknown> = {};
  const placed: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(resolved)) {
    if (Object.hasOwn(OWN_FIELDS, key)) own[key] = value;
    else placed[key] = value;
  }
  return createSpec(id, new LocksLogic(own), placed as SpecOptions);
};
