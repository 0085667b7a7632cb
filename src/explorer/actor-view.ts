/**
 * What a viewer is shown of charts, of one actor, and of what happened: definitions, standings, steps, facts, messages.
 * Types only: part of the protocol, imported through `protocol.ts`.
 */
export type { Fact } from '../kernel/fact.ts';

import type { BreakerView, PoolView, RecoveryView, Restart, SupervisorView } from './component-view.ts';
import type { Fault } from './protocol.ts';
import type { ActorAddress, Histogram, Json, StateValue, TreeRow } from './tree-view.ts';

/** A machine, once per stream (frame `definition`) before the first row, detail or step that names it. */
export interface ChartDefinition {
  /** Names this very definition: id and a hash of its content. Lay it out once for each. */
  readonly machine: string;
  /** The machine's own id. */
  readonly id: string;
  /** `troupe`: one of our own charts. `user`: an XState machine of the observed program. */
  readonly origin: 'troupe' | 'user';
  readonly description?: string;
  readonly root: ChartState;
  /** What `meta.events` says of each event. */
  readonly events: Readonly<Record<string, string>>;
  /** The machine's config as JSON, functions by name: for export and other tools. */
  readonly config: Json;
}

export interface ChartState {
  /** Unique in the machine: `circuit-breaker.half_open`. What `active`, `targets` and `visits` refer to. */
  readonly id: string;
  readonly key: string;
  readonly type: 'atomic' | 'compound' | 'parallel' | 'final' | 'history';
  /** Of a history state. */
  readonly history?: 'shallow' | 'deep';
  /** Ids of the states entered first; of a compound one. */
  readonly initial?: readonly string[];
  readonly description?: string;
  readonly tags: readonly string[];
  readonly entry: readonly string[];
  readonly exit: readonly string[];
  readonly invokes: readonly { readonly id: string; readonly src: string }[];
  readonly transitions: readonly ChartTransition[];
  /** In the order of the machine. Of a parallel state: its regions. */
  readonly states: readonly ChartState[];
}

export interface ChartTransition {
  /** Unique in the machine: `<state id>:<event>:<index>`. What {@link Step.taken} and {@link ChartStanding.last} refer to. */
  readonly id: string;
  /** The event as XState writes it: `wait.elapsed`, `*`, `xstate.after.wait.…`, `xstate.done.state.…`; `''` is always. */
  readonly event: string;
  readonly kind: 'event' | 'after' | 'always' | 'done' | 'error' | 'snapshot';
  /** Words for the edge: the event, `after 30 s`, `done: upload`. */
  readonly label: string;
  /** Of an `after`: ms, or the name of the delay. */
  readonly delay?: number | string;
  /** The name of its guard; `inline` where it has none. */
  readonly guard?: string;
  readonly actions: readonly string[];
  /** Ids of the states it goes to; empty where it stays. */
  readonly targets: readonly string[];
  readonly reenter: boolean;
  readonly description?: string;
}

/** Where one actor stands in its chart. */
export interface ChartStanding {
  readonly machine: string;
  /** Ids of all active states, ancestors included. */
  readonly active: readonly string[];
  readonly value: StateValue;
  readonly status: 'active' | 'done' | 'error' | 'stopped';
  /** Events that would do something now, for chips. */
  readonly enabled: readonly EnabledEvent[];
  /** The last step that changed something. */
  readonly last?: Step;
  /** Times each state was entered since `since`, by id: visit heat. */
  readonly visits: Readonly<Record<string, number>>;
  readonly since: number;
}

export interface EnabledEvent {
  readonly type: string;
  /** What its guards say for the bare event `{ type }`: `yes`, `no`, or `unknown` where they threw or read more of it. */
  readonly passes: 'yes' | 'no' | 'unknown';
  /** Ids of the transitions that it could take from here. */
  readonly transitions: readonly string[];
  readonly description?: string;
  /** Whether the command `send` may send it: those of timers and invocations may not. */
  readonly sendable: boolean;
}

/** One step of a chart. Kept for the watched actors since they were watched, for charts of troupe's since the start. */
export interface Step {
  readonly n: number;
  readonly at: number;
  readonly path: string;
  readonly incarnation: number;
  readonly machine: string;
  /** The type of the event. */
  readonly event: string;
  /** {@link Message.id} of the message that brought it, where one did and messages are known. */
  readonly cause?: number;
  readonly from: StateValue | undefined;
  readonly to: StateValue;
  /** Ids of all states active after it. */
  readonly active: readonly string[];
  /** Ids of transitions taken, as far as known. */
  readonly taken: readonly string[];
  /** What it asked to be done: names of actions. */
  readonly actions: readonly string[];
  /** {@link Fact.n} of the fact that tells of it, where it was recalled from one: in a recording. */
  readonly fact?: number;
  /** What the step changed in the context, redacted: only of users' machines, only while watched. */
  readonly changes?: readonly ContextChange[];
}

/** One difference between two contexts. `at` is where, as keys. Absent `before`: it was not there. Absent `after`: it is gone. */
export interface ContextChange {
  readonly at: readonly (string | number)[];
  readonly before?: Json;
  readonly after?: Json;
}

/** An actor's past, for scrubbing. Undo `changes` from the newest to reach an older context. */
export interface History {
  readonly path: string;
  readonly incarnation: number | undefined;
  readonly machine: string | undefined;
  /** Oldest first; at most {@link LIMITS.steps}. */
  readonly steps: readonly Step[];
  /** Since when it is whole, and how many older steps the ring has forgotten. */
  readonly since: number;
  readonly forgotten: number;
  /** The context after the last step, redacted; absent where there is none. */
  readonly context?: Json;
}

// ── one actor ───────────────────────────────────────────────────────────────────────────────────────────

/** Everything about the actor at one place. */
export interface ActorDetail {
  readonly path: string;
  readonly row: TreeRow;
  /** Its supervisor or spawner; absent for a root. */
  readonly parent?: string;
  readonly startedAt?: number;
  readonly names: readonly string[];
  /** Options of its spec, for people: `restart`, `shutdownMs`, `mailboxCapacity`, … */
  readonly options: Readonly<Record<string, string | number | boolean>>;
  readonly mailbox: MailboxDetail;
  readonly chart?: ChartStanding;
  /** The context of a user's machine, redacted and bounded. */
  readonly context?: Json;
  /** Children inside an XState machine: what it invoked or spawned. */
  readonly inner?: readonly { readonly id: string; readonly src: string; readonly status: string }[];
  /** Its own restarts, newest first. */
  readonly restarts: readonly Restart[];
  readonly supervision?: SupervisorView;
  readonly breaker?: BreakerView;
  readonly pool?: PoolView;
  readonly recovery?: RecoveryView;
  /** Faults that the explorer has put on it. */
  readonly fault?: Fault;
  /** What the logic cannot show, and why, in words: for greyed panels. */
  readonly unavailable: Readonly<Record<string, string>>;
}

export interface MailboxDetail {
  readonly depth: number;
  readonly capacity: number;
  readonly overflow: string;
  readonly paused: boolean;
  /** The name of the message being handled, and since when. */
  readonly handling?: { readonly message: string; readonly since: number };
  readonly lastMessage?: string;
  /** Names of the next that wait, at most 20. */
  readonly next: readonly string[];
  /** Handled since `since`; how long they waited and ran. Absent while messages are not inspected. */
  readonly handled?: number;
  readonly since?: number;
  readonly waited?: Histogram;
  readonly ran?: Histogram;
}

// ── journals ────────────────────────────────────────────────────────────────────────────────────────────

/** One message: known only while somebody watches messages. */
export interface Message {
  readonly n: number;
  /** The same in each of its entries. */
  readonly id: number;
  readonly kind: 'tell' | 'call' | 'info' | 'timer' | 'own';
  /** `type` of the message, or what kind of value it is. Payloads are not shown. */
  readonly name: string;
  /** Absent where it came from outside. */
  readonly from?: ActorAddress;
  readonly to: ActorAddress;
  /** {@link Message.id} of the message in whose handling it was sent: the causal link. */
  readonly cause?: number;
  readonly sentAt: number;
  /** How long it waited in the mailbox, and how long its handler ran; absent until it did. */
  readonly waitedMs?: number;
  readonly ranMs?: number;
  /** `handled`; `failed`: its handler threw; `dropped`: refused, evicted or nobody there; `lost` by a fault of the explorer's. */
  readonly outcome: 'handled' | 'failed' | 'dropped' | 'lost';
}
