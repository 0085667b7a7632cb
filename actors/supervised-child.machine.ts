/**
 * The lifecycle of one child as its supervisor sees it. It is what runs: `src/supervision/` steps it and carries out what its
 * actions write, never branching on a state's name.
 *
 * Invariants: an end that nobody asked for, and a start that failed, are put to the supervisor's judgement exactly once,
 * when they happen; the end of a delay or a hold is judged by nobody. A delay is armed just as long as the child backs off. A
 * child that was asked to stop never starts by itself. It reads no clock and counts nothing: how long a delay is,
 * and whether the limit is reached, is the supervisor's to say.
 */
import { setup } from 'xstate';

/** What stands in the supervisor's list of children: OTP's `undefined` and `restarting`, a pid, and our hold. */
export type ChildStatus = 'undefined' | 'starting' | 'running' | 'restarting' | 'held' | 'stopping' | 'gone';

/** What its supervisor is to do about it. `judge`: count this failure and answer it with an event, or leave it. */
export type ChildCommand =
  | 'start'
  | 'abort_start'
  | 'shut_down'
  | 'judge'
  | 'arm_backoff'
  | 'cancel_backoff'
  | 'arm_hold'
  | 'cancel_hold';

export type SupervisedChildEvent =
  | { readonly type: 'start' }
  | { readonly type: 'started' }
  | { readonly type: 'ignored' }
  | { readonly type: 'start_failed' }
  | { readonly type: 'exited' }
  | { readonly type: 'retry' }
  | { readonly type: 'back_off' }
  | { readonly type: 'backoff_elapsed' }
  | { readonly type: 'hold' }
  | { readonly type: 'release' }
  | { readonly type: 'terminate' }
  | { readonly type: 'forget' };

const noop = (): void => {};

export const supervisedChildMachine = setup({
  types: { events: {} as SupervisedChildEvent },
  actions: {
    /** What the supervisor's list shows from now on. */
    report: (_, _params: { status: ChildStatus }) => noop(),
    /** What the supervisor does now. */
    command: (_, _params: { do: ChildCommand }) => noop(),
  },
}).createMachine({
  id: 'supervised-child',
  description: 'One child of a supervisor, from its spec to its end.',
  initial: 'stopped',
  meta: {
    events: {
      start: 'Its supervisor wants it: at first, again after a stop, or with its group.',
      started: 'Its init is done: it lives.',
      ignored: 'Its init declined: there is nothing to run, and that is no failure.',
      start_failed: 'Its init failed, was aborted, or was too slow.',
      exited: 'It ended, for whatever reason.',
      retry: 'Judged: it starts again at once.',
      back_off: 'Judged: it starts again after a delay; while it waits already, after the delay set anew.',
      backoff_elapsed: 'The delay is over.',
      hold: 'Something it depends on is open: it waits for that instead of starting.',
      release: 'What it waited for lets it start, or has kept it long enough.',
      terminate: 'It shall stop, or stop waiting.',
      forget: 'Its spec is deleted.',
    },
  },
  states: {
    stopped: {
      description: 'Known, and not running: before its first start, stopped, done, or waiting to be judged.',
      entry: { type: 'report', params: { status: 'undefined' } },
      on: { start: 'starting', retry: 'starting', back_off: 'backing_off', hold: 'held', forget: 'ended' },
    },
    starting: {
      description: 'Its init runs.',
      entry: [
        { type: 'report', params: { status: 'starting' } },
        { type: 'command', params: { do: 'start' } },
      ],
      on: {
        started: 'running',
        ignored: 'stopped',
        start_failed: { target: 'stopped', actions: { type: 'command', params: { do: 'judge' } } },
        exited: { target: 'stopped', actions: { type: 'command', params: { do: 'judge' } } },
        terminate: { target: 'stopping', actions: { type: 'command', params: { do: 'abort_start' } } },
      },
    },
    running: {
      description: 'It lives.',
      entry: { type: 'report', params: { status: 'running' } },
      on: {
        exited: { target: 'stopped', actions: { type: 'command', params: { do: 'judge' } } },
        terminate: { target: 'stopping', actions: { type: 'command', params: { do: 'shut_down' } } },
      },
    },
    backing_off: {
      description: 'Failed, and waiting out its delay before it starts again.',
      entry: [
        { type: 'report', params: { status: 'restarting' } },
        { type: 'command', params: { do: 'arm_backoff' } },
      ],
      exit: { type: 'command', params: { do: 'cancel_backoff' } },
      on: {
        backoff_elapsed: 'starting',
        retry: 'starting',
        back_off: { target: 'backing_off', reenter: true },
        hold: 'held',
        terminate: 'stopped',
        forget: 'ended',
      },
    },
    held: {
      description: 'Not started, as long as something it depends on is open.',
      entry: [
        { type: 'report', params: { status: 'held' } },
        { type: 'command', params: { do: 'arm_hold' } },
      ],
      exit: { type: 'command', params: { do: 'cancel_hold' } },
      on: { release: 'starting', back_off: 'backing_off', terminate: 'stopped', forget: 'ended' },
    },
    stopping: {
      description: 'Told to stop, and not yet gone.',
      entry: { type: 'report', params: { status: 'stopping' } },
      on: {
        // An init that was aborted may still come to any end of its own.
        started: { actions: { type: 'command', params: { do: 'shut_down' } } },
        ignored: 'stopped',
        start_failed: 'stopped',
        exited: 'stopped',
      },
    },
    ended: {
      description: 'Gone from the list for good.',
      type: 'final',
      entry: { type: 'report', params: { status: 'gone' } },
    },
  },
});
