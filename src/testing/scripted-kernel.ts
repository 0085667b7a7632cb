/**
 * Session kernels that do what the code they are given says, without an OS process: for testing sessions on a simulated host.
 *
 * Code is what `script(…)` makes. Invariant: it keeps the contract of {@link WorkerPort} to
 * the letter, also while misbehaving: nothing is told from within a method, no chunk without credit, one answer a job, `ended` once and
 * last. What a real kernel could not do, it cannot.
 */
import { createError } from '../base/errors.ts';
import type { Host, Timer } from '../base/host.ts';
import type { KernelPlan, SessionKernel } from '../execution/session-kernel.ts';
import type { WorkerEnd, WorkerJob, WorkerPort, WorkerPortListeners } from '../work/worker-port.ts';
import { type KernelStep, type ScriptedExecution, ScriptedNames } from './kernel-script.ts';

export interface ScriptedKernelOptions {
  /** Default `'scripted'`. */
  readonly language?: string;
  /** What a process does when it is started, by its number from 1. Default: it is ready at once. */
  readonly start?: (number: number) => { readonly afterMs?: number } | 'hang' | 'exit' | 'fail';
  /** What a process does when it is told to open its namespace. Default: it does. */
  readonly open?: (number: number) => 'hang' | 'fail' | undefined;
  /** How long it takes to end when asked to; `Infinity`: it does not. Default 0. */
  readonly closeMs?: number;
}

const STALE = { code: null, signal: null };

/** One scripted kernel process, as its session and as its test see it. */
export class ScriptedKernelPort implements WorkerPort {
  readonly pid: number;
  readonly number: number;
  readonly names = new ScriptedNames();
  /** Every job it was given, by name. */
  readonly asked: string[] = [];
  /** What it was told of executions: `cancel`, `interrupt`. */
  readonly told: string[] = [];
  /** The most executions that ran at once. */
  mostAtOnce = 0;
  pings = 0;
  chunks = 0;
  stopped = false;
  killed = false;
  over = false;
  frozen = false;
  readonly #host: Host;
  readonly #listeners: WorkerPortListeners;
  readonly #options: ScriptedKernelOptions;
  #executing: ScriptedExecution | undefined;
  #granted = 0;
  #requests = 0;
  #waiting: string | undefined;
  #timer: Timer | undefined;
  #closed = false;

  constructor(
    host: Host,
    plan: { number: number; options: ScriptedKernelOptions },
    listeners: WorkerPortListeners,
  ) {
    this.#host = host;
    this.number = plan.number;
    this.pid = 20_000 + plan.number;
    this.#options = plan.options;
    this.#listeners = listeners;
    this.#begin(plan.options.start?.(plan.number) ?? {});
  }

  // ── as its session uses it ────────────────────────────────────────────────────────────────

  run(job: WorkerJob): void {
    if (this.over || this.killed || this.#closed)
      throw createError('ERR_WORKER_PROTOCOL', { worker: 'scripted', why: 'it has ended' });
    this.asked.push(job.name);
    this.#later(() => this.#take(job));
  }

  cancel(jobId: number): void {
    this.told.push('cancel');
    this.#later(() => this.#stopJob(jobId, 'cancel'));
  }

  interrupt(jobId: number): void {
    this.told.push('interrupt');
    this.#later(() => this.#stopJob(jobId, 'interrupt'));
  }

  more(jobId: number, chunks: number): void {
    this.#later(() => {
      const executing = this.#executing;
      if (executing?.job.id !== jobId) return;
      const wasDry = this.#granted === 0;
      this.#granted += chunks;
      if (wasDry && executing.wake === undefined && this.#timer === undefined) this.#goOn(executing);
    });
  }

  ping(id: number): void {
    this.pings += 1;
    this.#later(() => this.#listeners.pong(id));
  }

  close(): void {
    if (this.#closed || this.over) return;
    this.#closed = true;
    const { closeMs = 0 } = this.#options;
    this.#later(() => {
      const executing = this.#executing;
      if (executing !== undefined && executing.stubborn === undefined) this.#answer(executing, 'cancelled');
      this.#after(closeMs, () => this.exit({ code: 0 }));
    });
  }

  kill(): void {
    if (this.killed || this.over) return;
    this.killed = true;
    this.#host.step('scripted kernel', () => this.exit({ signal: 'SIGKILL' }));
  }

  // ── as its test uses it ───────────────────────────────────────────────────────────────────

  /** It ends, now. */
  exit(end: { readonly code?: number; readonly signal?: string; readonly outOfMemory?: boolean }): void {
    if (this.over) return;
    this.over = true;
    this.#timer?.cancel();
    const { outOfMemory } = end;
    const how: WorkerEnd = {
      ...STALE,
      ...(end.code === undefined ? {} : { code: end.code }),
      ...(end.signal === undefined ? {} : { signal: end.signal }),
      ...(outOfMemory === undefined ? {} : { outOfMemory }),
      lastStderr: ['the last line'],
      stragglers: [],
    };
    this.#listeners.ended(how);
  }

  /** As by SIGSTOP. */
  stop(): void {
    this.stopped = true;
    this.frozen = true;
  }

  /** Whether it executes. */
  get busy(): boolean {
    return this.#executing !== undefined;
  }

  // ── inside ────────────────────────────────────────────────────────────────────────────────

  #begin(start: ReturnType<NonNullable<ScriptedKernelOptions['start']>>): void {
    if (start === 'hang') return;
    if (start === 'exit') this.#after(0, () => this.exit({ code: 1 }));
    else if (start === 'fail') {
      const error = Object.assign(new Error('spawn scripted ENOENT'), { code: 'ENOENT' });
      this.#after(0, () => {
        this.over = true;
        this.#listeners.ended({ ...STALE, error, lastStderr: [], stragglers: [] });
      });
    } else
      this.#after(start.afterMs ?? 0, () =>
        this.#listeners.ready({
          pid: this.pid,
          version: 1,
          capabilities: ['stream', 'interrupt'],
          handlers: [],
        }),
      );
  }

  #take(job: WorkerJob): void {
    const args = job.args as Readonly<Record<string, unknown>>;
    if (job.name === 'execute') this.#execute(job, String(args['code']));
    else if (job.name === 'open') this.#open(job);
    else if (job.name === 'input_response')
      this.#succeed(job, this.#respond('input', args['request'], args['text']));
    else if (job.name === 'respond')
      this.#succeed(job, this.#respond('answer', args['request'], args['value']));
    else if (this.#executing !== undefined && job.name !== 'stats') this.#fail(job.id, 'Busy', 'it executes');
    else this.#succeed(job, this.names.answer(job.name, args));
  }

  #open(job: WorkerJob): void {
    const how = this.#options.open?.(this.number);
    if (how === 'fail') this.#fail(job.id, 'ValueError', 'as scripted');
    else if (how !== 'hang') this.#succeed(job, { language: 'scripted', pid: this.pid });
  }

  #execute(job: WorkerJob, code: string): void {
    if (this.#executing !== undefined) {
      this.mostAtOnce = 2;
      this.#fail(job.id, 'Busy', 'it executes');
      return;
    }
    this.mostAtOnce = Math.max(1, this.mostAtOnce);
    this.#granted = job.stream ?? 0;
    const steps = JSON.parse(code) as readonly KernelStep[];
    this.#executing = {
      job,
      steps,
      at: 0,
      repeated: 0,
      value: undefined,
      changed: [],
      stubborn: undefined,
      wake: undefined,
    };
    this.#goOn(this.#executing);
  }

  /** Does steps until one waits. */
  #goOn(executing: ScriptedExecution): void {
    while (this.#executing === executing && !this.frozen && !this.over) {
      const step = executing.steps[executing.at];
      if (step === undefined) {
        this.#answer(executing, 'succeeded');
        return;
      }
      if (!this.#do(executing, step)) return;
    }
  }

  /** `false`: it waits, or is over. */
  #do(executing: ScriptedExecution, step: KernelStep): boolean {
    switch (step[0]) {
      case 'print':
        return this.#say(executing, { kind: 'output', stream: step[2] ?? 'stdout', text: step[1] });
      case 'progress':
        return this.#say(executing, { kind: 'progress', value: step[1] });
      case 'chunk':
        return this.#say(executing, step[1] as object);
      case 'repeat':
        return this.#repeat(executing, step[1], step[2]);
      case 'set':
        this.names.set(step[1], step[2]);
        executing.changed.push(step[1]);
        break;
      case 'value':
        executing.value = { value: step[1] };
        break;
      case 'read':
        executing.value = { value: this.names.get(step[1]) ?? null };
        break;
      default:
        return this.#pause(executing, step);
    }
    executing.at += 1;
    return true;
  }

  #pause(executing: ScriptedExecution, step: KernelStep): boolean {
    executing.at += 1;
    if (step[0] === 'wait') {
      this.#timer = this.#host.timer(step[1], 'scripted code', () => {
        this.#timer = undefined;
        this.#goOn(executing);
      });
    } else if (step[0] === 'hang') executing.stubborn = step[1];
    else if (step[0] === 'throw') this.#throw(executing, step[1], step[2]);
    else if (step[0] === 'crash') this.#host.step('scripted crash', () => this.exit(step[1]));
    else if (step[0] === 'freeze') this.frozen = true;
    else if (step[0] === 'garbage') {
      this.#listeners.broke(createError('ERR_FRAME_MALFORMED', { why: 'as scripted' }));
      this.kill();
    } else this.#ask(executing, step);
    if (step[0] === 'hang') executing.wake = () => undefined;
    return false;
  }

  #ask(executing: ScriptedExecution, step: KernelStep): void {
    this.#requests += 1;
    const request = `r${this.#requests}`;
    const asks =
      step[0] === 'input'
        ? { kind: 'input', request, prompt: step[1], secret: false }
        : { kind: 'request', request, capability: step[1], args: step[2] };
    this.#waiting = request;
    executing.at -= 1;
    if (!this.#say(executing, asks)) return;
    executing.wake = (text) => {
      executing.wake = undefined;
      this.names.set(step[0] === 'input' ? 'input' : 'answer', text ?? null);
      this.#goOn(executing);
    };
  }

  #repeat(executing: ScriptedExecution, times: number, text: string): boolean {
    if (executing.repeated === times) {
      executing.repeated = 0;
      executing.at += 1;
      return true;
    }
    executing.at -= 1;
    if (!this.#say(executing, { kind: 'output', stream: 'stdout', text })) {
      executing.at += 1;
      return false;
    }
    executing.repeated += 1;
    return true;
  }

  /** Sends a chunk and goes to the next step, if it has credit. */
  #say(executing: ScriptedExecution, chunk: object): boolean {
    if (this.#granted === 0) return false;
    this.#granted -= 1;
    this.chunks += 1;
    executing.at += 1;
    this.#listeners.chunk?.(executing.job.id, { ...chunk, at: this.#host.wall() });
    return true;
  }

  #respond(name: string, request: unknown, value: unknown): boolean {
    const executing = this.#executing;
    if (executing?.wake === undefined || request !== this.#waiting) return false;
    this.#waiting = undefined;
    this.names.set(name, value);
    executing.wake(value);
    return true;
  }

  #stopJob(jobId: number, how: 'cancel' | 'interrupt'): void {
    const executing = this.#executing;
    if (executing?.job.id !== jobId || executing.stubborn === 'interrupt') return;
    if (executing.stubborn === 'cancel' && how === 'cancel') return;
    this.#answer(executing, 'cancelled');
  }

  #throw(executing: ScriptedExecution, type: string, message: string): void {
    this.#executing = undefined;
    this.#fail(executing.job.id, type, message);
  }

  #answer(executing: ScriptedExecution, how: 'succeeded' | 'cancelled'): void {
    this.#executing = undefined;
    this.#timer?.cancel();
    this.#timer = undefined;
    const { id } = executing.job;
    if (how === 'cancelled') this.#later(() => this.#listeners.cancelled(id));
    else {
      const { value, changed } = executing;
      this.#succeed(executing.job, {
        mode: 'simple_sync',
        hasValue: value !== undefined,
        value: value?.value ?? null,
        serialisable: true,
        repr: JSON.stringify(value?.value ?? null),
        type: typeof value?.value,
        executionMs: 0,
        changed,
      });
    }
  }

  #succeed({ id }: WorkerJob, value: unknown): void {
    this.#later(() => this.#listeners.succeeded(id, value));
  }

  #fail(jobId: number, type: string, message: string): void {
    this.#later(() => this.#listeners.failed(jobId, { type, message, traceback: `at ${type}` }));
  }

  /** In a later step, unless it is frozen or over by then. */
  #later(run: () => void): void {
    this.#host.step('scripted kernel', () => {
      if (!this.frozen && !this.over) run();
    });
  }

  #after(delayMs: number, run: () => void): void {
    if (delayMs === 0) this.#later(run);
    else this.#host.timer(delayMs, 'scripted kernel', () => this.#later(run), { unref: true });
  }
}

/** A language of scripted kernels, and all processes that were ever started. */
export interface ScriptedKernel extends SessionKernel {
  /** In the order of their starts. */
  readonly ports: readonly ScriptedKernelPort[];
  /** Those that have not ended. */
  readonly live: readonly ScriptedKernelPort[];
  /** What was asked for, one a session. */
  readonly plans: readonly KernelPlan[];
  /** Processes whose folders were let go of, and sessions. */
  readonly released: { launches: number; sessions: number };
}

/** A language for `codeExecutor({ kernels: [scriptedKernel()] })`, whose code is {@link script}. */
export const scriptedKernel = (options: ScriptedKernelOptions = {}): ScriptedKernel => {
  const ports: ScriptedKernelPort[] = [];
  const plans: KernelPlan[] = [];
  const released = { launches: 0, sessions: 0 };
  return {
    language: options.language ?? 'scripted',
    ports,
    plans,
    released,
    get live() {
      return ports.filter((port) => !port.over);
    },
    prepare: (plan) => {
      plans.push(plan);
      return {
        launch: () => ({
          kind: {
            name: 'scripted',
            open: (host, _id, listeners) => {
              const port = new ScriptedKernelPort(host, { number: ports.length + 1, options }, listeners);
              ports.push(port);
              return port;
            },
          },
          cwd: '/scripted',
          release: () => {
            released.launches += 1;
          },
        }),
        discard: () => {
          released.sessions += 1;
        },
      };
    },
  };
};
