/**
 * The lifecycle of one worker of a pool, with its health beside it. It is what runs: `src/work/pool-worker.ts` steps it in the turn
 * of whoever leases, answers or kills, and acts on what its actions write, never on a state's name.
 *
 * Invariants: work is offered only when ready and healthy; being degraded is being unhealthy, and one event ends both; nothing
 * ends but through `terminating`, except a start that never came to anything; the end of the worker ends both regions.
 * The edges of a lease carry no delay and no context: a job's deadline is a timer of its owner.
 */
import { raise, setup } from 'xstate';

/** Whether the worker may be given work: now, not now, or never again. */
export type LeaseVerdict = 'offer' | 'withhold' | 'never';

export type PoolWorkerEvent =
  | { readonly type: 'port.ready' }
  | { readonly type: 'lease.taken' }
  | { readonly type: 'lease.returned' }
  | { readonly type: 'work.doubted' }
  | { readonly type: 'check.missed'; readonly misses: number; readonly limit: number }
  | { readonly type: 'check.passed' }
  | { readonly type: 'close.wanted' }
  | { readonly type: 'kill.wanted' }
  | { readonly type: 'port.broke' }
  | { readonly type: 'port.lost' }
  | { readonly type: 'port.ended' };

const noop = (): void => {};

export const poolWorkerMachine = setup({
  types: { events: {} as PoolWorkerEvent },
  actions: {
    /** Whether it may be given work, as far as its lifecycle is concerned. */
    decide: (_, _params: { lease: LeaseVerdict }) => noop(),
    /** Whether it may be given work, as far as its health is concerned. */
    judge: (_, _params: { sound: boolean }) => noop(),
    /** Asks it for a sign of life, to be answered within the ping timeout. */
    probe: noop,
    /** Asks it to end in order; what does not end within the grace is killed. */
    closePort: noop,
    /** Ends it at once. */
    killPort: noop,
    /** It is gone: every timer is dropped and its place is free. */
    retire: noop,
  },
  guards: {
    isLost: ({ event }) => event.type === 'check.missed' && event.misses >= event.limit,
  },
}).createMachine({
  id: 'pool-worker',
  description: 'One worker of a pool: what it is doing, and whether it can be trusted.',
  type: 'parallel',
  meta: {
    events: {
      'port.ready': 'It said that it takes jobs.',
      'lease.taken': 'Somebody was given it, to run one job or to hold it.',
      'lease.returned': 'Whoever held it is done, and nothing speaks against it.',
      'work.doubted': 'It came back in doubt: it gave up a job only when asked to.',
      'check.missed': 'A ping was not answered in time.',
      'check.passed': 'A ping was answered.',
      'close.wanted': 'It is no longer needed.',
      'kill.wanted': 'It must end now: it ignored a cancel, a close, or its pool is gone.',
      'port.broke': 'It broke the protocol and is being killed.',
      'port.lost': 'It was found to be gone without having been told to go.',
      'port.ended': 'The last of it is gone.',
    },
  },
  states: {
    lifecycle: {
      description: 'What it is doing, and so whether it may be given work.',
      initial: 'initializing',
      states: {
        initializing: {
          description: 'Started, and not yet heard of.',
          entry: { type: 'decide', params: { lease: 'withhold' } },
          on: {
            'port.ready': { target: 'ready' },
            'close.wanted': { target: 'terminating', actions: 'closePort' },
            'kill.wanted': { target: 'terminating', actions: 'killPort' },
            'port.broke': { target: 'terminating' },
            'port.ended': { target: 'terminated' },
          },
        },
        ready: {
          description: 'Waiting for work.',
          entry: { type: 'decide', params: { lease: 'offer' } },
          on: {
            'lease.taken': { target: 'busy' },
            'work.doubted': { target: 'degraded' },
            'check.missed': [
              { guard: 'isLost', target: 'terminating', actions: 'killPort' },
              { target: 'degraded' },
            ],
            'close.wanted': { target: 'terminating', actions: 'closePort' },
            'kill.wanted': { target: 'terminating', actions: 'killPort' },
            'port.broke': { target: 'terminating' },
            'port.lost': { target: 'terminating' },
            'port.ended': { target: 'terminating', actions: raise({ type: 'port.ended' }) },
          },
        },
        busy: {
          description: "Somebody's: it answers to the deadline of its job, not to pings.",
          entry: { type: 'decide', params: { lease: 'withhold' } },
          on: {
            'lease.returned': { target: 'ready' },
            'work.doubted': { target: 'degraded' },
            'close.wanted': { target: 'terminating', actions: 'closePort' },
            'kill.wanted': { target: 'terminating', actions: 'killPort' },
            'port.broke': { target: 'terminating' },
            'port.lost': { target: 'terminating' },
            'port.ended': { target: 'terminating', actions: raise({ type: 'port.ended' }) },
          },
        },
        degraded: {
          description: 'In doubt: routed around and probed, until it is restored or given up.',
          entry: { type: 'decide', params: { lease: 'withhold' } },
          on: {
            'check.passed': { target: 'ready' },
            'check.missed': { guard: 'isLost', target: 'terminating', actions: 'killPort' },
            'close.wanted': { target: 'terminating', actions: 'closePort' },
            'kill.wanted': { target: 'terminating', actions: 'killPort' },
            'port.broke': { target: 'terminating' },
            'port.lost': { target: 'terminating' },
            'port.ended': { target: 'terminating', actions: raise({ type: 'port.ended' }) },
          },
        },
        terminating: {
          description: 'On its way out, in order or by force.',
          entry: { type: 'decide', params: { lease: 'never' } },
          on: {
            'kill.wanted': { actions: 'killPort' },
            'port.ended': { target: 'terminated' },
          },
        },
        terminated: {
          description: 'Gone.',
          type: 'final',
          entry: [{ type: 'decide', params: { lease: 'never' } }, 'retire'],
        },
      },
    },
    health: {
      description: 'Whether it can be trusted with work.',
      initial: 'unknown',
      states: {
        unknown: {
          description: 'It has not been heard of.',
          entry: { type: 'judge', params: { sound: false } },
          on: {
            'port.ready': { target: 'healthy' },
            'port.ended': { target: 'over' },
          },
        },
        healthy: {
          description: 'It answers.',
          entry: { type: 'judge', params: { sound: true } },
          on: {
            'check.missed': { target: 'unhealthy' },
            'work.doubted': { target: 'unhealthy' },
            'port.ended': { target: 'over' },
          },
        },
        unhealthy: {
          description: 'A sign of life is awaited.',
          entry: [{ type: 'judge', params: { sound: false } }, 'probe'],
          on: {
            'check.passed': { target: 'healthy' },
            'check.missed': { actions: 'probe' },
            'port.ended': { target: 'over' },
          },
        },
        over: {
          description: 'There is nothing left to be well or ill.',
          type: 'final',
          entry: { type: 'judge', params: { sound: false } },
        },
      },
    },
  },
});
