/**
 * What user code prints, and the other events of an execution, on their way to the service as chunks.
 *
 * Invariants: order is kept, between both streams too; a chunk is sent only where there is credit for it, and whoever prints without
 * credit waits; a chunk of text is at most 64 KiB of UTF-8 and never splits a character; between executions at most 1,024 chunks are
 * kept, of which the oldest are dropped and counted. It judges no floods: that is the service's.
 */
import type { FrameWriter } from './frame-writer.ts';
import { add, CELL, type Gate, load, takeCredit } from './shared-state.ts';

export type Stream = 'stdout' | 'stderr';

/** One event of an execution; it is sent with the time at which it happened. */
export interface Chunk {
  readonly kind: string;
  readonly [field: string]: unknown;
}

/** Bytes of text in one chunk. */
const CHUNK_BYTES = 65_536;
/** Characters that certainly fit: one takes three bytes at most. */
const CHUNK_CHARACTERS = 21_845;
/** Chunks kept between executions. */
const KEPT_CHUNKS = 1_024;
/** Prints that go out as they come; what is printed faster than these come back is gathered. */
const BURST_PRINTS = 64;
const PRINTS_PER_MS = 0.2;

/** Captured before user code can change them. */
const { now } = Date;
const { byteLength } = Buffer;
const later = setImmediate;

export interface OutputOptions {
  readonly gate: Gate;
  readonly writer: FrameWriter;
  /** Throws where the one who waits for credit is to stop. */
  readonly stopIfAsked: () => void;
}

export class Output {
  readonly #gate: Gate;
  readonly #writer: FrameWriter;
  readonly #stopIfAsked: () => void;
  /** The execution that chunks belong to. */
  #job: number | undefined;
  /** Stopped: what there is no credit for is not waited for. */
  #hurried = false;
  /** Text that waits to become a chunk. */
  #text = '';
  #stream: Stream = 'stdout';
  /** The first half of a character, by stream: the other half is still to come. */
  readonly #halves: Record<Stream, string> = { stdout: '', stderr: '' };
  #kept: Chunk[] = [];
  #dropped = 0;
  #burst = BURST_PRINTS;
  #burstAt = 0;
  #scheduled = false;

  constructor({ gate, writer, stopIfAsked }: OutputOptions) {
    this.#gate = gate;
    this.#writer = writer;
    this.#stopIfAsked = stopIfAsked;
  }

  /** Chunks belong to this execution from now on; what was kept comes first. */
  begin(job: number): void {
    this.flush();
    this.#job = job;
    this.#hurried = false;
    const kept = this.#kept;
    this.#kept = [];
    const [first] = kept;
    if (first !== undefined && this.#dropped > 0) kept[0] = { ...first, dropped: this.#dropped };
    this.#dropped = 0;
    for (const chunk of kept) this.emit(chunk);
  }

  /** Sends all there is, and ends the execution's claim. */
  end(): void {
    this.#release('stdout');
    this.#release('stderr');
    this.flush();
    this.#job = undefined;
  }

  /** From now on nobody waits for credit. */
  hurry(): void {
    this.#hurried = true;
  }

  print(stream: Stream, text: string): void {
    this.#gate.enter();
    try {
      if (stream !== this.#stream) this.flush();
      this.#stream = stream;
      this.#text += this.#whole(stream, text);
      if (this.#mayGoOut(text)) this.flush();
      else this.#flushLater();
    } finally {
      this.#gate.leave();
    }
  }

  /** Sends what was printed, then a chunk of another kind. */
  tell(chunk: Chunk): void {
    this.#gate.inside(() => {
      this.flush();
      this.emit(chunk.at === undefined ? { ...chunk, at: now() } : chunk);
    });
  }

  flush(): void {
    if (this.#text === '') return;
    const text = this.#text;
    const stream = this.#stream;
    this.#text = '';
    for (const piece of pieces(text)) this.emit({ kind: 'output', at: now(), stream, text: piece });
  }

  emit(chunk: Chunk): void {
    if (this.#job === undefined) {
      this.#kept.push(chunk);
      if (this.#kept.length > KEPT_CHUNKS) {
        this.#kept.shift();
        this.#dropped += 1;
        add(this.#gate.cells, CELL.dropped, 1);
      }
      return;
    }
    const { cells } = this.#gate;
    if (!takeCredit(cells)) {
      if (this.#hurried) return;
      this.#gate.waitUntil(() => {
        if (!this.#hurried && load(cells, CELL.stop) !== 0) this.#stopIfAsked();
        return this.#hurried || load(cells, CELL.credit) > 0;
      });
      if (!takeCredit(cells)) return;
    }
    this.#writer.send({ kind: 'chunk', id: this.#job, value: chunk });
  }

  /** The text with the half that came before, without the half that ends it. */
  #whole(stream: Stream, text: string): string {
    const joined = this.#halves[stream] + text;
    const last = joined.charCodeAt(joined.length - 1);
    const isHalf = last >= 0xd800 && last <= 0xdbff;
    this.#halves[stream] = isHalf ? joined.slice(-1) : '';
    return isHalf ? joined.slice(0, -1) : joined;
  }

  #release(stream: Stream): void {
    const half = this.#halves[stream];
    if (half === '') return;
    this.#halves[stream] = '';
    if (stream !== this.#stream) this.flush();
    this.#stream = stream;
    this.#text += half;
  }

  /** Single prints go out at once; a flood is gathered. A carriage return is progress, which is shown now or never. */
  #mayGoOut(text: string): boolean {
    if (this.#text.length >= CHUNK_BYTES) return true;
    const at = now();
    const back = Math.max(0, at - this.#burstAt) * PRINTS_PER_MS;
    this.#burstAt = at;
    this.#burst = Math.min(BURST_PRINTS, this.#burst + back);
    if (this.#burst < 1 && !text.endsWith('\r')) return false;
    this.#burst -= 1;
    return this.#burst >= -BURST_PRINTS;
  }

  #flushLater(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    later(() => {
      this.#scheduled = false;
      this.#gate.inside(() => this.flush());
    });
  }
}

/** Cuts text into pieces that fit a chunk, between characters. */
function* pieces(text: string): Generator<string> {
  if (text.length <= CHUNK_CHARACTERS || byteLength(text) <= CHUNK_BYTES) {
    yield text;
    return;
  }
  for (let at = 0; at < text.length; ) {
    let end = at + CHUNK_BYTES;
    if (end < text.length || byteLength(text.slice(at, end)) > CHUNK_BYTES) {
      if (byteLength(text.slice(at, end)) > CHUNK_BYTES) end = at + CHUNK_CHARACTERS;
      const last = text.charCodeAt(end - 1);
      if (end < text.length && last >= 0xd800 && last <= 0xdbff) end -= 1;
    }
    yield text.slice(at, end);
    at = end;
  }
}
