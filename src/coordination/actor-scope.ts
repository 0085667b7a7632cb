/**
 * An actor's scope: its tasks belong to it, are seen in the tree, and are over before its end is announced.
 *
 * Invariant: the scope closes when the incarnation ends, on every path; until its tasks have ended, or its guardian's allowance
 * has, nobody takes the actor for ended, so that a restart never meets the tasks of its predecessor.
 */
import { actor } from '../kernel/actor.ts';
import type { ActorContext, Behaviour, Handle, Inspection, Logic } from '../kernel/logic.ts';
import { SCOPE_DEFAULTS, type Scope, type ScopeOptions, TaskScope } from './scope.ts';

export type ActorScopeOptions = Omit<ScopeOptions, 'host' | 'events' | 'owner'>;

class Guardian implements Behaviour {
  readonly #scope: TaskScope;

  constructor(scope: TaskScope) {
    this.#scope = scope;
  }

  tell(): void {}

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
}

/** A child of the actor, so that the kernel waits for it. */
const guardianLogic = (scope: TaskScope): Logic<Handle> => ({
  kind: 'scope',
  start: (context) => {
    // A crash of the actor must not end this one without its `terminate`.
    context.trapExit = true;
    return new Guardian(scope);
  },
  handle: (place) => ({ path: place.path, ref: () => place.ref() }),
});

/**
 * A scope that an actor owns: `const scope = actorScope(ctx, { name: 'uploads' })` in its init. When the actor ends, for whatever
 * reason, the scope closes within `closeMs`, and only then is the actor's end announced. A failure of a task closes the scope, not the actor:
 * bring the result back with `ctx.pipe(task.result, …)`.
 *
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN, ERR_FENCED
 */
export const actorScope = (context: ActorContext, options: ActorScopeOptions = {}): Scope => {
  const { host, events } = context.system;
  const { name = SCOPE_DEFAULTS.name, closeMs = SCOPE_DEFAULTS.closeMs } = options;
  const scope = new TaskScope('actorScope', {
    ...options,
    name: `${context.path}/${name}`,
    host,
    events,
    owner: context,
  });
  const guarded = context.spawn(actor(name, guardianLogic(scope), { shutdownMs: closeMs }));
  // It fails only where the actor ends first, which closes the scope as well.
  guarded.catch(() => void scope.close());
  return scope;
};
