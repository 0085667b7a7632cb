/**
 * A policy whose calls say one thing more: for which key they are, or how much they matter.
 *
 * Invariant: that one option is taken out of a call's options and checked before anything runs; where it is absent the
 * default holds. A fixed one makes a plain policy, which stands in a wrap like any other and shares all state.
 */
import { check, type Field } from '../base/options.ts';
import { type Bounds, checkWork, type ExecuteOptions, rejectLater, type Work } from './call.ts';
import { BasePolicy, type Policy, type PolicyKind, type PolicyOptions } from './policy.ts';

/** The option that a call may give: its name, its rule, and what holds without it. */
export interface Choice<K extends string, V> {
  readonly option: K;
  readonly rule: Field<V>;
  readonly otherwise: V;
}

export abstract class ChoosingPolicy<K extends string, V> extends BasePolicy {
  readonly #choice: Choice<K, V>;

  constructor(kind: PolicyKind, options: PolicyOptions, choice: Choice<K, V>) {
    super(kind, options);
    this.#choice = choice;
  }

  override execute<T>(
    work: Work<T, never>,
    options?: ExecuteOptions & { readonly [key in K]?: V },
  ): Promise<T> {
    const { option, rule } = this.#choice;
    const chosen = options?.[option];
    if (chosen === undefined) return super.execute(work, options);
    try {
      checkWork(this, work);
      const { [option]: _chosen, ...bounding } = options as ExecuteOptions & Record<K, V>;
      check(this.where, option, rule, chosen);
      return this.runFor(chosen as V, work as Work<T>, this.boundsFor(bounding as ExecuteOptions));
    } catch (error) {
      return rejectLater(error);
    }
  }

  /** The same policy for one choice only. @throws ERR_OPTION_INVALID */
  protected fixed(chosen: V): Policy {
    const { kind, name, events } = this;
    const { option, rule } = this.#choice;
    check(this.where, option, rule, chosen);
    return Object.freeze({
      kind,
      name,
      events,
      inspect: () => this.inspect(),
      execute: <T>(work: Work<T>, options?: ExecuteOptions) =>
        this.execute(work, { ...options, [option]: chosen } as ExecuteOptions & { readonly [key in K]?: V }),
    });
  }

  protected run<T>(work: Work<T>, bounds: Bounds): Promise<T> {
    return this.runFor(this.#choice.otherwise, work, bounds);
  }

  protected abstract runFor<T>(chosen: V, work: Work<T>, bounds: Bounds): Promise<T>;
}
