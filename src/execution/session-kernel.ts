/**
 * The seam between a session and the language it speaks: how the processes of one session are made, one after the other. Contracts only.
 *
 * What a process has to answer is in `docs/guides/sessions.md`; it speaks the worker protocol like any worker. Python and JavaScript are
 * built in; any other language is one of these.
 */
import type { Awaitable } from '../kernel/logic.ts';
import type { WorkerKind } from '../work/worker-port.ts';

/** Which session to make processes for. */
export interface KernelPlan {
  /** The session's id. */
  readonly session: string;
  /** Its working directory, where the user named one. */
  readonly cwd: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  /** Variables of the service to hand on, by name. */
  readonly passEnv: readonly string[];
  /** Resident bytes at which a process is killed; `Infinity` for none. */
  readonly memoryBytes: number;
}

/** What one process runs in. */
export interface KernelLaunch {
  readonly kind: WorkerKind;
  readonly cwd: string;
  /** The process is gone: its temporary folder goes. Must not throw. */
  release(): Awaitable<void>;
}

/** The processes of one session. */
export interface PreparedKernel {
  /** Called before each process. What it throws is a failed start. */
  launch(): Awaitable<KernelLaunch>;
  /** The session is over for good. Must not throw. */
  discard(): Awaitable<void>;
}

/** How sessions of one language are made: frozen data and verbs. */
export interface SessionKernel {
  readonly language: string;
  /** Whether sessions can start at all, as far as that is known without starting one. @throws ERR_WORKER_START */
  verify?(): void;
  prepare(plan: KernelPlan): PreparedKernel;
}
