/**
 * The lifecycle of a circuit breaker: who is let through, and when that changes. It is what runs: `src/resilience/`
 * steps it in the caller's turn and acts on what its actions write, never on a state's name.
 *
 * Invariant: every entry of a state decides a verdict and begins a generation, so that a result of an older generation
 * can be told and moves nothing. It does not count calls or read a clock: windows say when to trip, events carry
 * the figures that its guards compare.
 */
import { setup } from 'xstate';

/** What an admission is answered: let through, through while permits last, turned away, or through and not counted. */
export type BreakerVerdict = 'admit' | 'permits' | 'refuse' | 'bypass';

/** The fact to announce once a step is complete. */
export type BreakerFact =
  | 'breaker.opened'
  | 'breaker.half_opened'
  | 'breaker.closed'
  | 'breaker.isolated'
  | 'breaker.disabled'
  | 'breaker.observed'
  | 'breaker.would_have_opened';

export type BreakerEvent =
  | { readonly type: 'window.tripped' }
  | { readonly type: 'wait.elapsed'; readonly nowMs: number; readonly openUntilMs: number }
  | { readonly type: 'check.succeeded' }
  | { readonly type: 'probe.succeeded'; readonly successes: number; readonly successThreshold: number }
  | { readonly type: 'probe.failed'; readonly failures: number; readonly failuresAllowed: number }
  | { readonly type: 'restore' }
  | { readonly type: 'isolate' }
  | { readonly type: 'disable' }
  | { readonly type: 'observe' }
  | { readonly type: 'resume' }
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
    tooManyFailures: ({ event }) => event.type === 'probe.failed' && event.failures > event.failuresAllowed,
  },
}).createMachine({
  id: 'circuit-breaker',
  description: 'A circuit breaker: who is let through to the guarded thing, and when that changes.',
  initial: 'closed',
  meta: {
    events: {
      'window.tripped': 'The window of recent outcomes says that the guarded thing is failing.',
      'wait.elapsed': 'An admission or a timer asks whether the wait is over.',
      'check.succeeded': 'An active check has found the guarded thing well before the wait was over.',
      'probe.succeeded': 'A probe of this generation ended well.',
      'probe.failed': 'A probe of this generation failed, or its watchdog fired.',
      restore: 'An earlier breaker of the same kind had opened, in a process that is gone.',
      isolate: 'An operator wants no call to pass, whatever the outcomes.',
      disable: 'An operator wants all calls to pass, uncounted.',
      observe: 'An operator wants all calls to pass, and to hear when it would have opened.',
      resume: 'An operator wants it to decide by itself again, with nothing counted.',
      reset: 'An operator wants a clean start: closed, with nothing counted. What is isolated stays so.',
      dispose: 'What it belongs to has stopped.',
    },
  },
  on: {
    dispose: '.disposed',
    isolate: { target: '.isolated', actions: { type: 'announce', params: { fact: 'breaker.isolated' } } },
    disable: { target: '.disabled', actions: { type: 'announce', params: { fact: 'breaker.disabled' } } },
    observe: { target: '.observing', actions: { type: 'announce', params: { fact: 'breaker.observed' } } },
  },
  states: {
    closed: {
      description: 'All calls pass; their outcomes are counted in the window.',
      entry: [{ type: 'decide', params: { verdict: 'admit' } }, 'beginGeneration', 'clearWindow'],
      on: {
        'window.tripped': {
          target: 'open',
          actions: { type: 'announce', params: { fact: 'breaker.opened' } },
        },
        restore: { target: 'open', actions: { type: 'announce', params: { fact: 'breaker.opened' } } },
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
        'check.succeeded': {
          target: 'half_open',
          actions: { type: 'announce', params: { fact: 'breaker.half_opened' } },
        },
        reset: { target: 'closed', actions: { type: 'announce', params: { fact: 'breaker.closed' } } },
      },
    },
    half_open: {
      description: 'A few probes pass; enough successes close the breaker, too many failures open it again.',
      entry: [{ type: 'decide', params: { verdict: 'permits' } }, 'beginGeneration', 'grantPermits'],
      exit: 'revokePermits',
      on: {
        'probe.succeeded': {
          guard: 'enoughSuccesses',
          target: 'closed',
          actions: { type: 'announce', params: { fact: 'breaker.closed' } },
        },
        'probe.failed': {
          guard: 'tooManyFailures',
          target: 'open',
          actions: { type: 'announce', params: { fact: 'breaker.opened' } },
        },
        reset: { target: 'closed', actions: { type: 'announce', params: { fact: 'breaker.closed' } } },
      },
    },
    isolated: {
      description: 'No call passes until an operator says so.',
      entry: [{ type: 'decide', params: { verdict: 'refuse' } }, 'beginGeneration'],
      on: {
        resume: { target: 'closed', actions: { type: 'announce', params: { fact: 'breaker.closed' } } },
      },
    },
    disabled: {
      description: 'All calls pass, and nothing is counted, until an operator says so.',
      entry: [{ type: 'decide', params: { verdict: 'bypass' } }, 'beginGeneration'],
      on: {
        resume: { target: 'closed', actions: { type: 'announce', params: { fact: 'breaker.closed' } } },
        reset: { target: 'closed', actions: { type: 'announce', params: { fact: 'breaker.closed' } } },
      },
    },
    observing: {
      description:
        'All calls pass, and their outcomes are counted; when it would open, it says so and counts anew.',
      entry: [{ type: 'decide', params: { verdict: 'admit' } }, 'beginGeneration', 'clearWindow'],
      on: {
        'window.tripped': {
          target: 'observing',
          reenter: true,
          actions: { type: 'announce', params: { fact: 'breaker.would_have_opened' } },
        },
        resume: { target: 'closed', actions: { type: 'announce', params: { fact: 'breaker.closed' } } },
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
