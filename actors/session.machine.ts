/**
 * The life of one process of a session, with the execution that it has beside it. It is what runs: `src/execution/session-life.ts`
 * steps it in the turn of whoever executes, answers or kills, and acts on what its actions write, never on a state's name.
 *
 * Invariants: code is taken only while nothing runs; whoever ignores a cancellation is first interrupted and then killed, never
 * taken for free; what is on its way out is never ready again: a replacement is another process, with a chart of its own.
 */
import { raise, setup } from 'xstate';

/** Whether the process may be given code: now, not now, or never again. */
export type TakeVerdict = 'offer' | 'withhold' | 'never';

export type SessionEvent =
  | { readonly type: 'port.ready' }
  | { readonly type: 'session.opened' }
  | { readonly type: 'execution.begun' }
  | { readonly type: 'execution.answered'; readonly keep: boolean }
  | { readonly type: 'checkpoint.done' }
  | { readonly type: 'cancel.wanted' }
  | { readonly type: 'cancel.ignored' }
  | { readonly type: 'close.wanted' }
  | { readonly type: 'session.failed' }
  | { readonly type: 'port.ended' };

const noop = (): void => {};

export const sessionMachine = setup({
  types: { events: {} as SessionEvent },
  actions: {
    /** Whether it may be given code. */
    decide: (_, _params: { take: TakeVerdict }) => noop(),
    /** Builds the namespace, and puts back what a predecessor left. */
    open: noop,
    /** Writes down what of the namespace can be kept. */
    takeCheckpoint: noop,
    /** First stage: asks the execution to end; it may clean up. */
    askCancel: noop,
    /** Second stage: breaks into it. */
    interrupt: noop,
    /** Why it is killed, where nothing that befell it says so. */
    blame: (_, _params: { why: string }) => noop(),
    /** Asks the process to end in order. */
    closePort: noop,
    /** Third stage, and the end of whatever does not answer: SIGKILL to all that it started. */
    killPort: noop,
    /** It is gone: every timer is dropped, and whoever waits is told. */
    retire: noop,
  },
  guards: {
    isToBeKept: ({ event }) => event.type === 'execution.answered' && event.keep,
  },
  delays: {
    readyMs: 10_000,
    cancelGraceMs: 500,
    interruptGraceMs: 500,
    closeGraceMs: 5_000,
  },
}).createMachine({
  id: 'session',
  description: 'One process of a session: what it is doing, and how far a cancellation has come.',
  type: 'parallel',
  meta: {
    events: {
      'port.ready': 'The process said that it takes jobs.',
      'session.opened': 'Its namespace stands.',
      'execution.begun': 'It was given code.',
      'execution.answered': 'The code has ended, well or not; everything it printed is here.',
      'checkpoint.done': 'The namespace was written down, or cannot be.',
      'cancel.wanted': 'The code shall end: somebody asked, its deadline has passed, or it broke a limit.',
      'cancel.ignored': 'It neither gave up when asked nor when interrupted.',
      'close.wanted': 'The session is no longer needed.',
      'session.failed': 'It cannot go on: it did not open, broke the protocol, or gives no sign of life.',
      'port.ended': 'The last of the process is gone.',
    },
  },
  states: {
    lifecycle: {
      description: 'What it is doing, and so whether it may be given code.',
      initial: 'creating',
      states: {
        creating: {
          description: 'The process was launched and has not been heard of.',
          entry: { type: 'decide', params: { take: 'withhold' } },
          after: {
            readyMs: { target: 'error', actions: { type: 'blame', params: { why: 'not_ready_in_time' } } },
          },
          on: {
            'port.ready': { target: 'warming' },
            'close.wanted': { target: 'shutting_down' },
            'session.failed': { target: 'error' },
            'port.ended': { target: 'terminated' },
          },
        },
        warming: {
          description: 'Its namespace is being made.',
          entry: 'open',
          after: {
            readyMs: { target: 'error', actions: { type: 'blame', params: { why: 'not_ready_in_time' } } },
          },
          on: {
            'session.opened': { target: 'ready' },
            'close.wanted': { target: 'shutting_down' },
            'session.failed': { target: 'error' },
            'port.ended': { target: 'terminated' },
          },
        },
        ready: {
          description: 'It waits for its first code.',
          entry: { type: 'decide', params: { take: 'offer' } },
          on: {
            'execution.begun': { target: 'busy' },
            'close.wanted': { target: 'shutting_down' },
            'session.failed': { target: 'error' },
            'port.ended': { target: 'terminated' },
          },
        },
        busy: {
          description: 'It runs code, or writes down what that left.',
          entry: { type: 'decide', params: { take: 'withhold' } },
          on: {
            'execution.answered': [{ guard: 'isToBeKept', actions: 'takeCheckpoint' }, { target: 'idle' }],
            'checkpoint.done': { target: 'idle' },
            'cancel.ignored': {
              target: 'error',
              actions: { type: 'blame', params: { why: 'cancel_ignored' } },
            },
            'close.wanted': { target: 'shutting_down' },
            'session.failed': { target: 'error' },
            'port.ended': { target: 'terminated' },
          },
        },
        idle: {
          description: 'It waits for more code.',
          entry: { type: 'decide', params: { take: 'offer' } },
          on: {
            'execution.begun': { target: 'busy' },
            'close.wanted': { target: 'shutting_down' },
            'session.failed': { target: 'error' },
            'port.ended': { target: 'terminated' },
          },
        },
        error: {
          description: 'It cannot go on, and is being killed.',
          entry: [{ type: 'decide', params: { take: 'never' } }, 'killPort'],
          on: { 'port.ended': { target: 'terminated' } },
        },
        shutting_down: {
          description: 'It was asked to end.',
          entry: [{ type: 'decide', params: { take: 'never' } }, 'closePort'],
          after: {
            closeGraceMs: { target: 'error', actions: { type: 'blame', params: { why: 'close_ignored' } } },
          },
          on: {
            'session.failed': { target: 'error' },
            'port.ended': { target: 'terminated' },
          },
        },
        terminated: {
          description: 'Gone.',
          type: 'final',
          entry: [{ type: 'decide', params: { take: 'never' } }, 'retire'],
        },
      },
    },
    execution: {
      description: 'How far the ending of what it runs has come.',
      initial: 'none',
      states: {
        none: {
          description: 'Nothing runs.',
          on: { 'execution.begun': { target: 'running' }, 'port.ended': { target: 'over' } },
        },
        running: {
          description: 'Code runs, and nobody wants it to end.',
          on: {
            'cancel.wanted': { target: 'cancelling' },
            'execution.answered': { target: 'none' },
            'port.ended': { target: 'over' },
          },
        },
        cancelling: {
          description: 'It was asked to end.',
          entry: 'askCancel',
          after: { cancelGraceMs: { target: 'interrupting' } },
          on: { 'execution.answered': { target: 'none' }, 'port.ended': { target: 'over' } },
        },
        interrupting: {
          description: 'It was broken into.',
          entry: 'interrupt',
          after: { interruptGraceMs: { target: 'ignoring', actions: raise({ type: 'cancel.ignored' }) } },
          on: { 'execution.answered': { target: 'none' }, 'port.ended': { target: 'over' } },
        },
        ignoring: {
          description: 'It holds the process, which goes with it.',
          on: { 'port.ended': { target: 'over' } },
        },
        over: { description: 'There is nothing left to run anything.', type: 'final' },
      },
    },
  },
});
