/** The supervised child's chart, everywhere it can get to. */
import { describe, expect, it } from 'vitest';
import {
  type ChildCommand,
  type ChildStatus,
  supervisedChildMachine,
} from '../../actors/supervised-child.machine.ts';
import { checkChart } from '../../src/testing/check-chart.ts';

/** What the commands so far amount to. */
interface Facts {
  readonly process: 'none' | 'init' | 'alive';
  readonly backoff: boolean;
  readonly hold: boolean;
  readonly status: ChildStatus | undefined;
}

const initial: Facts = { process: 'none', backoff: false, hold: false, status: undefined };

const obey = (facts: Facts, command: ChildCommand): Facts => {
  if (command === 'start') return { ...facts, process: 'init' };
  if (command === 'arm_backoff') return { ...facts, backoff: true };
  if (command === 'cancel_backoff') return { ...facts, backoff: false };
  if (command === 'arm_hold') return { ...facts, hold: true };
  if (command === 'cancel_hold') return { ...facts, hold: false };
  return facts;
};

const check = checkChart(supervisedChildMachine, {
  memory: {
    initial,
    next: (facts, request) => {
      if (request.kind !== 'action') return facts;
      if (request.type === 'report') return { ...facts, status: request.params?.['status'] as ChildStatus };
      return obey(facts, request.params?.['do'] as ChildCommand);
    },
  },
  invariants: {
    'a delay is armed just as long as the child backs off': ({ after }) =>
      after.backoff === (after.status === 'restarting'),
    'a hold is armed just as long as the child is held': ({ after }) =>
      after.hold === (after.status === 'held'),
    'it starts only when it is not there already': ({ before, step }) =>
      !step.requests.some((request) => request.kind === 'action' && request.params?.['do'] === 'start') ||
      !['starting', 'running', 'stopping'].includes(before.status ?? ''),
    'an end is judged once, and only if nobody asked for it': ({ before, event, step }) => {
      const judged = step.requests.filter((r) => r.kind === 'action' && r.params?.['do'] === 'judge').length;
      const unasked = before.status === 'starting' || before.status === 'running';
      const failed = event.type === 'exited' || event.type === 'start_failed';
      return judged === (unasked && failed ? 1 : 0);
    },
    'every step says where the child stands, unless it stays there': ({ state, next, step }) =>
      state === next ||
      step.requests.some((request) => request.kind === 'action' && request.type === 'report'),
  },
});

describe('the supervised child', () => {
  it('has no problem anywhere', () => {
    expect(check.problems).toEqual([]);
  });

  it('has as many standings as it has states', () => {
    expect(new Set(check.states.map(({ snapshot }) => snapshot.value)).size).toBe(7);
  });

  it('has a way to its end from everywhere, by the events that a supervisor sends', () => {
    expect(check.states.some(({ snapshot }) => snapshot.status === 'done')).toBe(true);
  });
});
