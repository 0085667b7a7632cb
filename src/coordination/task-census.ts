/**
 * Which scopes were made with a host: for whoever counts tasks, and names those that outlived their scope.
 *
 * Invariant: a scope is known while it is open or work of it still runs, and not a turn longer. A host that nobody audits
 * has no census, and its scopes pay one look-up.
 */
import type { Host } from '../base/host.ts';
import type { TaskReport } from './scope-report.ts';

/** What a census knows of a scope. */
export interface Counted {
  readonly name: string;
  readonly running: number;
  /** Closed, whatever still runs. */
  readonly closed: boolean;
  tasks(): readonly TaskReport[];
}

export class TaskCensus {
  readonly #scopes = new Set<Counted>();

  /** Tasks whose work runs, wherever. */
  get running(): number {
    let sum = 0;
    for (const { running } of this.#scopes) sum += running;
    return sum;
  }

  get scopes(): number {
    return this.#scopes.size;
  }

  /** All whose work runs. */
  tasks(): readonly TaskReport[] {
    return [...this.#scopes].flatMap((scope) => scope.tasks());
  }

  /** Scopes that have closed over what still runs. */
  overrun(): readonly Counted[] {
    return [...this.#scopes].filter(({ closed }) => closed);
  }

  join(scope: Counted): void {
    this.#scopes.add(scope);
  }

  leave(scope: Counted): void {
    this.#scopes.delete(scope);
  }
}

const censuses = new WeakMap<Host, TaskCensus>();

/** Counts the scopes that are made with this host from now on. */
export const takeCensus = (host: Host): TaskCensus => {
  let census = censuses.get(host);
  if (census === undefined) {
    census = new TaskCensus();
    censuses.set(host, census);
  }
  return census;
};

export const censusOf = (host: Host): TaskCensus | undefined => censuses.get(host);
