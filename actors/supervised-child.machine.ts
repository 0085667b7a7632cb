/**
 * The lifecycle of one child as its supervisor sees it: which operations it takes, what is reported of it, and when it
 * waits before it is started again. It is what runs: `src/supervision/` steps it and acts on what its actions write.
 *
 * Invariant: every state stands for exactly one answer to each operation (OTP's `running`, `restarting`, `already_present` …),
 * written on entry. It does not know strategies, siblings or clocks: which child restarts when is the supervisor's.
 */
import { setup } from 'xstate';

/** What a child's supervisor reports of it, and answers to operations on it. `null` lets the operation through. */
export interface ChildStanding {
  /** OTP's which_children. */
  readonly listed: 'undefined' | 'running' | 'restarting' | 'starting' | 'stopping';
  /** The answer to starting a child of this id. */
  readonly onStart: 'ERR_CHILD_ALREADY_PRESENT' | 'ERR_CHILD_ALREADY_STARTED';
  readonly onRestart: 'ERR_CHILD_RUNNING' | 'ERR_CHILD_RESTARTING' | null;
  readonly onDelete: 'ERR_CHILD_RUNNING' | 'ERR_CHILD_RESTARTING' | null;
  /** A restart of it is due: a request to recycle it is answered `already`. */
  readonly due: boolean;
}

export type SupervisedChildEvent =
  | { readonly type: 'start' }
  | { readonly type: 'started' }
  | { readonly type: 'ignored' }
  | { readonly type: 'start_failed'; readonly again: boolean }
  | { readonly type: 'exited'; readonly again: boolean }
  | { readonly type: 'back_off' }
  | { readonly type: 'backoff_elapsed' }
  | { readonly type: 'hold' }
  | { readonly type: 'terminate' }
  | { readonly type: 'forget' };

const noop = (): void => {};

const PRESENT = { onStart: 'ERR_CHILD_ALREADY_PRESENT', onRestart: null, onDelete: null } as const;
const ALIVE = {
  onStart: 'ERR_CHILD_ALREADY_STARTED',
  onRestart: 'ERR_CHILD_RUNNING',
  onDelete: 'ERR_CHILD_RUNNING',
} as const;
const DUE = {
  onStart: 'ERR_CHILD_ALREADY_PRESENT',
  onRestart: 'ERR_CHILD_RESTARTING',
  onDelete: 'ERR_CHILD_RESTARTING',
} as const;

export const supervisedChildMachine = setup({
  types: { events: {} as SupervisedChildEvent },
  actions: {
    /** What is reported of the child from now on. */
    stand: (_, _params: ChildStanding) => noop(),
    /** The wait is over or called off. */
    disarmBackoff: noop,
    /** It has been started, or is not to be: whoever waits behind it for the same breaker may go. */
    leaveHold: noop,
  },
  guards: {
    again: ({ event }) => (event.type === 'exited' || event.type === 'start_failed') && event.again,
  },
}).createMachine({
  id: 'supervised-child',
  description: 'One child of a supervisor.',
  initial: 'stopped',
  meta: {
    events: {
      start: 'Its supervisor starts it.',
      started: 'Its init has succeeded.',
      ignored: 'Its init chose not to run.',
      start_failed: 'Its init failed; `again` when it is to be tried again.',
      exited: 'It has ended, with all below it; `again` when another incarnation is to follow.',
      back_off: 'It shall wait before it is started again.',
      backoff_elapsed: 'The wait is over.',
      hold: 'A breaker that it, or one it starts together with, depends on does not let it start now.',
      terminate: 'It is to stop, or not to be started again.',
      forget: 'Its spec is deleted.',
    },
  },
  states: {
    stopped: {
      description: 'Known, not running, and nothing is due.',
      entry: [{ type: 'stand', params: { listed: 'undefined', due: false, ...PRESENT } }, 'leaveHold'],
      on: { start: 'starting', hold: 'held', forget: 'ended' },
    },
    starting: {
      description: 'Its init runs.',
      entry: { type: 'stand', params: { listed: 'starting', due: true, ...ALIVE } },
      on: {
        started: 'running',
        ignored: 'stopped',
        start_failed: [{ guard: 'again', target: 'restarting' }, { target: 'stopped' }],
        terminate: 'stopping',
      },
    },
    running: {
      description: 'It runs.',
      entry: [{ type: 'stand', params: { listed: 'running', due: false, ...ALIVE } }, 'leaveHold'],
      on: {
        exited: [{ guard: 'again', target: 'restarting' }, { target: 'stopped' }],
        terminate: 'stopping',
      },
    },
    restarting: {
      description: 'Its restart is due, and comes as soon as its supervisor gets to it.',
      entry: [{ type: 'stand', params: { listed: 'restarting', due: true, ...DUE } }, 'leaveHold'],
      on: { start: 'starting', back_off: 'backing_off', hold: 'held', terminate: 'stopped' },
    },
    backing_off: {
      description: 'Its restart is due after a delay that grows with every failure in a row.',
      entry: { type: 'stand', params: { listed: 'restarting', due: true, ...DUE } },
      exit: 'disarmBackoff',
      on: { start: 'starting', backoff_elapsed: 'restarting', hold: 'held', terminate: 'stopped' },
    },
    held: {
      description: 'Its start is due once the breakers it depends on allow it, or it has waited long enough.',
      entry: { type: 'stand', params: { listed: 'restarting', due: true, ...DUE } },
      on: { start: 'starting', terminate: 'stopped' },
    },
    stopping: {
      description: 'It has been told to stop and has not ended yet.',
      entry: { type: 'stand', params: { listed: 'stopping', due: false, ...ALIVE } },
      on: {
        exited: [{ guard: 'again', target: 'restarting' }, { target: 'stopped' }],
        start_failed: 'stopped',
        ignored: 'stopped',
      },
    },
    ended: { description: 'Its supervisor has forgotten it.', type: 'final' },
  },
});
