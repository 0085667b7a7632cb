/**
 * A monitor of checks: it looks, and says what it sees.
 *
 * Invariant: it never blocks and never mends: checks run beside each other, each within its own time, and what follows from what is seen
 * is done by whoever is told. What it says is what was last seen, at no cost to who asks.
 */
import type { HealthVerdict } from '../../actors/health-check.machine.ts';
import type { Host, Timer } from '../base/host.ts';
import { check, fits, fn, ms, object, refuse, resolveOptions, text } from '../base/options.ts';
import { realHost } from '../base/real-host.ts';
import { EventStream } from '../base/telemetry.ts';
import { type CheckHome, type CheckReport, CheckRun } from './check-run.ts';
import type { HealthCheck } from './health-check.ts';

/** Called when a check has become unhealthy, and every `remindMs` while it is. */
export type HealthAlarm = (alarm: {
  readonly check: string;
  readonly error: Error;
  readonly report: CheckReport;
}) => void;

export interface HealthMonitorOptions {
  /** By name. */
  readonly checks: Readonly<Record<string, HealthCheck>>;
  /** Names it in errors and events. Default `'health'`. */
  readonly name?: string;
  /** Default: the real one. */
  readonly host?: Host;
  /** Where its events go. Default: a stream of its own. */
  readonly events?: EventStream;
  /** Must not throw. */
  readonly onAlarm?: HealthAlarm;
  /** How long a check is unhealthy until that is said again, ms. Default 60,000. */
  readonly remindMs?: number;
}

/** What is seen. */
export interface HealthView {
  /** No check that liveness depends on is unhealthy. */
  readonly live: boolean;
  /** No check that readiness depends on is unhealthy, or has not been looked at. */
  readonly ready: boolean;
  /** What load shedding is to think: 0 while all is well. */
  readonly load: number;
  readonly checks: readonly CheckReport[];
}

export interface HealthMonitor {
  readonly name: string;
  readonly events: EventStream;
  view(): HealthView;
  /** Ends all checks; what is being read is told by its signal. Safe to repeat. */
  dispose(): void;
  [Symbol.dispose](): void;
}

export const MONITOR_DEFAULTS = Object.freeze({ name: 'health', remindMs: 60_000 });

const checks = fits<Readonly<Record<string, HealthCheck>>>(
  'checks by name',
  (value) =>
    object().accepts(value) &&
    Object.values(value as object).every(
      (each) => typeof (each as { meter?: unknown })?.meter === 'function',
    ),
);

export const MONITOR_FIELDS = {
  checks,
  name: text,
  host: object<Host>('a Host'),
  events: object<EventStream>('an EventStream'),
  onAlarm: fn<HealthAlarm>(),
  remindMs: ms(1),
} as const;

const UNREF = Object.freeze({ unref: true });

export class RunningMonitor implements HealthMonitor, CheckHome {
  readonly name: string;
  readonly where: string;
  readonly host: Host;
  readonly events: EventStream;
  readonly #runs: readonly CheckRun[];
  readonly #onAlarm: HealthAlarm | undefined;
  readonly #remindMs: number;
  readonly #reminders = new Map<CheckRun, Timer>();
  #isOver = false;

  constructor(where: string, options: HealthMonitorOptions) {
    const resolved = resolveOptions(where, options, MONITOR_FIELDS, MONITOR_DEFAULTS);
    if (resolved.checks === undefined) refuse(where, 'checks', checks.expected, undefined);
    const { host = realHost() } = resolved;
    this.name = resolved.name;
    this.where = `monitor ${resolved.name}`;
    this.host = host;
    this.events = resolved.events ?? new EventStream(() => host.wall());
    this.#onAlarm = resolved.onAlarm;
    this.#remindMs = resolved.remindMs;
    const entries = Object.entries(resolved.checks as Readonly<Record<string, HealthCheck>>);
    this.#runs = entries.map(
      ([name, each]) => new CheckRun(this, check(where, 'a name in checks', text, name), each),
    );
    // Whoever made it has it by then.
    host.step(`${this.where} begins`, () => {
      for (const run of this.#runs) run.begin();
    });
  }

  view(): HealthView {
    const ill = this.#runs.filter((run) => run.isIll);
    const unready = this.#runs.some(
      (run) => run.check.affects === 'readiness' && (run.isIll || !run.isKnown),
    );
    const live = !ill.some((run) => run.check.affects === 'liveness');
    return {
      live,
      ready: live && !unready,
      load: Math.max(0, ...ill.map((run) => run.check.sheds)),
      checks: this.#runs.map((run) => run.report()),
    };
  }

  dispose(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const timer of this.#reminders.values()) timer.cancel();
    for (const run of this.#runs) run.end();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  changed(run: CheckRun, from: HealthVerdict, to: HealthVerdict): void {
    if (!run.isIll) this.#reminders.get(run)?.cancel();
    if (!this.events.active) return;
    const { reading, error } = run.report();
    const data = { path: this.name, check: run.name, from, to, reading, error };
    this.events.emit('health.check_changed', data);
  }

  alarm(run: CheckRun, error: Error): void {
    const again = this.host.timer(this.#remindMs, `${this.where} reminder`, () => run.remind(), UNREF);
    this.#reminders.set(run, again);
    this.#onAlarm?.({ check: run.name, error, report: run.report() });
  }
}

/**
 * A monitor on its own. In an application, `healthMonitor(id, …)` is one that feeds readiness, liveness and recovery.
 *
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const createHealthMonitor = (options: HealthMonitorOptions): HealthMonitor =>
  new RunningMonitor('createHealthMonitor', options);
