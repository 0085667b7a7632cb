/**
 * Workers that do what a script says, at any point of their lives, without an OS process: for testing pools on a simulated host.
 *
 * Invariant: it keeps the contract of {@link WorkerPort} to the letter, also while misbehaving: nothing is told from within
 * a method, a job is answered at most once, `ended` comes once and last. What a real worker could not do, it cannot.
 */
import { createError } from '../base/errors.ts';
import type { Fault, Host, Timer } from '../base/host.ts';
import type {
  WorkerEnd,
  WorkerJob,
  WorkerKind,
  WorkerPort,
  WorkerPortListeners,
} from '../work/worker-port.ts';

/** What a worker does when it is opened. Default: `ready` at once. */
export type ScriptedStart =
  | { readonly do: 'ready'; readonly afterMs?: number }
  /** Never says that it is ready. */
  | { readonly do: 'hang' }
  /** Ends before it is ready. */
  | { readonly do: 'exit'; readonly code?: number; readonly afterMs?: number }
  /** Cannot be started at all, as a command that does not exist. */
  | { readonly do: 'fail' };

/** What a worker does with a job. Default: succeeds at once with the job's arguments. */
export type ScriptedAnswer =
  | { readonly do: 'succeed'; readonly value?: unknown; readonly afterMs?: number }
  | { readonly do: 'fail'; readonly type?: string; readonly message?: string; readonly afterMs?: number }
  /** Works for ever; when asked to cancel it complies, unless `ignoresCancel`. */
  | { readonly do: 'hang'; readonly ignoresCancel?: boolean }
  | {
      readonly do: 'crash';
      readonly code?: number;
      readonly signal?: string;
      readonly afterMs?: number;
    }
  | { readonly do: 'garbage'; readonly afterMs?: number }
  /** It answers nothing from now on, but can be killed: as one whose loop turns no more. */
  | { readonly do: 'freeze' }
  /** The same, and the system says why, as of one that got SIGSTOP. */
  | { readonly do: 'stop' }
  /**
   * Yields these, one every so often and none before it was granted, and then does something else. Where no stream was asked for,
   * they are collected. Default then: succeeds.
   */
  | {
      readonly do: 'stream';
      readonly chunks: readonly unknown[];
      readonly everyMs?: number;
      readonly then?: ScriptedAnswer;
    }
  /** Tells how far it is, and then does something else. Default then: succeeds. */
  | { readonly do: 'progress'; readonly told: readonly unknown[]; readonly then?: ScriptedAnswer }
  /** Says that it has outgrown its memory, and then does something else. Default then: succeeds. */
  | { readonly do: 'outgrow'; readonly then?: ScriptedAnswer }
  /** Its arguments cannot be sent. */
  | { readonly do: 'refuse' };

export interface ScriptedOptions {
  readonly name?: string;
  /** By the worker's number, from 1 in the order of opening. */
  readonly start?: (number: number) => ScriptedStart;
  /** Default: the job's arguments, where they look like an answer. */
  readonly job?: (job: WorkerJob, port: ScriptedPort) => ScriptedAnswer | undefined;
  /** How long it takes to end when asked to; `Infinity`: it does not. Default 0. */
  readonly closeMs?: number;
  /** How long it takes until the last of it is gone after a kill. Default 0. */
  readonly killMs?: number;
}

/** A kind of scripted workers, and all that were ever opened. */
export interface ScriptedKind extends WorkerKind {
  /** In the order of opening. */
  readonly ports: readonly ScriptedPort[];
  /** Those that have not ended. */
  readonly live: readonly ScriptedPort[];
}

const isAnswer = (value: unknown): value is ScriptedAnswer =>
  typeof value === 'object' && value !== null && typeof (value as { do?: unknown }).do === 'string';

const LIVING = { code: null, signal: null };
const READY: ScriptedStart = { do: 'ready' };

/** What a planned fault makes of a start: the fault's `kind` is what it does, `value` after how many ms. */
const startOf = ({ kind, value }: Fault): ScriptedStart =>
  ({
    do: kind === 'ENOENT' ? 'fail' : kind,
    ...(value === undefined ? {} : { afterMs: value }),
  }) as ScriptedStart;

const answerOf = ({ kind, value }: Fault): ScriptedAnswer =>
  ({ do: kind, ...(value === undefined ? {} : { afterMs: value }) }) as ScriptedAnswer;

/** One scripted worker, as its pool and as its test see it. */
export class ScriptedPort implements WorkerPort {
  readonly id: string;
  readonly number: number;
  readonly pid: number;
  /** Every job it was given, in order. */
  readonly jobs: WorkerJob[] = [];
  /** What it was asked to cancel. */
  readonly cancels: number[] = [];
  pings = 0;
  /** Chunks that it sent. */
  sent = 0;
  closed = false;
  killed = false;
  over = false;
  frozen = false;
  stopped = false;
  readonly #host: Host;
  readonly #listeners: WorkerPortListeners;
  readonly #options: ScriptedOptions;
  #running: { readonly job: WorkerJob; readonly answer: ScriptedAnswer } | undefined;
  /** Chunks that may be sent, and what goes on when there are more. */
  #granted = 0;
  #wake: (() => void) | undefined;
  #timer: Timer | undefined;
  #stderr: string[] = [];

  constructor(
    host: Host,
    plan: { readonly id: string; readonly number: number; readonly options: ScriptedOptions },
    listeners: WorkerPortListeners,
  ) {
    this.#host = host;
    this.id = plan.id;
    this.number = plan.number;
    this.pid = 10_000 + plan.number;
    this.#options = plan.options;
    this.#listeners = listeners;
    const planned = host.fault('worker.start', plan.id);
    this.#start(planned === undefined ? (plan.options.start?.(plan.number) ?? READY) : startOf(planned));
  }

  // ── as its pool uses it ───────────────────────────────────────────────────────────────────

  run(job: WorkerJob): void {
    if (this.over || this.killed) {
      const data = { worker: this.id, why: 'it has ended' };
      throw createError('ERR_WORKER_PROTOCOL', data, { outcome: 'not_started' });
    }
    const answer = this.#answerTo(job);
    if (answer.do === 'refuse') throw createError('ERR_JOB_INVALID', { job: job.name, why: 'as scripted' });
    this.jobs.push(job);
    this.#running = { job, answer };
    this.#granted = job.stream ?? 0;
    this.#wake = undefined;
    this.#act(answer, job);
  }

  more(jobId: number, chunks: number): void {
    if (this.#running?.job.id !== jobId) return;
    this.#granted += chunks;
    const wake = this.#wake;
    this.#wake = undefined;
    if (wake !== undefined) this.#later(0, wake);
  }

  cancel(jobId: number, _reason: string): void {
    this.cancels.push(jobId);
    const running = this.#running;
    if (running?.job.id !== jobId) return;
    if (running.answer.do === 'hang' && running.answer.ignoresCancel === true) return;
    this.#later(0, () => {
      if (this.#finish(jobId)) this.#listeners.cancelled(jobId);
    });
  }

  ping(id: number): void {
    this.pings += 1;
    this.#later(0, () => this.#listeners.pong(id));
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    if (this.#host.fault('worker.close', this.id) !== undefined) return;
    const { closeMs = 0 } = this.#options;
    this.#later(closeMs, () => this.#end({ ...LIVING, code: 0 }));
  }

  kill(): void {
    if (this.killed || this.over) return;
    this.killed = true;
    const killMs = this.#host.fault('worker.kill', this.id)?.value ?? this.#options.killMs ?? 0;
    this.#unstoppable(killMs, () => this.#end({ ...LIVING, signal: 'SIGKILL' }));
  }

  // ── as its test uses it ───────────────────────────────────────────────────────────────────

  /** It ends by itself, as by a crash or somebody's `kill`. */
  exit(how: { readonly code?: number; readonly signal?: string } = { code: 1 }): void {
    this.#unstoppable(0, () => this.#end({ code: how.code ?? null, signal: how.signal ?? null }));
  }

  /** It says something that is no frame. */
  breakProtocol(): void {
    this.#later(0, () => {
      this.#listeners.broke(createError('ERR_FRAME_MALFORMED', { why: 'as scripted' }));
      this.kill();
    });
  }

  /** It answers nothing from now on. */
  freeze(): void {
    this.frozen = true;
  }

  /** As by SIGSTOP. */
  stop(): void {
    this.frozen = true;
    this.stopped = true;
  }

  print(line: string): void {
    this.#stderr.push(line);
    this.#later(0, () => this.#listeners.stderr(line));
  }

  /** The job it runs. */
  get running(): WorkerJob | undefined {
    return this.#running?.job;
  }

  /** Answers the job it runs, whatever the script said. */
  answer(answer: ScriptedAnswer): void {
    if (this.#running !== undefined) this.#act(answer, this.#running.job);
  }

  // ── inside ────────────────────────────────────────────────────────────────────────────────

  #answerTo(job: WorkerJob): ScriptedAnswer {
    // The script hears of every job, also of those that a fault befalls.
    const scripted = this.#options.job?.(job, this);
    const planned = this.#host.fault('worker.job', this.id);
    if (planned !== undefined) return answerOf(planned);
    const told = isAnswer(job.args) ? job.args : undefined;
    return scripted ?? told ?? { do: 'succeed', value: job.args };
  }

  #start(start: ScriptedStart): void {
    if (start.do === 'fail') {
      const error = Object.assign(new Error('spawn scripted ENOENT'), { code: 'ENOENT' });
      this.#unstoppable(0, () => this.#end({ ...LIVING, error }));
    } else if (start.do === 'exit')
      this.#unstoppable(start.afterMs ?? 0, () => this.#end({ ...LIVING, code: start.code ?? 1 }));
    else if (start.do === 'ready')
      this.#later(start.afterMs ?? 0, () =>
        this.#listeners.ready({ pid: this.pid, version: 1, capabilities: [], handlers: [] }),
      );
  }

  #act(answer: ScriptedAnswer, job: WorkerJob): void {
    const { id, args } = job;
    switch (answer.do) {
      case 'stream':
        this.#yield(answer, job, 0);
        break;
      case 'progress':
        this.#later(0, () => {
          for (const value of answer.told) this.#listeners.progress?.(id, value);
          this.#goOn(answer.then, job);
        });
        break;
      case 'outgrow':
        this.#later(0, () => {
          this.#listeners.outgrown?.(1);
          this.#goOn(answer.then, job);
        });
        break;
      case 'succeed':
        this.#answerLater(answer.afterMs, id, () => this.#listeners.succeeded(id, answer.value ?? args));
        break;
      case 'fail': {
        const { type = 'Error', message = 'as scripted' } = answer;
        const failure = { type, message, traceback: '' };
        this.#answerLater(answer.afterMs, id, () => this.#listeners.failed(id, failure));
        break;
      }
      case 'crash':
        this.#timed(answer.afterMs, () =>
          this.#end({
            code: answer.signal === undefined ? (answer.code ?? 1) : null,
            signal: answer.signal ?? null,
          }),
        );
        break;
      case 'garbage':
        this.#timed(answer.afterMs, () => this.breakProtocol());
        break;
      case 'freeze':
        this.freeze();
        break;
      case 'stop':
        this.stop();
        break;
    }
  }

  /** Sends the chunk at `index` and those after it, as far as they are granted. */
  #yield(answer: ScriptedAnswer & { readonly do: 'stream' }, job: WorkerJob, index: number): void {
    const { chunks, everyMs, then } = answer;
    if (job.stream === undefined || index >= chunks.length) {
      const value = job.stream === undefined ? chunks : undefined;
      this.#goOn(then ?? { do: 'succeed', value }, job);
      return;
    }
    this.#timed(everyMs, () => {
      if (this.#running?.job !== job) return;
      const send = (): void => {
        if (this.#running?.job !== job) return;
        this.#granted -= 1;
        this.sent += 1;
        this.#listeners.chunk?.(job.id, chunks[index]);
        this.#yield(answer, job, index + 1);
      };
      if (this.#granted > 0) send();
      else this.#wake = send;
    });
  }

  /** What a job does next, if it is still there. */
  #goOn(then: ScriptedAnswer = { do: 'succeed' }, job: WorkerJob): void {
    if (this.#running?.job !== job) return;
    this.#running = { job, answer: then };
    this.#act(then, job);
  }

  #answerLater(afterMs: number | undefined, jobId: number, tell: () => void): void {
    this.#timed(afterMs, () => {
      if (this.#finish(jobId)) tell();
    });
  }

  #finish(jobId: number): boolean {
    if (this.#running?.job.id !== jobId) return false;
    this.#running = undefined;
    this.#timer?.cancel();
    return true;
  }

  /** What a job does after a while; a cancelled or finished job does it no more. */
  #timed(afterMs: number | undefined, run: () => void): void {
    if (afterMs === undefined) this.#later(0, run);
    else {
      this.#timer?.cancel();
      this.#timer = this.#host.timer(afterMs, 'scripted job', () => this.#unlessFrozen(run));
    }
  }

  /** In a later step, unless it is frozen or over by then. */
  #later(afterMs: number, run: () => void): void {
    this.#unstoppable(afterMs, () => this.#unlessFrozen(run));
  }

  #unlessFrozen(run: () => void): void {
    if (!this.frozen && !this.over) run();
  }

  #unstoppable(afterMs: number, run: () => void): void {
    const unlessOver = (): void => {
      if (!this.over) run();
    };
    if (afterMs === 0) this.#host.step('scripted worker', unlessOver);
    else this.#host.timer(afterMs, 'scripted worker', unlessOver, { unref: true });
  }

  #end(end: Omit<WorkerEnd, 'lastStderr' | 'stragglers'>): void {
    this.over = true;
    this.#timer?.cancel();
    this.#running = undefined;
    this.#listeners.ended({ ...end, lastStderr: this.#stderr, stragglers: [] });
  }
}

/**
 * A kind of workers that follow a script. Without options they start at once and answer every job with its arguments, or do
 * what the arguments say: `pool.run('any', { do: 'crash', afterMs: 5 })`.
 */
export const scriptedWorkers = (options: ScriptedOptions = {}): ScriptedKind => {
  const ports: ScriptedPort[] = [];
  return {
    name: options.name ?? 'scripted',
    ports,
    get live() {
      return ports.filter((port) => !port.over);
    },
    open: (host, id, listeners) => {
      const port = new ScriptedPort(host, { id, number: ports.length + 1, options }, listeners);
      ports.push(port);
      return port;
    },
  };
};
