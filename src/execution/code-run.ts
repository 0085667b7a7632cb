/**
 * One execution on its way: what was asked, the process that runs it, what comes of it, and why it is stopped, if it is.
 *
 * Invariants: it ends once, for whichever cause comes first; once it is to be stopped it never counts as a success; when it has ended,
 * nothing is awaited in its name: no input, no provider, no timer, no signal.
 */
import { type AbortListener, type AbortSource, listenToAbort, unlistenToAbort } from '../base/abort.ts';
import {
  createError,
  type ErrorCode,
  type ErrorData,
  type Outcome,
  type TroupeError,
} from '../base/errors.ts';
import type { Host } from '../base/host.ts';
import type { WorkerEnd, WorkerFailure } from '../work/worker-port.ts';
import { type KernelChunk, readChunk, readResult } from './chunks.ts';
import { type ExecutionOutcome, type ExecutionOwner, RunningExecution } from './execution.ts';
import { ExecutionClock } from './execution-clock.ts';
import type { ResolvedExecute } from './execution-options.ts';
import { type Breach, FloodWatch } from './flood-watch.ts';
import { InputWaits } from './input-waits.ts';
import { limitOfEnd, limitOfFailure } from './limit-breaches.ts';
import { type FlowOwner, OutputFlow } from './output-flow.ts';
import type { QueueLimits } from './output-queue.ts';
import { ProviderCalls } from './provider-calls.ts';
import type { RunDesk } from './run-desk.ts';

/** The process that runs it, as a run needs it. */
export interface RunProcess {
  printed: number;
  more(run: CodeRun, chunks: number): void;
  cancel(run: CodeRun, why: string): void;
  ask(name: string, args: unknown): Promise<unknown>;
}

/** What was asked. */
export interface RunPlan {
  readonly id: string;
  readonly code: string;
  readonly options: ResolvedExecute;
}

/** How far the ending of it has come. */
export type StopStage = 'not_begun' | 'running' | 'cooperative' | 'interrupted';

/** Why it is stopped. */
interface Stop {
  readonly code: ErrorCode;
  readonly data: ErrorData;
  readonly why: string;
}

export class CodeRun implements ExecutionOwner, FlowOwner, AbortListener {
  readonly id: string;
  readonly execution: RunningExecution;
  readonly host: Host;
  readonly drainMs: number;
  readonly queue: QueueLimits;
  stage: StopStage = 'not_begun';
  /** The store has not said yet whether its id is new. */
  held = false;
  /** What came of it was known before. */
  known = false;
  readonly #desk: RunDesk;
  readonly #code: string;
  readonly #options: ResolvedExecute;
  readonly #clock: ExecutionClock;
  readonly #inputs: InputWaits;
  readonly #providers: ProviderCalls;
  #flow: OutputFlow | undefined;
  #process: RunProcess | undefined;
  #printed = 0;
  #stop: Stop | undefined;
  #over = false;

  constructor({ id, code, options }: RunPlan, desk: RunDesk) {
    this.id = id;
    this.host = desk.host;
    this.drainMs = desk.output.drainMs;
    this.queue = desk.output;
    this.#desk = desk;
    this.#code = code;
    this.#options = options;
    this.execution = new RunningExecution(id, this);
    this.#clock = new ExecutionClock(desk.host, options, () => this.#overdue());
    this.#inputs = new InputWaits(desk, { execution: id, onInput: options.onInput, clock: this.#clock });
    this.#providers = new ProviderCalls(desk, id);
    const { signal } = options;
    if (signal?.aborted === true) this.host.step('execution aborted', () => this.aborted(signal));
    else if (signal !== undefined) listenToAbort(signal, this);
  }

  get over(): boolean {
    return this.#over;
  }

  /** Whether a process has it. */
  get begun(): boolean {
    return this.#process !== undefined;
  }

  get remainingMs(): number {
    return this.#clock.remainingMs;
  }

  /** Why it is stopped, in words. */
  get stopping(): string {
    return this.#stop?.why ?? '';
  }

  /** As its process is asked. */
  get args(): Readonly<Record<string, unknown>> {
    const { kind, filename, argv, transaction } = this.#options;
    return {
      execution: this.id,
      code: this.#code,
      kind,
      transaction,
      ...(filename === undefined ? {} : { filename }),
      ...(argv === undefined ? {} : { argv }),
    };
  }

  /** What waits for an answer of the user's. */
  get waitingInput(): string | undefined {
    return this.#inputs.waiting;
  }

  // ── as its caller has it ──────────────────────────────────────────────────────────────────

  get room(): number {
    return this.execution.room;
  }

  cancel(reason: string): boolean {
    const data = { execution: this.id, session: this.#desk.path, why: reason };
    return this.#halt({ code: 'ERR_EXECUTION_CANCELLED', data, why: reason });
  }

  taken(): void {
    this.#flow?.refill();
  }

  conclude(outcome: ExecutionOutcome): Promise<void> | undefined {
    return this.#desk.concluded(this, outcome);
  }

  aborted(source: AbortSource): void {
    const why = 'its signal was aborted';
    const data = { execution: this.id, session: this.#desk.path, why, cause: source.reason };
    this.#halt({ code: 'ERR_EXECUTION_CANCELLED', data, why });
  }

  input(request: string, text: string | null): boolean {
    return this.#inputs.answer(request, text);
  }

  // ── as its process has it ─────────────────────────────────────────────────────────────────

  begin(process: RunProcess): void {
    this.#process = process;
    this.stage = 'running';
    const { floods } = this.#desk;
    this.#flow = new OutputFlow(this.host, this, floods === undefined ? undefined : new FloodWatch(floods));
    this.#desk.news.executing(this.id, this.#clock.elapsedMs);
  }

  chunk(value: unknown): void {
    if (this.#over) return;
    const chunk = readChunk(value);
    const text = chunk?.kind === 'output' ? chunk.text : undefined;
    if (chunk === undefined) this.#desk.news.dropped('a chunk of a kind that is not known');
    else this.#tell(chunk);
    if (text !== undefined) this.#count(text.length);
    this.#flow?.arrived(text);
  }

  succeeded(value: unknown): void {
    const stopped = this.#stopError('completed');
    this.#finish(stopped === undefined ? { result: readResult(value) } : { error: stopped });
  }

  failed(failure: WorkerFailure): void {
    const { type, message, traceback } = failure;
    const data = { execution: this.id, session: this.#desk.path, type, text: message, traceback };
    const thrown = createError('ERR_EXECUTION_FAILED', data, { stack: false });
    const stopped = this.#stopError('unknown', thrown);
    if (stopped !== undefined) this.#finish({ error: stopped });
    else if (type === 'Busy')
      this.#finish({ error: createError('ERR_SESSION_BUSY', { session: this.#desk.path, what: 'execute' }) });
    else
      this.#finish({ error: this.#limitError(limitOfFailure(failure, this.#desk.limits), thrown) ?? thrown });
  }

  cancelled(): void {
    const why = 'its session is closing';
    this.#stop ??= {
      code: 'ERR_EXECUTION_CANCELLED',
      data: { execution: this.id, session: this.#desk.path, why },
      why,
    };
    this.#finish({ error: this.#stopError('unknown') });
  }

  /** Its process is gone. */
  died(error: TroupeError, end: WorkerEnd, killedFor: string | undefined): void {
    const broken = killedFor === undefined ? limitOfEnd(end, this.#desk.limits) : undefined;
    const stopped = this.#stopError('unknown', error, 'killed');
    this.#finish({ error: stopped ?? this.#limitError(broken, error) ?? error });
  }

  /** It ran before, and this came of it. */
  recalled(outcome: ExecutionOutcome): void {
    this.known = true;
    this.#finish(outcome);
  }

  /** It was not sent. */
  refused(error: TroupeError): void {
    this.#finish({ error });
  }

  // ── as its flow has it ────────────────────────────────────────────────────────────────────

  grant(chunks: number): void {
    this.#process?.more(this, chunks);
  }

  throttled(): void {
    const { floods } = this.#desk;
    if (floods !== undefined) this.#desk.news.throttled(this.id, floods.linesPerSecond);
  }

  flooded(breach: Breach): void {
    this.#halt(this.#breachStop(breach));
  }

  // ── inside ────────────────────────────────────────────────────────────────────────────────

  #tell(chunk: KernelChunk): void {
    if (chunk.kind === 'request') {
      if (this.#process !== undefined) this.#providers.call(chunk, this.#process);
      return;
    }
    if (chunk.kind === 'audit') this.#desk.news.audited(this.id, chunk);
    // Before the event: whoever reads it may answer in the same turn.
    if (chunk.kind === 'input' && this.#process !== undefined) this.#inputs.wait(chunk, this.#process);
    if (this.execution.tell(chunk)) return;
    const { limit } = this.queue;
    this.#halt(this.#breachStop({ limit: 'output.limit', figure: limit, observed: limit + 1 }));
  }

  #count(characters: number): void {
    const { outputBytes, sessionOutputBytes } = this.#desk.limits;
    this.#printed += characters;
    const process = this.#process;
    if (process !== undefined) process.printed += characters;
    const total = process?.printed ?? 0;
    if (outputBytes !== undefined && this.#printed > outputBytes)
      this.flooded({ limit: 'outputBytes', figure: outputBytes, observed: this.#printed });
    else if (sessionOutputBytes !== undefined && total > sessionOutputBytes)
      this.flooded({ limit: 'sessionOutputBytes', figure: sessionOutputBytes, observed: total });
  }

  #breachStop(breach: Breach): Stop {
    const data = { execution: this.id, session: this.#desk.path, ...breach };
    return {
      code: 'ERR_EXECUTION_LIMIT',
      data,
      why: `it broke the limit ${breach.limit} of ${breach.figure}`,
    };
  }

  #overdue(): void {
    const { timeoutMs, elapsedMs } = this.#clock;
    const data = { execution: this.id, session: this.#desk.path, timeoutMs: Math.min(timeoutMs, elapsedMs) };
    this.#halt({ code: 'ERR_EXECUTION_TIMEOUT', data, why: 'its deadline has passed' });
  }

  /** Has it ended, for the first cause that comes. `false`: it is over already. */
  #halt(stop: Stop): boolean {
    if (this.#over) return false;
    if (this.#stop !== undefined) return true;
    this.#stop = stop;
    this.#clock.stop();
    if (this.#process === undefined) this.#finish({ error: this.#stopError('not_started') });
    else {
      this.#desk.news.stopping(this.id, stop.why);
      this.#process.cancel(this, stop.why);
    }
    return true;
  }

  #stopError(
    outcome: Outcome,
    cause?: unknown,
    stage: StopStage | 'killed' = this.stage,
  ): TroupeError | undefined {
    if (this.#stop === undefined) return undefined;
    const { code, data } = this.#stop;
    const { cause: aborted, ...facts } = data as ErrorData & { cause?: unknown };
    return createError(code, { ...facts, stage }, { outcome, cause: cause ?? aborted, stack: false });
  }

  #limitError(breach: Breach | undefined, cause: TroupeError): TroupeError | undefined {
    if (breach === undefined) return undefined;
    const data = { ...cause.data, execution: this.id, session: this.#desk.path, ...breach };
    return createError('ERR_EXECUTION_LIMIT', data, { cause, stack: false });
  }

  #finish(outcome: ExecutionOutcome): void {
    if (this.#over) return;
    this.#over = true;
    this.#clock.stop();
    this.#flow?.end();
    this.#inputs.end();
    this.#providers.end();
    const { signal } = this.#options;
    if (signal !== undefined) unlistenToAbort(signal, this);
    this.#desk.news.executed(this.id, outcome, this.#clock.elapsedMs);
    this.#desk.finished(this);
    this.execution.end(outcome);
  }
}
