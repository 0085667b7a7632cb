import { describe, expect, it } from 'vitest';
import { type AdmissionVerdict, poolMachine } from '../../actors/pool.machine.ts';
import type { Step } from '../../src/chart/chart.ts';
import { checkChart } from '../../src/testing/check-chart.ts';
import { events } from './pool.events.ts';

/** What the chart's requests amount to over time. */
interface Ledger {
  readonly admission: AdmissionVerdict | undefined;
  /** A probe is scheduled or under way. */
  readonly probing: boolean;
  readonly closed: boolean;
  readonly serving: boolean | undefined;
}

const initial: Ledger = { admission: undefined, probing: false, closed: false, serving: undefined };

const CHANGES: Readonly<Record<string, Partial<Ledger>>> = {
  scheduleProbe: { probing: true },
  cancelProbe: { probing: false },
  closeWorkers: { closed: true },
};

const asks = (step: Step, type: string): boolean =>
  step.requests.some((request) => request.kind === 'action' && request.type === type);

describe('the chart of a pool', () => {
  const report = checkChart(poolMachine, {
    events,
    memory: {
      initial,
      next: (before, request) => {
        if (request.kind !== 'action') return before;
        const { type, params } = request;
        if (type === 'decide') return { ...before, admission: params?.['admission'] as AdmissionVerdict };
        if (type === 'serve') return { ...before, serving: params?.['serving'] as boolean };
        return { ...before, ...CHANGES[type] };
      },
    },
    invariants: {
      'while crashes loop, jobs are refused and a probe is on its way, and only then': ({ after }) =>
        (after.admission === 'refuse_crash_loop') === after.probing,
      'while crashes loop, nothing is replaced': ({ before, step }) =>
        before.admission !== 'refuse_crash_loop' || !asks(step, 'replaceWorker'),
      'whoever turns jobs away at the door tells those inside': ({ before, after, step }) =>
        after.admission !== 'refuse_crash_loop' ||
        before.admission === 'refuse_crash_loop' ||
        (asks(step, 'rejectWaiting') && asks(step, 'announceDegraded')),
      'a crash loop is made by crashes alone': ({ before, after, event }) =>
        after.admission !== 'refuse_crash_loop' ||
        before.admission === 'refuse_crash_loop' ||
        (event.type === 'worker.lost' && event.crashed && event.crashes >= event.limit),
      'it ends with a success, told and with all places filled': ({ before, after, event, step }) =>
        before.admission !== 'refuse_crash_loop' ||
        after.admission !== 'admit' ||
        ((event.type === 'job.succeeded' || (event.type === 'worker.started' && event.probe)) &&
          asks(step, 'announceRestored') &&
          asks(step, 'fillPlaces')),
      'a lost worker is replaced wherever jobs may come in': ({ before, after, event, step }) =>
        event.type !== 'worker.lost' ||
        before.admission !== 'admit' ||
        after.admission !== 'admit' ||
        asks(step, 'replaceWorker'),
      'while it drains, only what still waits is worth a new worker': ({ before, event, step }) =>
        before.admission !== 'refuse_draining' ||
        event.type !== 'worker.lost' ||
        asks(step, 'replaceWorker') === event.waiting > 0,
      'once it drains, nothing is let in again': ({ before, after }) =>
        before.admission !== 'refuse_draining' ||
        after.admission === 'refuse_draining' ||
        after.admission === 'refuse_closed',
      'a pause refuses nobody': ({ before, after, event }) =>
        (event.type !== 'pause.wanted' && event.type !== 'resume.wanted') ||
        before.admission === after.admission,
      'nothing but a pause keeps those who wait from being served': ({ before, after, event }) =>
        after.serving !== false || before.serving === false || event.type === 'pause.wanted',
      'while it drains it is never paused, so that every drain ends': ({ after }) =>
        after.admission !== 'refuse_draining' || after.serving === true,
      'once it is closed, nothing happens any more': ({ before, step }) => !before.closed || !step.changed,
      'closed is closed': ({ next, after }) => (next.status === 'done') === after.closed,
    },
  });

  it('has no deadlock, no unreachable state, no edge that is never taken, and keeps its invariants', () => {
    expect(report.problems).toEqual([]);
  });
});
