import { describe, expect, it } from 'vitest';
import { sessionMachine, type TakeVerdict } from '../../actors/session.machine.ts';
import type { Step } from '../../src/chart/chart.ts';
import { checkChart } from '../../src/testing/check-chart.ts';
import { events } from './session.events.ts';

/** What the chart's requests amount to over time. */
interface Ledger {
  readonly take: TakeVerdict | undefined;
  readonly killed: boolean;
  readonly retired: number;
}

const initial: Ledger = { take: undefined, killed: false, retired: 0 };

const lifecycleOf = (value: unknown): string => (value as { lifecycle: string }).lifecycle;
const executionOf = (value: unknown): string => (value as { execution: string }).execution;
const asks = (step: Step, type: string): boolean =>
  step.requests.some((request) => request.kind === 'action' && request.type === type);
const nameOf = (id: string): string => id.slice(id.lastIndexOf('.') + 1);

/** The edges of the life of a process; none leads back from its way out. */
const EDGES = [
  'creating → warming',
  'creating → shutting_down',
  'creating → error',
  'creating → terminated',
  'warming → ready',
  'warming → shutting_down',
  'warming → error',
  'warming → terminated',
  'ready → busy',
  'ready → shutting_down',
  'ready → error',
  'ready → terminated',
  'busy → idle',
  'busy → shutting_down',
  'busy → error',
  'busy → terminated',
  'idle → busy',
  'idle → shutting_down',
  'idle → error',
  'idle → terminated',
  'error → terminated',
  'shutting_down → error',
  'shutting_down → terminated',
];

describe('the chart of a session', () => {
  const report = checkChart(sessionMachine, {
    events,
    memory: {
      initial,
      next: (before, request) => {
        if (request.kind !== 'action') return before;
        if (request.type === 'decide') return { ...before, take: request.params?.['take'] as TakeVerdict };
        if (request.type === 'killPort') return { ...before, killed: true };
        if (request.type === 'retire') return { ...before, retired: before.retired + 1 };
        return before;
      },
    },
    invariants: {
      'it takes code exactly while it waits for it': ({ next, after }) =>
        (after.take === 'offer') === ['ready', 'idle'].includes(lifecycleOf(next.value)),
      'once it is to go, it never takes code again': ({ before, after }) =>
        before.take !== 'never' || after.take === 'never',
      'it retires once, exactly when it ends': ({ next, after }) =>
        after.retired === (lifecycleOf(next.value) === 'terminated' ? 1 : 0),
      'the end of the process ends both regions': ({ next }) =>
        (lifecycleOf(next.value) === 'terminated') === (next.status === 'done') &&
        (lifecycleOf(next.value) === 'terminated') === (executionOf(next.value) === 'over'),
      'whoever is in error has been killed': ({ next, after }) =>
        lifecycleOf(next.value) !== 'error' || after.killed,
      'code that ignores its interruption costs the process': ({ state, event, next }) =>
        lifecycleOf(state.value) !== 'busy' ||
        executionOf(state.value) !== 'interrupting' ||
        executionOf(next.value) !== 'ignoring' ||
        (event.type.startsWith('xstate.after') && lifecycleOf(next.value) === 'error'),
      'the stages of a cancellation come in their order': ({ state, step }) =>
        (!asks(step, 'askCancel') || executionOf(state.value) === 'running') &&
        (!asks(step, 'interrupt') || executionOf(state.value) === 'cancelling'),
      'an answer ends every stage': ({ event, next }) =>
        event.type !== 'execution.answered' || ['none', 'ignoring', 'over'].includes(executionOf(next.value)),
    },
  });

  it('has no deadlock, no unreachable state, no edge that is never taken, and keeps its invariants', () => {
    expect(report.problems).toEqual([]);
  });

  it('takes exactly the edges of a session', () => {
    const taken = new Set<string>();
    for (const { edges } of report.steps)
      for (const { source, targets } of edges)
        for (const target of targets)
          if (source.startsWith('session.lifecycle.')) taken.add(`${nameOf(source)} → ${nameOf(target)}`);
    expect([...taken].sort()).toEqual([...EDGES].sort());
  });
});
