/**
 * The events of one execution between its process and its reader: bounded, in order, with the policy for a reader who is slow.
 *
 * Invariants: no more than `limit` events and about `maxBytes` of text wait, whoever reads or does not; what is dropped is counted, and
 * an input request never is. An execution that nobody reads keeps its latest output. What a full queue means for the execution
 * is its owner's business.
 */
import { Deque } from '../base/deque.ts';

/** What happens to output for which there is no room: the code waits, the new or the oldest goes, or the execution is stopped. */
export type OutputPolicy = 'block' | 'drop_new' | 'drop_oldest' | 'error';

/** What is queued, and how much of the room it takes. */
export interface Queued<T> {
  readonly event: T;
  readonly bytes: number;
  /** It may go where there is no room. */
  readonly droppable: boolean;
}

export interface QueueLimits {
  readonly policy: OutputPolicy;
  readonly limit: number;
  readonly maxBytes: number;
}

export class OutputQueue<T> {
  /** Somebody reads. Until then the queue drops its oldest, whatever the policy: nobody is there to wait for. */
  hasReader = false;
  dropped = 0;
  bytes = 0;
  readonly #limits: QueueLimits;
  readonly #waiting = new Deque<Queued<T>>();

  constructor(limits: QueueLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** How many more may be let in, as far as the reader is concerned. */
  get room(): number {
    const { policy, limit, maxBytes } = this.#limits;
    if (!this.hasReader || policy !== 'block') return limit;
    return this.bytes >= maxBytes ? 0 : Math.max(0, limit - this.#waiting.size);
  }

  /** `false`: it did not fit, and the policy says that this is an error. */
  push(item: Queued<T>): boolean {
    const { limit, maxBytes, policy } = this.#limits;
    const isFull = this.#waiting.size >= limit || this.bytes + item.bytes > maxBytes;
    if (isFull && item.droppable && this.#waiting.size > 0) {
      const rule = this.hasReader ? policy : 'drop_oldest';
      if (rule === 'error') return false;
      if (rule === 'drop_new') {
        this.dropped += 1;
        return true;
      }
      // What was granted under `block` has a place, if a few bytes beyond.
      if (rule === 'drop_oldest') this.#makeRoom(item.bytes);
    }
    this.#waiting.push(item);
    this.bytes += item.bytes;
    return true;
  }

  take(): T | undefined {
    const item = this.#waiting.shift();
    if (item === undefined) return undefined;
    this.bytes -= item.bytes;
    return item.event;
  }

  clear(): void {
    this.#waiting.clear();
    this.bytes = 0;
  }

  #makeRoom(bytes: number): void {
    const { limit, maxBytes } = this.#limits;
    let at = 0;
    while (at < this.#waiting.size && (this.#waiting.size >= limit || this.bytes + bytes > maxBytes)) {
      const oldest = this.#waiting.at(at) as Queued<T>;
      if (!oldest.droppable) {
        at += 1;
        continue;
      }
      this.#waiting.removeAt(at);
      this.bytes -= oldest.bytes;
      this.dropped += 1;
    }
  }
}
