/**
 * The views of components out of a recording: breakers, pools and recoveries, as far as its tree and its facts tell of them.
 *
 * Invariant: what neither tells (windows, queues, budgets) is left out or zero, never guessed.
 */
import { circuitBreakerMachine } from '../../actors/circuit-breaker.machine.ts';
import type { Fact } from '../kernel/fact.ts';
import type { ChartStanding } from './actor-view.ts';
import type { BreakerView, PoolView, RecoveryEntry, RecoveryView } from './component-view.ts';
import { Durations } from './histogram.ts';
import type { ErrorShown } from './tree-view.ts';
import { type Standing, showState } from './tree-window.ts';
import { HISTORY_SHOWN, lastCause } from './views.ts';

/** What the views are made from. */
export interface RecordedGround {
  readonly facts: readonly Fact[];
  readonly startedAt: number;
  chartOf(standing: Standing): ChartStanding | undefined;
}

/** A figure that the actor told of itself. */
const figureOf = ({ facts }: Standing, name: string): number => {
  const figure = facts[name];
  return typeof figure === 'number' ? figure : 0;
};

const textOf = (data: Fact['data'], key: string): string => {
  const value = data[key];
  return typeof value === 'string' ? value : '';
};

const numberOf = (data: Fact['data'], key: string): number | undefined => {
  const value = data[key];
  return typeof value === 'number' ? value : undefined;
};

// ── breakers ─────────────────────────────────────────────────────────────────────────────────────────────

interface Decides {
  readonly type?: unknown;
  readonly params?: { readonly verdict?: unknown };
}

/** What calls are answered in a state, as the chart itself says. */
const verdictIn = (state: string): string => {
  const { states } = circuitBreakerMachine.root as unknown as {
    readonly states: Readonly<Record<string, { readonly entry: readonly unknown[] }>>;
  };
  const decides = (states[state]?.entry as readonly Decides[] | undefined)?.find(
    ({ type }) => type === 'decide',
  );
  return String(decides?.params?.verdict ?? 'unknown');
};

export const recordedBreaker = (ground: RecordedGround, standing: Standing): BreakerView | undefined => {
  const chart = ground.chartOf(standing);
  if (chart === undefined) return undefined;
  const { path } = standing;
  const facts = ground.facts.filter((fact) => fact.path === path && fact.type.startsWith('breaker.'));
  const last = facts.at(-1);
  const openings = facts.filter(({ type }) => type === 'breaker.opened');
  const openMs = last === undefined ? undefined : numberOf(last.data, 'openMs');
  const cause = lastCause(facts);
  const state = showState(chart.value);
  return {
    path,
    state,
    verdict: verdictIn(state),
    since: last?.at ?? ground.startedAt,
    critical: standing.facts['critical'] === true,
    ...(openMs === undefined || last === undefined ? {} : { openMs, retryAt: last.at + openMs }),
    probes: { out: 0, successes: 0 },
    counts: {
      rejected: figureOf(standing, 'rejected'),
      stale: 0,
      openings: Math.max(openings.length, figureOf(standing, 'openings')),
    },
    ...(cause === undefined ? {} : { cause }),
    history: facts
      .slice(-HISTORY_SHOWN)
      .reverse()
      .map(({ n, at, type, text }) => ({ n, at, to: type.slice('breaker.'.length), why: text })),
    chart,
  };
};

// ── pools ────────────────────────────────────────────────────────────────────────────────────────────────

type WorkerView = PoolView['workers'][number];

const workerView = (ground: RecordedGround, worker: Standing, seat: number): WorkerView => {
  const { lifecycle = 'unknown', health = 'unknown' } = (ground.chartOf(worker)?.value ?? {}) as {
    readonly lifecycle?: string;
    readonly health?: string;
  };
  const pid = worker.facts['pid'];
  const since = ground.chartOf(worker)?.last?.at ?? ground.startedAt;
  return {
    id: worker.id,
    seat,
    path: worker.path,
    kind: 'worker',
    ...(typeof pid === 'number' ? { pid } : {}),
    state: lifecycle,
    health,
    since,
    jobsDone: figureOf(worker, 'jobs'),
    history: [],
  };
};

/** The tree of a simulation also has those that have ended. */
const isThere = ({ incarnation, status }: Standing): boolean =>
  incarnation !== undefined && status !== 'ended';

const NO_TIMES = new Durations().show();

export const recordedPool = (ground: RecordedGround, standing: Standing): PoolView => {
  const { path, children } = standing;
  const chart = ground.chartOf(standing);
  const workers = children.filter(isThere);
  const absent = children.filter(({ incarnation }) => incarnation === undefined);
  const ended = ground.facts.filter((fact) => fact.path === path && fact.type === 'pool.worker.ended');
  return {
    path,
    state: typeof standing.state === 'string' ? standing.state : 'unknown',
    size: workers.length + absent.length,
    workers: workers.map((worker, seat) => workerView(ground, worker, seat)),
    vacant: absent.map(({ status }, i) => ({ seat: workers.length + i, why: status })),
    queue: { waiting: figureOf(standing, 'waiting'), limit: 0 },
    idle: figureOf(standing, 'idle'),
    leases: figureOf(standing, 'leases'),
    crashesInRow: 0,
    counts: { workersEnded: ended.length },
    waited: NO_TIMES,
    ran: NO_TIMES,
    ...(chart === undefined ? {} : { chart }),
  };
};

// ── recoveries ───────────────────────────────────────────────────────────────────────────────────────────

const entryOf = (facts: readonly Fact[], started: Fact): RecoveryEntry => {
  const id = textOf(started.data, 'recovery');
  const own = facts.filter(({ n, data }) => n > started.n && data['recovery'] === id);
  const ended = own.find(({ type }) => type === 'recovery.ended');
  const outcome = ended === undefined ? undefined : textOf(ended.data, 'outcome');
  const error = started.data['error'] as unknown as ErrorShown | undefined;
  return {
    id,
    subject: textOf(started.data, 'subject'),
    state: outcome ?? 'under way',
    category: textOf(started.data, 'category'),
    severity: textOf(started.data, 'severity'),
    remedy: textOf(started.data, 'remedy'),
    startedAt: started.at,
    ...(ended === undefined ? {} : { endedAt: ended.at }),
    ...(outcome === undefined ? {} : { outcome }),
    steps: own
      .filter(({ type }) => type === 'recovery.step_done')
      .map(({ at, data }) => ({ name: textOf(data, 'step'), outcome: textOf(data, 'outcome'), at })),
    ...(error === undefined ? {} : { error }),
  };
};

export const recordedRecovery = (ground: RecordedGround, standing: Standing): RecoveryView => {
  const facts = ground.facts.filter(
    (fact) => fact.path === standing.path && fact.type.startsWith('recovery.'),
  );
  const entries = facts
    .filter(({ type, data }) => type === 'recovery.started' && textOf(data, 'recovery') !== '')
    .map((started) => entryOf(facts, started));
  const counts = Object.entries(standing.facts).filter(([, value]) => typeof value === 'number');
  return {
    path: standing.path,
    active: entries.filter(({ outcome }) => outcome === undefined),
    recent: entries.filter(({ outcome }) => outcome !== undefined).reverse(),
    counts: Object.fromEntries(counts) as Readonly<Record<string, number>>,
    stragglers: [],
  };
};
