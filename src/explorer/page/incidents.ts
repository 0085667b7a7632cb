/**
 * What is wrong now, why, and who deals with it: one list made of everything that the server says of its components.
 *
 * Invariants: pure. An incident names the sick part, its cause in the words of the error, and the supervisor, breaker, pool or recovery
 * that has it in hand and what that one does next. What another incident explains is told there, not twice.
 */
import type {
  ApplicationView,
  BreakerView,
  ErrorShown,
  Metrics,
  PoolView,
  RecoveryView,
  Restart,
  SupervisorView,
} from '../protocol.ts';
import { idOf, parentOf, plain, plural, showIn, showMs } from './words.ts';

/** `down`: does not serve. `degraded`: serves less. `mending`: is being put right. `past`: was wrong a moment ago. */
export type Weight = 'down' | 'degraded' | 'mending' | 'past';
export const WEIGHTS: readonly Weight[] = ['down', 'degraded', 'mending', 'past'];

export interface Incident {
  /** Stable as long as it is the same trouble. */
  readonly key: string;
  readonly weight: Weight;
  /** The sick part. */
  readonly path: string;
  readonly kind: string;
  /** What is wrong with it, in a few words. */
  readonly what: string;
  /** Why, as far as known. */
  readonly why?: string;
  readonly error?: ErrorShown;
  /** Who deals with it, and what happens next. */
  readonly owner: { readonly path: string; readonly does: string };
  readonly since: number;
  /** A recovery that has it in hand as well. */
  readonly helper?: { readonly path: string; readonly does: string };
  /** Paths that suffer from it. */
  readonly affects: readonly string[];
}

export interface Sight {
  readonly supervisors: readonly SupervisorView[];
  readonly breakers: readonly BreakerView[];
  readonly pools: readonly PoolView[];
  readonly recoveries: readonly RecoveryView[];
  readonly application: ApplicationView | undefined;
  readonly metrics: Metrics | undefined;
  readonly now: number;
}

/** A crash that was put right is told for so long, ms. */
const PAST_MS = 30_000;
const LATE_LOOP_MS = 200;
const DEEP_MAILBOX = 1_000;
const FULL_QUEUE = 0.8;

export const limitWords = ({
  used,
  intensity,
  periodMs,
}: Pick<SupervisorView, 'used' | 'intensity' | 'periodMs'>): string =>
  `${used} of ${intensity} restarts in ${showMs(periodMs)}`;

/** Nothing where the limit is not known: a recording does not hold it. */
const limitAside = (supervisor: SupervisorView): string =>
  supervisor.periodMs === 0 ? '' : `; ${limitWords(supervisor)}`;

const reasonOf = (last: Restart | undefined): { readonly why?: string; readonly error?: ErrorShown } =>
  last === undefined
    ? {}
    : {
        why: last.reason.error?.message ?? last.reason.text,
        ...(last.reason.error === undefined ? {} : { error: last.reason.error }),
      };

/** What a breaker's verdict says of its weight; a verdict that lets everybody in is no trouble. */
const VERDICT_WEIGHTS: Readonly<Record<string, Weight>> = { refuse: 'degraded', permits: 'mending' };

const nextOf = ({ verdict, retryAt, probes }: BreakerView, now: number): string => {
  if (verdict === 'permits')
    return `lets probes through: ${probes.successes} of ${probes.needed ?? probes.permits ?? 1} went well`;
  return retryAt === undefined
    ? 'refuses calls until it is released'
    : `refuses calls, tries again ${showIn(retryAt, now)}`;
};

const ofBreaker = (
  breaker: BreakerView,
  held: ReadonlyMap<string, readonly string[]>,
  now: number,
): Incident[] => {
  const { path, state, verdict, retryAt, since, cause, counts, window, history } = breaker;
  const weight = VERDICT_WEIGHTS[verdict];
  if (weight === undefined) return [];
  const isForced = verdict === 'refuse' && retryAt === undefined && history[0]?.to !== 'opened';
  const refused = counts.rejected > 0 ? `, ${plural(counts.rejected, 'call')} refused` : '';
  const counted =
    window === undefined
      ? 'nothing is recorded of why'
      : `${window.failures} of the last ${window.calls} calls failed`;
  const known = cause === undefined ? { why: counted } : { why: cause.message, error: cause };
  return [
    {
      key: `breaker ${path}`,
      weight,
      path,
      kind: 'breaker',
      what: `breaker ${plain(state)}${refused}`,
      ...(isForced ? { why: 'somebody isolated it' } : known),
      owner: { path, does: nextOf(breaker, now) },
      since,
      affects: held.get(path) ?? [],
    },
  ];
};

const CHILD_TROUBLE: Readonly<Record<string, { readonly weight: Weight; readonly what: string }>> = {
  backing_off: { weight: 'down', what: 'is down, waits to be started again' },
  restarting: { weight: 'down', what: 'is being started again' },
  start_failed: { weight: 'down', what: 'did not start' },
  parked: { weight: 'down', what: 'is parked: given up on' },
  held: { weight: 'degraded', what: 'is held back' },
  straggling: { weight: 'degraded', what: 'has ended, a handler of it runs on' },
};

const doesOf = (
  supervisor: SupervisorView,
  { status, nextStartAt, failures }: SupervisorView['children'][number],
  now: number,
): string => {
  if (status === 'parked') return 'waits for somebody to restart it';
  if (status === 'held') return 'starts it when what it depends on is back';
  const start = nextStartAt === undefined ? 'starts it again' : `starts it ${showIn(nextStartAt, now)}`;
  const count = failures > 1 ? `, ${failures} failures in a row` : '';
  return `${start}${count}${limitAside(supervisor)}`;
};

/**
 * Where a group waits as one, the child whose crash it waits for, and those that only wait with it: of a child that is down by
 * itself they would be the wrong ones to look at.
 */
const groupOf = ({
  strategy,
  children,
  history,
}: SupervisorView): { readonly culprit: string; readonly waiting: ReadonlySet<string> } | undefined => {
  if (strategy === 'one_for_one') return undefined;
  const down = children.filter(({ status }) => status === 'backing_off' || status === 'restarting');
  const [alone, ...others] = down.filter(({ status }) => status === 'backing_off');
  const culprit =
    alone !== undefined && others.length === 0
      ? alone.id
      : history.find(({ child }) => down.some(({ id }) => id === child))?.child;
  if (culprit === undefined) return undefined;
  const first = strategy === 'rest_for_one' ? children.findIndex(({ id }) => id === culprit) : -1;
  const waiting = children.filter(
    ({ id, status }, i) => id !== culprit && i > first && (status === 'restarting' || status === 'stopped'),
  );
  return { culprit, waiting: new Set(waiting.map(({ id }) => id)) };
};

const ofSupervisor = (supervisor: SupervisorView, now: number): Incident[] => {
  const { path, children, history, gaveUp } = supervisor;
  const owner = (does: string) => ({ path, does });
  const incidents: Incident[] = [];
  if (gaveUp !== undefined)
    incidents.push({
      key: `gave up ${path}`,
      weight: now - gaveUp.at < PAST_MS * 4 ? 'down' : 'past',
      path: `${path}/${gaveUp.child}`,
      kind: 'supervisor',
      what: `its supervisor gave up on it`,
      why: gaveUp.last.error?.message ?? gaveUp.last.text,
      ...(gaveUp.last.error === undefined ? {} : { error: gaveUp.last.error }),
      owner: { path: parentOf(path) || path, does: `takes over: ${idOf(path)} ended` },
      since: gaveUp.at,
      affects: [path],
    });
  const group = groupOf(supervisor);
  for (const child of children) {
    const trouble = CHILD_TROUBLE[child.status];
    if (trouble === undefined || group?.waiting.has(child.id) === true) continue;
    const last = history.find((one) => one.child === child.id);
    incidents.push({
      key: `child ${path}/${child.id}`,
      weight: trouble.weight,
      path: `${path}/${child.id}`,
      kind: child.kind,
      what: trouble.what,
      ...reasonOf(last),
      owner: owner(doesOf(supervisor, child, now)),
      since: last?.at ?? now,
      affects: group?.culprit === child.id ? [...group.waiting].map((id) => `${path}/${id}`) : [],
    });
  }
  const told = new Set(incidents.flatMap((one) => [one.path, ...one.affects]));
  return [...incidents, ...mended(supervisor, told, now)];
};

/** Crashes that were put right a moment ago, one incident a child. */
const mended = (supervisor: SupervisorView, told: ReadonlySet<string>, now: number): Incident[] => {
  const { path, history } = supervisor;
  const recent = history.filter((one) => now - one.at < PAST_MS && !told.has(`${path}/${one.child}`));
  const byChild = new Map<string, Restart[]>();
  for (const one of recent) byChild.set(one.child, [...(byChild.get(one.child) ?? []), one]);
  return [...byChild].map(([child, restarts]) => {
    const [last] = restarts as [Restart];
    const isBack = last.outcome === 'restarted';
    return {
      key: `past ${path}/${child}`,
      weight: 'past',
      path: `${path}/${child}`,
      kind: 'actor',
      what: restarts.length === 1 ? 'crashed' : `crashed ${restarts.length} times`,
      ...reasonOf(last),
      owner: {
        path,
        does: isBack ? `started it again${limitAside(supervisor)}` : 'does not start it again',
      },
      since: last.at,
      affects: [],
    };
  });
};

/** What the states of a pool's chart say of its weight, for people. */
const POOL_WEIGHTS: Readonly<Record<string, Weight>> = {
  degraded: 'down',
  probing: 'mending',
  paused: 'degraded',
  draining: 'mending',
};

const SICK: ReadonlySet<string> = new Set(['degraded', 'unhealthy']);

const crashWords = ({ crashesInRow, workers, vacant }: PoolView): string | undefined => {
  const last = lastEndOf(workers);
  if (crashesInRow === 0) return vacant[0]?.why ?? last?.reason;
  const crashes = plural(crashesInRow, 'crash', 'crashes');
  return last === undefined ? `${crashes} in a row` : `${crashes} in a row: ${last.reason}`;
};

const lastEndOf = (workers: PoolView['workers']) =>
  workers
    .flatMap(({ history }) => history)
    .filter(({ to }) => /terminat|degraded/.test(to))
    .sort((a, b) => b.at - a.at)[0];

const ofPool = (pool: PoolView, now: number): Incident[] => {
  const { path, state, workers, queue, vacant, size } = pool;
  const sick = workers.filter(({ state: doing, health }) => SICK.has(doing) || SICK.has(health));
  const shut = POOL_WEIGHTS[state];
  const isFull = queue.limit > 0 && queue.waiting >= queue.limit * FULL_QUEUE;
  const missing = vacant.length;
  if (shut === undefined && !isFull && sick.length === 0 && missing === 0) return [];
  const what = [
    shut === undefined ? '' : `pool ${plain(state)}`,
    missing > 0 ? `${missing} of ${size} places without a worker` : '',
    sick.length > 0 ? `${plural(sick.length, 'worker')} degraded` : '',
    isFull ? `queue nearly full: ${queue.waiting} of ${queue.limit}` : '',
  ].filter((part) => part !== '');
  const why = crashWords(pool);
  const does = missing > 0 ? 'starts workers in their places' : 'routes around them';
  return [
    {
      key: `pool ${path}`,
      weight: shut ?? (missing > 0 || isFull ? 'degraded' : 'mending'),
      path,
      kind: 'pool',
      what: what.join(', '),
      ...(why === undefined ? {} : { why: plain(why) }),
      owner: { path, does: shut === undefined ? does : 'takes no jobs until a probe goes well' },
      since: lastEndOf(workers)?.at ?? now,
      affects: sick.map((worker) => worker.path),
    },
  ];
};

const ofRecovery = ({ path, active }: RecoveryView): Incident[] =>
  active.map(({ id, subject, remedy, category, severity, error, startedAt, leftMs, steps }) => {
    const step = steps.at(-1);
    return {
      key: `recovery ${path} ${id}`,
      weight: 'mending',
      path: subject,
      kind: 'recovery',
      what: `in recovery: ${plain(category)}, ${plain(severity)}`,
      ...(error === undefined ? {} : { why: error.message, error }),
      owner: {
        path,
        does: [
          plain(remedy),
          step === undefined ? '' : `step ${step.name} ${plain(step.outcome)}`,
          leftMs === undefined ? '' : `${showMs(leftMs)} left`,
        ]
          .filter((words) => words !== '')
          .join(', '),
      },
      since: startedAt,
      affects: [],
    };
  });

const ofProcess = ({ application, metrics, now }: Sight): Incident[] => {
  const incidents: Incident[] = [];
  const at = metrics?.at ?? now;
  const add = (key: string, weight: Weight, path: string, what: string, does: string) =>
    incidents.push({
      key,
      weight,
      path,
      kind: 'process',
      what,
      owner: { path, does },
      since: at,
      affects: [],
    });
  if (metrics !== undefined && metrics.loopLagMs > LATE_LOOP_MS)
    add(
      'loop',
      'degraded',
      '',
      `the event loop was ${showMs(metrics.loopLagMs)} late`,
      'nobody keeps this: find what blocks the loop',
    );
  const deepest = metrics?.deepestMailbox;
  if (deepest !== undefined && deepest.depth >= DEEP_MAILBOX)
    add(
      `mail ${deepest.path}`,
      'degraded',
      deepest.path,
      `${plural(deepest.depth, 'message')} wait`,
      'its mailbox refuses mail when it is full',
    );
  const ending = application?.holdingUp ?? [];
  if (application?.endBeganAt !== undefined || ending.length > 0)
    for (const { what, path, since } of ending.slice(0, 3))
      incidents.push({
        key: `ending ${path ?? what}`,
        weight: 'degraded',
        path: path ?? '',
        kind: 'shutdown',
        what: `holds up the end: ${what}`,
        owner: { path: '', does: 'waits for it until its allowance is over, then kills' },
        since,
        affects: [],
      });
  return incidents;
};

/** Who waits for which breaker: children held, by the breaker's path, as far as their ids say. */
const heldBy = ({ supervisors, breakers }: Sight): ReadonlyMap<string, readonly string[]> => {
  const held = supervisors.flatMap(({ path, children }) =>
    children.filter(({ status }) => status === 'held').map(({ id }) => `${path}/${id}`),
  );
  const open = breakers.filter(({ verdict }) => verdict === 'refuse');
  return open.length === 1 && open[0] !== undefined ? new Map([[open[0].path, held]]) : new Map();
};

/** A recovery of a part that is told of already is told there. */
const withHelp = (incidents: readonly Incident[], mending: readonly Incident[]): Incident[] => {
  const helped = incidents.map((incident) => {
    const helper = mending.find(({ path }) => path === incident.path)?.owner;
    return helper === undefined || incident.weight === 'past' ? incident : { ...incident, helper };
  });
  const told = new Set(helped.filter(({ helper }) => helper !== undefined).map(({ path }) => path));
  return [...helped, ...mending.filter(({ path }) => !told.has(path))];
};

/** All incidents, the worst first, and of those the longest. */
export const incidentsOf = (sight: Sight): readonly Incident[] => {
  const { supervisors, breakers, pools, recoveries, now } = sight;
  const held = heldBy(sight);
  const all = [
    ...breakers.flatMap((breaker) => ofBreaker(breaker, held, now)),
    ...pools.flatMap((pool) => ofPool(pool, now)),
    ...supervisors.flatMap((supervisor) => ofSupervisor(supervisor, now)),
    ...ofProcess(sight),
  ];
  return withHelp(all, recoveries.flatMap(ofRecovery)).sort(
    (a, b) =>
      WEIGHTS.indexOf(a.weight) - WEIGHTS.indexOf(b.weight) ||
      (a.weight === 'past' ? b.since - a.since : a.since - b.since),
  );
};
