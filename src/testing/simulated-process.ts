/**
 * A fake OS process whose behaviour a test scripts. What it prints, reads and how it ends arrives as I/O of the
 * simulated host: in order on each pipe, its end behind its last byte, at a moment the host chooses.
 *
 * Invariant: after `ended` nothing is told any more. It keeps all that was written to it, for the test to read.
 */
import type { ChildPort, Fault, ProcessEnd, ProcessListeners } from '../base/host.ts';

export type Signal = Parameters<ChildPort['kill']>[0];

/** What a fake process needs of its host. */
export interface Outside {
  /** Runs `run` as an event from outside, in order with others of the same `link`. */
  arrive(link: object, label: string, run: () => void): void;
  nextPid(): number;
  fault(point: string, subject?: string): Fault | undefined;
}

/** What a frame of the worker protocol cannot begin with: a length far beyond any limit. */
const OVERSIZE = new Uint8Array([0x7f, 0xff, 0xff, 0xff]);

/** What a fake process does of its own accord; every part may be left out. */
export interface ProcessScript {
  /** It has read what was written to it. */
  readonly onInput?: (bytes: Uint8Array, process: SimulatedProcess) => void;
  /** Its input was ended. Left out: it exits with code 0, as a worker does that lost its parent. */
  readonly onInputEnd?: (process: SimulatedProcess) => void;
  /** It catches SIGTERM or SIGINT. Left out: it dies of them. SIGKILL, SIGSTOP and SIGCONT are never caught. */
  readonly onSignal?: (signal: Signal, process: SimulatedProcess) => void;
  /** It cannot be started at all: it ends with this error and never has a pid. */
  readonly fails?: Error;
}

const toBytes = (chunk: Uint8Array | string): Uint8Array =>
  typeof chunk === 'string' ? new TextEncoder().encode(chunk) : new Uint8Array(chunk);

export class SimulatedProcess implements ChildPort {
  readonly pid: number | undefined;
  /** Every write to it, in order. */
  readonly written: Uint8Array[] = [];
  /** Every signal sent to it, in order, and whether to its whole group. */
  readonly signals: { readonly signal: Signal; readonly group: boolean }[] = [];
  inputEnded = false;
  /** How it ended, once its owner has been told. */
  end: ProcessEnd | undefined;
  readonly #outside: Outside;
  readonly #listeners: ProcessListeners;
  readonly #script: ProcessScript;
  /** What it would have done while it was stopped, or hung. */
  #held: (() => void)[] | undefined;
  #stopped = false;
  #hung = false;
  #exiting = false;
  /** What it had printed and nobody has read yet is lost with it. */
  #lost = false;
  #full = false;
  #buffered = 0;

  constructor(outside: Outside, listeners: ProcessListeners, script: ProcessScript = {}) {
    this.#outside = outside;
    this.#listeners = listeners;
    this.#script = script;
    this.pid = script.fails === undefined ? outside.nextPid() : undefined;
    if (script.fails !== undefined) this.#exit({ code: null, signal: null, error: script.fails });
    else this.#beFaulty(outside.fault('process.start')?.kind);
  }

  /** All that was written to it so far, as UTF-8 text. */
  get input(): string {
    return Buffer.concat(this.written).toString('utf8');
  }

  /** Whether SIGSTOP holds it. One that merely hangs runs, as far as its system can tell. */
  get stopped(): boolean {
    return this.#stopped;
  }

  get bufferedBytes(): number {
    return this.#buffered;
  }

  write(bytes: Uint8Array): boolean {
    if (this.#exiting || this.inputEnded || this.pid === undefined) return false;
    const taken = new Uint8Array(bytes);
    this.written.push(taken);
    if (this.#full) this.#buffered += taken.length;
    this.#outside.arrive(this.written, 'process.input', () =>
      this.#live(() => this.#script.onInput?.(taken, this)),
    );
    return !this.#full;
  }

  endInput(): void {
    if (this.inputEnded) return;
    this.inputEnded = true;
    const { onInputEnd = () => this.exit(0) } = this.#script;
    this.#outside.arrive(this.written, 'process.input_end', () => this.#live(() => onInputEnd(this)));
  }

  kill(signal: Signal, group = false): boolean {
    if (this.end !== undefined || this.pid === undefined) return false;
    this.signals.push({ signal, group });
    if (signal === 'SIGKILL') this.#exit({ code: null, signal });
    else if (signal === 'SIGSTOP') this.#stop();
    else if (signal === 'SIGCONT') this.#continue();
    else this.#outside.arrive(this.signals, 'process.signal', () => this.#live(() => this.#catch(signal)));
    return true;
  }

  /** It prints on its fd 1 (with `protocolFds`: writes its fd 4). */
  emitStdout(chunk: Uint8Array | string): void {
    const bytes = toBytes(chunk);
    this.#live(() => {
      const fault = this.#outside.fault('process.output')?.kind;
      if (fault === 'exit_mid_frame') this.#print(bytes.subarray(0, bytes.length >> 1));
      else if (fault === 'garbage') this.#print(toBytes('Warning: this is no frame\n'));
      else if (fault === 'oversize_frame') this.#print(OVERSIZE);
      else this.#print(bytes);
      this.#beFaulty(fault);
    });
  }

  /** It prints on its fd 2, or on the descriptor given. */
  emitStderr(chunk: Uint8Array | string, descriptor?: 1 | 2): void {
    const bytes = toBytes(chunk);
    this.#live(() => this.#tell('process.stderr', () => this.#listeners.stderr(bytes, descriptor)));
  }

  /** It exits of its own accord, with a code; its owner hears of it after its last output. */
  exit(code: number): void {
    this.#live(() => this.#exit({ code, signal: null }));
  }

  /** It dies of a signal from elsewhere, stopped or not. */
  die(signal = 'SIGKILL'): void {
    this.#exit({ code: null, signal });
  }

  /** From now on its pipe is full: `write` returns `false` and its bytes stay buffered. */
  fillPipe(): void {
    this.#full = true;
  }

  /** Its pipe takes all that was buffered; the owner is told. */
  drainPipe(): void {
    this.#full = false;
    this.#buffered = 0;
    if (!this.#exiting) this.#tell('process.drained', () => this.#listeners.drained?.());
  }

  #print(bytes: Uint8Array): void {
    this.#tell('process.stdout', () => {
      if (!this.#lost) this.#listeners.stdout(bytes);
    });
  }

  /** What befalls it as its host planned: an early exit, one in the middle of a frame, or that it hangs from now on. */
  #beFaulty(kind: string | undefined): void {
    if (kind === 'early_exit' || kind === 'exit_mid_frame') this.#exit({ code: 1, signal: null });
    else if (kind === 'hang') {
      this.#hung = true;
      this.#held ??= [];
    }
  }

  #stop(): void {
    this.#stopped = true;
    this.#held ??= [];
  }

  #catch(signal: Signal): void {
    if (this.#outside.fault('process.signal') !== undefined) return;
    if (this.#script.onSignal === undefined) this.#exit({ code: null, signal });
    else this.#script.onSignal(signal, this);
  }

  /** What a process does itself: not after its exit, and when stopped, only after it is continued. */
  #live(act: () => void): void {
    if (this.#exiting) return;
    if (this.#held === undefined) act();
    else this.#held.push(act);
  }

  #continue(): void {
    this.#stopped = false;
    if (this.#hung) return;
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const act of held) this.#live(act);
  }

  #exit(end: ProcessEnd): void {
    if (this.#exiting) return;
    this.#exiting = true;
    this.#lost = this.#outside.fault('process.exit') !== undefined;
    this.#buffered = 0;
    this.#tell('process.ended', () => {
      this.end = end;
      this.#listeners.ended(end);
    });
  }

  #tell(label: string, tell: () => void): void {
    this.#outside.arrive(this, label, tell);
  }
}
