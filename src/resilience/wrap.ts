/**
 * Several policies as one: `wrap(retry, breaker, timeout)`, the outermost first.
 *
 * Invariant: work runs under all of them, and each bounds those below it: the deadlines they see only shrink, and one
 * abort reaches them all. Wrapping is associative, and a policy that adds nothing changes nothing. It owns none of
 * its policies: they may stand in many wraps, and keep their state when one is disposed.
 */
import { createError } from '../base/errors.ts';
import { check, fits } from '../base/options.ts';
import type { EventStream, EventType, TroupeEvent } from '../base/telemetry.ts';
import {
  BoundedCall,
  type Bounds,
  type ExecuteOptions,
  optionsBelow,
  rejectLater,
  type Work,
} from './call.ts';
import { type Misorder, misordersIn } from './order.ts';
import {
  BasePolicy,
  type Policy,
  type PolicyKind,
  type PolicyReport,
  type StandalonePolicy,
} from './policy.ts';

/** Several policies as one. */
export interface Wrapped extends StandalonePolicy {
  /** What it is made of, outermost first. */
  readonly policies: readonly Policy[];
  /** What is wrong with their order: also told once as `policy.misordered`, as soon as anybody listens. */
  readonly misorders: readonly Misorder[];
  /** Listens to one type of event of this and all its policies. Returns the function that ends it. */
  on<T extends EventType>(type: T, listener: (event: Extract<TroupeEvent, { type: T }>) => void): () => void;
}

const POLICY = fits<Policy>(
  'a policy',
  (value) =>
    typeof (value as Policy | null)?.execute === 'function' && typeof (value as Policy).kind === 'string',
);

class Wrap extends BasePolicy implements Wrapped {
  readonly policies: readonly Policy[];
  readonly misorders: readonly Misorder[];
  #untold: boolean;

  constructor(policies: readonly Policy[]) {
    const [outermost] = policies;
    super('wrap', {
      name: policies.map(({ name }) => name).join('+') || 'nothing',
      ...(outermost === undefined ? {} : { events: outermost.events }),
    });
    this.policies = Object.freeze(policies);
    this.misorders = Object.freeze(misordersIn(policies.flatMap(kindsOf)));
    this.#untold = this.misorders.length > 0;
    this.#warn();
  }

  override execute<T>(work: Work<T, never>, options?: ExecuteOptions): Promise<T> {
    if (this.#untold) this.#warn();
    if (this.disposed) return rejectLater(createError('ERR_POLICY_DISPOSED', { policy: this.where }));
    return this.policies.length === 0 || typeof work !== 'function'
      ? super.execute(work, options)
      : this.#under(0, work as Work<T>, options);
  }

  on<T extends EventType>(type: T, listener: (event: Extract<TroupeEvent, { type: T }>) => void): () => void {
    const streams = new Set<EventStream>([this.events, ...this.policies.map(({ events }) => events)]);
    const ends = [...streams].map((stream) => stream.on(type, listener));
    return () => {
      for (const end of ends) end();
    };
  }

  inspect(): PolicyReport {
    return { name: this.name, policies: this.policies.map(({ kind, name }) => `${kind} ${name}`) };
  }

  /** Nothing is wrapped: only the caller bounds it. */
  protected run<T>(work: Work<T>, bounds: Bounds): Promise<T> {
    return new BoundedCall<T>(this, bounds, () => {}).run(work);
  }

  #under<T>(index: number, work: Work<T>, options: ExecuteOptions | undefined): Promise<T> {
    const policy = this.policies[index] as Policy;
    const next = index + 1;
    return next === this.policies.length
      ? policy.execute(work, options)
      : policy.execute((context) => this.#under(next, work, optionsBelow(context)), options);
  }

  #warn(): void {
    if (!this.#untold || !this.events.active) return;
    this.#untold = false;
    for (const misorder of this.misorders)
      this.events.emit('policy.misordered', { path: this.name, ...misorder });
  }
}

const kindsOf = (policy: Policy): readonly PolicyKind[] =>
  policy instanceof Wrap ? policy.policies.flatMap(kindsOf) : [policy.kind];

/**
 * Composes policies, the outermost first. Any order runs; `misorders` names what is unwise in it. With none it runs work
 * as it is, within its caller's bounds.
 *
 * @example wrap(createFallback({ value: [] }), createTimeout({ timeoutMs: 2_000 }), createRetry(), breaker)
 * @throws ERR_OPTION_INVALID
 */
export const wrap = (...policies: readonly Policy[]): Wrapped => {
  for (const policy of policies) check('wrap()', 'policy', POLICY, policy);
  // An empty one adds nothing, and knows no host but the real one.
  return new Wrap(policies.filter((policy) => !(policy instanceof Wrap && policy.policies.length === 0)));
};
