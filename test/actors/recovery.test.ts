import { describe, expect, it } from 'vitest';
import { type RecoveryEvent, recoveryMachine } from '../../actors/recovery.machine.ts';
import { checkChart } from '../../src/testing/check-chart.ts';
import { events } from './recovery.events.ts';

/** What the chart's requests amount to: is a step out, was it told to stop, was blame laid, how did it end. */
interface Ledger {
  readonly step: 'none' | 'runs' | 'told to stop';
  readonly cause: string | undefined;
  readonly end: string | undefined;
  readonly wrong: string | undefined;
}

const initial: Ledger = { step: 'none', cause: undefined, end: undefined, wrong: undefined };

const settled = (ledger: Ledger, event: RecoveryEvent): Ledger =>
  event.type === 'step.settled' ? { ...ledger, step: 'none' } : ledger;

describe('the recovery chart', () => {
  const report = checkChart(recoveryMachine, {
    events,
    memory: {
      initial,
      next: (before, request, event): Ledger => {
        const ledger = settled(before, event);
        if (request.kind !== 'action') return ledger;
        const { cause, end } = (request.params ?? {}) as { cause?: string; end?: string };
        const { step, wrong } = ledger;
        switch (request.type) {
          case 'runStep':
            return { ...ledger, step: 'runs', wrong: step === 'none' ? wrong : 'two steps at once' };
          case 'abortStep':
            return { ...ledger, step: 'told to stop', wrong: step === 'none' ? 'nothing to stop' : wrong };
          case 'abandonStep':
            return { ...ledger, step: 'none', wrong: step === 'told to stop' ? wrong : 'abandoned unwarned' };
          case 'forgetStep':
            return { ...ledger, step: 'none' };
          case 'expectHealing':
            return { ...ledger, wrong: step === 'none' ? wrong : 'idle while a step runs' };
          case 'blame':
            return { ...ledger, cause };
          default:
            return { ...ledger, end, wrong: ledger.end === undefined ? wrong : 'settled twice' };
        }
      },
    },
    invariants: {
      'one step at a time, warned before it is abandoned, one settlement': ({ after }) =>
        after.wrong === undefined,
      'it is over exactly when it has settled': ({ next, after }) =>
        (next.status === 'done') === (after.end !== undefined),
      'no step is left behind at the end': ({ after }) => after.end === undefined || after.step === 'none',
      'giving up has a cause, and nothing else has': ({ after }) =>
        after.end === undefined || (after.end === 'gave_up') === (after.cause !== undefined),
      'a spent budget ends it, wherever it stands, unless a step has yet to be told': ({
        event,
        next,
        after,
      }) => event.type !== 'budget.spent' || next.status === 'done' || after.step === 'runs',
      'a wish to cancel ends it, or tells the step': ({ event, next, after }) =>
        event.type !== 'cancel.wanted' || next.status === 'done' || after.step === 'told to stop',
      'what was cancelled recovers no more': ({ event, after }) =>
        event.type !== 'cancel.wanted' || after.end === undefined || after.end === 'cancelled',
      'after an interruption no step is thought to run': ({ event, after }) =>
        event.type !== 'interrupted' || after.step === 'none',
    },
  });

  it('has no deadlock, no unreachable state, no edge that is never taken, and keeps its invariants', () => {
    expect(report.problems).toEqual([]);
  });

  it('reaches each of its three ends from every state in which it is not yet cancelled', () => {
    const ends = new Set(report.steps.map(({ after }) => after.end));
    expect(ends).toEqual(new Set([undefined, 'recovered', 'gave_up', 'cancelled']));
  });

  it('says what every state is for, and every event', () => {
    const { states, meta } = recoveryMachine.config as {
      states: Record<string, { description?: string }>;
      meta: { events: Record<string, string> };
    };
    for (const state of Object.values(states)) expect(state.description).toMatch(/\.$/);
    expect(Object.keys(meta.events).sort()).toEqual([...new Set(events.map(({ type }) => type))].sort());
  });
});
