import { describe, expect, it } from 'vitest';
import { recovery } from '../../src/recovery/recovery.ts';
import { remedies } from '../../src/recovery/remedy.ts';
import { coded, failing, held, setUp } from './setup.ts';

const SUBJECT = { subject: 'app/prices' };

describe('capacity', () => {
  it('the third at once is refused where two may run, and its report is answered, not rejected', async () => {
    const step = held();
    const { host, handle, told } = await setUp({
      maxConcurrent: 2,
      playbook: [{ subjects: '**', retry: step.step }],
    });
    const [a, b, c] = ['a', 'b', 'c'].map((subject) => handle.report(coded('EPIPE'), { subject }));
    await host.settle();
    expect(step.calls).toHaveLength(2);
    expect(c?.recovery).toBeUndefined();
    expect(await c?.done).toMatchObject({
      outcome: 'refused',
      error: { code: 'ERR_RECOVERY_CAPACITY', data: { subject: 'c', limit: 2 } },
    });
    expect(handle.metrics()).toMatchObject({ active: 2, refused: 1, initiated: 2 });
    expect(told()).toContain('refused ERR_RECOVERY_CAPACITY');
    step.first()?.succeed();
    await host.runUntil(a?.done as Promise<unknown>);
    expect(handle.report(coded('EPIPE'), { subject: 'c' }).recovery).toBeDefined();
    expect(handle.cancel(b?.recovery as string)).toBe(true);
  });

  it('is 10 by default; the abandoned take none', async () => {
    const { handle } = await setUp();
    const never = () => new Promise(() => undefined);
    for (let n = 0; n < 30; n++) handle.report(new Error('?'), { subject: `gone-${n}` });
    const ids = Array.from(
      { length: 11 },
      (_, n) => handle.report(coded('EPIPE'), { subject: `s-${n}`, operation: never }).recovery,
    );
    expect(ids.map((id) => id !== undefined)).toEqual([...new Array(10).fill(true), false]);
  });

  it('a slow step delays nobody', async () => {
    const slow = held();
    const { host, handle } = await setUp({ playbook: [{ subjects: 'slow', retry: slow.step }] });
    handle.report(coded('EPIPE'), { subject: 'slow' });
    const quick = await host.runUntil(
      handle.handle(coded('EPIPE'), { subject: 'quick', operation: () => 'quick' }),
    );
    expect(quick).toMatchObject({ value: 'quick', durationMs: 0 });
  });
});

describe('cancel', () => {
  it('during a delay ends it at once', async () => {
    const { host, handle } = await setUp();
    const operation = failing(coded('EPIPE'));
    const { recovery: id, done } = handle.report(coded('EPIPE'), {
      ...SUBJECT,
      operation: operation.step(host),
    });
    await host.advance(500);
    expect(handle.cancel(id as string)).toBe(true);
    expect(await done).toMatchObject({
      outcome: 'cancelled',
      error: { code: 'ERR_RECOVERY_CANCELLED' },
      durationMs: 500,
    });
    await host.advance(60_000);
    expect(operation.at).toHaveLength(1);
  });

  it('during a step tells it to stop, and names one that does not within 100 ms', async () => {
    const step = held();
    const { host, handle } = await setUp({ playbook: [{ subjects: '**', retry: step.step }] });
    const { recovery: id, done } = handle.report(coded('EPIPE'), SUBJECT);
    await host.settle();
    expect(handle.cancel(id as string)).toBe(true);
    expect(step.calls[0]?.signal.aborted).toBe(true);
    expect(step.calls[0]?.signal.reason).toMatchObject({ code: 'ERR_RECOVERY_CANCELLED' });
    expect(await host.runUntil(done)).toMatchObject({
      outcome: 'cancelled',
      durationMs: 100,
      abandoned: ['retry'],
    });
  });

  it('of a step that obeys ends when it has', async () => {
    const step = held();
    const { host, handle } = await setUp({ playbook: [{ subjects: '**', retry: step.step }] });
    const { recovery: id, done } = handle.report(coded('EPIPE'), SUBJECT);
    await host.settle();
    handle.cancel(id as string);
    await host.advance(40);
    step.last()?.succeed('done all the same');
    expect(await host.runUntil(done)).toMatchObject({
      outcome: 'cancelled',
      durationMs: 40,
      abandoned: [],
      value: undefined,
    });
  });

  it('twice is one cancellation; of what is over, or unknown, it is false', async () => {
    const step = held();
    const { host, handle, told } = await setUp({ playbook: [{ subjects: '**', retry: step.step }] });
    const { recovery: id, done } = handle.report(coded('EPIPE'), SUBJECT);
    await host.settle();
    expect([handle.cancel(id as string), handle.cancel(id as string)]).toEqual([true, true]);
    await host.runUntil(done);
    expect([handle.cancel(id as string), handle.cancel('recovery-9')]).toEqual([false, false]);
    expect(told().filter((line) => line.startsWith('ended'))).toEqual(['ended cancelled']);
    expect(handle.metrics().cancelled).toBe(1);
  });

  it('before its step has begun means that it never begins', async () => {
    const step = held();
    const { host, handle } = await setUp({ playbook: [{ subjects: '**', retry: step.step }] });
    const { recovery: id, done } = handle.report(coded('EPIPE'), SUBJECT);
    handle.cancel(id as string);
    expect(await host.runUntil(done)).toMatchObject({ outcome: 'cancelled', durationMs: 0 });
    expect(step.calls).toEqual([]);
  });

  it('answers what was coalesced too, and starts no follow-up', async () => {
    const step = held();
    const { host, handle } = await setUp({ playbook: [{ subjects: '**', retry: step.step }] });
    const { recovery: id } = handle.report(coded('EPIPE'), SUBJECT);
    await host.settle();
    const again = handle.report(coded('EPIPE'), SUBJECT);
    handle.cancel(id as string);
    expect(await host.runUntil(again.done)).toMatchObject({
      outcome: 'cancelled',
      recovery: id,
      coalesced: true,
    });
    expect(handle.metrics().active).toBe(0);
  });
});

describe('status', () => {
  it('tells of a recovery under way, and of one that ended', async () => {
    const step = held();
    const { host, handle } = await setUp({ playbook: [{ subjects: '**', retry: step.step }] });
    const { recovery: id, done } = handle.report(coded('EPIPE'), SUBJECT);
    await host.advance(1_000);
    expect(handle.status(id as string)).toMatchObject({
      subject: 'app/prices',
      state: 'running',
      outcome: undefined,
      category: 'connection',
      severity: 'major',
      remedy: 'retry',
      step: 'retry',
      steps: 1,
      ageMs: 1_000,
      remainingMs: 29_000,
    });
    step.last()?.succeed();
    await host.runUntil(done);
    await host.advance(5_000);
    expect(handle.status(id as string)).toMatchObject({
      outcome: 'recovered',
      ageMs: 1_000,
      remainingMs: 0,
      step: undefined,
    });
  });

  it('of an unknown one is refused by name, and so is one that has left the history', async () => {
    const { host, handle } = await setUp({ historyLimit: 2 });
    const unknown = expect.objectContaining({ code: 'ERR_RECOVERY_UNKNOWN' });
    expect(() => handle.status('recovery-9')).toThrow(unknown);
    const ids: string[] = [];
    for (const subject of ['a', 'b', 'c']) {
      const { recovery: id, done } = handle.report(new Error('?'), { subject });
      await host.runUntil(done);
      ids.push(id as string);
    }
    expect(() => handle.status(ids[0] as string)).toThrow(unknown);
    expect(handle.inspect().recent.map(({ subject }) => subject)).toEqual(['b', 'c']);
  });
});

describe('types', () => {
  it('the value of an outcome is what the operation gives', async () => {
    const { host, handle } = await setUp();
    const { value } = await host.runUntil(
      handle.handle(coded('EPIPE'), { ...SUBJECT, operation: async () => 5 }),
    );
    const number: number | undefined = value;
    // @ts-expect-error it is a number
    const text: string | undefined = value;
    expect([number, text]).toEqual([5, 5]);
  });
});

describe('metrics', () => {
  it('begin at nothing: a success rate of 0 when none has ended', async () => {
    const { handle } = await setUp();
    expect(handle.metrics()).toEqual({
      initiated: 0,
      recovered: 0,
      gaveUp: 0,
      cancelled: 0,
      active: 0,
      coalesced: 0,
      refused: 0,
      totalMs: 0,
      avgMs: 0,
      successRate: 0,
      journalFailures: 0,
    });
  });

  it('count every end once, with total and average time', async () => {
    const { host, handle } = await setUp();
    const well = failing(coded('EPIPE'));
    await host.runUntil(handle.handle(coded('EPIPE'), { subject: 'a', operation: well.step(host) }));
    await host.runUntil(handle.handle(new Error('?'), { subject: 'b' }));
    const late = failing(...new Array(3).fill(coded('EPIPE')));
    const { recovery: id } = handle.report(coded('EPIPE'), { subject: 'c', operation: late.step(host) });
    await host.advance(2_000);
    handle.cancel(id as string);
    expect(handle.metrics()).toMatchObject({
      initiated: 3,
      recovered: 1,
      gaveUp: 1,
      cancelled: 1,
      active: 0,
      totalMs: 3_000,
      avgMs: 1_000,
      successRate: 1 / 3,
    });
  });
});

describe('malformed input', () => {
  it.each([[undefined], [null], [''], [0], [{}], [Symbol('x')], [[]]])(
    'the error %o is answered with an outcome',
    async (error) => {
      const { host, handle } = await setUp();
      const outcome = await host.runUntil(handle.handle(error, SUBJECT));
      expect(outcome.outcome).toBe('gave_up');
      expect(outcome.error).toBeInstanceOf(Error);
    },
  );

  it.each([
    [{}, 'ERR_OPTION_INVALID'],
    [{ subject: '' }, 'ERR_OPTION_INVALID'],
    [{ subject: 'a', operation: 1 }, 'ERR_OPTION_INVALID'],
    [{ subject: 'a', severity: 'awful' }, 'ERR_OPTION_INVALID'],
    [{ subject: 'a', attempt: 0 }, 'ERR_OPTION_INVALID'],
    [{ subject: 'a', sever: 1 }, 'ERR_OPTION_UNKNOWN'],
  ])('the report %o is refused with %s', async (report, code) => {
    const { handle } = await setUp();
    expect(() => handle.report(1, report as never)).toThrow(expect.objectContaining({ code }) as Error);
  });

  it.each([
    [{ playbok: [] }, 'ERR_OPTION_UNKNOWN'],
    [{ maxConcurrent: 0 }, 'ERR_OPTION_INVALID'],
    [{ budgets: { criticalMs: 0 } }, 'ERR_OPTION_INVALID'],
    [{ budgets: { critical: 1 } }, 'ERR_OPTION_UNKNOWN'],
    [{ retryBackoff: { kind: 'linear' } }, 'ERR_OPTION_INVALID'],
    [{ retryBackoff: { baseMs: -1 } }, 'ERR_OPTION_INVALID'],
    [{ playbook: [{}] }, 'ERR_OPTION_INVALID'],
    [{ playbook: [{ subjects: [] as string[], failover: { 1: () => 1 } }] }, 'ERR_OPTION_INVALID'],
    [{ playbook: [{ subjects: '**', failover: { a: 1 } }] }, 'ERR_OPTION_INVALID'],
    [{ playbook: [{ subjects: '**', remedies: { retry: {} } }] }, 'ERR_OPTION_INVALID'],
    [{ playbook: [{ subjects: '**', restart: 'app/x' }] }, 'ERR_OPTION_INVALID'],
    [{ playbook: [{ subjects: '**', remedy: { kind: '' } }] }, 'ERR_OPTION_INVALID'],
    [{ circuits: { a: 1 } }, 'ERR_OPTION_INVALID'],
    [{ journal: {} }, 'ERR_OPTION_INVALID'],
    [{ classifier: {} }, 'ERR_OPTION_INVALID'],
    [{ restart: 'often' }, 'ERR_OPTION_INVALID'],
  ])('recovery() refuses %o with %s', (options, code) => {
    expect(() => recovery('recovery', options as never)).toThrow(expect.objectContaining({ code }) as Error);
  });

  it('an error that was classified is handled by that very classification, and not abandoned', async () => {
    const { host, handle } = await setUp({ circuits: { pool_resources: () => 1 } });
    const first = await host.runUntil(handle.handle('checkout_failed', SUBJECT));
    for (const again of [first.classification, first.error, new Error('wrapped', { cause: first.error })]) {
      const outcome = await host.runUntil(handle.handle(again, SUBJECT));
      expect(outcome.classification).toBe(first.classification);
      expect(outcome.remedy).toBe('circuit_break');
    }
  });

  it('a critical failure beyond its second attempt is abandoned', async () => {
    const { host, handle } = await setUp({ circuits: { pool_resources: () => 1 } });
    expect(await host.runUntil(handle.handle('checkout_failed', { ...SUBJECT, attempt: 3 }))).toMatchObject({
      remedy: remedies.abandon.kind,
    });
  });
});
