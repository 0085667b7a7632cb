/**
 * The places of a pool and the workers that fill them: how many there should be, who is started where and when, who has to go.
 *
 * Invariants: a place has one worker at most, and the next not before the last of the old one is gone; there are never more workers than
 * `max`, those on their way out included; no more than `startsAtOnce` start at a time. Whether what is lost is replaced at all, the
 * pool's chart decides; by how much the pool grows and shrinks, the scaling.
 */
import type { Timer } from '../base/host.ts';
import type { SizeRange } from './pool-options.ts';
import type { PoolWorker } from './pool-worker.ts';
import type { WorkerKind } from './worker-port.ts';

/** One of the pool's places for a worker. */
export interface Seat {
  readonly index: number;
  worker: PoolWorker | undefined;
  /** Whether that worker was started to see whether workers live again. */
  probe: boolean;
  /** Crashes in a row of workers that did not prove themselves here. */
  failures: number;
  /** An instant before which it is not filled again, because of how its worker died. */
  taintedUntil: number;
  /** Until it is filled again. */
  timer: Timer | undefined;
}

/** Who starts workers. */
export interface Recruiter {
  /** Whether nobody is started any more. */
  readonly closing: boolean;
  /** Whether crashes loop, so that nobody is started but one at a time, to see whether workers live again. */
  readonly holding: boolean;
  readonly startsAtOnce: number;
  /** Makes a worker for a place and starts it. */
  recruit(seat: Seat, kind: WorkerKind): PoolWorker;
}

export class Staff {
  size: SizeRange;
  /** How many workers there should be. */
  wanted: number;
  kinds: readonly WorkerKind[];
  readonly #recruiter: Recruiter;
  readonly #seats: Seat[] = [];

  constructor(recruiter: Recruiter, size: SizeRange, kinds: readonly WorkerKind[]) {
    this.#recruiter = recruiter;
    this.size = size;
    this.wanted = size.min;
    this.kinds = kinds;
    this.#provide();
  }

  get seats(): readonly Seat[] {
    return this.#seats;
  }

  seatOf(worker: PoolWorker): Seat {
    return this.#seats[worker.seat] as Seat;
  }

  get workers(): readonly PoolWorker[] {
    return this.#seats.flatMap(({ worker }) => (worker === undefined ? [] : [worker]));
  }

  /** Those that are not there to take jobs yet, though they were started. */
  get starting(): number {
    return this.workers.filter(({ info, over }) => info === undefined && !over).length;
  }

  /** Those that are there and stay. */
  get present(): number {
    return this.workers.filter(({ info, over, retiring }) => info !== undefined && !over && !retiring).length;
  }

  /** Those that are there or coming, and stay: what is yet to start after a wait counts as coming. */
  get staffed(): number {
    return this.#seats.filter(
      ({ worker, timer }) =>
        timer !== undefined || (worker !== undefined && !worker.over && !worker.retiring),
    ).length;
  }

  /** The places without a worker, and what becomes of them. */
  get vacancies(): readonly { readonly index: number; readonly kind: string; readonly waits: boolean }[] {
    return this.#seats
      .filter(({ worker, timer }) => worker === undefined && timer !== undefined)
      .concat(this.#vacantWanted)
      .sort((a, b) => a.index - b.index)
      .map(({ index, timer }) => ({ index, kind: this.#kindOf(index).name, waits: timer !== undefined }));
  }

  /** From now on there are so many places. */
  resize(size: SizeRange): void {
    this.size = size;
    this.#provide();
    this.wanted = Math.min(size.max, Math.max(size.min, this.wanted));
    this.dismissSurplus('resized');
    this.fill();
  }

  /** Starts workers until there are as many as wanted, or as many starting as may. */
  fill(): void {
    for (const seat of this.#seats) {
      if (this.staffed >= this.wanted || this.#recruiter.holding || !this.#mayHire) return;
      if (seat.worker === undefined && seat.timer === undefined) this.#hire(seat, false);
    }
  }

  /** Fills a place again, as far as it is still wanted: at once, or after a wait. */
  refill(seat: Seat, delayMs: number, wait: (fire: () => void) => Timer): void {
    if (this.staffed >= this.wanted) return;
    if (delayMs === 0) {
      if (this.#mayHire) this.#hire(seat, false);
      return;
    }
    seat.timer?.cancel();
    seat.timer = wait(() => {
      seat.timer = undefined;
      this.fill();
    });
  }

  /** Starts one to see whether workers live again; it counts as wanted then. */
  probe(): void {
    this.wanted = Math.max(this.wanted, 1);
    const vacant = this.#seats.find(({ worker }) => worker === undefined);
    if (vacant !== undefined && this.#mayHire) this.#hire(vacant, true);
  }

  /** What waits to be filled waits no longer. */
  holdAll(): void {
    for (const seat of this.#seats) {
      seat.timer?.cancel();
      seat.timer = undefined;
    }
  }

  /** Lets go of as many as are not wanted any more: first what is not there yet, then the idle, at last the busy when they are free. */
  dismissSurplus(reason: string): void {
    for (const seat of [...this.#seats].reverse()) {
      if (this.staffed <= this.wanted) return;
      seat.timer?.cancel();
      seat.timer = undefined;
    }
    const expendable = [...this.workers].reverse().filter(({ over, retiring }) => !over && !retiring);
    const inOrder = [...expendable].sort((a, b) => costOf(a) - costOf(b));
    for (const worker of inOrder) {
      if (this.staffed <= this.wanted) return;
      worker.retire(reason);
    }
  }

  #provide(): void {
    for (let index = this.#seats.length; index < this.size.max; index++)
      this.#seats.push({
        index,
        worker: undefined,
        probe: false,
        failures: 0,
        taintedUntil: 0,
        timer: undefined,
      });
  }

  get #mayHire(): boolean {
    const { closing, startsAtOnce } = this.#recruiter;
    return !closing && this.workers.length < this.size.max && this.starting < startsAtOnce;
  }

  #hire(seat: Seat, probe: boolean): void {
    seat.timer?.cancel();
    seat.timer = undefined;
    seat.probe = probe;
    this.#recruiter.recruit(seat, this.#kindOf(seat.index));
  }

  #kindOf(index: number): WorkerKind {
    return this.kinds[index % this.kinds.length] as WorkerKind;
  }

  get #vacantWanted(): Seat[] {
    const missing = Math.max(0, this.wanted - this.staffed);
    return this.#seats
      .filter(({ worker, timer }) => worker === undefined && timer === undefined)
      .slice(0, missing);
  }
}

/** What it costs to let one go: nothing lost while it starts, a warm start while it is idle, a wait while it is somebody's. */
const costOf = ({ info, takesWork }: PoolWorker): number => {
  if (info === undefined) return 0;
  return takesWork ? 1 : 2;
};
