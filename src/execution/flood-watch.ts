/**
 * Judges how much an execution prints: first it is held back to a rate, then, where that does not help, stopped.
 *
 * Invariants: what is held back is only credit, so that nothing printed is lost; exactly one limit is named when it is stopped, with
 * the figure. It asks no clock and owns no timer. Source of the figures: the limits of a teaching IDE with 60 users.
 */
import { fits, integer, ms, resolveOptions } from '../base/options.ts';
import { TokenBucket } from '../resilience/meter.ts';

/** How much code may print. */
export interface FloodLimits {
  /** Lines a second; beyond it the code is held back to this rate. Default 100. */
  readonly linesPerSecond: number;
  /** Lines in all. Default 10,000. */
  readonly lines: number;
  /** Lines in a row that are all the same. Default 500. */
  readonly identicalLines: number;
  /** So many bytes in so many lines within such a time is a burst, and held back as well. Default 4,000 in 50 within 500 ms. */
  readonly burstBytes: number;
  readonly burstLines: number;
  readonly burstMs: number;
  /** How long code may be held back in all before it is stopped, ms. Default 10,000. */
  readonly throttledMs: number;
}

export const FLOOD_DEFAULTS: FloodLimits = Object.freeze({
  linesPerSecond: 100,
  lines: 10_000,
  identicalLines: 500,
  burstBytes: 4_000,
  burstLines: 50,
  burstMs: 500,
  throttledMs: 10_000,
});

const atLeastOne = fits<number>(
  'a number of at least 1, or Infinity',
  (value) => typeof value === 'number' && value >= 1,
);

const FIELDS = {
  linesPerSecond: integer(1),
  lines: atLeastOne,
  identicalLines: atLeastOne,
  burstBytes: atLeastOne,
  burstLines: atLeastOne,
  burstMs: ms(1),
  throttledMs: fits<number>(
    'milliseconds of at least 0, or Infinity',
    (v) => typeof v === 'number' && v >= 0,
  ),
};

/** `false` for none, or what differs from the defaults. */
export const FLOODS = fits<false | Partial<FloodLimits>>(
  'false or an object',
  (value) => value === false || (typeof value === 'object' && value !== null),
);

/** @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
export const resolveFloods = (
  where: string,
  given: false | Partial<FloodLimits> | undefined,
): FloodLimits | undefined =>
  given === false ? undefined : resolveOptions(where, given, FIELDS, FLOOD_DEFAULTS);

/** The limit that was broken, and by how much. */
export interface Breach {
  readonly limit: string;
  readonly figure: number;
  readonly observed: number;
}

const LONGEST_COMPARED = 1_000;

export class FloodWatch {
  readonly #limits: FloodLimits;
  readonly #meter: TokenBucket;
  /** Lines printed ahead of the rate. */
  #debt = 0;
  #lines = 0;
  #identical = 0;
  #last = '';
  /** The line under way, as far as it is compared. */
  #partial = '';
  #burstSince = 0;
  #burstBytes = 0;
  #burstLines = 0;

  constructor(limits: FloodLimits) {
    this.#limits = limits;
    const { linesPerSecond } = limits;
    this.#meter = new TokenBucket({ rate: linesPerSecond, periodMs: 1_000, burst: linesPerSecond });
  }

  /** Counts what was printed; the limit that this broke, if any. */
  printed(text: string, now: number): Breach | undefined {
    const lines = this.#count(text);
    this.#noteBurst(text, lines, now);
    this.#debt += lines;
    this.#pay(now);
    const limits = this.#limits;
    if (this.#identical > limits.identicalLines) return this.#breach('identicalLines', this.#identical);
    if (this.#lines > limits.lines) return this.#breach('lines', this.#lines);
    return undefined;
  }

  /** How long nothing more may be printed, ms; 0 where it may. */
  waitMs(now: number): number {
    this.#pay(now);
    return this.#debt < 1 ? 0 : Math.ceil((this.#debt * 1_000) / this.#limits.linesPerSecond);
  }

  /** How long code may be held back in all, ms. */
  get throttledMs(): number {
    return this.#limits.throttledMs;
  }

  /** What to say of code that was held back for too long. */
  sustained(elapsedMs: number): Breach {
    const perSecond = Math.round((this.#lines * 1_000) / Math.max(1, elapsedMs));
    const { linesPerSecond } = this.#limits;
    return this.#breach('linesPerSecond', Math.max(perSecond, linesPerSecond + Math.ceil(this.#debt)));
  }

  #breach(limit: keyof FloodLimits, observed: number): Breach {
    return { limit, figure: this.#limits[limit], observed };
  }

  #count(text: string): number {
    let lines = 0;
    let from = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', from)) {
      this.#lineEnded(this.#partial + text.slice(from, Math.min(end, from + LONGEST_COMPARED)));
      this.#partial = '';
      lines += 1;
      from = end + 1;
    }
    this.#partial = (this.#partial + text.slice(from, from + LONGEST_COMPARED)).slice(0, LONGEST_COMPARED);
    this.#lines += lines;
    return lines;
  }

  #lineEnded(line: string): void {
    this.#identical = line === this.#last && this.#identical > 0 ? this.#identical + 1 : 1;
    this.#last = line;
  }

  /** A burst uses up what could be printed at once. */
  #noteBurst(text: string, lines: number, now: number): void {
    const { burstBytes, burstLines, burstMs } = this.#limits;
    if (now - this.#burstSince >= burstMs) {
      this.#burstSince = now;
      this.#burstBytes = 0;
      this.#burstLines = 0;
    }
    this.#burstBytes += Buffer.byteLength(text);
    this.#burstLines += lines;
    if (this.#burstBytes >= burstBytes && this.#burstLines >= burstLines) while (this.#meter.take(now) === 0);
  }

  #pay(now: number): void {
    while (this.#debt >= 1 && this.#meter.take(now) === 0) this.#debt -= 1;
  }
}
