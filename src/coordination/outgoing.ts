/**
 * What goes out on one line: what was there before it, then what is offered, as fast as the line takes it and no faster.
 *
 * Invariant: offered = sent + dropped + waiting, in frames; nothing is written to a line that is full; what waits is bounded. What a
 * client missed it is told before the next frame, where it can be told.
 */
import { Deque } from '../base/deque.ts';
import { type Frame, FrameQueue, type StreamOverflow } from './frame-queue.ts';
import type { Line } from './line.ts';

/** `sent`: the line has it; `queued`: it waits, and may yet be dropped; `dropped`: it is not going anywhere. */
export type Sent = 'sent' | 'queued' | 'dropped';

export interface OutgoingPlan {
  readonly line: Line;
  readonly capacity: number;
  readonly maxBytes: number;
  readonly overflow: StreamOverflow;
  /** Written before anything that is offered. */
  readonly backlog: readonly Frame[];
  /** What tells the client that it missed some. */
  readonly gap: ((missed: number) => Frame) | undefined;
  /** Told of each thing that was written. */
  readonly wrote: (takes: boolean) => void;
  /** The first frame is dropped that the client has not been told of. */
  readonly dropping: () => void;
}

export class Outgoing {
  readonly #plan: OutgoingPlan;
  readonly #backlog = new Deque<Frame>();
  readonly #queue: FrameQueue;
  /** Dropped since the client was last told. */
  #missed = 0;
  isFull = false;
  offered = 0;
  sent = 0;
  dropped = 0;

  constructor(plan: OutgoingPlan) {
    this.#plan = plan;
    this.#queue = new FrameQueue(plan);
    for (const frame of plan.backlog) this.#backlog.push(frame);
    this.offered = plan.backlog.length;
  }

  get waiting(): number {
    return this.#backlog.size + this.#queue.size;
  }

  get waitingBytes(): number {
    return this.#queue.bytes;
  }

  /** Whether a frame that is offered now goes out at once. */
  get isClear(): boolean {
    return !this.isFull && this.waiting === 0;
  }

  /** `'overflowed'`: there is no room, and such a client is to be disconnected. */
  offer(frame: Frame): Sent | 'overflowed' {
    this.offered += 1;
    if (this.isClear) {
      this.#give(frame);
      return 'sent';
    }
    const offered = this.#queue.offer(frame);
    if (offered.outcome !== 'taken') {
      this.#drop(1);
      return offered.outcome;
    }
    if (offered.dropped > 0) this.#drop(offered.dropped);
    return 'queued';
  }

  /** It came too late to be anything but dropped. */
  refuse(): void {
    this.offered += 1;
    this.dropped += 1;
  }

  drained(): void {
    this.isFull = false;
    this.flush();
  }

  /** Writes what waits, as far as the line takes it. */
  flush(): void {
    while (!this.isFull) {
      const frame = this.#backlog.shift() ?? this.#queue.take();
      if (frame === undefined) return;
      this.#give(frame);
    }
  }

  /** Drops what waits; returns how much that was. */
  clear(): number {
    const left = this.waiting;
    this.#backlog.clear();
    this.#queue.clear();
    this.dropped += left;
    return left;
  }

  #give(frame: Frame): void {
    if (this.#missed > 0 && this.#plan.gap !== undefined) {
      const gap = this.#plan.gap(this.#missed);
      this.#missed = 0;
      this.#put(gap);
    }
    this.sent += 1;
    this.#put(frame);
  }

  /** A sign of life. */
  beat(): void {
    this.#wrote(this.#plan.line.beat());
  }

  #put(frame: Frame): void {
    this.#wrote(this.#plan.line.write(frame));
  }

  #wrote(takes: boolean): void {
    if (!takes) this.isFull = true;
    this.#plan.wrote(takes);
  }

  #drop(count: number): void {
    const isFirst = this.#missed === 0;
    this.dropped += count;
    this.#missed += count;
    if (isFirst) this.#plan.dropping();
  }
}
