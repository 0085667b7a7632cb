/** What a worker of a pool tells as events: what it did, and never what it was given. Contains no decision. */
import type { EventStream } from '../base/telemetry.ts';
import { stepNews } from '../chart/runner.ts';
import type { EndReport } from './worker-end.ts';
import type { Moved } from './worker-history.ts';

export class WorkerNews {
  readonly #events: EventStream;
  readonly #path: string;
  readonly #worker: string;
  /** Hears every step of the worker's chart. */
  readonly stepped: ReturnType<typeof stepNews>;

  constructor(pool: { readonly events: EventStream; readonly path: string }, worker: string) {
    this.#events = pool.events;
    this.#path = pool.path;
    this.#worker = worker;
    this.stepped = stepNews(pool.events, `${pool.path}/${worker}`);
  }

  /** Two on the way of every job: nothing is built where nobody listens. */
  moved(moved: Moved, inStateMs: number): void {
    if (!this.#events.active) return;
    const { metadata, from, to, reason } = moved;
    const facts = { path: this.#path, worker: this.#worker, from, to, reason, inStateMs };
    this.#events.emit('pool.worker.transitioned', metadata === undefined ? facts : { ...facts, metadata });
  }

  stderr(pid: number | undefined, line: string): void {
    if (!this.#events.active) return;
    this.#events.emit('pool.worker.stderr', { path: this.#path, worker: this.#worker, pid, line });
  }

  dropped(why: string): void {
    if (this.#events.active)
      this.#events.emit('pool.reply.dropped', { path: this.#path, worker: this.#worker, why });
  }

  ended({ pid, end, breach }: EndReport, how: string): void {
    if (!this.#events.lifecycle) return;
    const cause = breach ?? end?.error;
    const facts = { path: this.#path, worker: this.#worker, pid, how, lastStderr: end?.lastStderr ?? [] };
    this.#events.emit('pool.worker.ended', cause === undefined ? facts : { ...facts, cause });
  }
}
