/**
 * Part of the real host: starting OS processes, over node:child_process.
 *
 * Invariant: the owner is told `ended` exactly once, however the process ends, and nothing after it. A process has ended
 * when it has exited and its pipes are closed, or, where something it started still holds them, a short while
 * later. Every output always flows, whatever the owner does with it, so that no process blocks on a full pipe of ours.
 *
 * What a process that leads a group has started ends with it, however it ends: a number is given to no new process while a group goes
 * by it, so where no process has the number, but a group has, that group is what was left. It deliberately does not restart, time or
 * judge anything.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { kill, platform } from 'node:process';
import type { Readable, Writable } from 'node:stream';
import type { ChildPort, ProcessEnd, ProcessListeners, ProcessSpec, Timer } from './host.ts';
import { type Registration, register, sweep } from './real-process-registry.ts';

/**
 * How long after its exit a process's outputs may go on, ms: what it wrote last is already in the pipe and takes a few turns
 * to read; longer than that, and it is a grandchild that holds them open.
 */
const DRAIN_MS = 100;

type StartTimer = (delayMs: number, label: string, run: () => void) => Timer;
type Descriptor = 1 | 2;

export class RealProcess implements ChildPort {
  readonly pid: number | undefined;
  readonly #child: ChildProcess;
  readonly #listeners: ProcessListeners;
  readonly #leadsGroup: boolean;
  readonly #input: Writable | undefined;
  #exited: ProcessEnd | undefined;
  #told = false;
  #drain: Timer | undefined;

  constructor(child: ChildProcess, spec: ProcessSpec, listeners: ProcessListeners, startTimer: StartTimer) {
    this.#child = child;
    this.#listeners = listeners;
    this.#leadsGroup = spec.ownGroup ?? true;
    this.pid = child.pid;
    // With no descriptors left there are no pipes at all, whatever the declared type says.
    const streams = (child.stdio ?? []) as readonly (Readable | Writable | Socket | null)[];
    this.#input = (streams[spec.protocolFds === true ? 3 : 0] ?? undefined) as Writable | undefined;
    // A pipe whose other end is gone says so by an event that would end this process if nobody listened.
    for (const stream of streams) stream?.on('error', ignore);
    this.#input?.on('drain', () => this.#tell(() => this.#listeners.drained?.()));
    if (spec.protocolFds === true) {
      // Its fd 3 goes both ways; nothing that it writes there is anybody's, and nothing may clog it.
      (streams[3] as Readable | undefined)?.resume();
      this.#listen(streams[4], (chunk) => this.#listeners.stdout(chunk));
      this.#listenPrinted(streams[1], 1);
    } else {
      this.#listen(streams[1], (chunk) => this.#listeners.stdout(chunk));
    }
    this.#listenPrinted(streams[2], 2);
    child.on('error', (error) => {
      // With a pid it is a signal that could not be sent; the process itself goes on.
      if (this.pid === undefined) this.#end({ code: null, signal: null, error });
    });
    child.on('exit', (code, signal) => {
      this.#exited = { code, signal };
      this.#endGroup();
      if (!this.#told) this.#drain = startTimer(DRAIN_MS, 'process.drain', () => this.#end({ code, signal }));
    });
    child.on('close', (code, signal) => this.#end(this.#exited ?? { code, signal }));
  }

  get bufferedBytes(): number {
    return this.#told ? 0 : (this.#input?.writableLength ?? 0);
  }

  write(bytes: Uint8Array): boolean {
    if (this.#told || this.#input === undefined || !this.#input.writable) return false;
    return this.#input.write(bytes);
  }

  endInput(): void {
    if (!this.#told && this.#input?.writable === true) this.#input.end();
  }

  get stopped(): boolean {
    if (this.pid === undefined || this.#exited !== undefined) return false;
    try {
      // The state follows the name, which may itself hold brackets and spaces (proc(5)).
      const status = readFileSync(`/proc/${this.pid}/stat`, 'latin1');
      return /^\) [Tt]/.test(status.slice(status.lastIndexOf(')')));
    } catch {
      return false;
    }
  }

  kill(signal: Parameters<ChildPort['kill']>[0], group = false): boolean {
    if (this.pid === undefined || this.#exited !== undefined) return false;
    try {
      return kill(group && this.#leadsGroup ? -this.pid : this.pid, signal);
    } catch {
      return false;
    }
  }

  measure(told: (residentBytes: number | undefined) => void): void {
    const { pid } = this;
    if (pid === undefined || this.#exited !== undefined) told(undefined);
    else if (platform === 'linux') told(residentOf(pid));
    else
      execFile('ps', ['-o', 'rss=', '-p', `${pid}`], (error, printed) => {
        const kilobytes = Number.parseInt(printed, 10);
        told(error !== null || Number.isNaN(kilobytes) ? undefined : kilobytes * 1_024);
      });
  }

  /** What it started and left behind. */
  #endGroup(): void {
    if (this.pid === undefined || !this.#leadsGroup || platform === 'win32') return;
    try {
      // Where this finds somebody, it is another, and so is the group.
      kill(this.pid, 0);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') return;
    }
    try {
      kill(-this.pid, 'SIGKILL');
    } catch {
      // Nothing was left.
    }
  }

  #listenPrinted(stream: Readable | Writable | null | undefined, descriptor: Descriptor): void {
    this.#listen(stream, (chunk) => this.#listeners.stderr(chunk, descriptor));
  }

  #listen(stream: Readable | Writable | null | undefined, told: (chunk: Uint8Array) => void): void {
    stream?.on('data', (chunk: Uint8Array) => {
      if (!this.#told) told(chunk);
    });
  }

  #tell(tell: () => void): void {
    if (!this.#told) tell();
  }

  #end(end: ProcessEnd): void {
    if (this.#told) return;
    this.#told = true;
    this.#drain?.cancel();
    for (const stream of this.#child.stdio ?? []) stream?.destroy();
    this.#listeners.ended(end);
  }
}

const ignore = (): void => {};

/** What of a process is in memory, from proc(5). */
const residentOf = (pid: number): number | undefined => {
  try {
    const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
    return found === null ? undefined : Number(found[1]) * 1_024;
  } catch {
    return undefined;
  }
};

/** A process that could not even be tried: an argument that no OS takes. */
class UnstartedProcess implements ChildPort {
  readonly pid = undefined;
  readonly bufferedBytes = 0;
  write(): boolean {
    return false;
  }
  endInput(): void {}
  kill(): boolean {
    return false;
  }
}

const UNREGISTERED: Registration = { variables: {}, started: ignore, ended: ignore };

/** Sweeps where that is asked for, and has the process written down from its start to its end. */
const enrol = ({ registry }: ProcessSpec, listeners: ProcessListeners, startTimer: StartTimer) => {
  if (registry === undefined) return { registration: UNREGISTERED, told: listeners };
  const pids = sweep(registry);
  if (pids.length > 0) startTimer(0, 'process.swept', () => listeners.swept?.(pids));
  const registration = register(registry);
  const told: ProcessListeners = {
    stdout: (chunk) => listeners.stdout(chunk),
    stderr: (chunk, descriptor) => listeners.stderr(chunk, descriptor),
    drained: () => listeners.drained?.(),
    ended: (end) => {
      registration.ended();
      listeners.ended(end);
    },
  };
  return { registration, told };
};

/** Starts an OS process; what goes wrong in starting it is told through `ended`, later, like any other end. */
export const startProcess = (
  spec: ProcessSpec,
  listeners: ProcessListeners,
  startTimer: StartTimer,
): ChildPort => {
  const pipes = spec.protocolFds === true ? 5 : 3;
  try {
    const { registration, told } = enrol(spec, listeners, startTimer);
    const child = spawn(spec.command, [...spec.args], {
      env: { ...spec.env, ...registration.variables },
      ...(spec.cwd === undefined ? {} : { cwd: spec.cwd }),
      detached: spec.ownGroup ?? true,
      stdio: new Array<'pipe'>(pipes).fill('pipe'),
      windowsHide: true,
    });
    const process = new RealProcess(child, spec, told, startTimer);
    if (process.pid !== undefined) registration.started(process.pid);
    return process;
  } catch (error) {
    startTimer(0, 'process.unstarted', () =>
      listeners.ended({ code: null, signal: null, error: error as Error }),
    );
    return new UnstartedProcess();
  }
};
