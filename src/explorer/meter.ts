/**
 * The figures of a system, once a second: gauges from the tree, counters from the system, and who was busiest since last time.
 *
 * Invariant: it keeps two numbers for each place that handled mail while somebody watched, and nothing else.
 */
import { getHeapStatistics } from 'node:v8';
import type { SystemOfActors } from '../kernel/system.ts';
import type { Metrics } from './component-view.ts';
import type { MessageWatch } from './message-watch.ts';
import type { Standing } from './tree-window.ts';

/** Of the busiest and of the slowest, so many are named. */
const TOP = 10;

export class Meter {
  readonly #system: SystemOfActors;
  readonly #watch: MessageWatch;
  #last = new Map<string, { readonly handled: number; readonly ran: number }>();

  constructor(system: SystemOfActors, watch: MessageWatch) {
    this.#system = system;
    this.#watch = watch;
  }

  reset(): void {
    this.#last.clear();
  }

  read(roots: readonly Standing[], loopLagMs: number): Omit<Metrics, 'explorer'> {
    const { host, counters } = this.#system;
    let actors = 0;
    let mailboxes = 0;
    let deepest: { path: string; depth: number } | undefined;
    const walk = ({ path, incarnation, mailbox, children }: Standing): void => {
      if (incarnation !== undefined) actors += 1;
      mailboxes += mailbox;
      if (mailbox > (deepest?.depth ?? 0)) deepest = { path, depth: mailbox };
      children.forEach(walk);
    };
    roots.forEach(walk);
    const { used_heap_size: heapBytes, total_physical_size: residentBytes } = getHeapStatistics();
    const { since, handled, waited, ran } = this.#watch;
    return {
      at: host.wall(),
      actors,
      mailboxes,
      ...(deepest === undefined ? {} : { deepestMailbox: deepest }),
      counters: { ...counters } as Readonly<Record<string, number>>,
      ...(since === undefined
        ? {}
        : { messages: { handled, waited: waited.show(), ran: ran.show() }, ...this.#top() }),
      loopLagMs,
      heapBytes,
      residentBytes,
    };
  }

  /** Who was busiest since the last time that somebody asked, and who is slowest. */
  #top(): Pick<Metrics, 'busiest' | 'slowest'> {
    const active: { path: string; handled: number; ranMs: number; p99Ms: number }[] = [];
    const seen = new Map<string, { readonly handled: number; readonly ran: number }>();
    for (const [path, { handled, ran }] of this.#watch.places) {
      const before = this.#last.get(path) ?? { handled: 0, ran: 0 };
      seen.set(path, { handled, ran: ran.sum });
      if (handled > before.handled)
        active.push({
          path,
          handled: handled - before.handled,
          ranMs: ran.sum - before.ran,
          p99Ms: ran.quantile(0.99),
        });
    }
    this.#last = seen;
    const busiest = [...active].sort((a, b) => b.handled - a.handled).slice(0, TOP);
    const slowest = active.sort((a, b) => b.p99Ms - a.p99Ms).slice(0, TOP);
    return {
      busiest: busiest.map(({ path, handled, ranMs }) => ({ path, handled, ranMs })),
      slowest: slowest.map(({ path, p99Ms, handled }) => ({ path, p99Ms, handled })),
    };
  }
}
