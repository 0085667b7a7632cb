/**
 * The phases of an application, from boot to the last closed resource. It is what runs: `src/application/` performs what its
 * actions ask for and reports back.
 *
 * Invariant: phases only move forward, and whatever happens there is a way to `stopped`. A stop asked for twice, during
 * boot, or after the root gave up, is one sequence. It keeps no time: the deadline arrives as an event.
 */
import { setup } from 'xstate';

/** What the application does next. */
export type ApplicationTask =
  | 'boot'
  | 'abort_boot'
  | 'wait'
  | 'drain'
  | 'stop'
  | 'force'
  | 'close'
  | 'finish';

/** What it is to the outside: whether it may be sent work. */
export interface ApplicationStanding {
  readonly phase:
    | 'idle'
    | 'booting'
    | 'running'
    | 'unready'
    | 'draining'
    | 'stopping'
    | 'closing'
    | 'stopped';
  /** Whether readiness may be reported at all. */
  readonly serving: boolean;
  /** Whether `stop` has begun. */
  readonly ending: boolean;
}

export type ApplicationEvent =
  | { readonly type: 'boot' }
  | { readonly type: 'booted' }
  | { readonly type: 'boot.failed' }
  | { readonly type: 'stop.wanted' }
  | { readonly type: 'root.ended' }
  | { readonly type: 'delay.elapsed' }
  | { readonly type: 'drained' }
  | { readonly type: 'tree.stopped' }
  | { readonly type: 'deadline.passed' }
  | { readonly type: 'closed' };

const noop = (): void => {};

const standing = (phase: ApplicationStanding['phase'], serving: boolean, ending: boolean) =>
  ({ type: 'stand', params: { phase, serving, ending } }) as const;
const task = (name: ApplicationTask) => ({ type: 'perform', params: { task: name } }) as const;

export const applicationMachine = setup({
  types: { events: {} as ApplicationEvent },
  actions: {
    /** What the application is to the outside from now on. */
    stand: (_, _params: ApplicationStanding) => noop(),
    /** What is to be done now. */
    perform: (_, _params: { task: ApplicationTask }) => noop(),
  },
}).createMachine({
  id: 'application',
  description: 'The life of one application.',
  initial: 'idle',
  meta: {
    events: {
      boot: 'It is told to start.',
      booted: 'All resources are open and the tree has started.',
      'boot.failed': 'A resource or the tree did not start.',
      'stop.wanted': 'Someone wants it to end: a caller, a signal, a stray error.',
      'root.ended': 'The root supervisor has ended by itself.',
      'delay.elapsed': 'Load balancers have had their time to notice that it is not ready.',
      drained: 'Intake has stopped and the work in flight has ended.',
      'tree.stopped': 'The tree has stopped.',
      'deadline.passed': 'The time for an orderly end is used up.',
      closed: 'Every resource has been closed, or given up.',
    },
  },
  states: {
    idle: {
      description: 'Not started yet.',
      entry: standing('idle', false, false),
      on: { boot: 'booting' },
    },
    booting: {
      description: 'Resources open in order, then the tree starts, then what depends on the tree opens.',
      entry: [standing('booting', false, false), task('boot')],
      on: {
        booted: 'running',
        'boot.failed': 'draining',
        'stop.wanted': 'aborting',
        'root.ended': 'aborting',
      },
    },
    aborting: {
      description: 'To end while it boots: what is under way is broken off, then what was reached is undone.',
      entry: [standing('draining', false, true), task('abort_boot')],
      on: { booted: 'draining', 'boot.failed': 'draining', 'deadline.passed': 'forcing' },
    },
    running: {
      description: 'It serves.',
      entry: standing('running', true, false),
      on: { 'stop.wanted': 'unready', 'root.ended': 'draining' },
    },
    unready: {
      description: 'Not ready any more, and still serving, until load balancers have noticed.',
      entry: [standing('unready', false, true), task('wait')],
      on: { 'delay.elapsed': 'draining', 'root.ended': 'draining', 'deadline.passed': 'forcing' },
    },
    draining: {
      description: 'Intake stops and work in flight ends, while everything it depends on lives.',
      entry: [standing('draining', false, true), task('drain')],
      on: { drained: 'stopping', 'deadline.passed': 'forcing' },
    },
    stopping: {
      description: 'The tree stops in reverse order.',
      entry: [standing('stopping', false, true), task('stop')],
      on: { 'tree.stopped': 'closing', 'deadline.passed': 'forcing' },
    },
    forcing: {
      description: 'Out of time: whatever is left is killed together.',
      entry: [standing('stopping', false, true), task('force')],
      on: { 'tree.stopped': 'closing' },
    },
    closing: {
      description: 'Resources close, dependants first, within the reserve.',
      entry: [standing('closing', false, true), task('close')],
      on: { closed: 'stopped' },
    },
    stopped: {
      description: 'Over; the report says what survived.',
      type: 'final',
      entry: [standing('stopped', false, true), task('finish')],
    },
  },
});
