/**
 * One process of a session as an actor: seen in the tree, started within its deadline, replaced by its supervisor when it goes.
 *
 * Invariant: when the actor has ended, on whatever path, its process is gone or has been sent SIGKILL; when the process has ended, so has
 * the actor. It takes no messages: code goes to the process directly.
 */
import type { ActorContext, Behaviour, Inspection, Logic } from '../kernel/logic.ts';
import type { PlaceOfActor } from '../kernel/place.ts';
import { createSpec, type Spec } from '../kernel/spec.ts';
import type { ExecutorDesk } from './executor-desk.ts';
import { PlacedSession, type Session } from './session.ts';
import { SessionDesk } from './session-desk.ts';
import type { ResolvedSession } from './session-options.ts';
import type { SessionProcess } from './session-process.ts';

/** Kept of an allowance beyond the grace, ms: a kill takes a moment to arrive. */
const KILL_MARGIN_MS = 1_000;

class SessionActor implements Behaviour {
  readonly #context: ActorContext;
  readonly #desk: SessionDesk;
  readonly #process: SessionProcess;
  #stopping: (() => void) | undefined;

  constructor(context: ActorContext, desk: SessionDesk, process: SessionProcess) {
    this.#context = context;
    this.#desk = desk;
    this.#process = process;
  }

  tell(message: unknown): void {
    this.#context.system.deadLetter(this.#context.path, message);
  }

  /** Somebody's exit signal: trapped, so that even then the actor ends no sooner than its process. */
  info(): void {
    this.#process.dismiss('exit_signal');
  }

  shutdown(): Promise<void> | undefined {
    if (this.#process.gone) return undefined;
    const gone = new Promise<void>((resolve) => {
      this.#stopping = resolve;
    });
    this.#process.dismiss('shutdown');
    return gone;
  }

  inspect(): Inspection {
    const { state, pid } = this.#process;
    const { executions, processes, plan } = this.#desk;
    const facts = { language: plan.language, executions, processes, ...(pid === undefined ? {} : { pid }) };
    return { state, facts };
  }

  /** The process has ended. */
  processGone(): void {
    if (this.#stopping !== undefined) this.#stopping();
    else if (this.#isAlive)
      this.#context.stop(this.#process.dismissed ? 'shutdown' : { error: this.#process.crashError() });
  }

  get #isAlive(): boolean {
    const { place, self } = this.#context;
    return place.ref()?.incarnation === self.incarnation;
  }
}

/** Starts a process and resolves when it takes code; rejects when it ends before. */
const startSession = (context: ActorContext, desk: SessionDesk): Promise<Behaviour> =>
  new Promise((resolve, reject) => {
    const process = desk.renew();
    const actor = new SessionActor(context, desk, process);
    let starting = true;
    context.trapExit = true;
    context.onEnd(() => process.condemn('actor_ended'));
    process.watcher = {
      started: () => {
        starting = false;
        resolve(actor);
      },
      gone: () => {
        if (starting) reject(process.crashError());
        else actor.processGone();
      },
    };
    process.start();
  });

/** The spec of one session, a child of its executor. */
export const sessionSpec = (id: string, plan: ResolvedSession, executor: ExecutorDesk): Spec<Session> => {
  const logic: Logic<Session> = {
    kind: 'session',
    share: (place) => new SessionDesk(place as PlaceOfActor, plan, executor),
    start: (context) => startSession(context, context.place.shared as SessionDesk),
    handle: (place) => new PlacedSession(place),
  };
  const { closeGraceMs, replacements } = executor.options;
  return createSpec(id, logic, {
    restart: 'permanent',
    shutdownMs: closeGraceMs + KILL_MARGIN_MS,
    // The chart has the deadline, and what becomes of a process that misses it.
    initTimeoutMs: Number.POSITIVE_INFINITY,
    backoff: { maxMs: 5_000 },
    restartBudget: { ...replacements, onExceeded: 'park' },
  });
};
