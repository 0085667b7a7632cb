import { describe, expect, it } from 'vitest';
import { coded, held, setUp } from './setup.ts';

const SUBJECT = { subject: 'app/prices' };

describe('triggers of a subject that is being recovered', () => {
  it('start no second recovery: the report is given the one under way', async () => {
    const step = held();
    const { host, handle, told } = await setUp({ playbook: [{ subjects: '**', retry: step.step }] });
    const first = handle.report(coded('EPIPE'), SUBJECT);
    const second = handle.report(coded('EPIPE'), SUBJECT);
    await host.settle();
    expect(second).toMatchObject({ recovery: first.recovery, coalesced: true });
    expect(step.calls).toHaveLength(1);
    expect(handle.metrics()).toMatchObject({ initiated: 1, active: 1, coalesced: 1 });
    expect(told()).toEqual(['started retry', 'coalesced']);
  });

  it('that come before a step begins are answered by it, without a follow-up; a value is its reporter’s alone', async () => {
    const step = held();
    const { host, handle } = await setUp({ playbook: [{ subjects: '**', retry: step.step }] });
    const first = handle.report(coded('EPIPE'), SUBJECT);
    await host.settle();
    const second = handle.report(coded('EPIPE'), SUBJECT);
    step.last()?.fail(coded('EPIPE'));
    await host.advance(1_000);
    expect(step.calls).toHaveLength(2);
    step.last()?.succeed('well');
    expect(await host.runUntil(first.done)).toMatchObject({ value: 'well', coalesced: false });
    expect(await host.runUntil(second.done)).toMatchObject({
      outcome: 'recovered',
      recovery: first.recovery,
      value: undefined,
      coalesced: true,
    });
    await host.advance(60_000);
    expect([step.calls.length, handle.metrics().initiated]).toEqual([2, 1]);
  });

  it('that come while the last step runs are answered by one follow-up, however many they are', async () => {
    const step = held();
    const { host, handle, events } = await setUp({ playbook: [{ subjects: '**', retry: step.step }] });
    const first = handle.report(coded('EPIPE'), SUBJECT);
    await host.settle();
    const later = Array.from({ length: 50 }, (_, n) =>
      handle.report(Object.assign(coded('EPIPE'), { n }), SUBJECT),
    );
    step.last()?.succeed('first');
    await host.runUntil(first.done);
    await host.settle();
    expect(step.calls).toHaveLength(2);
    expect(step.calls[1]?.error).toMatchObject({ n: 49 });
    step.last()?.succeed('second');
    const outcomes = await host.runUntil(Promise.all(later.map(({ done }) => done)));
    const followUp = new Set(outcomes.map(({ recovery }) => recovery));
    expect(followUp.size).toBe(1);
    expect(followUp).not.toContain(first.recovery);
    expect(outcomes[0]).toMatchObject({ outcome: 'recovered', coalesced: true, value: undefined });
    await host.advance(60_000);
    expect(handle.metrics()).toMatchObject({ initiated: 2, recovered: 2, coalesced: 50, active: 0 });
    expect(events.filter(({ type }) => type === 'recovery.started')).toHaveLength(2);
  });

  it('are followed up also where the recovery gave up, with a budget of their own', async () => {
    const step = held();
    const { host, handle } = await setUp({ playbook: [{ subjects: '**', retry: step.step }] });
    const first = handle.report(coded('EPIPE'), SUBJECT);
    await host.advance(10_000);
    const second = handle.report(coded('EPIPE'), SUBJECT);
    expect(await host.runUntil(first.done)).toMatchObject({ outcome: 'gave_up', durationMs: 30_000 });
    await host.advance(29_000);
    step.last()?.succeed();
    expect(await host.runUntil(second.done)).toMatchObject({ outcome: 'recovered', durationMs: 29_000 });
  });

  it('a follow-up has the place of the one before it, even at capacity', async () => {
    const step = held();
    const { host, handle } = await setUp({
      maxConcurrent: 1,
      playbook: [{ subjects: '**', retry: step.step }],
    });
    const first = handle.report(coded('EPIPE'), SUBJECT);
    await host.settle();
    const second = handle.report(coded('EPIPE'), SUBJECT);
    step.last()?.succeed();
    await host.runUntil(first.done);
    await host.settle();
    expect(handle.report(coded('EPIPE'), { subject: 'other' }).recovery).toBeUndefined();
    step.last()?.succeed();
    expect(await host.runUntil(second.done)).toMatchObject({ outcome: 'recovered' });
  });

  it('other subjects are recovered side by side', async () => {
    const step = held();
    const { host, handle } = await setUp({ playbook: [{ subjects: '**', retry: step.step }] });
    for (const subject of ['a', 'b', 'c']) handle.report(coded('EPIPE'), { subject });
    await host.settle();
    expect(step.calls.map(({ subject }) => subject)).toEqual(['a', 'b', 'c']);
  });

  it('a subject that ended may be recovered again at once', async () => {
    const { host, handle } = await setUp({ playbook: [{ subjects: '**', retry: () => 'well' }] });
    for (let n = 0; n < 3; n++)
      expect(await host.runUntil(handle.handle(coded('EPIPE'), SUBJECT))).toMatchObject({
        outcome: 'recovered',
      });
    expect(handle.metrics()).toMatchObject({ initiated: 3, recovered: 3 });
  });
});
