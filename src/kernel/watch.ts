/**
 * What watches messages and steps while somebody looks, and may meddle with them on an operator's order. Nobody does by
 * default: then all of it costs one look at `system.watch`.
 *
 * Invariant: a watch must not throw, and must not run the code of actors. It sees envelopes; payloads are not its business.
 */
import type { Cell } from './cell.ts';
import type { Mail } from './mail.ts';
import type { Ref } from './ref.ts';

/** What a step of an actor's chart was. `taken` and `snapshot` are XState's own. */
export interface SteppedChart {
  readonly ref: Ref;
  readonly events: readonly unknown[];
  readonly taken: readonly unknown[];
  readonly snapshot: unknown;
}

export interface Watch {
  /** Mail has been put into a mailbox. */
  accepted(mail: Mail, to: Cell): void;
  /** Whether its next mail shall wait: the watch then sees to its going on. Asked before each message. */
  holds(cell: Cell): boolean;
  /** Its handler is about to run. `'lose'`: it shall not run; an error: it shall fail with that in place of running. */
  begins(mail: Mail, cell: Cell): 'run' | 'lose' | Error;
  /** Its handler has returned: what it sends from here on is not its doing, unless it was awaited. */
  returned(): void;
  ended(mail: Mail, cell: Cell, failed: boolean): void;
  /** Mail was refused, evicted, or found nobody who would handle it. */
  dropped(mail: Mail, cell: Cell): void;
  stepped(step: SteppedChart): void;
}
