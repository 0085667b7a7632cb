/**
 * The resources of one running application: opened in order, drained and closed in reverse, each within what is left of
 * the time.
 *
 * Invariant: the list of what is open is the list of what will be closed, last opened first; closing takes an entry off
 * before it calls, so that nothing is closed twice.
 */
import { createError, show } from '../base/errors.ts';
import type { Host } from '../base/host.ts';
import type { EventStream } from '../base/telemetry.ts';
import type { Application } from './application.ts';
import type { EndContext, Resource } from './resource.ts';

/**
 * How long an end waits for an `open` that it has broken off, ms. One that honours its signal is done at once; for the
 * others the end, of which they are then survivors, should not wait as long as for what serves.
 */
export const LATE_OPEN_MS = 1_000;

interface Opened {
  readonly resource: Resource;
  readonly value: unknown;
}

export class OpenResources {
  readonly #app: Application;
  readonly #host: Host;
  readonly #events: EventStream;
  readonly #open: Opened[] = [];
  /** Whose `open` has not settled, or, where it came too late, has not been closed again. */
  readonly #opening = new Map<Resource, Promise<void>>();
  readonly #left: string[] = [];

  constructor(app: Application, host: Host, events: EventStream) {
    this.#app = app;
    this.#host = host;
    this.#events = events;
  }

  /** What did not drain or close in time, or threw, or still opens though nobody waits for it; named in the report. */
  get survivors(): readonly string[] {
    return [...this.#left, ...[...this.#opening.keys()].map(({ id }) => `resource ${id} (still opening)`)];
  }

  valueOf(resource: Resource): unknown {
    const found = this.#open.find((entry) => entry.resource === resource);
    if (found === undefined)
      throw createError('ERR_RESOURCE_OPEN', { resource: resource.id, reason: 'it is not open' });
    return found.value;
  }

  /** @throws ERR_RESOURCE_OPEN */
  async open(resource: Resource, stop: AbortSignal): Promise<void> {
    const startedAt = this.#host.monotonic();
    const limit = new AbortController();
    const onStop = () => limit.abort(stop.reason);
    stop.addEventListener('abort', onStop, { once: true });
    if (stop.aborted) onStop();
    const timer = this.#host.timer(resource.openTimeoutMs, `open ${resource.id}`, () =>
      limit.abort('timeout'),
    );
    try {
      const value = await this.#openWithin(resource, limit.signal);
      this.#open.push({ resource, value });
      const durationMs = this.#host.monotonic() - startedAt;
      this.#events.emit('app.resource.opened', { path: this.#app.name, resource: resource.id, durationMs });
    } finally {
      timer.cancel();
      stop.removeEventListener('abort', onStop);
    }
  }

  #openWithin(resource: Resource, signal: AbortSignal): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const fail = (reason: string, cause?: unknown) =>
        reject(createError('ERR_RESOURCE_OPEN', { resource: resource.id, reason }, { cause }));
      let late = false;
      const onAbort = () => {
        late = true;
        fail(
          signal.reason === 'timeout'
            ? `not within ${resource.openTimeoutMs} ms`
            : 'the application is stopping',
        );
      };
      if (signal.aborted) return onAbort();
      signal.addEventListener('abort', onAbort, { once: true });
      const opening = Promise.resolve()
        .then(() => resource.open({ app: this.#app, signal }))
        .then(
          (value) => {
            signal.removeEventListener('abort', onAbort);
            if (late) return this.#closeOne({ resource, value }, this.#host.monotonic() + LATE_OPEN_MS);
            resolve(value);
            return undefined;
          },
          (error: unknown) => {
            signal.removeEventListener('abort', onAbort);
            fail(show(error), error);
          },
        )
        .then(() => void this.#opening.delete(resource));
      this.#opening.set(resource, opening);
    });
  }

  /** Drains in reverse order, each until `deadline`; what does not end by then is left to `close`. */
  async drain(deadline: number): Promise<void> {
    for (const { resource, value } of [...this.#open].reverse()) {
      if (resource.drain === undefined) continue;
      const outcome = await this.#bounded(deadline, `drain ${resource.id}`, (context) =>
        resource.drain?.(value, context),
      );
      if (outcome === 'done') continue;
      this.#left.push(`drain of resource ${resource.id} (${outcome === 'late' ? 'overran' : 'threw'})`);
      this.#events.emit('app.resource.drain_failed', {
        path: this.#app.name,
        resource: resource.id,
        outcome,
      });
    }
  }

  /** Closes in reverse order. Whatever is left of the time is for all of them together. */
  async close(deadline: number): Promise<void> {
    for (let entry = this.#open.pop(); entry !== undefined; entry = this.#open.pop()) {
      await this.#closeOne(entry, deadline);
    }
    if (this.#opening.size > 0) await this.#settleOpening(deadline);
  }

  /** What was told to break off its opening has a moment to do so, and to be closed if it came through. */
  #settleOpening(deadline: number): Promise<void> {
    const remainingMs = Math.max(0, deadline - this.#host.monotonic());
    return new Promise((resolve) => {
      const timer = this.#host.timer(Math.min(LATE_OPEN_MS, remainingMs), 'late opens', resolve);
      void Promise.all(this.#opening.values()).then(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  async #closeOne({ resource, value }: Opened, deadline: number): Promise<void> {
    const startedAt = this.#host.monotonic();
    // Even with no time left it is called, and has one turn to do what it can.
    const outcome = await this.#bounded(deadline, `close ${resource.id}`, (context) =>
      resource.close(value, context),
    );
    if (outcome !== 'done')
      this.#left.push(`resource ${resource.id}${outcome === 'threw' ? ' (close threw)' : ''}`);
    const durationMs = this.#host.monotonic() - startedAt;
    this.#events.emit('app.resource.closed', { path: this.#app.name, resource: resource.id, durationMs });
  }

  #bounded(
    deadline: number,
    label: string,
    run: (context: EndContext) => unknown,
  ): Promise<'done' | 'threw' | 'late'> {
    const controller = new AbortController();
    const remainingMs = Math.max(0, deadline - this.#host.monotonic());
    return new Promise((resolve) => {
      const timer = this.#host.timer(remainingMs, label, () => {
        controller.abort();
        resolve('late');
      });
      const settle = (outcome: 'done' | 'threw') => {
        timer.cancel();
        resolve(outcome);
      };
      Promise.resolve()
        .then(() => run({ signal: controller.signal, remainingMs }))
        .then(
          () => settle('done'),
          (error: unknown) => {
            this.#events.emit('actor.threw', { path: `${this.#app.name} ${label}`, error });
            settle('threw');
          },
        );
    });
  }
}
