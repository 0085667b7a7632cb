/**
 * A session as it outlives its processes: what it is, the execution that it owes an answer, the process of now, and what was kept of
 * the namespace of the one before. It belongs to the session's place, so that an execution passes through no mailbox.
 *
 * Invariants: at most one execution is owed an answer; it is given to a process that takes code, once; a session that is over owes
 * nothing, and is never there again. Whether a process is replaced is the supervisor's business.
 */
import { createError, type TroupeError } from '../base/errors.ts';
import type { Host, Timer } from '../base/host.ts';
import type { PlaceOfActor } from '../kernel/place.ts';
import { type CapabilityPolicy, resolveCapabilities } from './capability-policy.ts';
import { type Checkpoint, type Restored, readCheckpoint, readRestored } from './chunks.ts';
import { CodeRun } from './code-run.ts';
import { type Execution, type ExecutionOutcome, RunningExecution } from './execution.ts';
import { type ExecuteOptions, resolveExecute } from './execution-options.ts';
import type { ExecutorDesk } from './executor-desk.ts';
import { type FloodLimits, resolveFloods } from './flood-watch.ts';
import type { PendingPromises } from './pending-promises.ts';
import type { ProcessOwner, ProcessSettings } from './process-owner.ts';
import type { RunDesk } from './run-desk.ts';
import type { PreparedKernel } from './session-kernel.ts';
import { SessionNews } from './session-news.ts';
import type { OutputOptions, Provider, ResolvedSession, SessionLimits } from './session-options.ts';
import { SessionProcess } from './session-process.ts';

/** Whoever waits for a process that can be asked. */
interface Caller {
  /** The one that will not do. */
  readonly not: SessionProcess | undefined;
  readonly resolve: (process: SessionProcess) => void;
  readonly reject: (error: TroupeError) => void;
  readonly timer: Timer;
}

export class SessionDesk implements RunDesk, ProcessOwner {
  readonly host: Host;
  readonly path: string;
  readonly session: string;
  readonly plan: ResolvedSession;
  readonly news: SessionNews;
  readonly promises: PendingPromises;
  readonly providers: Readonly<Record<string, Provider>>;
  readonly inputTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly settings: ProcessSettings;
  readonly limits: SessionLimits;
  readonly floods: FloodLimits | undefined;
  readonly output: Required<OutputOptions>;
  policy: CapabilityPolicy;
  checkpoint: Checkpoint | undefined;
  /** Executions that have ended, well or not. */
  executions = 0;
  /** When one last ended, on `host.monotonic()`. */
  usedAt: number;
  process: SessionProcess | undefined;
  /** Processes it has had. */
  processes = 0;
  readonly #executor: ExecutorDesk;
  readonly #kernel: PreparedKernel;
  readonly #callers = new Set<Caller>();
  #run: CodeRun | undefined;
  #over = false;
  #closing: Promise<void> | undefined;
  readonly #mourners: (() => void)[] = [];
  #lastCrash: unknown;
  /** The limit by which it is over. */
  #expired: TroupeError | undefined;
  #lifeTimer: Timer | undefined;

  constructor(place: PlaceOfActor, plan: ResolvedSession, executor: ExecutorDesk) {
    const { system, path } = place;
    const { options } = executor;
    this.host = system.host;
    this.path = path;
    this.session = place.spec.id;
    this.plan = plan;
    this.#executor = executor;
    this.news = new SessionNews(system.events, path, plan.language);
    this.promises = executor.promises;
    this.providers = options.providers;
    this.inputTimeoutMs = options.inputTimeoutMs;
    this.requestTimeoutMs = options.requestTimeoutMs;
    this.settings = options;
    this.limits = plan.limits;
    this.output = plan.output;
    this.usedAt = this.host.monotonic();
    this.floods = resolveFloods(`${path}.floods`, plan.floods);
    this.policy = resolveCapabilities(`${path}.capabilities`, plan.capabilities, plan.cwd ?? '');
    const { cwd, env, passEnv } = plan;
    const memoryBytes = plan.limits.memoryBytes ?? Number.POSITIVE_INFINITY;
    this.#kernel = executor
      .kernelOf(plan.language)
      .prepare({ session: this.session, cwd, env, passEnv, memoryBytes });
    executor.add(this);
    place.onGone(() => this.#isGone());
  }

  get user(): string | undefined {
    return this.plan.user;
  }

  get keepsCheckpoints(): boolean {
    return this.plan.checkpoint === 'on_kill';
  }

  /** Nothing will run here any more. */
  get over(): boolean {
    return this.#over;
  }

  /** The execution that runs, or waits for a process. */
  get running(): CodeRun | undefined {
    return this.#run;
  }

  /** Calls `mourn` when nothing will run here any more. It must not throw. */
  whenOver(mourn: () => void): void {
    this.#mourners.push(mourn);
  }

  // ── executions ────────────────────────────────────────────────────────────────────────────

  /** @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
  execute(code: string, options: ExecuteOptions | undefined): Execution {
    const resolved = resolveExecute(
      `execute of ${this.path}`,
      options,
      this.#executor.options.executeTimeoutMs,
    );
    const id = resolved.id ?? this.#executor.newExecutionId();
    const known = this.#executor.executionOf(id);
    if (known !== undefined) return known;
    const refusal = this.#refusal();
    if (refusal !== undefined) return this.#refused(id, refusal);
    const run = new CodeRun({ id, code, options: resolved }, this);
    this.#run = run;
    this.#executor.begun(run);
    const earlier = this.#executor.recall(id);
    if (earlier === undefined) this.#offer();
    else {
      run.held = true;
      earlier.then(
        (outcome) => {
          run.held = false;
          if (outcome === undefined) this.#offer();
          else run.recalled(outcome);
        },
        (error: TroupeError) => run.refused(error),
      );
    }
    return run.execution;
  }

  /** `false`: it has no such execution. */
  cancel(id: string, reason: string | undefined): boolean {
    return this.#run?.id === id && this.#run.execution.cancel(reason);
  }

  input(request: string, text: string | null): boolean {
    return this.#run?.input(request, text) ?? false;
  }

  finished(run: CodeRun): void {
    if (this.#run !== run) return;
    this.#run = undefined;
    this.executions += 1;
    this.usedAt = this.host.monotonic();
  }

  concluded(run: CodeRun, outcome: ExecutionOutcome): Promise<void> | undefined {
    return this.#executor.concluded(run, outcome);
  }

  // ── processes ─────────────────────────────────────────────────────────────────────────────

  /** Another process, not started yet. */
  renew(): SessionProcess {
    this.processes += 1;
    this.process = new SessionProcess(`process-${this.processes}`, this, this.#kernel);
    return this.process;
  }

  async open(process: SessionProcess, cwd: string): Promise<void> {
    const { mainFile, historyLimit, capabilities } = this.plan;
    this.policy = resolveCapabilities(`${this.path}.capabilities`, capabilities, cwd);
    const { cpuS, memoryBytes, processes, openFiles, fileBytes } = this.limits;
    await process.ask('open', {
      session: this.session,
      ...(mainFile === undefined ? {} : { mainFile }),
      historyLimit,
      capabilities: this.policy,
      limits: { cpuS, memoryBytes, processes, openFiles, fileBytes },
    });
    this.#armLife();
    const { checkpoint } = this;
    if (checkpoint !== undefined) await this.#putBack(process, checkpoint);
  }

  async takeCheckpoint(process: SessionProcess): Promise<void> {
    try {
      const checkpoint = readCheckpoint(await process.ask('checkpoint', {}));
      // Whoever asked for a fresh start gets one.
      if (process.dismissed) return;
      const bytes = Object.values(checkpoint.data).reduce((sum, blob) => sum + blob.length, 0);
      const limit = this.#executor.options.checkpointBytes;
      // What is older than the namespace would put back what the code has long changed.
      this.checkpoint = bytes > limit ? undefined : checkpoint;
      if (bytes > limit)
        this.news.notKept(createError('ERR_CHECKPOINT_TOO_LARGE', { session: this.path, bytes, limit }));
      else this.news.kept(checkpoint, bytes);
    } catch (error) {
      this.news.notKept(error);
    }
  }

  available(process: SessionProcess): void {
    if (process !== this.process) return;
    for (const caller of this.#callers) if (caller.not !== process) this.#leave(caller).resolve(process);
    this.#offer();
  }

  gone(process: SessionProcess): void {
    this.#lastCrash = process.dismissed ? undefined : process.crashError();
  }

  /**
   * A process whose namespace stands, now or in time; another one than `not`.
   *
   * @throws ERR_SESSION_ENDED, ERR_JOB_TIMEOUT
   */
  whenAnswering(timeoutMs = this.settings.operationTimeoutMs, not?: SessionProcess): Promise<SessionProcess> {
    const { process } = this;
    if (process?.answers === true && process !== not) return Promise.resolve(process);
    if (this.#over) return Promise.reject(this.#ended());
    return new Promise((resolve, reject) => {
      const overdue = (): void => {
        const data = { job: 'a start', worker: this.path, timeoutMs };
        this.#leave(caller).reject(createError('ERR_JOB_TIMEOUT', data, { outcome: 'not_started' }));
      };
      const timer = this.host.timer(timeoutMs, 'session start', overdue);
      const caller: Caller = { not, resolve, reject, timer };
      this.#callers.add(caller);
    });
  }

  /** @throws what {@link SessionProcess.ask} throws; ERR_SESSION_ENDED */
  async ask(name: string, args: unknown): Promise<unknown> {
    const process = await this.whenAnswering();
    return process.ask(name, args);
  }

  /** Another process takes the place of this one, with an empty namespace. @throws ERR_SESSION_ENDED, ERR_JOB_TIMEOUT */
  async restart(): Promise<void> {
    const { process } = this;
    const { readyTimeoutMs, closeGraceMs } = this.settings;
    this.checkpoint = undefined;
    const next = this.whenAnswering(readyTimeoutMs + closeGraceMs, process);
    process?.dismiss('restart');
    await next;
  }

  /** Once; later calls await the same end. */
  close(): Promise<void> {
    this.#closing ??= this.#executor.terminate(this.session).then(() => this.#isGone());
    return this.#closing;
  }

  // ── inside ────────────────────────────────────────────────────────────────────────────────

  #offer(): void {
    const run = this.#run;
    if (run === undefined || run.begun || run.held) return;
    if (this.process?.offers === true) this.process.execute(run);
  }

  async #putBack(process: SessionProcess, { format, data }: Checkpoint): Promise<void> {
    try {
      const restored: Restored = readRestored(await process.ask('restore', { format, data }));
      this.news.restored(restored.restored.length, restored.lost.length);
    } catch (error) {
      // An empty namespace is told of, and better than none.
      this.checkpoint = undefined;
      this.news.notKept(error);
    }
  }

  #refusal(): TroupeError | undefined {
    if (this.#over || this.#closing !== undefined) return this.#ended();
    if (this.#run === undefined) return undefined;
    return createError('ERR_SESSION_BUSY', { session: this.path, what: 'execute' }, { stack: false });
  }

  #ended(): TroupeError {
    const cause = this.#expired ?? this.#lastCrash;
    return createError('ERR_SESSION_ENDED', { session: this.path }, { cause, stack: false });
  }

  #refused(id: string, error: TroupeError): Execution {
    const execution = new RunningExecution(id, {
      host: this.host,
      drainMs: 0,
      queue: this.output,
      cancel: () => false,
      taken: () => undefined,
      conclude: () => undefined,
    });
    execution.end({ error });
    return execution;
  }

  #armLife(): void {
    const { sessionMs } = this.limits;
    if (sessionMs === undefined || this.#lifeTimer !== undefined) return;
    this.#lifeTimer = this.host.timer(sessionMs, 'session life', () => this.#expire(sessionMs), {
      unref: true,
    });
  }

  #expire(sessionMs: number): void {
    const breach = { limit: 'sessionMs', figure: sessionMs, observed: sessionMs };
    const data = { execution: this.#run?.id ?? 'none', session: this.path, ...breach };
    this.#expired = createError('ERR_EXECUTION_LIMIT', data, { stack: false });
    this.#run?.flooded(breach);
    this.close().catch(() => undefined);
  }

  #leave(caller: Caller): Caller {
    this.#callers.delete(caller);
    caller.timer.cancel();
    return caller;
  }

  /** Nothing will start here any more. */
  #isGone(): void {
    if (this.#over) return;
    this.#over = true;
    this.#lifeTimer?.cancel();
    this.#executor.remove(this);
    for (const mourn of this.#mourners.splice(0)) mourn();
    for (const caller of this.#callers) this.#leave(caller).reject(this.#ended());
    const run = this.#run;
    if (run?.begun === false) run.refused(this.#ended());
    void this.#kernel.discard();
  }
}
