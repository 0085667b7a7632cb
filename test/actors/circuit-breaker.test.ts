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
  /** What an operator has asked for, as it was announced. */
  readonly mode: string | undefined;
}

const initial: Ledger = { verdict: undefined, waits: false, permits: false, retired: false, mode: undefined };

const CHANGES: Readonly<Record<string, Partial<Ledger>>> = {
  startWaiting: { waits: true },
  stopWaiting: { waits: false },
  grantPermits: { permits: true },
  revokePermits: { permits: false },
  retire: { retired: true },
};

const MODES: Readonly<Record<string, string | undefined>> = {
  'breaker.isolated': 'isolated',
  'breaker.disabled': 'disabled',
  'breaker.observed': 'observing',
  'breaker.would_have_opened': 'observing',
};

const next = (before: Ledger, type: string, param: unknown): Ledger => {
  if (type === 'decide') return { ...before, verdict: param as BreakerVerdict };
  if (type === 'announce') return { ...before, mode: MODES[param as string] };
  return { ...before, ...CHANGES[type] };
};

const FACTS: Readonly<Record<string, string>> = {
  admit: 'breaker.closed',
  refuse: 'breaker.opened',
  permits: 'breaker.half_opened',
};
/** The events that ask for a mode, and what is announced then. */
const ASKED: Readonly<Record<string, string>> = {
  isolate: 'breaker.isolated',
  disable: 'breaker.disabled',
  observe: 'breaker.observed',
};

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
        request.kind === 'action'
          ? next(before, request.type, Object.values(request.params ?? {})[0])
          : before,
    },
    invariants: {
      'every step begins a generation and decides a verdict': ({ step }) =>
        !step.changed || (asked(step).has('beginGeneration') && asked(step).has('decide')),
      'it refuses exactly while it waits, or for good': ({ after }) =>
        (after.verdict === 'refuse') === (after.waits || after.retired || after.mode === 'isolated'),
      'permits are granted exactly while they are asked for': ({ after }) =>
        (after.verdict === 'permits') === after.permits,
      'it closes with nothing counted, and counts are cleared only then': ({ step, after }) =>
        !step.changed || asked(step).has('clearWindow') === (after.verdict === 'admit'),
      'a wait ends only when it is over, by a check that went well, by a reset, or for good': ({
        before,
        after,
        event,
      }) =>
        !before.waits ||
        after.waits ||
        event.type === 'check.succeeded' ||
        event.type === 'reset' ||
        event.type === 'dispose' ||
        ASKED[event.type] !== undefined ||
        (event.type === 'wait.elapsed' && event.nowMs >= event.openUntilMs),
      'too many failed probes open, and enough successes close': ({ before, after, event }) =>
        before.verdict !== 'permits' ||
        (event.type === 'probe.failed'
          ? (after.verdict === 'refuse') === event.failures > event.failuresAllowed
          : event.type !== 'probe.succeeded' ||
            (after.verdict === 'admit') === event.successes >= event.successThreshold),
      'a reset closes whatever is neither isolated nor disposed': ({ before, step, after, event }) =>
        event.type !== 'reset' ||
        (before.retired || before.mode === 'isolated' ? !step.changed : after.verdict === 'admit'),
      'what an operator asks for holds until an operator says otherwise': ({ before, after, event }) =>
        before.mode === undefined ||
        after.retired ||
        after.mode === before.mode ||
        ['resume', 'reset', 'isolate', 'disable', 'observe'].includes(event.type),
      'resuming closes what an operator had changed, and nothing else': ({ before, step, after, event }) =>
        event.type !== 'resume' ||
        (before.mode === undefined || before.retired
          ? !step.changed
          : after.verdict === 'admit' && after.mode === undefined),
      'while it only observes it never refuses': ({ after }) =>
        after.mode !== 'observing' || after.retired || after.verdict === 'admit',
      'nothing is counted while it is disabled': ({ after }) =>
        (after.verdict === 'bypass') === (after.mode === 'disabled' && !after.retired),
      'it is restored to open only while closed with nothing asked for': ({ before, step, after, event }) =>
        event.type !== 'restore' ||
        (before.verdict === 'admit' && before.mode === undefined ? after.waits : !step.changed),
      'what it announces is what it did': ({ step, before, after, event }) => {
        if (!step.changed) return true;
        const said = asked(step).get('announce');
        if (after.retired || before.verdict === undefined) return said === undefined;
        if (ASKED[event.type] !== undefined) return said === ASKED[event.type];
        if (before.mode === 'observing' && event.type === 'window.tripped')
          return said === 'breaker.would_have_opened';
        const same = after.verdict === before.verdict && before.mode === after.mode;
        return said === (same ? undefined : FACTS[after.verdict as BreakerVerdict]);
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
        'admit→bypass',
        'refuse→bypass',
        'permits→bypass',
        'bypass→bypass',
        'bypass→admit',
        'bypass→refuse',
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
