/** The supervised child's chart, everywhere it can get to. */
import { describe, expect, it } from 'vitest';
import { type ChildStanding, supervisedChildMachine } from '../../actors/supervised-child.machine.ts';
import { checkChart } from '../../src/testing/check-chart.ts';
import { events } from './supervised-child.events.ts';

interface Facts {
  readonly standing: ChildStanding | undefined;
  readonly disarmed: boolean;
  /** Whoever waits behind it for a breaker has been let go since it was last to start. */
  readonly leftHold: boolean;
}

const initial: Facts = { standing: undefined, disarmed: false, leftHold: true };

const check = checkChart(supervisedChildMachine, {
  events,
  memory: {
    initial,
    next: (facts, request) => {
      if (request.kind !== 'action') return facts;
      if (request.type === 'stand') {
        const standing = request.params as unknown as ChildStanding;
        return { ...facts, standing, leftHold: facts.leftHold && standing.listed !== 'starting' };
      }
      if (request.type === 'leaveHold') return { ...facts, leftHold: true };
      return { ...facts, disarmed: request.type === 'disarmBackoff' };
    },
  },
  invariants: {
    'a child that lives is refused a second start, a restart and its deletion': ({ after }) =>
      !['running', 'starting', 'stopping'].includes(after.standing?.listed ?? '') ||
      (after.standing?.onStart === 'ERR_CHILD_ALREADY_STARTED' &&
        after.standing.onDelete === 'ERR_CHILD_RUNNING'),
    'a child whose restart is due is not deleted from under it': ({ after }) =>
      after.standing?.listed !== 'restarting' || after.standing.onDelete === 'ERR_CHILD_RESTARTING',
    'terminate ends everything that is due': ({ event, after, step }) =>
      event.type !== 'terminate' || !step.changed || after.standing?.due === false,
    'a child whose start is over, one way or another, keeps nobody else from a breaker': ({ next, after }) =>
      after.leftHold || !['running', 'stopped', 'restarting'].includes(String(next)),
    'every step says where the child stands': ({ state, next, step }) =>
      state === next ||
      step.snapshot.status === 'done' ||
      step.requests.some((request) => request.kind === 'action' && request.type === 'stand'),
  },
});

describe('the supervised child', () => {
  it('has no problem anywhere', () => {
    expect(check.problems).toEqual([]);
  });

  it('has as many standings as it has states', () => {
    expect(new Set(check.states.map(({ snapshot }) => snapshot.value)).size).toBe(8);
  });
});
