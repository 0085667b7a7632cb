/**
 * The views of components: supervisors, breakers, pools, recoveries. Each is read from what its handle or place tells of itself, and
 * from what the roster and the steps remember.
 *
 * Invariant: reading changes nothing, and what a component cannot tell is left out, never guessed.
 */
import { circuitBreakerMachine } from '../../actors/circuit-breaker.machine.ts';
import { poolMachine } from '../../actors/pool.machine.ts';
import { poolWorkerMachine } from '../../actors/pool-worker.machine.ts';
import type { Fact } from '../kernel/fact.ts';
import { showError } from '../kernel/fact.ts';
import type { PlaceOfActor } from '../kernel/place.ts';
import { BACKOFF_DEFAULTS, type Backoff } from '../kernel/spec.ts';
import type { SystemOfActors } from '../kernel/system.ts';
import type { RecoveryStatus } from '../recovery/outcome.ts';
import type { RecoveryInspection } from '../recovery/recovery.ts';
import type { BreakerCore } from '../resilience/breaker-core.ts';
import type { PoolHandle, PoolInspection } from '../work/pool.ts';
import type { ChartStanding } from './actor-view.ts';
import type { Charts } from './chart-definition.ts';
import type { BreakerView, PoolView, RecoveryEntry, RecoveryView, SupervisorView } from './component-view.ts';
import type { Durations } from './histogram.ts';
import type { Roster } from './roster.ts';
import type { Steps } from './steps.ts';
import type { ErrorShown, StateValue } from './tree-view.ts';
import { type Standing, showState } from './tree-window.ts';

/** What the views are made from. */
export interface Ground {
  readonly system: SystemOfActors;
  readonly charts: Charts;
  readonly roster: Roster;
  readonly steps: Steps;
  /** Facts about one place, oldest first. */
  factsOf(path: string): readonly Fact[];
  /** Waits and runs of a pool's jobs, as far as they were seen. */
  jobsOf(path: string): { readonly waited: Durations; readonly ran: Durations };
}

const CHILDREN_SHOWN = 200;
export const HISTORY_SHOWN = 50;
const CURVE_LENGTH = 8;
const OUTCOMES_SHOWN = 200;
const NEVER = (): boolean => false;

/** The machines by which troupe's own kinds of actors live. */
export const OWN_MACHINES: Readonly<Record<string, object>> = {
  breaker: circuitBreakerMachine,
  pool: poolMachine,
  worker: poolWorkerMachine,
};

/** What a pool's other region is in, where the first says it. */
const SERVICES: Readonly<Record<string, string>> = { draining: 'finishing', closed: 'over' };

/** A worker says its two regions in words; a pool says that of admission, and whether it is paused. */
export const ownState = (kind: string, state: unknown, isPaused = false): StateValue | undefined => {
  if (kind === 'pool' && typeof state === 'string')
    return { admission: state, service: SERVICES[state] ?? (isPaused ? 'paused' : 'serving') };
  if (kind !== 'worker') return typeof state === 'string' ? state : undefined;
  const [lifecycle, health] = typeof state === 'string' ? state.split(', ') : [];
  return lifecycle === undefined || health === undefined ? undefined : { lifecycle, health };
};

/** Whether a pool lets those who wait wait on. */
export const isPaused = (system: SystemOfActors, { path, kind }: Pick<Standing, 'path' | 'kind'>): boolean =>
  kind === 'pool' &&
  (system.placeAt(path)?.handle as Partial<PoolHandle> | undefined)?.inspect?.().paused === true;

/** Where one of troupe's own actors stands in its chart. */
export const ownStanding = (ground: Ground, standing: Standing): ChartStanding | undefined => {
  const machine = OWN_MACHINES[standing.kind];
  const value = ownState(standing.kind, standing.state, isPaused(ground.system, standing));
  if (machine === undefined || value === undefined) return undefined;
  const now = ground.system.startedAt;
  const chart = ground.charts.of(machine, 'troupe');
  return ground.steps.standing(chart, { path: standing.path, value, status: 'active', sendable: NEVER, now });
};

const wallOf = (system: SystemOfActors, instant: number): number =>
  Math.round(system.host.wall() + instant - system.host.monotonic());

// ── supervisors ──────────────────────────────────────────────────────────────────────────────────────────

export const SUPERVISORS: readonly string[] = ['supervisor', 'dynamic_supervisor'];

const NO_LIMIT = { used: 0, intensity: 0, periodMs: 0, backoff: false } as const;

/** The delays of one failure after the other, before jitter: its own words over its supervisor's. */
const curveOf = (
  place: PlaceOfActor | undefined,
  ofSupervisor: Backoff | false,
): readonly number[] | undefined => {
  const own = place?.spec.backoff;
  if (own === false || (own === undefined && ofSupervisor === false)) return undefined;
  const base = ofSupervisor === false ? BACKOFF_DEFAULTS : ofSupervisor;
  const { baseMs, factor, maxMs, delayFirst } = { ...base, ...own };
  return Array.from({ length: CURVE_LENGTH }, (_, i) => {
    const step = delayFirst ? i : i - 1;
    return step < 0 ? 0 : Math.min(maxMs, baseMs * factor ** step);
  });
};

export const supervisorView = (ground: Ground, standing: Standing): SupervisorView => {
  const { roster, system } = ground;
  const { path, kind, facts, children } = standing;
  const limit = system.placeAt(path)?.inspect().restartLimit ?? NO_LIMIT;
  const { used, intensity, periodMs } = limit;
  const window = roster.window(path, system.host.wall(), periodMs);
  const gaveUp = roster.gaveUp(path);
  return {
    path,
    kind,
    strategy: String(facts['strategy'] ?? 'one_for_one'),
    used,
    intensity,
    periodMs,
    window,
    ...(gaveUp === undefined ? {} : { gaveUp }),
    children: children.slice(0, CHILDREN_SHOWN).map((child) => {
      const known = roster.place(child.path);
      const backoff = curveOf(system.placeAt(child.path), limit.backoff);
      return {
        id: child.id,
        kind: child.kind,
        status: child.status,
        restart: child.restart ?? 'permanent',
        restarts: known?.restarts ?? 0,
        failures: known?.failures ?? 0,
        ...(backoff === undefined ? {} : { backoff }),
        ...(known?.nextStartAt === undefined ? {} : { nextStartAt: known.nextStartAt }),
      };
    }),
    more: Math.max(0, children.length - CHILDREN_SHOWN),
    history: roster.historyOf(path).slice(0, HISTORY_SHOWN),
  };
};

// ── breakers ─────────────────────────────────────────────────────────────────────────────────────────────

const windowOf = (core: BreakerCore): NonNullable<BreakerView['window']> => {
  const { calls, failures, slow } = core.inspect();
  const { options } = core.options.window;
  const outcomes = core.window.outcomes?.(OUTCOMES_SHOWN);
  const known = { calls, failures, slow, ...(outcomes === undefined ? {} : { outcomes }) };
  if (options.kind === 'consecutive') {
    const size = options.failures ?? 5;
    return { kind: 'consecutive', size, minimumCalls: size, failureRate: 1, ...known };
  }
  const { minimumCalls = 10, failureRate = 0.5, slowMs = Number.POSITIVE_INFINITY, slowRate = 1 } = options;
  const size = options.kind === 'count' ? (options.size ?? 100) : (options.windowMs ?? 10_000);
  const slowness = slowMs === Number.POSITIVE_INFINITY ? {} : { slowMs, slowRate };
  return { kind: options.kind, size, minimumCalls, failureRate, ...slowness, ...known };
};

export const lastCause = (facts: readonly Fact[]): ErrorShown | undefined =>
  facts.filter(({ type, data }) => type === 'breaker.opened' && data['cause'] !== undefined).at(-1)?.data[
    'cause'
  ] as unknown as ErrorShown | undefined;

export const breakerView = (ground: Ground, standing: Standing): BreakerView | undefined => {
  const { system } = ground;
  const place = system.placeAt(standing.path);
  const chart = ownStanding(ground, standing);
  if (place === undefined || chart === undefined) return undefined;
  const core = place.shared as BreakerCore;
  const report = core.inspect();
  const facts = ground.factsOf(standing.path).filter(({ type }) => type.startsWith('breaker.'));
  const cause = lastCause(facts);
  const { halfOpenPermits, successThreshold } = core.options;
  return {
    path: standing.path,
    state: report.state,
    verdict: report.verdict,
    since: wallOf(system, report.changedAtMs),
    critical: report.critical,
    ...(report.openUntilMs === undefined ? {} : { retryAt: wallOf(system, report.openUntilMs) }),
    ...(report.openUntilMs === undefined
      ? {}
      : { openMs: Math.round(report.openUntilMs - report.changedAtMs) }),
    window: windowOf(core),
    probes: {
      out: report.probes,
      successes: report.successes,
      permits: halfOpenPermits,
      needed: successThreshold,
    },
    counts: { rejected: report.rejected, stale: report.stale, openings: report.openings },
    ...(cause === undefined ? {} : { cause }),
    history: facts
      .slice(-HISTORY_SHOWN)
      .reverse()
      .map(({ n, at, type, text }) => ({ n, at, to: type.slice('breaker.'.length), why: text })),
    chart,
  };
};

// ── pools ────────────────────────────────────────────────────────────────────────────────────────────────

/** How large the pool means to be: a number, or its bounds. */
const sizeOf = (size: unknown): number => {
  if (typeof size === 'number') return size;
  const { max } = (size ?? {}) as { readonly max?: unknown };
  return typeof max === 'number' ? max : 0;
};

const numbersIn = (counts: object): Readonly<Record<string, number>> =>
  Object.fromEntries(Object.entries(counts).filter(([, value]) => typeof value === 'number'));

export const poolView = (ground: Ground, standing: Standing): PoolView | undefined => {
  const { system } = ground;
  const place = system.placeAt(standing.path);
  if (place === undefined) return undefined;
  const seen = (place.handle as { inspect(): PoolInspection }).inspect();
  const chart = ownStanding(ground, standing);
  const { waited, ran } = ground.jobsOf(standing.path);
  return {
    path: standing.path,
    state: seen.state,
    size: sizeOf(seen.size),
    workers: seen.workers.map((worker) => ({
      id: worker.id,
      seat: worker.seat,
      path: `${standing.path}/${worker.id}`,
      kind: worker.kind,
      ...(worker.pid === undefined ? {} : { pid: worker.pid }),
      state: worker.state,
      health: worker.health,
      since: wallOf(system, worker.sinceMs),
      ...(worker.job === undefined ? {} : { job: worker.job }),
      jobsDone: worker.jobsDone,
      history: worker.history.map(({ at, from, to, reason }) => ({
        at: wallOf(system, at),
        from,
        to,
        reason,
      })),
    })),
    vacant: standing.children
      .filter(({ incarnation, id }) => incarnation === undefined && id.startsWith('place '))
      .map(({ id, status }) => ({ seat: Number(id.slice('place '.length)), why: status })),
    queue: { waiting: seen.waiting, limit: seen.queueLimit },
    idle: seen.idle,
    leases: seen.leases,
    crashesInRow: seen.crashesInRow,
    counts: numbersIn(seen.counts),
    waited: waited.show(),
    ran: ran.show(),
    ...(chart === undefined ? {} : { chart }),
  };
};

// ── recoveries ───────────────────────────────────────────────────────────────────────────────────────────

/** Lines of a stack in a frame that comes anew with every step: where it was thrown, not all of how one came there. */
const STACK_LINES = 5;

/** An error for a frame: the head of its stack, and of each of its causes. */
const briefly = ({ stack, cause, ...error }: ErrorShown): ErrorShown => ({
  ...error,
  ...(stack === undefined ? {} : { stack: stack.split('\n', STACK_LINES).join('\n') }),
  ...(cause === undefined ? {} : { cause: briefly(cause) }),
});

const entryOf = (ground: Ground, path: string, status: RecoveryStatus): RecoveryEntry => {
  const own = ground.factsOf(path).filter(({ data }) => data['recovery'] === status.recovery);
  const began = own.find(({ type }) => type === 'recovery.started');
  const ended = own.find(({ type }) => type === 'recovery.ended');
  // The age of one that has ended stands still: it says nothing of when that was.
  const startedAt = began?.at ?? Math.round((ended?.at ?? ground.system.host.wall()) - status.ageMs);
  const steps = own
    .filter(({ type }) => type === 'recovery.step_done')
    .map(({ at, data }) => ({ name: String(data['step']), outcome: String(data['outcome']), at }));
  const running = status.step === undefined ? [] : [{ name: status.step, outcome: 'running', at: startedAt }];
  const ends = status.outcome !== undefined;
  return {
    id: status.recovery,
    subject: status.subject,
    state: showState(status.state),
    category: status.category,
    severity: status.severity,
    remedy: status.remedy,
    startedAt,
    ...(ended === undefined ? {} : { endedAt: ended.at }),
    ...(ends ? { outcome: status.outcome } : {}),
    steps: [...steps, ...running],
    ...(ends || !Number.isFinite(status.remainingMs)
      ? {}
      : { budgetMs: Math.round(status.ageMs + status.remainingMs), leftMs: Math.round(status.remainingMs) }),
    ...(status.error === undefined ? {} : { error: briefly(showError(status.error)) }),
  };
};

export const recoveryView = (ground: Ground, standing: Standing): RecoveryView | undefined => {
  const place = ground.system.placeAt(standing.path);
  if (place === undefined) return undefined;
  const seen = (place.handle as { inspect(): RecoveryInspection }).inspect();
  const entries = (list: readonly RecoveryStatus[]) =>
    list.map((status) => entryOf(ground, standing.path, status));
  return {
    path: standing.path,
    active: entries(seen.active),
    recent: entries(seen.recent.slice(-HISTORY_SHOWN)).reverse(),
    counts: numbersIn(seen.metrics),
    stragglers: seen.stragglers,
  };
};
