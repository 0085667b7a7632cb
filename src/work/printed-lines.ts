/**
 * What a worker prints, as lines: cut at line ends, bounded in length, the last few kept for its crash
 * report.
 *
 * Invariant: holds at most one line per output and `keep` lines in all, however much and whatever is printed.
 * It deliberately does not slow the worker down: printing is always drained.
 */
import { StringDecoder } from 'node:string_decoder';

/** Characters of a line that are kept; the rest is dropped and said to be. */
export const LONGEST_LINE = 2_000;

const LINE_END = /\r\n|\n|\r/;

/** One of a worker's outputs. */
class Output {
  readonly decoder = new StringDecoder('utf8');
  begun = '';
  /** Characters of the line under way that were dropped. */
  dropped = 0;
}

/** Turns chunks of any output into lines. */
export class PrintedLines {
  readonly #keep: number;
  readonly #tell: (line: string) => void;
  readonly #outputs = new Map<number, Output>();
  #last: string[] = [];

  /** `keep`: how many lines {@link last} has at most. `tell` gets each line once, and must not throw. */
  constructor(keep: number, tell: (line: string) => void) {
    this.#keep = keep;
    this.#tell = tell;
  }

  /** The last lines, oldest first. */
  get last(): readonly string[] {
    return this.#last.slice(-this.#keep);
  }

  /** Takes what was printed on one output. */
  push(chunk: Uint8Array, output = 2): void {
    let into = this.#outputs.get(output);
    if (into === undefined) {
      into = new Output();
      this.#outputs.set(output, into);
    }
    this.#split(into, into.decoder.write(chunk));
  }

  /** Adds a line that did not come by an output. */
  add(line: string): void {
    this.#line(line.slice(0, LONGEST_LINE), Math.max(0, line.length - LONGEST_LINE));
  }

  /** Tells what was begun and never ended: nothing more will come. */
  end(): void {
    for (const output of this.#outputs.values()) {
      this.#split(output, output.decoder.end());
      if (output.begun !== '') this.#line(output.begun, output.dropped);
    }
    this.#outputs.clear();
  }

  #split(output: Output, text: string): void {
    const pieces = text.split(LINE_END);
    const rest = pieces.pop() as string;
    for (const piece of pieces) {
      this.#extend(output, piece);
      // Blank lines separate; they say nothing. A chunk may also end between \r and \n.
      if (output.begun !== '') this.#line(output.begun, output.dropped);
      output.begun = '';
      output.dropped = 0;
    }
    this.#extend(output, rest);
  }

  #extend(output: Output, piece: string): void {
    const room = LONGEST_LINE - output.begun.length;
    output.begun += piece.slice(0, room);
    output.dropped += Math.max(0, piece.length - room);
  }

  #line(text: string, dropped: number): void {
    const line = dropped === 0 ? text : `${text}… (${dropped} more characters)`;
    if (this.#keep > 0) this.#last.push(line);
    if (this.#last.length >= 2 * this.#keep + 8) this.#last = this.#last.slice(-this.#keep);
    this.#tell(line);
  }
}
