import { describe, expect, it } from 'vitest';
import { remedies } from '../../src/recovery/remedy.ts';
import { coded, held, setUp } from './setup.ts';

const SUBJECT = { subject: 'app/prices' };

describe('the deadline', () => {
  const never = () => new Promise<never>(() => undefined);

  it.each([
    ['critical', false, 5_000],
    ['major', false, 30_000],
    ['minor', false, 60_000],
    ['critical', true, 2_500],
    ['major', true, 15_000],
    ['minor', true, 30_000],
  ] as const)(
    'of a %s failure (user-facing: %s) is %i ms, whatever its step does',
    async (severity, userFacing, ms) => {
      const { host, handle } = await setUp({
        playbook: [{ subjects: '**', remedy: remedies.retry(3), retry: never }],
      });
      const { done } = handle.report(coded('EPIPE'), { ...SUBJECT, severity, userFacing });
      await host.advance(ms - 1);
      expect(handle.metrics().active).toBe(1);
      await host.advance(1);
      expect(await done).toMatchObject({
        outcome: 'gave_up',
        durationMs: ms,
        abandoned: ['retry'],
        error: { code: 'ERR_RECOVERY_DEADLINE', data: { budgetMs: ms } },
      });
    },
  );

  it('of a severity that nobody knows is 10,000 ms', async () => {
    const classifier = {
      classify: () =>
        ({
          category: 'odd',
          severity: 'odd',
          remedy: remedies.retry(1),
          attempt: 1,
          userFacing: false,
        }) as never,
    };
    const { host, handle } = await setUp({ classifier, playbook: [{ subjects: '**', retry: never }] });
    expect(await host.runUntil(handle.handle(1, SUBJECT))).toMatchObject({ durationMs: 10_000 });
  });

  it('can be set, by severity, and is cut by that of the report', async () => {
    const { host, handle } = await setUp({
      budgets: { majorMs: 700 },
      playbook: [{ subjects: '**', retry: never }],
    });
    expect(await host.runUntil(handle.handle(coded('EPIPE'), SUBJECT))).toMatchObject({ durationMs: 700 });
    const deadline = host.monotonic() + 300;
    expect(await host.runUntil(handle.handle(coded('EPIPE'), { ...SUBJECT, deadline }))).toMatchObject({
      durationMs: 300,
    });
  });

  it('tells the step 100 ms before: one that obeys is not named, one that ends well has recovered', async () => {
    const { host, handle } = await setUp({
      playbook: [
        {
          subjects: 'app/obeys',
          retry: ({ signal }) =>
            new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
        },
        {
          subjects: 'app/ends',
          retry: ({ signal }) =>
            new Promise((resolve) => signal.addEventListener('abort', () => resolve('at last'))),
        },
      ],
    });
    const obeys = handle.handle(coded('EPIPE'), { subject: 'app/obeys' });
    const ends = handle.handle(coded('EPIPE'), { subject: 'app/ends' });
    expect(await host.runUntil(obeys)).toMatchObject({
      outcome: 'gave_up',
      durationMs: 29_900,
      abandoned: [],
      error: { code: 'ERR_RECOVERY_DEADLINE' },
    });
    expect(await host.runUntil(ends)).toMatchObject({
      outcome: 'recovered',
      value: 'at last',
      durationMs: 29_900,
    });
  });

  it('names who goes on as a straggler until it settles, and its result moves nothing', async () => {
    const step = held();
    const { host, handle } = await setUp({ playbook: [{ subjects: '**', retry: step.step }] });
    const { recovery: id, done } = handle.report(coded('EPIPE'), SUBJECT);
    await host.runUntil(done);
    expect(handle.inspect().stragglers).toEqual([`${id}/retry`]);
    step.last()?.succeed('too late');
    await host.settle();
    expect(handle.inspect().stragglers).toEqual([]);
    expect(handle.status(id as string)).toMatchObject({ outcome: 'gave_up' });
    expect(handle.metrics()).toMatchObject({ recovered: 0, gaveUp: 1 });
  });

  it('leaves no timer behind', async () => {
    const { host, handle } = await setUp();
    await host.runUntil(handle.handle(coded('EPIPE'), { ...SUBJECT, operation: () => 1 }));
    expect(host.pendingTimers()).toEqual([]);
  });
});
