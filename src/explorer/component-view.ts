/**
 * What a viewer is shown of supervisors, breakers, pools, recoveries, the application and the figures of it all. Types
 * only: part of the protocol, imported through `protocol.ts`.
 */

import type { ChartStanding } from './actor-view.ts';
import type { ErrorShown, Histogram, Reason } from './tree-view.ts';
// ── supervision ─────────────────────────────────────────────────────────────────────────────────────────

/** One restart, or what came of a failure instead of one. */
export interface Restart {
  /** {@link Fact.n} of the end that led to it. */
  readonly n: number;
  readonly at: number;
  readonly child: string;
  readonly reason: Reason;
  /** How long it backed off first, ms, and failures in a row then. */
  readonly delayMs?: number;
  readonly failures?: number;
  /** When it ran again. */
  readonly restartedAt?: number;
  readonly outcome: 'restarted' | 'waiting' | 'gave_up' | 'parked' | 'not_wanted';
}

export interface SupervisorView {
  readonly path: string;
  readonly kind: string;
  readonly strategy: string;
  /** "2 of 3 in 5 s": restarts that count now, and the limit. Beyond it the supervisor gives up. */
  readonly used: number;
  readonly intensity: number;
  readonly periodMs: number;
  /** When each restart that counts was; each leaves the window `periodMs` later. */
  readonly window: readonly number[];
  readonly gaveUp?: { readonly at: number; readonly child: string; readonly last: Reason };
  readonly children: readonly {
    readonly id: string;
    readonly kind: string;
    readonly status: string;
    readonly restart: string;
    readonly restarts: number;
    readonly failures: number;
    /** The delays it would have after each further failure, before jitter: the backoff curve. Absent: it restarts at once. */
    readonly backoff?: readonly number[];
    readonly nextStartAt?: number;
  }[];
  /** How many children there are beyond those listed (at most 200). */
  readonly more: number;
  /** Newest first, at most 50. */
  readonly history: readonly Restart[];
}

// ── breakers ────────────────────────────────────────────────────────────────────────────────────────────

export interface BreakerView {
  readonly path: string;
  readonly state: string;
  /** `admit`, `permits`, `refuse`, `bypass`: what calls are answered now. */
  readonly verdict: string;
  readonly since: number;
  readonly critical: boolean;
  /** When it half-opens; absent unless it waits for that. */
  readonly retryAt?: number;
  readonly openMs?: number;
  /** Absent in a recording, which knows of no calls. */
  readonly window?: {
    readonly kind: 'consecutive' | 'count' | 'time';
    /** Calls or ms that it remembers, or failures in a row that trip it. */
    readonly size: number;
    readonly minimumCalls: number;
    /** What trips it, 0 to 1; 1 for a consecutive one. */
    readonly failureRate: number;
    readonly slowMs?: number;
    readonly slowRate?: number;
    readonly calls: number;
    readonly failures: number;
    readonly slow: number;
    /** The calls remembered, oldest first, where they are known one by one: `s`uccess, `f`ailure, s`l`ow. At most 200. */
    readonly outcomes?: string;
  };
  readonly probes: {
    readonly out: number;
    readonly successes: number;
    readonly permits?: number;
    readonly needed?: number;
  };
  readonly counts: { readonly rejected: number; readonly stale: number; readonly openings: number };
  /** What tripped it last. */
  readonly cause?: ErrorShown;
  /** Transitions, newest first, at most 50. */
  readonly history: readonly {
    readonly n: number;
    readonly at: number;
    readonly to: string;
    readonly why?: string;
  }[];
  readonly chart: ChartStanding;
}

// ── pools ───────────────────────────────────────────────────────────────────────────────────────────────

export interface PoolView {
  readonly path: string;
  readonly state: string;
  readonly size: number;
  readonly workers: readonly {
    readonly id: string;
    /** The place it fills, from 0: for a grid that stands still. */
    readonly seat: number;
    readonly path: string;
    readonly kind: string;
    readonly pid?: number;
    readonly state: string;
    readonly health: string;
    readonly since: number;
    readonly job?: string;
    readonly jobsDone: number;
    readonly history: readonly {
      readonly at: number;
      readonly from: string;
      readonly to: string;
      readonly reason: string;
    }[];
  }[];
  /** Places with no worker, and why. */
  readonly vacant: readonly { readonly seat: number; readonly why: string }[];
  readonly queue: { readonly waiting: number; readonly limit: number };
  readonly idle: number;
  readonly leases: number;
  readonly crashesInRow: number;
  readonly counts: Readonly<Record<string, number>>;
  /** How long jobs waited and ran, since the inspection began. */
  readonly waited: Histogram;
  readonly ran: Histogram;
  readonly chart?: ChartStanding;
}

// ── recoveries ──────────────────────────────────────────────────────────────────────────────────────────

export interface RecoveryView {
  readonly path: string;
  readonly active: readonly RecoveryEntry[];
  /** Newest first. */
  readonly recent: readonly RecoveryEntry[];
  readonly counts: Readonly<Record<string, number>>;
  readonly stragglers: readonly string[];
}

export interface RecoveryEntry {
  readonly id: string;
  readonly subject: string;
  readonly state: string;
  readonly category: string;
  readonly severity: string;
  readonly remedy: string;
  readonly startedAt: number;
  readonly endedAt?: number;
  readonly outcome?: string;
  readonly steps: readonly { readonly name: string; readonly outcome: string; readonly at: number }[];
  /** What it may take in all, and what is left of it now, ms. */
  readonly budgetMs?: number;
  readonly leftMs?: number;
  readonly error?: ErrorShown;
}

// ── application ─────────────────────────────────────────────────────────────────────────────────────────

export interface ApplicationView {
  readonly name: string;
  /** Absent where a system runs without an application around it. */
  readonly phase?: string;
  readonly live: boolean;
  readonly ready: boolean;
  /** Paths that keep it from being ready. */
  readonly notReady: readonly string[];
  /** Phases in the order they were entered. */
  readonly phases: readonly { readonly phase: string; readonly at: number }[];
  /** While it ends: what is holding it up (actors that still stop, resources that drain, stragglers), the longest first. */
  readonly holdingUp: readonly { readonly what: string; readonly path?: string; readonly since: number }[];
  readonly endBeganAt?: number;
  readonly deadlineAt?: number;
  readonly stopped?: { readonly at: number; readonly reason: Reason; readonly survivors: readonly string[] };
  readonly chart?: ChartStanding;
}

// ── metrics ─────────────────────────────────────────────────────────────────────────────────────────────

/** Once a second. Counters only grow: a viewer computes rates from two frames. */
export interface Metrics {
  readonly at: number;
  readonly actors: number;
  readonly mailboxes: number;
  readonly deepestMailbox?: { readonly path: string; readonly depth: number };
  /** Since the start of the system: `started`, `ended`, `crashed`, `restarted`, `deadLetters`, `dropped`, `fenced`, `threw`, … */
  readonly counters: Readonly<Record<string, number>>;
  /** Since the inspection began; absent while nobody inspects messages. */
  readonly messages?: { readonly handled: number; readonly waited: Histogram; readonly ran: Histogram };
  /** How late the event loop was found since the last frame, at worst, ms. */
  readonly loopLagMs: number;
  readonly heapBytes: number;
  readonly residentBytes: number;
  /** At most 10 each, over the last interval; absent while nobody inspects messages. */
  readonly busiest?: readonly { readonly path: string; readonly handled: number; readonly ranMs: number }[];
  readonly slowest?: readonly { readonly path: string; readonly p99Ms: number; readonly handled: number }[];
  /** How the explorer itself does, honestly: viewers, what this stream missed, whether messages were sampled. */
  readonly explorer: {
    readonly viewers: number;
    readonly missedEntries: number;
    /** One message in so many is noted; 1: all. */
    readonly sampledOneIn: number;
  };
}
