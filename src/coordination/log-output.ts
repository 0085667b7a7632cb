/**
 * Where an operation's lines go beside its file: something that takes text, which may be gone at any time.
 *
 * Invariant: a stream that is closed, or closes under it, is no error of whoever logs: its lines are lost, and counted. However
 * many operations share a stream, one listener of ours hangs on it, and none once they have ended and their lines are out.
 */
import { show } from '../base/errors.ts';

/** What takes lines: a stream, or anything with such a method. */
export interface Output {
  write(text: string): unknown;
}

/** What is known of a stream of Node's. */
interface StreamLike extends Output {
  readonly writable?: boolean;
  readonly destroyed?: boolean;
  on?(event: 'error', listener: (error: Error) => void): unknown;
  off?(event: 'error', listener: (error: Error) => void): unknown;
  write(text: string, done?: (error?: Error | null) => void): unknown;
}

const isOver = ({ writable, destroyed }: StreamLike): boolean => writable === false || destroyed === true;

/** Writes where that can be; `false`: nobody takes it any more. */
export const writeTo = (output: Output, text: string): boolean => {
  if (isOver(output as StreamLike)) return false;
  try {
    output.write(text);
    return true;
  } catch {
    return false;
  }
};

/** What hangs on one stream for all operations that write to it. */
class Guard {
  readonly #stream: StreamLike;
  #uses = 0;
  #pending = 0;
  #failed: unknown;
  readonly #onError = (error: unknown): void => {
    this.#failed ??= error;
  };

  constructor(stream: StreamLike) {
    this.#stream = stream;
  }

  take(): void {
    this.#uses += 1;
    if (this.#uses === 1 && this.#pending === 0) this.#stream.on?.('error', this.#onError);
  }

  write(text: string): boolean {
    if (isOver(this.#stream)) return false;
    this.#pending += 1;
    try {
      this.#stream.write(text, this.#written);
      return true;
    } catch (error) {
      this.#pending -= 1;
      this.#failed ??= error;
      return false;
    }
  }

  letGo(): void {
    this.#uses -= 1;
    this.#leaveIfDone();
  }

  get why(): string {
    return this.#failed === undefined ? 'it was closed' : show(this.#failed);
  }

  readonly #written = (error?: Error | null): void => {
    // The stream tells of the error once more, after this: then somebody has to listen.
    if (error !== undefined && error !== null) return;
    this.#pending -= 1;
    this.#leaveIfDone();
  };

  #leaveIfDone(): void {
    if (this.#uses > 0 || this.#pending > 0) return;
    this.#stream.off?.('error', this.#onError);
    guards.delete(this.#stream);
  }
}

const guards = new WeakMap<object, Guard>();

/** An output as one operation has it: until it lets go. */
export class HeldOutput implements Output {
  readonly #guard: Guard | undefined;
  readonly #output: Output;
  readonly #failed: (why: string) => void;
  #held = true;
  #told = false;

  /** `failed` is called once, with the first line that is lost. */
  constructor(output: Output, failed: (why: string) => void) {
    this.#output = output;
    this.#failed = failed;
    const stream = output as StreamLike;
    if (typeof stream.on !== 'function' || typeof stream.off !== 'function') return;
    let guard = guards.get(stream);
    if (guard === undefined) {
      guard = new Guard(stream);
      guards.set(stream, guard);
    }
    guard.take();
    this.#guard = guard;
  }

  write(text: string): boolean {
    if (!this.#held) return false;
    const taken = this.#guard === undefined ? writeTo(this.#output, text) : this.#guard.write(text);
    if (!taken && !this.#told) {
      this.#told = true;
      this.#failed(this.#guard?.why ?? 'it takes nothing');
    }
    return taken;
  }

  /** Nothing is written from now on. Safe to repeat. */
  letGo(): void {
    if (!this.#held) return;
    this.#held = false;
    this.#guard?.letGo();
  }
}
