/**
 * `codeExecutor(…)`: sessions that run other people's code, each in a process of its own, supervised one by one. The spec, the logic and
 * the handle.
 *
 * Invariants: no code runs in this process, and none of it can take this process along; a session that crashes is replaced by itself,
 * whatever happens to the others; when the executor stops, no process is left.
 */

import { isTroupeError } from '../base/errors.ts';
import type { Handle, Logic, Place } from '../kernel/logic.ts';
import { PlaceHandle } from '../kernel/place-handle.ts';
import { type ExitReason, errorIn } from '../kernel/reason.ts';
import { createSpec, type Spec } from '../kernel/spec.ts';
import { dynamicSupervisor } from '../supervision/dynamic-supervisor.ts';
import type { ExecutionResult } from './chunks.ts';
import { ExecutorDesk } from './executor-desk.ts';
import type { PendingReport } from './pending-promises.ts';
import type { Session, SessionInspection } from './session.ts';
import { sessionSpec } from './session-actor.ts';
import {
  type ExecutorOptions,
  type ResolvedExecutor,
  type ResolvedSession,
  resolveExecutor,
  resolveSession,
  type SessionOptions,
} from './session-options.ts';

/** An executor, as {@link ExecutorHandle.inspect} shows it. */
export interface ExecutorInspection {
  readonly sessions: readonly SessionInspection[];
  readonly maxSessions: number;
  /** What is awaited of all sessions: executions, input, providers. */
  readonly promises: PendingReport;
}

/** What outside code uses. It follows restarts. */
export interface ExecutorHandle extends Handle {
  /**
   * Starts a session and resolves when it takes code. One that an actor starts through `ctx.get` ends with that actor.
   *
   * @throws ERR_WORKER_START, ERR_MAX_CHILDREN, ERR_CHILD_ALREADY_STARTED, ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN, ERR_RESTARTING
   */
  session(options: SessionOptions): Promise<Session>;
  /** The session of that id, if there is one. */
  find(id: string): Session | undefined;
  /** In the order in which they were started. */
  sessions(): readonly Session[];
  /** Asks an execution of any session to end. `false`, at once: there is none of that id. */
  cancel(execution: string, reason?: string): boolean;
  /**
   * What came, or comes, of an execution, also of one before a restart of the service where there is a store; `undefined`: none is known.
   *
   * @throws what the execution failed with; ERR_EXECUTION_UNKNOWN
   */
  result(execution: string): Promise<ExecutionResult | undefined>;
  inspect(): ExecutorInspection;
}

/** What made a start fail, without the words of those in between. */
const causeOf = (error: unknown): unknown => {
  if (!isTroupeError(error, 'ERR_CHILD_START_FAILED')) return error;
  return error.cause ?? errorIn(error.data['reason'] as ExitReason) ?? error;
};

class PlacedExecutor extends PlaceHandle implements ExecutorHandle {
  readonly #desk: ExecutorDesk;

  constructor(place: Place) {
    super(place);
    this.#desk = place.shared as ExecutorDesk;
  }

  async session(options: SessionOptions): Promise<Session> {
    const where = `session of ${this.path}`;
    const plan = resolveSession(where, options, this.#desk.options);
    this.#desk.kernelOf(plan.language).verify?.();
    const id = plan.id ?? this.#desk.host.newId('session');
    try {
      const session = (await this.#desk.children.startChild(id, plan)) as Session;
      const forget = this.place.holder?.onEnd(() => void session.close().catch(() => undefined));
      if (forget !== undefined) this.#desk.whenOver(id, forget);
      return session;
    } catch (error) {
      throw causeOf(error);
    }
  }

  find(id: string): Session | undefined {
    return this.#desk.children.child(id) as Session | undefined;
  }

  sessions(): readonly Session[] {
    return this.#desk.sessions.flatMap(({ session }) => this.find(session) ?? []);
  }

  cancel(execution: string, reason?: string): boolean {
    return this.#desk.executionOf(execution)?.cancel(reason) ?? false;
  }

  result(execution: string): Promise<ExecutionResult | undefined> {
    return this.#desk.resultOf(execution);
  }

  inspect(): ExecutorInspection {
    return {
      sessions: this.sessions().map((session) => session.inspect()),
      maxSessions: this.#desk.options.maxSessions,
      promises: this.#desk.promises.inspect(),
    };
  }
}

/** The supervisor below: each session has a budget of its own, and none of them ends the others. */
const supervisorOf = (id: string, options: ResolvedExecutor, desk: ExecutorDesk): Logic<unknown> =>
  dynamicSupervisor(id, {
    maxChildren: options.maxSessions,
    giveUp: 'never',
    template: (key, input) => sessionSpec(key, input as ResolvedSession, desk),
  }).logic;

/**
 * An executor of code, as a spec: start it in a tree, and `app.get(spec).session({ language: 'python' })` gives a {@link Session}.
 *
 * A session is an OS process: a fault boundary. It is no security boundary: confine it with what the platform has for that.
 *
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const codeExecutor = (id: string, options: ExecutorOptions = {}): Spec<ExecutorHandle> => {
  const resolved = resolveExecutor(`executor ${String(id)}`, options);
  const { restart, description } = resolved;
  const logic: Logic<ExecutorHandle> = {
    kind: 'executor',
    share: (place) => new ExecutorDesk(place, resolved),
    start: (context, input) =>
      supervisorOf(id, resolved, context.place.shared as ExecutorDesk).start(context, input),
    handle: (place) => new PlacedExecutor(place),
  };
  return createSpec(id, logic, {
    shutdownMs: Number.POSITIVE_INFINITY,
    ...(restart === undefined ? {} : { restart }),
    ...(description === undefined ? {} : { description }),
  });
};
