/**
 * The seam through which every chart of troupe runs: a pure step from a snapshot and an event to the next snapshot and
 * what the chart asks for. Two implementations stand behind it: compiled from the machine object, and XState's own
 * interpreter; a differential proof holds them equal.
 *
 * Invariant: a step has no effect. Whoever owns the snapshot performs the requests, in order.
 */

/** A chart's state value, as XState writes it. */
export type ChartValue = string | { readonly [region: string]: ChartValue };

/** An event of a chart: its type, and what guards and params read. */
export interface ChartEvent {
  readonly type: string;
}

/** What a step asks its owner to do, in order. */
export type ChartRequest =
  | {
      readonly kind: 'action';
      readonly type: string;
      readonly params: Readonly<Record<string, unknown>> | undefined;
    }
  | {
      readonly kind: 'start_timer';
      readonly id: string;
      /** A named delay that the owner resolves to ms, or ms. */
      readonly delay: string | number;
      readonly event: ChartEvent;
    }
  | { readonly kind: 'cancel_timer'; readonly id: string };

/** Where a chart stands. Immutable; `value` is for people and histories, never branched on. */
export interface ChartSnapshot {
  readonly value: ChartValue;
  readonly status: 'active' | 'done';
}

/** One step's outcome. `changed` is false when no transition was taken; `requests` is then empty. */
export interface Step {
  readonly snapshot: ChartSnapshot;
  readonly requests: readonly ChartRequest[];
  readonly changed: boolean;
}

/** An action of a chart, by its name and the type of its params. */
export interface ChartAction {
  readonly type: string;
  readonly params?: unknown;
}

/** What a chart asks of whoever owns it: each name must be provided for. */
export interface ChartNeeds {
  /** The actions it may ask for. */
  readonly actions: readonly string[];
  /** The named delays of its timers; numeric ones need no owner. */
  readonly delays: readonly string[];
  /** Whether it starts timers at all. */
  readonly timers: boolean;
}

/** A chart ready to be stepped. `A` only carries the types of its actions' params to whoever performs them. */
export interface Chart<E extends ChartEvent = ChartEvent, A extends ChartAction = ChartAction> {
  readonly id: string;
  /**
   * The event types it declares, those of its own timers included; others step to nothing. A declared wildcard
   * (`'*'`, `'job.*'`) stands for all that it matches, except what XState keeps to itself (`xstate.…`).
   */
  readonly events: readonly string[];
  readonly needs: ChartNeeds;
  readonly initial: Step;
  /** Steps from a snapshot of this chart. A chart that is done takes no event. @throws ERR_CHART_LOOP */
  step(snapshot: ChartSnapshot, event: E): Step;
  /** Never present: the type of the actions. */
  readonly '~actions'?: A;
}
