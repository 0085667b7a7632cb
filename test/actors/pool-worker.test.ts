import { describe, expect, it } from 'vitest';
import { type LeaseVerdict, poolWorkerMachine } from '../../actors/pool-worker.machine.ts';
import type { Step } from '../../src/chart/chart.ts';
import { checkChart, type SeenStep } from '../../src/testing/check-chart.ts';
import { events } from './pool-worker.events.ts';

/** What the chart's requests amount to over time. */
interface Ledger {
  readonly lease: LeaseVerdict | undefined;
  readonly sound: boolean;
  readonly killed: boolean;
  readonly closed: boolean;
  readonly retired: boolean;
}

const initial: Ledger = { lease: undefined, sound: false, killed: false, closed: false, retired: false };

const CHANGES: Readonly<Record<string, Partial<Ledger>>> = {
  killPort: { killed: true },
  closePort: { closed: true },
  retire: { retired: true },
};

const lifecycleOf = (value: unknown): string => (value as { lifecycle: string }).lifecycle;
const healthOf = (value: unknown): string => (value as { health: string }).health;
const asks = (step: Step, type: string): boolean =>
  step.requests.some((request) => request.kind === 'action' && request.type === type);

const isOfLifecycle = (id: string): boolean => id.startsWith('pool-worker.lifecycle.');
const nameOf = (id: string): string => id.slice(id.lastIndexOf('.') + 1);
const takesWork = (ledger: Ledger): boolean => ledger.lease === 'offer' && ledger.sound;

/** The edges of the lifecycle that a worker may take. */
const EDGES = [
  'initializing → ready',
  'initializing → terminating',
  'initializing → terminated',
  'ready → busy',
  'ready → degraded',
  'ready → terminating',
  'busy → ready',
  'busy → degraded',
  'busy → terminating',
  'degraded → ready',
  'degraded → terminating',
  'terminating → terminated',
];

type Seen = SeenStep<{ readonly type: string }, Ledger>;

describe('the chart of a worker', () => {
  const report = checkChart(poolWorkerMachine, {
    events,
    memory: {
      initial,
      next: (before, request) => {
        if (request.kind !== 'action') return before;
        const { type, params } = request;
        if (type === 'decide') return { ...before, lease: params?.['lease'] as LeaseVerdict };
        if (type === 'judge') return { ...before, sound: params?.['sound'] as boolean };
        return { ...before, ...CHANGES[type] };
      },
    },
    invariants: {
      'it takes work exactly when ready and healthy': ({ next, after }) =>
        takesWork(after) === (lifecycleOf(next.value) === 'ready' && healthOf(next.value) === 'healthy'),
      'degraded is unhealthy': ({ next }) =>
        lifecycleOf(next.value) !== 'degraded' || healthOf(next.value) === 'unhealthy',
      'one event restores both regions': ({ state, next, event }) =>
        lifecycleOf(state.value) !== 'degraded' ||
        event.type !== 'check.passed' ||
        (lifecycleOf(next.value) === 'ready' && healthOf(next.value) === 'healthy'),
      'whoever loses trust, or misses another check, is asked for a sign of life': ({
        state,
        next,
        event,
        step,
      }) =>
        healthOf(next.value) !== 'unhealthy' ||
        (healthOf(state.value) === 'unhealthy' && event.type !== 'check.missed') ||
        asks(step, 'probe'),
      'the end of the worker ends both regions': ({ next }) =>
        (lifecycleOf(next.value) === 'terminated') === (next.status === 'done') &&
        (lifecycleOf(next.value) === 'terminated') === (healthOf(next.value) === 'over'),
      'it retires exactly when it ends': ({ next, after }) =>
        after.retired === (lifecycleOf(next.value) === 'terminated'),
      'once it is to go, it is never offered again': ({ before, after }: Seen) =>
        before.lease !== 'never' || after.lease === 'never',
      'it is told to go only when it was wanted to, or gave no sign of life': ({ step, event }) =>
        !(asks(step, 'killPort') || asks(step, 'closePort')) ||
        ['kill.wanted', 'close.wanted', 'check.missed'].includes(event.type),
      'a kill is never ignored before the end': ({ state, event, after }) =>
        event.type !== 'kill.wanted' || state.status === 'done' || after.killed,
    },
  });

  it('has no deadlock, no unreachable state, no edge that is never taken, and keeps its invariants', () => {
    expect(report.problems).toEqual([]);
  });

  it('takes exactly the edges of a worker', () => {
    const taken = new Set<string>();
    for (const { edges } of report.steps) {
      for (const { source, targets } of edges)
        for (const target of targets)
          if (isOfLifecycle(source)) taken.add(`${nameOf(source)} → ${nameOf(target)}`);
    }
    expect([...taken].sort()).toEqual([...EDGES].sort());
  });

  it('carries no delay and no context on any edge', () => {
    const asked = report.steps.flatMap(({ step }) => step.requests);
    expect(asked.every(({ kind }) => kind === 'action')).toBe(true);
    expect(poolWorkerMachine.config.context).toBeUndefined();
  });
});
