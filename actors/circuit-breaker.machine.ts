/**
 * The lifecycle of a circuit breaker: who is let through, and when that changes. It is what runs: `src/resilience/`
 * steps it in the caller's turn and acts on what its actions write, never on a state's name.
 *
 * Invariant: every entry of a state decides a verdict and begins a generation, so that a result of an older generation
 * can be told and moves nothing. It does not count calls or read a clock: windows say when to trip, events carry
 * the figures that its guards compare.
 */
import { setup } from 'xstate';

/** What an admission is answered: let it through, let it through while permits last, or turn it away. */
export type BreakerVerdict = 'admit' | 'permits' | 'refuse';

/** The fact to announce once a step is complete. */
export type BreakerFact = 'breaker.opened' | 'breaker.half_opened' | 'breaker.closed';

export type BreakerEvent =
  | { readonly type: 'window.tripped' }
  | { readonly type: 'wait.elapsed'; readonly nowMs: number; readonly openUntilMs: number }
  | { readonly type: 'probe.succeeded'; readonly successes: number; readonly successThreshold: number }
  | { readonly type: 'probe.failed' }
  | { readonly type: 'reset' }
  | { readonly type: 'dispose' };

const noop = (): void => {};

export const circuitBreakerMachine = setup({
  types: { events: {} as BreakerEvent },
  actions: {
    /** What admissions are answered from now on. */
    decide: (_, _params: { verdict: BreakerVerdict }) => noop(),
    /** Results of calls admitted before now are stale. */
    beginGeneration: noop,
    /** Forgets the outcomes counted so far. */
    clearWindow: noop,
    /** Fixes the instant until which calls are refused. */
    startWaiting: noop,
    /** The wait is over: its timer and its shared rejection are dropped. */
    stopWaiting: noop,
    /** All probe permits are in, no success is counted yet. */
    grantPermits: noop,
    /** The watchdogs of probes still out are dropped: their results are stale. */
    revokePermits: noop,
    /** From now on it refuses for good. */
    retire: noop,
    announce: (_, _params: { fact: BreakerFact }) => noop(),
  },
  guards: {
    waitIsOver: ({ event }) => event.type === 'wait.elapsed' && event.nowMs >= event.openUntilMs,
    enoughSuccesses: ({ event }) =>
      event.type === 'probe.succeeded' && event.successes >= event.successThreshold,
  },
}).createMachine({
  id: 'circuit-breaker',
  description: 'A circuit breaker: who is let through to the guarded thing, and when that changes.',
  initial: 'closed',
  meta: {
    events: {
      'window.tripped': 'The window of recent outcomes says that the guarded thing is failing.',
      'wait.elapsed': 'An admission or a timer asks whether the wait is over.',
      'probe.succeeded': 'A probe of this generation ended well.',
      'probe.failed': 'A probe of this generation failed, or its watchdog fired.',
      reset: 'An operator wants a clean start: closed, with nothing counted.',
      dispose: 'What it belongs to has stopped.',
    },
  },
  on: { dispose: '.disposed' },
  states: {
    closed: {
      description: 'All calls pass; their outcomes are counted in the window.',
      entry: [{ type: 'decide', params: { verdict: 'admit' } }, 'beginGeneration', 'clearWindow'],
      on: {
        'window.tripped': {
          target: 'open',
          actions: { type: 'announce', params: { fact: 'breaker.opened' } },
        },
        reset: { target: 'closed', reenter: true },
      },
    },
    open: {
      description: 'No call passes until the wait is over.',
      entry: [{ type: 'decide', params: { verdict: 'refuse' } }, 'beginGeneration', 'startWaiting'],
      exit: 'stopWaiting',
      on: {
        'wait.elapsed': {
          guard: 'waitIsOver',
          target: 'half_open',
          actions: { type: 'announce', params: { fact: 'breaker.half_opened' } },
        },
        reset: { target: 'closed', actions: { type: 'announce', params: { fact: 'breaker.closed' } } },
      },
    },
    half_open: {
      description: 'A few probes pass; enough successes close the breaker, one failure opens it again.',
      entry: [{ type: 'decide', params: { verdict: 'permits' } }, 'beginGeneration', 'grantPermits'],
      exit: 'revokePermits',
      on: {
        'probe.succeeded': {
          guard: 'enoughSuccesses',
          target: 'closed',
          actions: { type: 'announce', params: { fact: 'breaker.closed' } },
        },
        'probe.failed': {
          target: 'open',
          actions: { type: 'announce', params: { fact: 'breaker.opened' } },
        },
        reset: { target: 'closed', actions: { type: 'announce', params: { fact: 'breaker.closed' } } },
      },
    },
    disposed: {
      description: 'Over: every call is refused, results still out move nothing.',
      type: 'final',
      entry: [{ type: 'decide', params: { verdict: 'refuse' } }, 'beginGeneration', 'retire'],
    },
  },
});
