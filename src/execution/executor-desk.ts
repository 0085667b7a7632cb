/**
 * What all sessions of an executor share: the languages, what is awaited, where results are written down, and who there is.
 *
 * Invariants: an execution id in flight is one execution, whoever asks for it again; with a store an id that was begun is never sent again,
 * not even after a restart of the service. It belongs to the executor's place and outlives its incarnations.
 */
import { createError, ERRORS, type ErrorCode, isTroupeError, plainText } from '../base/errors.ts';
import type { Host } from '../base/host.ts';
import { refuse } from '../base/options.ts';
import type { Place } from '../kernel/logic.ts';
import { HandleOfDynamicSupervisor } from '../supervision/dynamic-supervisor-handle.ts';
import type { ExecutionResult } from './chunks.ts';
import type { CodeRun } from './code-run.ts';
import type { Execution, ExecutionOutcome } from './execution.ts';
import { PendingPromises } from './pending-promises.ts';
import { processKernels } from './process-kernel.ts';
import type { ResultStore, StoredError, StoredExecution } from './result-store.ts';
import type { SessionDesk } from './session-desk.ts';
import type { SessionKernel } from './session-kernel.ts';
import type { ResolvedExecutor } from './session-options.ts';

const wordsOf = (error: unknown): StoredError =>
  isTroupeError(error)
    ? { code: error.code, message: plainText(error), outcome: error.outcome, data: error.data }
    : { code: 'ERR_EXECUTION_FAILED', message: String(error), outcome: 'unknown', data: {} };

const storedOf = (outcome: ExecutionOutcome): StoredExecution =>
  'result' in outcome
    ? { status: 'fulfilled', result: outcome.result }
    : { status: 'rejected', error: wordsOf(outcome.error) };

export class ExecutorDesk {
  readonly options: ResolvedExecutor;
  readonly host: Host;
  readonly path: string;
  readonly promises: PendingPromises;
  readonly children: HandleOfDynamicSupervisor;
  readonly #kernels: ReadonlyMap<string, SessionKernel>;
  readonly #sessions = new Map<string, SessionDesk>();
  readonly #runs = new Map<string, CodeRun>();
  /** What the store was asked about an id, and has not said yet. */
  readonly #asked = new Map<string, Promise<StoredExecution | undefined>>();

  constructor(place: Place, options: ResolvedExecutor) {
    this.options = options;
    this.host = place.system.host;
    this.path = place.path;
    this.promises = new PendingPromises(this.host);
    this.children = new HandleOfDynamicSupervisor(place);
    const kernels = [...processKernels(options), ...options.kernels];
    this.#kernels = new Map(kernels.map((kernel) => [kernel.language, kernel]));
  }

  get sessions(): readonly SessionDesk[] {
    return [...this.#sessions.values()];
  }

  /** @throws ERR_OPTION_INVALID */
  kernelOf(language: string): SessionKernel {
    const known = [...this.#kernels.keys()].map((name) => `'${name}'`).join(' or ');
    return this.#kernels.get(language) ?? refuse(`session of ${this.path}`, 'language', known, language);
  }

  add(session: SessionDesk): void {
    this.#sessions.set(session.session, session);
  }

  remove(session: SessionDesk): void {
    if (this.#sessions.get(session.session) === session) this.#sessions.delete(session.session);
  }

  /** Calls `forget` when that session is over: at once, where it is. */
  whenOver(id: string, forget: () => void): void {
    const session = this.#sessions.get(id);
    if (session === undefined) forget();
    else session.whenOver(forget);
  }

  /** Ends a session for good; one that is not there has ended. */
  async terminate(session: string): Promise<void> {
    try {
      await this.children.terminateChild(session);
    } catch (error) {
      // Its executor has gone, and it along.
      if (!isTroupeError(error) || !GONE.has(error.code)) throw error;
    }
  }

  // ── executions by their ids ───────────────────────────────────────────────────────────────

  newExecutionId(): string {
    const id = this.host.newId('execution');
    // Numbers begin anew with the service, and what is written down does not.
    return this.options.store === undefined ? id : `${id}-${this.#random()}`;
  }

  /** The execution of that id that is under way. */
  executionOf(id: string): Execution | undefined {
    return this.#runs.get(id)?.execution;
  }

  /** It is awaited from now on, before anything is sent. */
  begun(run: CodeRun): void {
    this.#runs.set(run.id, run);
    const awaited = this.promises.open<ExecutionResult>(`exec:${run.id}`, {
      timeoutMs: Number.POSITIVE_INFINITY,
      expired: () => undefined as never,
    });
    // Its caller has a promise of his own.
    awaited.catch(() => undefined);
  }

  /** What came of an id before, written down that it begins where nothing did; `undefined` where nothing is written down. */
  recall(id: string): Promise<ExecutionOutcome | undefined> | undefined {
    const asked = this.options.store?.begin(id);
    if (asked === undefined) return undefined;
    this.#asked.set(id, asked);
    return asked.finally(() => this.#asked.delete(id)).then((known) => known && this.#outcomeOf(id, known));
  }

  /** Settles what is awaited; where results are written down, that comes first. */
  concluded(run: CodeRun, outcome: ExecutionOutcome): Promise<void> | undefined {
    const { store } = this.options;
    if (store === undefined || run.known) {
      this.#settle(run, outcome);
      return undefined;
    }
    return this.#writeDown(store, run.id, outcome).finally(() => this.#settle(run, outcome));
  }

  /** What was known of the id before stays: one that was cancelled before the store had spoken may have run long ago. */
  async #writeDown(store: ResultStore, id: string, outcome: ExecutionOutcome): Promise<void> {
    const known = await this.#asked.get(id)?.catch(() => ({ status: 'begun' }));
    if (known === undefined) await store.settle(id, storedOf(outcome));
  }

  /**
   * What came, or comes, of an execution; `undefined`: none is known.
   *
   * @throws what the execution failed with; ERR_EXECUTION_UNKNOWN
   */
  async resultOf(id: string): Promise<ExecutionResult | undefined> {
    const running = this.executionOf(id);
    if (running !== undefined) return running.result;
    const known = await this.options.store?.find(id);
    if (known === undefined) return undefined;
    const outcome = this.#outcomeOf(id, known);
    if ('error' in outcome) throw outcome.error;
    return outcome.result;
  }

  #settle(run: CodeRun, outcome: ExecutionOutcome): void {
    if (this.#runs.get(run.id) === run) this.#runs.delete(run.id);
    const id = `exec:${run.id}`;
    if ('result' in outcome) this.promises.resolve(id, outcome.result);
    else this.promises.reject(id, outcome.error);
  }

  #outcomeOf(id: string, known: StoredExecution): ExecutionOutcome {
    if (known.status === 'fulfilled') return { result: known.result };
    if (known.status === 'begun')
      return { error: createError('ERR_EXECUTION_UNKNOWN', { execution: id, executor: this.path }) };
    const { code, outcome, data } = known.error;
    const isOurs = Object.hasOwn(ERRORS, code);
    const options = { outcome: outcome as 'unknown', stack: false };
    return { error: createError((isOurs ? code : 'ERR_EXECUTION_FAILED') as ErrorCode, data, options) };
  }

  #random(): string {
    return Math.floor(this.host.random.next() * 2 ** 48).toString(36);
  }
}

/** By these a supervisor says that there is nothing to end. */
const GONE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'ERR_CHILD_NOT_FOUND',
  'ERR_NOPROC',
  'ERR_RESTARTING',
  'ERR_STOPPING',
  'ERR_CALLEE_ENDED',
]);
