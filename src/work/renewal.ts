/**
 * The replacement of all workers of a pool, from its being asked for to its end: one at a time, with its deadline and its way back.
 *
 * Invariant: each that began ends, told by one event; where the first of a new kind cannot start, the old kind is back in use. Which
 * workers go when, the replacement decides.
 */
import { NO_DEADLINE } from '../base/deadline.ts';
import { createError, type TroupeError } from '../base/errors.ts';
import type { Host, Timer } from '../base/host.ts';
import type { EventStream } from '../base/telemetry.ts';
import { type ReplaceOptions, resolveReplace } from './pool-options.ts';
import * as refusals from './pool-refusals.ts';
import type { PoolWorker } from './pool-worker.ts';
import { Replacement } from './replacement.ts';
import type { Staff } from './staff.ts';
import type { WorkerKind } from './worker-port.ts';

/** Whose workers are replaced. */
export interface RenewedPool {
  readonly host: Host;
  readonly events: EventStream;
  readonly path: string;
  /** Whether nobody is started any more. */
  readonly closing: boolean;
}

export class Renewal {
  /** How often all workers were replaced, or about to be. */
  generation = 0;
  readonly #pool: RenewedPool;
  readonly #staff: Staff;
  #replacement: Replacement | undefined;
  #timer: Timer | undefined;
  #oldKinds: readonly WorkerKind[] = [];

  constructor(pool: RenewedPool, staff: Staff) {
    this.#pool = pool;
    this.#staff = staff;
  }

  /** @throws ERR_POOL_DRAINING, ERR_POOL_REPLACE_FAILED: another one is under way; ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
  begin(options: ReplaceOptions | undefined): Promise<void> {
    const { path, host, events, closing } = this.#pool;
    const { kinds, atOnce, timeoutMs } = resolveReplace(`replacement of pool ${path}`, options);
    for (const kind of kinds ?? []) kind.verify?.();
    if (closing) throw refusals.draining(path);
    if (this.#replacement !== undefined)
      throw createError('ERR_POOL_REPLACE_FAILED', { pool: path, why: 'another replacement is under way' });
    this.generation += 1;
    const replacement = new Replacement(this.#staff, this.generation, atOnce);
    this.#replacement = replacement;
    this.#oldKinds = this.#staff.kinds;
    if (kinds !== undefined) this.#staff.kinds = kinds;
    events.emit('pool.replacement.began', { path, workers: this.#staff.workers.length });
    if (timeoutMs < NO_DEADLINE) {
      this.#timer = host.timer(timeoutMs, 'pool replacement', () =>
        this.end(`it took longer than ${timeoutMs} ms`),
      );
    }
    this.step();
    return replacement.promise;
  }

  /** Whether a worker that comes free goes for it. */
  takes(worker: PoolWorker): boolean {
    return this.#replacement?.takes(worker) === true;
  }

  /** Workers have come or gone. */
  step(): void {
    if (this.#replacement?.step() === true) this.#conclude(undefined);
  }

  /** A new one that never came to anything says that none of them would. */
  gone(worker: PoolWorker): void {
    const replacement = this.#replacement;
    if (replacement === undefined) return;
    if (worker.generation < replacement.generation) replacement.count += 1;
    else if (worker.crashed && worker.info === undefined)
      this.end(`${worker.id} could not start`, worker.crashError());
  }

  /** It is called off, if there is one. `cause`: the new kind is at fault. */
  end(why: string, cause?: TroupeError): void {
    const replacement = this.#replacement;
    if (replacement === undefined) return;
    if (cause !== undefined) this.#staff.kinds = this.#oldKinds;
    const data = { pool: this.#pool.path, why };
    const error = createError('ERR_POOL_REPLACE_FAILED', data, { cause, stack: false });
    this.#conclude(error);
    replacement.fail(error);
  }

  #conclude(error: TroupeError | undefined): void {
    const { path, events } = this.#pool;
    const facts = { path, replaced: this.#replacement?.count ?? 0 };
    this.#replacement = undefined;
    this.#timer?.cancel();
    events.emit('pool.replacement.ended', error === undefined ? facts : { ...facts, error });
  }
}
