/** A viewer's sink as the line of a connection: whole texts, taken or not, and no word of how much of them. */
import type { Frame } from '../coordination/frame-queue.ts';
import type { Line, LineListener } from '../coordination/line.ts';

/** Where a stream's text goes. */
export interface Sink {
  /** `false`: it is full; {@link SinkLine.drained} says when it is not. */
  write(text: string): boolean;
  end(): void;
}

/** What every reader of a stream of events ignores. */
const BEAT = ': still here\n\n';

export class SinkLine implements Line {
  readonly #sink: Sink;
  readonly #listener: LineListener;
  #isFull = false;
  #isOver = false;
  /** How often it had taken all. */
  taken = 0;

  constructor(sink: Sink, listener: LineListener) {
    this.#sink = sink;
    this.#listener = listener;
  }

  get pending(): number {
    return this.#isFull ? 1 : 0;
  }

  write({ body }: Frame): boolean {
    return this.#put(body as string);
  }

  beat(): boolean {
    return this.#put(BEAT);
  }

  drained(): void {
    if (!this.#isFull) return;
    this.#isFull = false;
    this.taken += 1;
    this.#listener.drained();
  }

  finish(): void {
    this.cut();
    this.#listener.over();
  }

  cut(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#sink.end();
  }

  #put(text: string): boolean {
    if (!this.#sink.write(text)) this.#isFull = true;
    return !this.#isFull;
  }
}
