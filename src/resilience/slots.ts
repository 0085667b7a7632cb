/**
 * Places for calls that run at once, with a line in front: what bulkheads and adaptive limits have in common.
 *
 * Invariant: each call that began holds one slot until its work is over, and gives it back once, on every way out. A free
 * slot goes to the first in line, never to a newcomer. How many there are is its owner's to say, also while they are taken.
 */
import { NO_DEADLINE } from '../base/deadline.ts';
import type { TroupeError } from '../base/errors.ts';
import { BoundedCall, type Bounds, type Enders, type Ending, runFree, UNBOUNDED, type Work } from './call.ts';
import type { BasePolicy } from './policy.ts';
import { SharedRefusal } from './refusal.ts';
import { WaitingLine } from './waiting-line.ts';

export interface SlotOptions {
  readonly limit: number;
  readonly queueLimit: number;
  readonly maxWaitMs: number;
  readonly makeRefusal: () => TroupeError;
  /** Told how each call ended for its caller, and when it had begun. Without it no clock is read. */
  readonly ended?: (ending: Ending, beganAtMs: number) => void;
}

export class Slots {
  readonly #policy: BasePolicy;
  readonly #options: SlotOptions;
  readonly #line: WaitingLine;
  readonly #enders: Enders;
  readonly #leave = (): void => {
    this.used -= 1;
    this.#serve();
  };
  #limit: number;
  #refusal: SharedRefusal | undefined = undefined;
  #serving = false;
  used = 0;
  refused = 0;

  constructor(policy: BasePolicy, options: SlotOptions) {
    this.#policy = policy;
    this.#options = options;
    this.#limit = options.limit;
    this.#line = new WaitingLine(policy);
    this.#enders = {
      returned: (value) => {
        this.#leave();
        return value;
      },
      threw: (error) => {
        this.#leave();
        throw error;
      },
    };
  }

  get limit(): number {
    return this.#limit;
  }

  /** Calls beyond a limit that has fallen run on; those in line move up when it rises. */
  set limit(limit: number) {
    if (limit === this.#limit) return;
    this.#limit = limit;
    this.#refusal = undefined;
    this.#serve();
  }

  get waiting(): number {
    return this.#line.size;
  }

  run<T>(work: Work<T>, bounds: Bounds): Promise<T> {
    if (this.used < this.#limit && this.#line.size === 0) return this.#begin(work, bounds);
    const { queueLimit, maxWaitMs } = this.#options;
    if (this.#line.size >= queueLimit || maxWaitMs <= 0) return this.#refuse().reject();
    return new Promise<T>((resolve, reject) => {
      this.#line.join({
        bounds,
        maxWaitMs,
        begin: (left) => resolve(this.#begin(work, left)),
        refuse: reject,
        overdue: () => this.#refuse().error,
      });
    });
  }

  clear(error: TroupeError): void {
    this.#line.clear(error);
  }

  #begin<T>(work: Work<T>, bounds: Bounds): Promise<T> {
    this.used += 1;
    const { ended } = this.#options;
    if (bounds === UNBOUNDED && ended === undefined) return runFree(work, this.#enders);
    const beganAtMs = ended === undefined ? NO_DEADLINE : this.#policy.host.monotonic();
    const call = new BoundedCall<T>(this.#policy, bounds, (ending) => ended?.(ending, beganAtMs));
    call.afterWork(this.#leave);
    return call.run(work);
  }

  /** In a loop of its own: work that is over at once must not nest as deep as the line is long. */
  #serve(): void {
    if (this.#serving) return;
    this.#serving = true;
    while (this.used < this.#limit && this.#line.serve());
    this.#serving = false;
  }

  #refuse(): SharedRefusal {
    this.refused += 1;
    const { events, name, kind } = this.#policy;
    if (events.active) {
      const { used, limit } = this;
      events.emit('limit.exhausted', { path: name, limit: kind, used, allowed: limit, periodMs: 0 });
    }
    this.#refusal ??= new SharedRefusal(this.#options.makeRefusal());
    return this.#refusal;
  }
}
