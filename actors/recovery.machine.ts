/**
 * The life of one recovery: from the failure it answers to one of three ends. It is what runs: `src/recovery/` steps it and
 * acts on what its actions write, never on a state's name.
 *
 * Invariants: it settles exactly once, and every path leads there; while it runs a step it holds exactly one, and lets go of
 * it before it settles; a step is told to stop before it is abandoned. It does not know what a remedy is: whoever steps it
 * says what comes next, from a plan and a journal.
 */
import { setup } from 'xstate';

/** How a recovery ends. */
export type RecoveryEnd = 'recovered' | 'gave_up' | 'cancelled';

/** Why it gave up. */
export type GiveUpCause = 'abandoned' | 'exhausted' | 'contained' | 'no_step' | 'deadline';

/** What the plan says comes next: a step now, a step after its delay, the subject's own healing, or an end. */
export type NextMove = 'step' | 'delay' | 'healing' | 'recovered' | GiveUpCause;

export type RecoveryEvent =
  /** `next`: what the plan says, given the steps that the journal knows to be done. */
  | { readonly type: 'begin'; readonly next: NextMove }
  | { readonly type: 'step.settled'; readonly next: NextMove }
  | { readonly type: 'healed' }
  | { readonly type: 'cancel.wanted' }
  | { readonly type: 'budget.ending' }
  | { readonly type: 'budget.spent' }
  | { readonly type: 'interrupted' };

const MOVES: readonly unknown[] = ['step', 'delay', 'healing', 'recovered'];
const isCause = (next: NextMove): next is GiveUpCause => !MOVES.includes(next);

const noop = (): void => {};

/** The plan has no more moves, and says why. */
const BLAME_PLAN = {
  type: 'blame',
  params: ({ event }: { event: RecoveryEvent }): { cause: GiveUpCause } => ({
    cause: 'next' in event && isCause(event.next) ? event.next : 'exhausted',
  }),
} as const;
/** Too late for any more moves; but a circuit that was opened at the last moment is open. */
const BLAME_LATE = {
  type: 'blame',
  params: ({ event }: { event: RecoveryEvent }): { cause: GiveUpCause } => ({
    cause: 'next' in event && event.next === 'contained' ? 'contained' : 'deadline',
  }),
} as const;
const BLAME_DEADLINE = { type: 'blame', params: { cause: 'deadline' } } as const;

export const recoveryMachine = setup({
  types: { events: {} as RecoveryEvent },
  actions: {
    /** Starts the step that the plan says is next. */
    runStep: noop,
    /** Tells the step that runs to stop. */
    abortStep: noop,
    /** The step that runs has ignored its signal: it is named, and its result will move nothing. */
    abandonStep: noop,
    /** The step that runs was lost with its runner; after the next beginning it runs again, under the same key. */
    forgetStep: noop,
    /** Nothing is left to do but to wait: from now on the subject's own healing answers whatever has happened to it. */
    expectHealing: noop,
    /** Why it gives up, if it does. */
    blame: (_, _params: { cause: GiveUpCause }) => noop(),
    /** It is over: everyone who waits for it is told, once. */
    settle: (_, _params: { end: RecoveryEnd }) => noop(),
  },
  guards: {
    callsForStep: ({ event }) => 'next' in event && event.next === 'step',
    callsForDelay: ({ event }) => 'next' in event && event.next === 'delay',
    callsForHealing: ({ event }) => 'next' in event && event.next === 'healing',
    isRecovered: ({ event }) => 'next' in event && event.next === 'recovered',
  },
  delays: {
    /** How long the plan waits before the next step. */
    untilNextStep: 1_000,
    /** How long a step has to obey its signal. */
    grace: 100,
  },
}).createMachine({
  id: 'recovery',
  description: 'One recovery: from the failure that it answers to one of three ends, within its budget.',
  initial: 'pending',
  meta: {
    events: {
      begin: 'There is somebody to run steps: at first, and again after an interruption.',
      'step.settled':
        'The step that runs has come to an end, good or bad, and the plan has said what follows.',
      healed: 'The subject has told by itself that it works again.',
      'cancel.wanted': 'Somebody wants no more of it, or shutdown has begun.',
      'budget.ending': 'The budget is all but spent: what runs is told to stop while there is time to obey.',
      'budget.spent': 'The budget is spent.',
      interrupted: 'Whoever ran its steps has crashed.',
    },
  },
  states: {
    pending: {
      description: 'Classified and admitted; nobody runs it yet, or nobody any more.',
      on: {
        begin: [
          { guard: 'callsForStep', target: 'running' },
          { guard: 'callsForDelay', target: 'waiting' },
          { guard: 'callsForHealing', target: 'watching' },
          { guard: 'isRecovered', target: 'recovered' },
          { target: 'gave_up', actions: BLAME_PLAN },
        ],
        healed: { target: 'recovered' },
        'cancel.wanted': { target: 'cancelled' },
        'budget.spent': { target: 'gave_up', actions: BLAME_DEADLINE },
      },
    },
    running: {
      description: 'A step of its remedy runs.',
      entry: 'runStep',
      on: {
        'step.settled': [
          { guard: 'callsForStep', target: 'running', reenter: true },
          { guard: 'callsForDelay', target: 'waiting' },
          { guard: 'callsForHealing', target: 'watching' },
          { guard: 'isRecovered', target: 'recovered' },
          { target: 'gave_up', actions: BLAME_PLAN },
        ],
        'cancel.wanted': { target: 'cancelling' },
        'budget.ending': { target: 'expiring' },
        interrupted: { target: 'pending', actions: 'forgetStep' },
      },
    },
    waiting: {
      description: 'The last attempt failed; the next comes after a delay.',
      after: { untilNextStep: { target: 'running' } },
      on: {
        'cancel.wanted': { target: 'cancelled' },
        'budget.spent': { target: 'gave_up', actions: BLAME_DEADLINE },
        interrupted: { target: 'pending' },
      },
    },
    watching: {
      description: 'Nothing to do but to see whether the subject heals by itself.',
      entry: 'expectHealing',
      on: {
        healed: { target: 'recovered' },
        'cancel.wanted': { target: 'cancelled' },
        'budget.spent': { target: 'gave_up', actions: BLAME_DEADLINE },
        interrupted: { target: 'pending' },
      },
    },
    expiring: {
      description: 'The budget ends: the step that runs was told to stop, and may still succeed.',
      entry: 'abortStep',
      on: {
        'step.settled': [
          { guard: 'isRecovered', target: 'recovered' },
          { target: 'gave_up', actions: BLAME_LATE },
        ],
        'cancel.wanted': { target: 'cancelling' },
        'budget.spent': {
          target: 'gave_up',
          actions: ['abandonStep', BLAME_DEADLINE],
        },
        interrupted: { target: 'pending', actions: 'forgetStep' },
      },
    },
    cancelling: {
      description: 'Cancelled: the step that runs was told to stop, and has a moment to obey.',
      entry: 'abortStep',
      after: { grace: { target: 'cancelled', actions: 'abandonStep' } },
      on: {
        'step.settled': { target: 'cancelled' },
        'budget.spent': { target: 'cancelled', actions: 'abandonStep' },
        interrupted: { target: 'cancelled', actions: 'forgetStep' },
      },
    },
    recovered: {
      description: 'The subject works again.',
      type: 'final',
      entry: { type: 'settle', params: { end: 'recovered' } },
    },
    gave_up: {
      description: 'The remedy did not bring the subject back within its budget, or none could.',
      type: 'final',
      entry: { type: 'settle', params: { end: 'gave_up' } },
    },
    cancelled: {
      description: 'Somebody wanted no more of it.',
      type: 'final',
      entry: { type: 'settle', params: { end: 'cancelled' } },
    },
  },
});
