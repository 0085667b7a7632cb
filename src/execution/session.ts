/**
 * What outside code has of a session: its executions, its namespace, its history. It follows replacements of the process; what they keep
 * is what a checkpoint kept. No decision is made here.
 */
import { check, fits, integer, listOf, object, oneOf, resolveOptions, text } from '../base/options.ts';
import type { Handle, Place } from '../kernel/logic.ts';
import { PlaceHandle } from '../kernel/place-handle.ts';
import type { WorkerTransition } from '../work/worker-history.ts';
import { type Checkpoint, type Restored, readCheckpoint, readRestored } from './chunks.ts';
import type { Execution } from './execution.ts';
import type { ExecuteOptions } from './execution-options.ts';
import type { SessionDesk } from './session-desk.ts';

/** A name of a namespace, as it is listed. */
export interface NamespaceEntry {
  readonly name: string;
  readonly type: string;
  /** Bytes, as far as the language says. */
  readonly size: number;
  readonly repr: string;
}

/** A value of a namespace. */
export interface NamespaceValue {
  /** `null` where it cannot travel as JSON. */
  readonly value: unknown;
  readonly serialisable: boolean;
  readonly repr: string;
  readonly type: string;
}

/** What happens to names that are there: replaced, kept, or replaced only by something that says more. */
export type MergeStrategy = 'overwrite' | 'preserve' | 'smart';

/** The names that code has set. It is one object for the life of a process: it is merged into, never replaced. */
export interface SessionNamespace {
  list(): Promise<readonly NamespaceEntry[]>;
  get(names: readonly string[]): Promise<Readonly<Record<string, NamespaceValue>>>;
  /** Values are JSON. Which names have changed. Default `'overwrite'`. */
  merge(
    values: Readonly<Record<string, unknown>>,
    options?: { readonly strategy?: MergeStrategy },
  ): Promise<readonly string[]>;
  delete(names: readonly string[]): Promise<readonly string[]>;
  /** All but what the session itself keeps there. */
  clear(): Promise<void>;
}

export interface HistoryEntry {
  readonly index: number;
  readonly code: string;
  /** Of the value; absent where there was none. */
  readonly repr?: string;
}

/** A process from within, as far as its kernel says. */
export type SessionStats = Readonly<Record<string, unknown>>;

/** A session, as {@link Session.inspect} shows it. Never code or output. */
export interface SessionInspection {
  readonly id: string;
  readonly path: string;
  readonly language: string;
  readonly user: string | undefined;
  /** `absent` while it has no process. */
  readonly state: string;
  /** How far the ending of what it runs has come. */
  readonly stage: string;
  readonly pid: number | undefined;
  /** The execution that runs or waits for a process. */
  readonly execution: string | undefined;
  /** The input request that waits. */
  readonly input: string | undefined;
  /** Executions that have ended. */
  readonly executions: number;
  /** Processes it has had. */
  readonly processes: number;
  /** When its process took code for the first time, on `host.monotonic()`. */
  readonly startedAt: number | undefined;
  /** Since when nothing runs, on `host.monotonic()`. */
  readonly usedAt: number;
  /** Whether it takes code at once. */
  readonly free: boolean;
  /** It is over, for good. */
  readonly over: boolean;
  readonly history: readonly WorkerTransition[];
}

/** A session. It follows replacements of its process. */
export interface Session extends Handle, AsyncDisposable {
  readonly id: string;
  readonly language: string;
  readonly user: string | undefined;
  /**
   * Runs code: at once, or as soon as a process is there. One at a time.
   *
   * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN; all else is the execution's
   */
  execute(code: string, options?: ExecuteOptions): Execution;
  /** Asks an execution to end. `false`, at once: it has none of that id. */
  cancel(execution: string, reason?: string): boolean;
  /** Answers what the code waits for; `null` is the end of input. `false`: it waits for nothing of that name. */
  input(request: string, text: string | null): boolean;
  readonly namespace: SessionNamespace;
  history(range?: { readonly from?: number; readonly to?: number }): Promise<readonly HistoryEntry[]>;
  /** What can be kept of the namespace, and what cannot. */
  checkpoint(names?: readonly string[]): Promise<Checkpoint>;
  restore(checkpoint: Pick<Checkpoint, 'format' | 'data'>): Promise<Restored>;
  stats(): Promise<SessionStats>;
  /** Resolves when it takes questions. @throws ERR_SESSION_ENDED, ERR_JOB_TIMEOUT */
  ready(): Promise<void>;
  /** Another process takes the place of this one, with an empty namespace. */
  restart(): Promise<void>;
  /** Ends it for good: what runs is cancelled, the process ends, or is killed after a grace. Idempotent. */
  close(): Promise<void>;
  inspect(): SessionInspection;
}

const NAMES = listOf(text);
const STRATEGY = { strategy: oneOf('overwrite', 'preserve', 'smart') };
const RANGE = { from: integer(), to: integer() };
const CODE = fits<string>('a string', (value) => typeof value === 'string');

class AskedNamespace implements SessionNamespace {
  readonly #desk: SessionDesk;

  constructor(desk: SessionDesk) {
    this.#desk = desk;
  }

  async list(): Promise<readonly NamespaceEntry[]> {
    return (await this.#desk.ask('namespace', { action: 'list' })) as readonly NamespaceEntry[];
  }

  async get(names: readonly string[]): Promise<Readonly<Record<string, NamespaceValue>>> {
    check(this.#where, 'names', NAMES, names);
    return (await this.#desk.ask('namespace', { action: 'get', names })) as never;
  }

  async merge(
    values: Readonly<Record<string, unknown>>,
    options?: { readonly strategy?: MergeStrategy },
  ): Promise<readonly string[]> {
    const { strategy } = resolveOptions(this.#where, options, STRATEGY, { strategy: 'overwrite' });
    check(this.#where, 'values', object(), values);
    const answer = await this.#desk.ask('namespace', { action: 'merge', values, strategy });
    return changedIn(answer);
  }

  async delete(names: readonly string[]): Promise<readonly string[]> {
    check(this.#where, 'names', NAMES, names);
    return changedIn(await this.#desk.ask('namespace', { action: 'delete', names }));
  }

  async clear(): Promise<void> {
    await this.#desk.ask('namespace', { action: 'clear' });
  }

  get #where(): string {
    return `namespace of ${this.#desk.path}`;
  }
}

const changedIn = (answer: unknown): readonly string[] =>
  ((answer as { changed?: readonly string[] } | null)?.changed ?? []) as readonly string[];

export class PlacedSession extends PlaceHandle implements Session {
  readonly namespace: SessionNamespace;
  readonly #desk: SessionDesk;

  constructor(place: Place) {
    super(place);
    this.#desk = place.shared as SessionDesk;
    this.namespace = new AskedNamespace(this.#desk);
  }

  get id(): string {
    return this.#desk.session;
  }

  get language(): string {
    return this.#desk.plan.language;
  }

  get user(): string | undefined {
    return this.#desk.user;
  }

  execute(code: string, options?: ExecuteOptions): Execution {
    return this.#desk.execute(check(`execute of ${this.path}`, 'code', CODE, code), options);
  }

  cancel(execution: string, reason?: string): boolean {
    return this.#desk.cancel(execution, reason);
  }

  input(request: string, answer: string | null): boolean {
    return this.#desk.input(request, answer);
  }

  async history(range?: { from?: number; to?: number }): Promise<readonly HistoryEntry[]> {
    const asked = resolveOptions(`history of ${this.path}`, range, RANGE, {});
    return (await this.#desk.ask('history', asked)) as readonly HistoryEntry[];
  }

  async checkpoint(names?: readonly string[]): Promise<Checkpoint> {
    if (names !== undefined) check(`checkpoint of ${this.path}`, 'names', NAMES, names);
    return readCheckpoint(await this.#desk.ask('checkpoint', names === undefined ? {} : { names }));
  }

  async restore({ format, data }: Pick<Checkpoint, 'format' | 'data'>): Promise<Restored> {
    return readRestored(await this.#desk.ask('restore', { format, data }));
  }

  async stats(): Promise<SessionStats> {
    return (await this.#desk.ask('stats', {})) as SessionStats;
  }

  async ready(): Promise<void> {
    await this.#desk.whenAnswering();
  }

  restart(): Promise<void> {
    return this.#desk.restart();
  }

  close(): Promise<void> {
    return this.#desk.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  inspect(): SessionInspection {
    const { process, running, executions, processes, usedAt, over, plan, user } = this.#desk;
    const isThere = process !== undefined && !process.gone;
    return {
      id: this.id,
      path: this.path,
      language: plan.language,
      user,
      state: isThere ? process.state : 'absent',
      stage: isThere ? process.stage : 'none',
      pid: isThere ? process.pid : undefined,
      execution: running?.id,
      input: running?.waitingInput,
      executions,
      processes,
      startedAt: isThere ? process.openedAt : undefined,
      usedAt,
      free: process?.offers === true && running === undefined,
      over,
      history: process?.history() ?? [],
    };
  }
}
