/**
 * Steps of troupe's own charts, recalled from facts: of breakers, pools and workers, for the time before anyone looked.
 *
 * Invariant: a step is told only where a fact says where the chart stood after it. Which event led there is named where but one
 * can have, or where the fact itself says; else it is `?`. Steps between two facts are not made up.
 */
import type { Fact } from '../kernel/fact.ts';
import type { Charts } from './chart-definition.ts';
import type { Steps } from './steps.ts';
import type { StateValue } from './tree-view.ts';
import { OWN_MACHINES } from './views.ts';

/** Where steps are recalled to. */
export interface Recall {
  readonly steps: Steps;
  readonly charts: Charts;
  readonly startedAt: number;
  /** Whose steps they are; facts do not say it. */
  incarnationOf(path: string): number;
}

/** What a fact tells of a chart. */
interface Told {
  readonly kind: string;
  readonly path: string;
  readonly value: StateValue;
  readonly event?: string;
}

type Known = (path: string) => StateValue | undefined;
type Reader = (fact: Fact, known: Known) => Told | undefined;

const INITIAL: Readonly<Record<string, StateValue>> = {
  breaker: 'closed',
  pool: { admission: 'starting', service: 'serving' },
  worker: { lifecycle: 'initializing', health: 'unknown' },
};

const breaker =
  (value: string, event?: (fact: Fact, before: StateValue | undefined) => string | undefined): Reader =>
  (fact, known) => {
    const named = event?.(fact, known(fact.path));
    return { kind: 'breaker', path: fact.path, value, ...(named === undefined ? {} : { event: named }) };
  };

/** By the state it is left from; where that is another, no name is certain. */
const OPENED_BY: Readonly<Record<string, string>> = { closed: 'window.tripped', half_open: 'probe.failed' };

/** One that opens for no failure of its own was restored, or slow: nobody can tell. */
const opening = ({ data }: Fact, before: StateValue | undefined): string | undefined =>
  'failures' in data && !('cause' in data) ? undefined : OPENED_BY[String(before)];

const admission = (
  { path }: Fact,
  known: Known,
  to: { readonly value: string; readonly event?: string },
): Told => {
  const before = known(path);
  const service = typeof before === 'object' ? (before['service'] ?? 'serving') : 'serving';
  const { value, ...event } = to;
  return { kind: 'pool', path, value: { admission: value, service }, ...event };
};

const service =
  (value: string, event: string): Reader =>
  ({ path }, known) => {
    const before = known(path);
    return typeof before === 'object'
      ? { kind: 'pool', path, value: { ...before, service: value }, event }
      : undefined;
  };

const worker = (
  { path, data }: Fact,
  [lifecycle, health, event]: readonly [string, string, string],
): Told | undefined =>
  typeof data['worker'] === 'string'
    ? { kind: 'worker', path: `${path}/${data['worker']}`, value: { lifecycle, health }, event }
    : undefined;

const WORKER_STARTED = ['ready', 'healthy', 'port.ready'] as const;
const WORKER_ENDED = ['terminated', 'over', 'port.ended'] as const;

/** The first worker of a pool lets it be ready; later ones change nothing of its chart. */
const firstWorker: Reader = (fact, known) => {
  const before = known(fact.path) ?? INITIAL['pool'];
  const isFirst = JSON.stringify(before) === JSON.stringify(INITIAL['pool']);
  return isFirst ? admission(fact, known, { value: 'ready', event: 'worker.started' }) : undefined;
};

const READERS: Readonly<Record<string, readonly Reader[]>> = {
  'breaker.opened': [breaker('open', opening)],
  'breaker.half_opened': [breaker('half_open')],
  'breaker.closed': [breaker('closed')],
  'breaker.isolated': [breaker('isolated', () => 'isolate')],
  'breaker.disabled': [breaker('disabled', () => 'disable')],
  'breaker.observed': [breaker('observing', () => 'observe')],
  'breaker.would_have_opened': [breaker('observing', () => 'window.tripped')],
  'pool.degraded': [(fact, known) => admission(fact, known, { value: 'degraded', event: 'worker.lost' })],
  'pool.restored': [(fact, known) => admission(fact, known, { value: 'ready' })],
  'pool.paused': [service('paused', 'pause.wanted')],
  'pool.resumed': [service('serving', 'resume.wanted')],
  'pool.worker.started': [firstWorker, (fact) => worker(fact, WORKER_STARTED)],
  'pool.worker.ended': [(fact) => worker(fact, WORKER_ENDED)],
};

/** Takes the facts in their order, oldest first. */
export const recallSteps = (facts: readonly Fact[], recall: Recall): void => {
  const { steps, charts, startedAt, incarnationOf } = recall;
  const values = new Map<string, StateValue>();
  // Where older facts are gone, a chart may have stood anywhere.
  const isWhole = (facts[0]?.n ?? 0) === 0;
  const known: Known = (path) => values.get(path);
  const take = (told: Told, { n, at }: Fact): void => {
    const { kind, path, value, event } = told;
    const machine = OWN_MACHINES[kind];
    if (machine === undefined) return;
    const chart = charts.of(machine, 'troupe');
    const about = { path, incarnation: incarnationOf(path) };
    const initial = INITIAL[kind];
    if (!values.has(path) && isWhole && initial !== undefined)
      steps.seed(chart, { ...about, at: startedAt, value: initial });
    values.set(path, value);
    steps.note(chart, { ...about, at, event, value, fact: n });
  };
  for (const fact of facts) {
    for (const read of READERS[fact.type] ?? []) {
      const { path } = fact;
      const isNew = !values.has(path) && isWhole && fact.type.startsWith('breaker.');
      const told = read(fact, isNew ? () => INITIAL['breaker'] : known);
      if (told !== undefined) take(told, fact);
    }
  }
};
