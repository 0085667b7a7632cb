/**
 * What waits for one client: a bounded queue with a policy for what finds no room.
 *
 * Invariant: offered = taken + dropped + waiting, in frames; what waits is never more than `capacity` frames and `maxBytes` bytes;
 * what is taken comes in the order in which it was offered, except that a frame with a key stands in the place of the one
 * that it replaces. It writes nothing and keeps no time.
 */
import { Deque } from '../base/deque.ts';

/** What happens to a frame for which a client has no room. */
export type StreamOverflow = 'drop_oldest' | 'coalesce' | 'disconnect';

/** A frame as it will be written. */
export interface Frame {
  /** Of two that wait with the same key only the newer is written, where the policy is `coalesce`. */
  readonly key?: string | undefined;
  /** Stays with the place when a newer frame takes it: an id that says how far a client has come must not run ahead. */
  readonly head: string;
  readonly body: string | Uint8Array;
  /** As they will be written. */
  readonly bytes: number;
}

/** `taken`: it waits, and `dropped` others went for it. `overflowed`: there is no room, and the policy is to disconnect. */
export type Offered =
  | { readonly outcome: 'taken'; readonly dropped: number }
  | { readonly outcome: 'dropped' | 'overflowed' };

const TAKEN: Offered = Object.freeze({ outcome: 'taken', dropped: 0 });

interface Slot {
  frame: Frame;
}

export class FrameQueue {
  readonly #capacity: number;
  readonly #maxBytes: number;
  readonly #overflow: StreamOverflow;
  readonly #slots = new Deque<Slot>();
  readonly #byKey = new Map<string, Slot>();
  #bytes = 0;

  constructor(limits: {
    readonly capacity: number;
    readonly maxBytes: number;
    readonly overflow: StreamOverflow;
  }) {
    this.#capacity = limits.capacity;
    this.#maxBytes = limits.maxBytes;
    this.#overflow = limits.overflow;
  }

  get size(): number {
    return this.#slots.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  offer(frame: Frame): Offered {
    const { bytes } = frame;
    if (bytes > this.#maxBytes)
      return { outcome: this.#overflow === 'disconnect' ? 'overflowed' : 'dropped' };
    let dropped = this.#coalesce(frame) ? 1 : 0;
    if (dropped === 0) {
      if (this.#overflow === 'disconnect' && !this.#hasRoom(bytes)) return { outcome: 'overflowed' };
      while (!this.#hasRoom(bytes)) {
        this.take();
        dropped += 1;
      }
      this.#add(frame, bytes);
    }
    // The newer of two with a key may be the larger.
    while (this.#bytes > this.#maxBytes) {
      this.take();
      dropped += 1;
    }
    return dropped === 0 ? TAKEN : { outcome: 'taken', dropped };
  }

  take(): Frame | undefined {
    const slot = this.#slots.shift();
    if (slot === undefined) return undefined;
    const { frame } = slot;
    if (frame.key !== undefined && this.#byKey.get(frame.key) === slot) this.#byKey.delete(frame.key);
    this.#bytes -= frame.bytes;
    return frame;
  }

  /** Drops what waits; returns how many that were. */
  clear(): number {
    const dropped = this.#slots.size;
    this.#slots.clear();
    this.#byKey.clear();
    this.#bytes = 0;
    return dropped;
  }

  #hasRoom(bytes: number): boolean {
    return this.#slots.size < this.#capacity && this.#bytes + bytes <= this.#maxBytes;
  }

  #add(frame: Frame, bytes: number): void {
    const slot = { frame };
    this.#slots.push(slot);
    this.#bytes += bytes;
    if (this.#overflow === 'coalesce' && frame.key !== undefined) this.#byKey.set(frame.key, slot);
  }

  /** `true`: it stands where an older one with its key stood. */
  #coalesce(frame: Frame): boolean {
    const slot = frame.key === undefined ? undefined : this.#byKey.get(frame.key);
    if (slot === undefined) return false;
    const { head } = slot.frame;
    this.#bytes -= slot.frame.bytes;
    slot.frame = { ...frame, head };
    this.#bytes += slot.frame.bytes;
    return true;
  }
}
