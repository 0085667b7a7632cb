/**
 * A session in JavaScript, on the main thread: it takes jobs one after another and answers them.
 *
 * Invariants: one execution at a time; all output of one goes before its answer, and each job is answered once; the namespace, its
 * names and the user's background work live until the process ends. Reading, pings and the breaking in are the wire thread's.
 */
import { resolve } from 'node:path';
import process from 'node:process';
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { installCapabilities, type Policy } from './capabilities.ts';
import { CHECKPOINT_FORMAT, restoreCheckpoint, takeCheckpoint } from './checkpoint.ts';
import { captureChildren } from './child-output.ts';
import { Cancelled, Execution, ExitSignal, type Outcome } from './execution.ts';
import type { FrameWriter } from './frame-writer.ts';
import { History } from './history.ts';
import { namesIn, numberIn, Refused } from './job-arguments.ts';
import { applyLimits, type ResourceLimits } from './limits.ts';
import { Loader } from './loader.ts';
import type { Arguments, ToMain } from './messages.ts';
import { doWithNames } from './name-jobs.ts';
import { Namespace } from './namespace.ts';
import { Output } from './output.ts';
import { installPrinting, type Printing } from './printing.ts';
import { type Program, ProgramCache } from './program.ts';
import { Requests } from './requests.ts';
import { add, CELL, type Gate, load, store } from './shared-state.ts';
import { installGlobals, prepareScript } from './user-globals.ts';
import { reprOf, toldError, tracebackOf, typeOf } from './values.ts';

/** Captured before user code can change them. */
const { now } = performance;
const clock = now.bind(performance);
const leave = process.exit.bind(process);
const HISTORY_LIMIT = 1_000;

type Transaction = 'commit_always' | 'rollback_on_failure' | 'rollback_always';

interface Current {
  readonly execution: Execution;
  readonly code: string;
  readonly program: Program;
  readonly startedAt: number;
  readonly isScript: boolean;
  readonly transaction: Transaction;
  readonly rollback: (() => void) | undefined;
}

export interface SessionOptions {
  readonly gate: Gate;
  readonly writer: FrameWriter;
  readonly jobs: MessagePort;
  readonly bell: MessagePort;
  readonly wire: readonly number[];
}

export class Session {
  readonly #gate: Gate;
  readonly #writer: FrameWriter;
  readonly #jobs: MessagePort;
  readonly #bell: MessagePort;
  readonly #output: Output;
  readonly #requests: Requests;
  readonly #printing: Printing;
  readonly #loader = new Loader();
  readonly #namespace = new Namespace(globalThis);
  readonly #cache = new ProgramCache();
  #history = new History(HISTORY_LIMIT);
  #opened = false;
  #startedAt = Date.now();
  #current: Current | undefined;
  #inputs = 0;
  #leaving = false;
  /** How many things kept the event loop alive before the user. */
  #resources = 0;

  constructor({ gate, writer, jobs, bell, wire }: SessionOptions) {
    this.#gate = gate;
    this.#writer = writer;
    this.#jobs = jobs;
    this.#bell = bell;
    const stopIfAsked = () => this.#current?.execution.check();
    this.#output = new Output({ gate, writer, stopIfAsked });
    this.#requests = new Requests({
      gate,
      output: this.#output,
      takeMessages: () => this.#takeMessages(),
      stopIfAsked,
      isExecuting: () => this.#current !== undefined,
    });
    this.#printing = installPrinting({ output: this.#output, requests: this.#requests, wire });
    bell.on('message', (message: ToMain | 0) =>
      this.#gate.inside(() => {
        // What it brings was said before whatever has been laid down since: that has a ring of its own.
        if (message !== 0) this.#take(message);
        this.#takeMessages();
      }),
    );
    process.setUncaughtExceptionCaptureCallback((error) => this.#uncaught(error));
    process.on('beforeExit', () => this.#drained());
  }

  /** Takes a job that came before the wire thread could bring it; whether the session is open then. */
  takeFirst(job: ToMain & { kind: 'job' }): boolean {
    this.#gate.inside(() => this.#take(job));
    return this.#opened;
  }

  #takeMessages(): void {
    for (let next = receiveMessageOnPort(this.#jobs); next; next = receiveMessageOnPort(this.#jobs)) {
      this.#take(next.message as ToMain);
    }
  }

  #take(message: ToMain): void {
    switch (message.kind) {
      case 'job':
        this.#run(message.id, message.name, message.args);
        break;
      case 'input':
        this.#requests.answerInput(message.request, message.text);
        break;
      case 'response':
        this.#requests.answer(message.request, message.args);
        break;
      case 'stop':
        this.#stop(message.reason, message.hard);
        break;
      case 'terminated':
        this.#current?.execution.terminated();
        break;
      case 'shutdown':
        this.#shutDown();
    }
  }

  #run(id: number, name: string, args: Arguments): void {
    try {
      if (name === 'execute') this.#execute(id, args);
      else this.#writer.send({ kind: 'result', id, value: this.#do(name, args) });
    } catch (error) {
      if (name === 'execute') store(this.#gate.cells, CELL.executing, 0);
      this.#tellError(id, error);
    }
  }

  #tellError(id: number, error: unknown): void {
    const told = error instanceof Refused ? { ...toldError(error), type: error.type } : toldError(error);
    this.#writer.send({ kind: 'error', id, ...told });
  }

  #do(name: string, args: Arguments): unknown {
    if (name === 'open') return this.#open(args);
    this.#mustBeOpen();
    switch (name) {
      case 'namespace':
        return this.#counted(
          doWithNames(args, { namespace: this.#namespace, gate: this.#gate, writer: this.#writer }),
        );
      case 'history':
        return this.#history.list(numberIn(args, 'from'), numberIn(args, 'to'));
      case 'checkpoint':
        return takeCheckpoint(this.#namespace, namesIn(args), this.#writer.limits.maxFrameBytes);
      case 'restore':
        if (args['format'] !== CHECKPOINT_FORMAT)
          throw new Refused(
            'InvalidArguments',
            `a checkpoint of the format ${String(args['format'])} is not known here`,
          );
        return this.#counted(restoreCheckpoint(this.#namespace, (args['data'] ?? {}) as Arguments));
      default:
        throw new Refused('UnknownHandler', `there is no job ${name}`);
    }
  }

  #mustBeOpen(): void {
    if (!this.#opened) throw new Refused('NotOpen', 'the session has not been opened');
  }

  #open(args: Arguments): unknown {
    if (this.#opened) throw new Refused('AlreadyOpen', 'the session is open already');
    this.#opened = true;
    this.#history = new History(numberIn(args, 'historyLimit') ?? HISTORY_LIMIT);
    const mainFile = args['mainFile'];
    const notApplied = applyLimits((args['limits'] ?? {}) as ResourceLimits);
    captureChildren(this.#printing.print);
    installGlobals({
      cells: this.#gate.cells,
      loader: this.#loader,
      mainFile: typeof mainFile === 'string' ? resolve(mainFile) : undefined,
      check: () => this.#current?.execution.check(),
      exit: (code) => this.#exit(code),
    });
    installCapabilities((args['capabilities'] ?? { level: 'unrestricted' }) as Partial<Policy>, {
      output: this.#output,
      requests: this.#requests,
      loader: this.#loader,
      print: this.#printing,
    });
    this.#history.install(globalThis);
    this.#namespace.seal();
    this.#namespace.changed();
    this.#resources = process.getActiveResourcesInfo().length;
    return {
      language: 'javascript',
      version: process.versions.node,
      pid: process.pid,
      started: this.#startedAt,
      notApplied,
    };
  }

  #execute(id: number, args: Arguments): void {
    this.#mustBeOpen();
    const { code, filename } = args;
    if (typeof code !== 'string') throw new Refused('InvalidArguments', 'code must be a string');
    const { cells } = this.#gate;
    if (load(cells, CELL.credit) <= 0)
      throw new Refused('InvalidArguments', 'execute must be asked as a stream');
    const isScript = args['kind'] === 'script';
    const named = typeof filename === 'string' && filename !== '';
    const file = named ? resolve(filename) : `${process.cwd()}/session`;
    const startedAt = clock();
    if (!isScript) this.#history.typed(code);
    add(cells, CELL.executions, 1);
    this.#output.begin(id);
    const transaction = (args['transaction'] ?? 'commit_always') as Transaction;
    const execution = new Execution({ job: id, gate: this.#gate, ended: (outcome) => this.#ended(outcome) });
    let program: Program;
    try {
      const source = { code, filename: named ? filename : `<input-${++this.#inputs}>`, base: file };
      program = this.#cache.get({ ...source, interactive: !isScript }, named);
    } catch (error) {
      this.#output.end();
      throw error;
    } finally {
      store(cells, CELL.hits, this.#cache.hits);
      store(cells, CELL.misses, this.#cache.misses);
      store(cells, CELL.cached, this.#cache.size);
    }
    if (isScript) prepareScript(named ? file : undefined, args['argv']);
    const rollback = transaction === 'commit_always' ? undefined : this.#namespace.snapshot();
    this.#namespace.declare(program.declared, program.hoisted);
    this.#current = { execution, code, program, startedAt, isScript, transaction, rollback };
    execution.run(() => {
      program.functions?.runInThisContext();
      const body = program.body.runInThisContext() as (task: Execution) => unknown;
      return body(execution);
    });
  }

  /** A script ends as in Node: when nothing keeps the process alive any more. */
  #ended(outcome: Outcome): void {
    const current = this.#current;
    if (current?.isScript === true && outcome.kind === 'done' && current.execution.exitCode === undefined) {
      this.#bell.unref();
      return;
    }
    this.#finish(outcome);
  }

  #drained(): void {
    this.#bell.ref();
    if (this.#current?.isScript === true && this.#current.execution.over)
      this.#gate.inside(() => this.#finish({ kind: 'done' }));
  }

  #finish(outcome: Outcome): void {
    const current = this.#current;
    if (current === undefined) return;
    const { execution, transaction, rollback } = current;
    this.#bell.ref();
    this.#requests.endAll('the execution is over');
    const failed = outcome.kind !== 'done';
    const rolledBack = transaction === 'rollback_always' || (transaction === 'rollback_on_failure' && failed);
    const answer = outcome.kind === 'done' ? this.#result(current) : undefined;
    if (rolledBack) rollback?.();
    const changed = this.#counted(this.#namespace.changed());
    if (outcome.kind === 'cancelled') this.#output.hurry();
    this.#output.end();
    this.#current = undefined;
    store(this.#gate.cells, CELL.executing, 0);
    const { job: id } = execution;
    if (answer !== undefined) this.#tellResult(id, { ...answer, changed: rolledBack ? [] : changed });
    else if (outcome.kind === 'failed') {
      this.#history.exception = outcome.error;
      this.#tellError(id, outcome.error);
    } else this.#writer.send({ kind: 'cancelled', id });
    if (this.#leaving) leave(0);
  }

  #result({ execution, code, program, startedAt, isScript }: Current): Record<string, unknown> {
    const { hasValue, value } = execution.outcomeValue;
    const shown = hasValue && value !== undefined && !isScript;
    const repr = shown ? this.#gate.outside(() => reprOf(value)) : '';
    const index = shown ? this.#history.resulted(code, value, repr) : undefined;
    const exitCode = isScript ? (execution.exitCode ?? Number(process.exitCode ?? 0)) : undefined;
    if (exitCode !== undefined) this.#history.exitCode = exitCode;
    return {
      mode: program.mode,
      hasValue: shown,
      value: shown ? value : null,
      serialisable: true,
      repr,
      type: shown ? typeOf(value) : 'undefined',
      executionMs: clock() - startedAt,
      ...(index === undefined ? {} : { index }),
      ...(exitCode === undefined ? {} : { exitCode }),
    };
  }

  #tellResult(id: number, value: Record<string, unknown>): void {
    try {
      this.#writer.send({ kind: 'result', id, value });
    } catch {
      this.#writer.send({ kind: 'result', id, value: { ...value, value: null, serialisable: false } });
    }
  }

  #stop(reason: string, hard: boolean): void {
    add(this.#gate.cells, CELL.taken, 1);
    const current = this.#current;
    if (current === undefined) return;
    if (current.execution.over) {
      // A script whose code has ended and that waits for what it started.
      this.#finish({ kind: 'cancelled' });
      return;
    }
    current.execution.stop(reason, hard);
    this.#requests.endInput();
  }

  #exit(code: unknown): never {
    const current = this.#current;
    if (current === undefined || !current.isScript)
      throw new Error('process.exit() was called: a session is ended by closing it');
    const exitCode = Number(code ?? process.exitCode ?? 0);
    current.execution.exitCode = exitCode;
    const signal = new ExitSignal(exitCode);
    if (!current.execution.running)
      this.#gate.inside(() => {
        if (current.execution.over) this.#finish({ kind: 'done' });
        else current.execution.end({ kind: 'done' });
      });
    throw signal;
  }

  /** Errors of background work are told, and end nothing. */
  #uncaught(error: unknown): void {
    if (error instanceof Cancelled || error instanceof ExitSignal) return;
    const listeners = process.listeners('uncaughtException') as ((error: unknown, origin: string) => void)[];
    if (listeners.length > 0) {
      for (const listener of listeners) listener.call(process, error, 'uncaughtException');
      return;
    }
    const text = error instanceof Error ? tracebackOf(error) : `Uncaught ${reprOf(error, 1_000)}`;
    this.#output.print('stderr', `${text}\n`);
  }

  #counted<T>(done: T): T {
    const { cells } = this.#gate;
    store(cells, CELL.names, this.#namespace.size);
    store(cells, CELL.tasks, Math.max(0, process.getActiveResourcesInfo().length - this.#resources));
    return done;
  }

  /** Ends this process, in order: what is executed is stopped and answered first. */
  #shutDown(): void {
    this.#leaving = true;
    if (this.#current === undefined) leave(0);
    else this.#stop('the session is closed', true);
  }
}
