/**
 * Those who inspect one logic through XState's `system.inspect`. Nobody does by default, and then nothing is built for them.
 * What an inspector throws is reported, never passed on.
 */
import { guardedObserver, type Reporter } from './guarded.ts';
import type { InnerActor, Letter } from './inner-actor.ts';
import type { Subscription } from './stage.ts';

export class Inspectors {
  readonly #reporter: Reporter;
  readonly #inspectors = new Set<(event: unknown) => void>();

  constructor(reporter: Reporter) {
    this.#reporter = reporter;
  }

  add(observer: unknown): Subscription {
    const { next } = guardedObserver([observer], this.#reporter);
    this.#inspectors.add(next);
    return { unsubscribe: () => void this.#inspectors.delete(next) };
  }

  tell(event: object, root: InnerActor | undefined): void {
    const { sessionId: rootId } = (root ?? {}) as { readonly sessionId?: string };
    for (const inspector of this.#inspectors) inspector({ ...event, rootId });
  }

  tellRelayed({ source, target, event }: Letter, root: InnerActor | undefined): void {
    this.tell({ type: '@xstate.event', actorRef: target, sourceRef: source, event }, root);
  }
}
