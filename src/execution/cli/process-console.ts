/**
 * The console of a real process: its streams, its signals, and an editor of lines where somebody types.
 *
 * Invariants: nothing is read from stdin before the first question; lines that come before they are asked for wait, and beyond some
 * the sender waits; Ctrl-C ends the question that is open and is told to every listener, also while the terminal is read key by key.
 */
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { Writable } from 'node:stream';
import type { Console, EndSignal, Question, Typed } from './console.ts';

/** What of `process` is needed. */
export type ConsoleProcess = Pick<
  NodeJS.Process,
  'stdin' | 'stdout' | 'stderr' | 'env' | 'cwd' | 'on' | 'off'
>;

const SIGNALS: readonly EndSignal[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];
/** Lines that may wait before whoever sends them does. */
const MOST_WAITING = 1_000;

const put = async (stream: NodeJS.WriteStream, text: string): Promise<void> => {
  if (text !== '' && !stream.write(text)) await once(stream, 'drain');
};

class ProcessConsole implements Console {
  readonly interactive: boolean;
  readonly cwd: string;
  readonly #process: ConsoleProcess;
  readonly #listeners = new Set<(signal: EndSignal) => void>();
  readonly #waiting: string[] = [];
  #lines: Interface | undefined;
  #answer: ((typed: Typed) => void) | undefined;
  #question: Question = { prompt: '' };
  #ended = false;
  #isMuted = false;
  #onLine: ((line: string) => boolean) | undefined;
  readonly #heard = (signal: EndSignal): void => {
    this.#settle('interrupted');
    for (const listener of [...this.#listeners]) listener(signal);
  };

  constructor(process: ConsoleProcess) {
    this.#process = process;
    this.cwd = process.cwd();
    this.interactive = process.stdin.isTTY === true && process.stdout.isTTY === true;
  }

  get environment(): Console['environment'] {
    return this.#process.env;
  }

  write(text: string): Promise<void> {
    return put(this.#process.stdout, text);
  }

  complain(text: string): Promise<void> {
    return put(this.#process.stderr, text);
  }

  ask(question: Question): Promise<Typed> {
    this.#settle('interrupted');
    this.#question = question;
    const lines = this.#open();
    const line = this.#waiting.shift();
    if (this.#waiting.length < MOST_WAITING && !this.#ended) lines.resume();
    if (!this.interactive) this.#process.stdout.write(question.prompt);
    if (line !== undefined) return Promise.resolve({ text: line });
    if (this.#ended) return Promise.resolve('end');
    return new Promise((resolve) => {
      this.#answer = resolve;
      if (!this.interactive) return;
      lines.setPrompt(question.prompt);
      lines.prompt();
      this.#isMuted = question.secret === true;
    });
  }

  onLine(listener: (line: string) => boolean): () => void {
    this.#onLine = listener;
    return () => {
      this.#onLine = undefined;
    };
  }

  onSignal(listener: (signal: EndSignal) => void): () => void {
    if (this.#listeners.size === 0) for (const signal of SIGNALS) this.#process.on(signal, this.#heard);
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) for (const signal of SIGNALS) this.#process.off(signal, this.#heard);
    };
  }

  close(): void {
    this.#lines?.close();
    this.#process.stdin.pause();
  }

  #open(): Interface {
    if (this.#lines !== undefined) return this.#lines;
    const { stdin, stdout } = this.#process;
    const output = new Writable({
      // At once: what is muted is what is written from then on, not what waits.
      write: (chunk, encoding, done) => {
        if (!this.#isMuted) stdout.write(chunk, encoding);
        done();
      },
    });
    const sized = Object.assign(output, { columns: stdout.columns });
    stdout.on('resize', () => {
      sized.columns = stdout.columns;
      output.emit('resize');
    });
    const terminal = this.interactive;
    const lines = createInterface({ input: stdin, output: sized, terminal, historySize: 1_000 });
    lines.on('line', (line) => this.#typed(line));
    lines.on('SIGINT', () => this.#interrupted(lines));
    lines.on('history', (history) => {
      if (this.#question.remembered !== true) history.shift();
    });
    lines.on('close', () => {
      this.#ended = true;
      this.#settle('end');
    });
    this.#lines = lines;
    return lines;
  }

  #typed(text: string): void {
    if (this.#answer !== undefined) this.#settle({ text });
    else if (this.interactive && this.#onLine?.(text) === true) return;
    else if (this.#waiting.push(text) >= MOST_WAITING) this.#lines?.pause();
  }

  #interrupted(lines: Interface): void {
    this.#isMuted = false;
    // What was typed of the line is not the beginning of the next.
    if (lines.line !== '') {
      lines.write(null, { ctrl: true, name: 'e' });
      lines.write(null, { ctrl: true, name: 'u' });
    }
    this.#process.stdout.write('^C\n');
    this.#heard('SIGINT');
  }

  #settle(typed: Typed): void {
    const answer = this.#answer;
    this.#answer = undefined;
    if (this.#isMuted) this.#process.stdout.write('\n');
    this.#isMuted = false;
    answer?.(typed);
  }
}

export const processConsole = (process: ConsoleProcess): Console => new ProcessConsole(process);
