/**
 * A scope in a tree: for tasks that no actor of your own has, but that must not be nobody's.
 *
 * Invariant: each incarnation has a scope of its own, which closes when it stops, within its allowance. A failure that closes
 * the scope ends the actor with that failure: what becomes of it is its supervisor's business.
 */
import { createError } from '../base/errors.ts';
import { resolveOptions } from '../base/options.ts';
import type { ActorContext, Behaviour, Handle, Inspection, Logic, Place } from '../kernel/logic.ts';
import type { Ref } from '../kernel/ref.ts';
import { createSpec, SPEC_FIELDS, type Spec, type SpecOptions } from '../kernel/spec.ts';
import { SCOPE_DEFAULTS, SCOPE_FIELDS, type ScopeOptions, TaskScope } from './scope.ts';
import type { ScopeReport, TaskReport } from './scope-report.ts';
import type { Task, TaskOptions, TaskWork } from './task.ts';

/** What `app.get(spec)` gives for a scope. */
export interface ScopeHandle extends Handle {
  /**
   * Runs `work` in the caller as a task of the scope of now.
   *
   * @throws ERR_SCOPE_CLOSED: `work` was not called (it also says so while the scope restarts); ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
   */
  start<T>(name: string, work: TaskWork<T>, options?: TaskOptions): Task<T>;
  tasks(): readonly TaskReport[];
  /** Of the scope of now, or the last one. */
  report(): ScopeReport | undefined;
}

/** The options of the scope, but for what the tree knows, and those of every spec. `closeMs` is within `shutdownMs`. */
export type TaskScopeOptions = Pick<ScopeOptions, 'onFailure' | 'closeMs' | 'origins'> &
  Omit<SpecOptions, 'input'>;

/** What a place keeps. */
interface Current {
  scope: TaskScope | undefined;
}

class ScopeActor implements Behaviour {
  readonly #context: ActorContext;
  readonly #scope: TaskScope;

  constructor(context: ActorContext, scope: TaskScope) {
    this.#context = context;
    this.#scope = scope;
    scope.onEnd(() => this.#closed());
  }

  tell(message: unknown): void {
    this.#context.system.deadLetter(this.#context.path, message);
  }

  async terminate(reason: unknown): Promise<void> {
    await this.#scope.close(reason);
  }

  inspect(): Inspection {
    const { started, failed, stragglers } = this.#scope.report();
    return {
      state: this.#scope.closing ? 'closing' : 'open',
      facts: { started, failed, running: stragglers.length },
    };
  }

  /** Of itself, by a failure: otherwise the actor is stopping already. */
  #closed(): void {
    const [first] = this.#scope.report().failures;
    if (first === undefined || this.#scope.collects) return;
    try {
      this.#context.stop({ error: first.error });
    } catch {
      // It has ended meanwhile.
    }
  }
}

class ScopeLogic implements Logic<ScopeHandle> {
  readonly kind = 'scope';
  readonly #options: ScopeOptions;

  constructor(options: ScopeOptions) {
    this.#options = options;
  }

  share(): Current {
    return { scope: undefined };
  }

  start(context: ActorContext): Behaviour {
    const { host, events } = context.system;
    const options = { ...this.#options, name: context.path, host, events, owner: context };
    const scope = new TaskScope('taskScope', options);
    (context.place.shared as Current).scope = scope;
    return new ScopeActor(context, scope);
  }

  handle(place: Place): ScopeHandle {
    const current = place.shared as Current;
    return {
      path: place.path,
      ref: (): Ref | undefined => place.ref(),
      start: <T>(name: string, work: TaskWork<T>, options?: TaskOptions): Task<T> => {
        const { scope } = current;
        if (scope !== undefined) return scope.start(name, work, options);
        throw createError('ERR_SCOPE_CLOSED', { where: `scope ${place.path}`, task: name });
      },
      tasks: () => current.scope?.tasks() ?? [],
      report: () => current.scope?.report(),
    };
  }
}

const { input: _none, ...PLACED_FIELDS } = SPEC_FIELDS;
const OWN_FIELDS = {
  onFailure: SCOPE_FIELDS.onFailure,
  closeMs: SCOPE_FIELDS.closeMs,
  origins: SCOPE_FIELDS.origins,
} as const;

/**
 * A scope as a child of a supervisor: `app.get(spec).start('mail', work)`. Stopped with the tree, restarted (with a new scope) when a
 * task fails, unless it collects failures.
 *
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const taskScope = (id: string, options: TaskScopeOptions = {}): Spec<ScopeHandle> => {
  const where = `scope ${String(id)}`;
  const fields = { ...PLACED_FIELDS, ...OWN_FIELDS };
  const { onFailure, closeMs, origins, ...placed } = resolveOptions(where, options, fields, {
    onFailure: SCOPE_DEFAULTS.onFailure,
    closeMs: SCOPE_DEFAULTS.closeMs,
    origins: SCOPE_DEFAULTS.origins,
  });
  return createSpec(id, new ScopeLogic({ onFailure, closeMs, origins }), placed as SpecOptions);
};
