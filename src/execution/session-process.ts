/**
 * One process of a session: its chart, its port, the code that it runs and the questions it was asked. It is stepped in the turn of
 * whoever executes, answers, or finds it gone, so that an execution passes through no mailbox.
 *
 * Invariants: at most one execution at a time, told of exactly one ending; a question is answered, fails or times out; once its owner
 * has heard `gone` it holds no timer and no process. What follows for the session (a replacement, a restored namespace) is its owner's.
 */
import type { SessionEvent } from '../../actors/session.machine.ts';
import { createError, isTroupeError, type TroupeError } from '../base/errors.ts';
import { Pulse } from '../work/pulse.ts';
import { describeEnd, type EndReport, endError, startError } from '../work/worker-end.ts';
import type { WorkerTransition } from '../work/worker-history.ts';
import type {
  WorkerEnd,
  WorkerFailure,
  WorkerPort,
  WorkerPortListeners,
  WorkerReady,
} from '../work/worker-port.ts';
import type { CodeRun } from './code-run.ts';
import { WINDOW } from './output-flow.ts';
import type { ProcessOwner, ProcessWatcher } from './process-owner.ts';
import { ProcessQuestions } from './process-questions.ts';
import type { KernelLaunch, PreparedKernel } from './session-kernel.ts';
import { type LifeTransition, SessionLife } from './session-life.ts';

const LOOK_NEVER_MS = 3_600_000;

export class SessionProcess implements WorkerPortListeners {
  info: WorkerReady | undefined;
  watcher: ProcessWatcher | undefined;
  /** The end of it was asked for. */
  dismissed = false;
  /** Characters that all its executions printed. */
  printed = 0;
  readonly id: string;
  readonly #owner: ProcessOwner;
  readonly #kernel: PreparedKernel;
  readonly #life: SessionLife;
  readonly #pulse: Pulse;
  readonly #questions: ProcessQuestions;
  readonly #stopListening: () => void;
  #launch: KernelLaunch | undefined;
  #port: WorkerPort | undefined;
  #lastJob = 0;
  #run: { readonly job: number; readonly run: CodeRun } | undefined;
  #end: WorkerEnd | undefined;
  #openedAt: number | undefined;
  #launchedAt = 0;
  #killedFor: string | undefined;
  #breach: TroupeError | undefined;
  #failure: unknown;
  #retired = false;
  #told = false;
  #offered = false;

  constructor(id: string, owner: ProcessOwner, kernel: PreparedKernel) {
    this.id = id;
    this.#owner = owner;
    this.#kernel = kernel;
    const { host, settings } = owner;
    this.#questions = new ProcessQuestions(host, this.name);
    this.#pulse = new Pulse(
      host,
      { ...settings, lookEveryMs: LOOK_NEVER_MS },
      {
        ping: (ping) => this.#port?.ping(ping),
        // Also while it executes: a kernel answers then too.
        idleSince: () => this.#openedAt,
        isTaken: () => false,
        isStopped: () => undefined,
        stopped: () => undefined,
        passed: () => undefined,
        missed: () => this.#missed(),
      },
    );
    this.#stopListening = host.onStall((lateMs) => this.#pulse.stalled(lateMs));
    this.#life = new SessionLife(host, settings, {
      open: () => this.#open(),
      takeCheckpoint: () => this.#takeCheckpoint(),
      askCancel: () => this.#askCancel(),
      interrupt: () => this.#interrupt(),
      blame: (why) => {
        this.#killedFor ??= why;
      },
      closePort: () => this.#close(),
      killPort: () => this.#kill(),
      retire: () => this.#retire(),
      moved: (transition: LifeTransition) => owner.news.moved(transition),
      stepped: owner.news.stepped,
    });
  }

  get pid(): number | undefined {
    return this.info?.pid ?? this.#port?.pid;
  }

  /** Whether it takes code now. */
  get offers(): boolean {
    return this.#life.offers;
  }

  /** Whether it never will again. */
  get over(): boolean {
    return this.#life.isOver;
  }

  get gone(): boolean {
    return this.#retired;
  }

  /** Whether its namespace stands, so that it can be asked about it. */
  get answers(): boolean {
    return this.#openedAt !== undefined && !this.#life.isOver;
  }

  /** When it came to take code. */
  get openedAt(): number | undefined {
    return this.#openedAt;
  }

  get state(): string {
    return this.#life.state;
  }

  get stage(): string {
    return this.#life.stage;
  }

  get end(): WorkerEnd | undefined {
    return this.#end;
  }

  /** It was told to end at once, so that a SIGKILL says nothing of it. */
  get killedFor(): string | undefined {
    return this.#killedFor;
  }

  history(): readonly WorkerTransition[] {
    return this.#life.history();
  }

  // ── what its owner does with it ───────────────────────────────────────────────────────────

  /** Starts it. What comes of it is told to the watcher. */
  start(): void {
    this.#launchedAt = this.#owner.host.monotonic();
    this.#life.start();
    Promise.resolve()
      .then(() => this.#kernel.launch())
      .then(
        (launch) => this.#launched(launch),
        (error: unknown) => this.#lost(error),
      );
  }

  /** Gives it code. Only where it offers to take it. */
  execute(run: CodeRun): void {
    const port = this.#port;
    this.#lastJob += 1;
    const job = this.#lastJob;
    this.#run = { job, run };
    this.#step({ type: 'execution.begun' }, 'execute');
    try {
      if (port === undefined) throw this.#broken('it has ended');
      run.begin(this);
      port.run({ id: job, name: 'execute', args: run.args, remainingMs: run.remainingMs, stream: WINDOW });
    } catch (error) {
      this.#run = undefined;
      run.refused(isTroupeError(error) ? error : this.#broken('it could not be written to', error));
      if (isTroupeError(error, 'ERR_WORKER_PROTOCOL')) this.broke(error);
      this.#step({ type: 'execution.answered', keep: false }, 'not_sent');
    }
  }

  /** Grants it that many chunks more. */
  more(run: CodeRun, chunks: number): void {
    if (this.#run?.run === run) this.#port?.more?.(this.#run.job, chunks);
  }

  /** Ends what it runs, in three stages. */
  cancel(run: CodeRun, why: string): void {
    if (this.#run?.run === run) this.#step({ type: 'cancel.wanted' }, why);
  }

  /**
   * Asks it something, also while it executes.
   *
   * @throws ERR_SESSION_BUSY: it cannot say that while it executes; ERR_JOB_FAILED, ERR_JOB_TIMEOUT, ERR_JOB_INVALID,
   *   ERR_FRAME_TOO_LARGE, ERR_WORKER_EXITED, ERR_WORKER_PROTOCOL
   */
  ask(name: string, args: unknown, timeoutMs = this.#owner.settings.operationTimeoutMs): Promise<unknown> {
    this.#lastJob += 1;
    const port = this.#end === undefined ? this.#port : undefined;
    return this.#questions.ask(port, { id: this.#lastJob, name, args, timeoutMs });
  }

  /** It is no longer needed: it ends in order, or is killed after the grace. */
  dismiss(reason: string): void {
    this.dismissed = true;
    this.#step({ type: 'close.wanted' }, reason);
  }

  /** It is killed. */
  condemn(reason: string): void {
    this.#killedFor ??= reason;
    this.#step({ type: 'session.failed' }, reason);
  }

  /** Why it is not there any more. */
  crashError(): unknown {
    if (this.#openedAt === undefined) return this.#failure ?? startError(this.#report);
    return endError(this.#report);
  }

  // ── what its port tells ───────────────────────────────────────────────────────────────────

  ready(info: WorkerReady): void {
    this.info = info;
    this.#step({ type: 'port.ready' }, 'launched');
  }

  chunk(job: number, value: unknown): void {
    this.#pulse.heardAt = this.#owner.host.monotonic();
    if (this.#run?.job === job) this.#run.run.chunk(value);
  }

  succeeded(job: number, value: unknown): void {
    if (this.#questions.answered(job, value)) return;
    const run = this.#takeRun(job);
    if (run === undefined) return;
    this.#step({ type: 'execution.answered', keep: this.#owner.keepsCheckpoints }, 'succeeded');
    run.succeeded(value);
    this.#tell();
  }

  failed(job: number, failure: WorkerFailure): void {
    if (this.#questions.failed(job, failure)) return;
    const run = this.#takeRun(job);
    if (run === undefined) return;
    this.#step({ type: 'execution.answered', keep: false }, 'failed');
    run.failed(failure);
    this.#tell();
  }

  cancelled(job: number): void {
    if (this.#questions.cancelled(job)) return;
    const run = this.#takeRun(job);
    if (run === undefined) return;
    this.#step({ type: 'execution.answered', keep: false }, 'cancelled');
    run.cancelled();
    this.#tell();
  }

  pong(id: number): void {
    this.#pulse.pong(id);
  }

  stderr(line: string): void {
    this.#owner.news.stderr(this.pid, line);
  }

  broke(error: TroupeError): void {
    this.#breach ??= error;
    this.#step({ type: 'session.failed' }, 'protocol_broken');
  }

  dropped(why: string): void {
    this.#owner.news.dropped(why);
  }

  ended(end: WorkerEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    const report = this.#report;
    const how = describeEnd(report);
    const run = this.#run?.run;
    this.#run = undefined;
    this.#step({ type: 'port.ended' }, how);
    run?.died(endError(report, run.id), end, this.#killedFor);
    this.#questions.end((name) => endError(report, name));
    this.#owner.news.ended(report, how);
    void this.#launch?.release();
    this.#tell();
  }

  // ── inside ────────────────────────────────────────────────────────────────────────────────

  /** Its path, for errors and logs. */
  get name(): string {
    return `${this.#owner.path}/${this.id}`;
  }

  get #report(): EndReport {
    return {
      worker: this.name,
      pid: this.pid,
      end: this.#end,
      killedFor: this.#killedFor,
      breach: this.#breach,
    };
  }

  #launched(launch: KernelLaunch): void {
    if (this.#life.isOver) {
      void launch.release();
      return;
    }
    this.#launch = launch;
    this.#port = launch.kind.open(this.#owner.host, this.name, this);
  }

  /** It has no process, and will have none. */
  #lost(error: unknown): void {
    this.ended({
      code: null,
      signal: null,
      ...(error instanceof Error ? { error } : {}),
      lastStderr: [],
      stragglers: [],
    });
  }

  #open(): void {
    this.#owner.open(this, this.#launch?.cwd ?? '').then(
      () => {
        if (this.#end !== undefined || this.#life.isOver) return;
        this.#openedAt = this.#owner.host.monotonic();
        this.#pulse.start();
        this.#owner.news.started(this.pid, this.#openedAt - this.#launchedAt);
        this.#step({ type: 'session.opened' }, 'opened');
        this.watcher?.started();
      },
      (error: unknown) => {
        this.#failure ??= isTroupeError(error, 'ERR_WORKER_EXITED') ? undefined : error;
        this.condemn('not_opened');
      },
    );
  }

  #takeCheckpoint(): void {
    void this.#owner.takeCheckpoint(this).then(() => this.#step({ type: 'checkpoint.done' }, 'kept'));
  }

  #askCancel(): void {
    const running = this.#run;
    if (running === undefined) return;
    running.run.stage = 'cooperative';
    if (this.#port?.stopped === true) this.condemn('stopped');
    else this.#port?.cancel(running.job, running.run.stopping);
  }

  #interrupt(): void {
    const running = this.#run;
    if (running === undefined || this.#port === undefined) return;
    running.run.stage = 'interrupted';
    this.#owner.news.interrupted(running.run.id, running.run.stopping);
    if (this.#port.interrupt === undefined) this.#port.cancel(running.job, running.run.stopping);
    else this.#port.interrupt(running.job, running.run.stopping);
  }

  #close(): void {
    if (this.#port === undefined) this.#abandon();
    else this.#port.close();
  }

  #kill(): void {
    if (this.#port === undefined) this.#abandon();
    else this.#port.kill();
  }

  /** What is still being launched is let go when it comes. */
  #abandon(): void {
    this.#owner.host.step('session abandoned', () => this.#lost(undefined));
  }

  #retire(): void {
    this.#retired = true;
    this.#pulse.stop();
    this.#stopListening();
  }

  #missed(): void {
    const silentMs = this.#owner.host.monotonic() - this.#pulse.heardAt;
    // A busy interpreter is given time: what it runs has a deadline of its own.
    if (this.#run !== undefined && silentMs < this.#owner.settings.busyLivenessMs) return;
    this.condemn('no_sign_of_life');
  }

  #takeRun(job: number): CodeRun | undefined {
    const running = this.#run;
    if (running?.job !== job) {
      this.dropped(`an answer to job ${job}, which is not in flight`);
      return undefined;
    }
    this.#run = undefined;
    return running.run;
  }

  #broken(why: string, cause?: unknown): TroupeError {
    return createError('ERR_WORKER_PROTOCOL', { worker: this.name, why }, { cause, outcome: 'not_started' });
  }

  #step(event: SessionEvent, reason: string): void {
    this.#life.step(event, reason);
    // An answer is told before what follows from it.
    if (event.type !== 'execution.answered' && event.type !== 'port.ended') this.#tell();
  }

  /** Tells the owner what a step has changed, once it is complete. */
  #tell(): void {
    const offers = this.#life.offers;
    if (offers !== this.#offered) {
      this.#offered = offers;
      if (offers) this.#owner.available(this);
    }
    if (!this.#retired || this.#told) return;
    this.#told = true;
    this.#owner.gone(this);
    this.watcher?.gone();
  }
}
