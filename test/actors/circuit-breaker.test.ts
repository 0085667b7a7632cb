import { describe, expect, it } from 'vitest';
import { type BreakerVerdict, circuitBreakerMachine } from '../../actors/circuit-breaker.machine.ts';
import type { Step } from '../../src/chart/chart.ts';
import { checkChart } from '../../src/testing/check-chart.ts';
import { events } from './circuit-breaker.events.ts';

/** What the chart's requests amount to over time. */
interface Ledger {
  readonly verdict: BreakerVerdict | undefined;
  /** A wait is on: started, not yet stopped. */
  readonly waits: boolean;
  readonly permits: boolean;
  readonly retired: boolean;
}

const initial: Ledger = { verdict: undefined, waits: false, permits: false, retired: false };

const CHANGES: Readonly<Record<string, Partial<Ledger>>> = {
  startWaiting: { waits: true },
  stopWaiting: { waits: false },
  grantPermits: { permits: true },
  revokePermits: { permits: false },
  retire: { retired: true },
};

const FACTS = { admit: 'breaker.closed', refuse: 'breaker.opened', permits: 'breaker.half_opened' } as const;

/** The actions that a step asks for, with one param of theirs. */
const asked = (step: Step): ReadonlyMap<string, unknown> =>
  new Map(
    step.requests.flatMap((request) =>
      request.kind === 'action' ? [[request.type, Object.values(request.params ?? {})[0]]] : [],
    ),
  );

describe('the circuit breaker chart', () => {
  const report = checkChart(circuitBreakerMachine, {
    events,
    memory: {
      initial,
      next: (before, request) =>
        request.kind !== 'action'
          ? before
          : request.type === 'decide'
            ? { ...before, verdict: request.params?.['verdict'] as BreakerVerdict }
            : { ...before, ...CHANGES[request.type] },
    },
    invariants: {
      'every step begins a generation and decides a verdict': ({ step }) =>
        !step.changed || (asked(step).has('beginGeneration') && asked(step).has('decide')),
      'it refuses exactly while it waits, or for good': ({ after }) =>
        (after.verdict === 'refuse') === (after.waits || after.retired),
      'permits are granted exactly while they are asked for': ({ after }) =>
        (after.verdict === 'permits') === after.permits,
      'it closes with nothing counted, and counts are cleared only then': ({ step, after }) =>
        !step.changed || asked(step).has('clearWindow') === (after.verdict === 'admit'),
      'a wait ends only when it is over, by a reset, or for good': ({ before, after, event }) =>
        !before.waits ||
        after.waits ||
        event.type === 'reset' ||
        event.type === 'dispose' ||
        (event.type === 'wait.elapsed' && event.nowMs >= event.openUntilMs),
      'a failed probe opens, and enough successes close': ({ before, after, event }) =>
        before.verdict !== 'permits' ||
        (event.type === 'probe.failed'
          ? after.verdict === 'refuse'
          : event.type !== 'probe.succeeded' ||
            (after.verdict === 'admit') === event.successes >= event.successThreshold),
      'a reset closes whatever is not disposed': ({ before, after, event }) =>
        event.type !== 'reset' || before.retired || after.verdict === 'admit',
      'what it announces is what it did': ({ step, before, after }) => {
        const silent = after.retired || after.verdict === before.verdict || before.verdict === undefined;
        const fact = silent ? undefined : FACTS[after.verdict as BreakerVerdict];
        return !step.changed || asked(step).get('announce') === fact;
      },
      'disposal is for good': ({ before, step }) => !before.retired || !step.changed,
    },
  });

  it('has no deadlock, no unreachable state, no edge that is never taken, and keeps its invariants', () => {
    expect(report.problems).toEqual([]);
  });

  it('reaches every verdict from every other', () => {
    const moves = new Set(report.steps.map(({ before, after }) => `${before.verdict}→${after.verdict}`));
    expect(moves).toEqual(
      new Set([
        'admit→admit',
        'admit→refuse',
        'refuse→permits',
        'refuse→admit',
        'refuse→refuse',
        'permits→admit',
        'permits→refuse',
      ]),
    );
  });

  it('says what every state is for, and every event', () => {
    const { states, meta } = circuitBreakerMachine.config as {
      states: Record<string, { description?: string }>;
      meta: { events: Record<string, string> };
    };
    for (const state of Object.values(states)) expect(state.description).toMatch(/\.$/);
    expect(Object.keys(meta.events).sort()).toEqual([...new Set(events.map(({ type }) => type))].sort());
  });
});
