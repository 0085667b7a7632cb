/**
 * Joins a pool's scaling to its desk, where people wait, and to its staff, where workers are.
 *
 * Invariant: the desk is asked to tell of those who wait exactly while more workers could be started. When to grow and when to shrink,
 * the scaling decides.
 */
import type { Host } from '../base/host.ts';
import type { EventStream } from '../base/telemetry.ts';
import type { Desk } from './desk.ts';
import type { ResolvedPoolOptions, SizeRange } from './pool-options.ts';
import { type Scaled, Scaling } from './scaling.ts';
import type { Staff } from './staff.ts';

/** Whose size it is. */
export interface SizedPool {
  readonly host: Host;
  readonly events: EventStream;
  readonly path: string;
  readonly settings: Pick<ResolvedPoolOptions, 'scaling' | 'startsAtOnce'>;
}

export class Sizing implements Scaled {
  readonly #pool: SizedPool;
  readonly #desk: Desk;
  readonly #staff: Staff;
  readonly #scaling: Scaling;

  constructor(pool: SizedPool, desk: Desk, staff: Staff) {
    this.#pool = pool;
    this.#desk = desk;
    this.#staff = staff;
    this.#scaling = new Scaling(pool.host, pool.settings.scaling, this);
  }

  /** Where no more workers could ever be started, nobody need say that he waits. */
  watchDemand(): void {
    this.#desk.watchesDemand = this.wanted < this.size.max;
  }

  demand(): void {
    this.#scaling.demand();
  }

  /** The size it may have, or the one it has, is another. */
  changed(): void {
    this.watchDemand();
    this.#scaling.changed();
  }

  /** One is started to see whether workers live again, though none may be wanted. */
  probe(): void {
    this.#staff.probe();
    this.changed();
  }

  stop(): void {
    this.#scaling.stop();
  }

  // ── what the scaling knows and decides ────────────────────────────────────────────────────

  get size(): SizeRange {
    return this.#staff.size;
  }

  get wanted(): number {
    return this.#staff.wanted;
  }

  set wanted(count: number) {
    this.#staff.wanted = count;
  }

  get starting(): number {
    return this.#staff.starting;
  }

  get startsAtOnce(): number {
    return this.#pool.settings.startsAtOnce;
  }

  get waiting(): number {
    return this.#desk.waiting;
  }

  get delayMs(): number {
    const { first } = this.#desk.dispatch.lines.common;
    return first === undefined ? 0 : this.#pool.host.monotonic() - first.begunAt;
  }

  get serves(): boolean {
    return !this.#desk.dispatch.paused && this.#desk.admission !== 'refuse_crash_loop';
  }

  get idleMs(): number | undefined {
    const { last } = this.#desk.dispatch.idle;
    return last === undefined ? undefined : this.#pool.host.monotonic() - last.restsSince;
  }

  grown(): void {
    const { path, events } = this.#pool;
    events.emit('pool.grown', { path, workers: this.wanted, waiting: this.waiting });
    this.watchDemand();
    this.#staff.fill();
  }

  shrunk(): void {
    const { path, events } = this.#pool;
    const coldest = this.#desk.dispatch.idle.last;
    if (coldest === undefined) return;
    this.watchDemand();
    events.emit('pool.shrunk', { path, workers: this.wanted, worker: coldest.id });
    coldest.retire('scaled_down');
  }
}
