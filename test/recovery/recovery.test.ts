import { describe, expect, it } from 'vitest';
import { createError } from '../../src/base/errors.ts';
import { AWAIT_HEALING } from '../../src/recovery/playbook.ts';
import { recovery } from '../../src/recovery/recovery.ts';
import { ABANDON, remedy, retry } from '../../src/recovery/remedy.ts';
import { circuitBreaker } from '../../src/resilience/circuit-breaker-spec.ts';
import { coded, failing, held, setUp } from './setup.ts';

const SUBJECT = { subject: 'app/prices' };

describe('remedies', () => {
  it('retry runs the operation until it succeeds, spaced by the backoff of its cell, and gives its value', async () => {
    const { host, handle, told } = await setUp();
    const operation = failing(coded('EPIPE'), coded('EPIPE'), coded('EPIPE'));
    const reported = handle.report(coded('ECONNREFUSED'), { ...SUBJECT, operation: operation.step(host) });
    expect(reported.recovery).toMatch(/^recovery-1\./);
    const outcome = await host.runUntil(reported.done);
    expect(outcome).toMatchObject({
      outcome: 'recovered',
      value: 'well',
      steps: 4,
      remedy: 'retry',
      durationMs: 7_000,
      error: undefined,
    });
    expect(operation.at).toEqual([0, 1_000, 3_000, 7_000]);
    expect(told()).toEqual([
      'started retry',
      'step_done failed',
      'step_done failed',
      'step_done failed',
      'step_done done',
      'ended recovered',
    ]);
  });

  it('every attempt has the same idempotency key, and its number', async () => {
    const { host, handle } = await setUp();
    const operation = failing(coded('EPIPE'));
    const { recovery: id, done } = handle.report(coded('EPIPE'), {
      ...SUBJECT,
      operation: operation.step(host),
    });
    await host.runUntil(done);
    expect(operation.calls.map(({ key, attempt }) => [key, attempt])).toEqual([
      [`${id}/retry`, 1],
      [`${id}/retry`, 2],
    ]);
  });

  it('retry gives up when its attempts are spent, with the last error as the cause', async () => {
    const { host, handle } = await setUp();
    const errors = Array.from({ length: 9 }, (_, n) => Object.assign(coded('EPIPE'), { n }));
    const operation = failing(...errors);
    const outcome = await host.runUntil(
      handle.handle(coded('EPIPE'), { ...SUBJECT, operation: operation.step(host) }),
    );
    expect(operation.at).toHaveLength(5);
    expect(outcome).toMatchObject({ outcome: 'gave_up', error: { code: 'ERR_RECOVERY_EXHAUSTED' } });
    expect(outcome.error?.cause).toBe(errors[4]);
  });

  it('retry stops at an error against which running again does not help', async () => {
    const { host, handle } = await setUp();
    const operation = failing(coded('EPIPE'), new TypeError('bug'));
    const outcome = await host.runUntil(
      handle.handle(coded('EPIPE'), { ...SUBJECT, operation: operation.step(host) }),
    );
    expect(operation.at).toHaveLength(2);
    expect(outcome.error).toMatchObject({ code: 'ERR_RECOVERY_EXHAUSTED' });
  });

  it('retry without an operation has nothing to run, unless the playbook has one for the subject', async () => {
    const bare = await setUp();
    const none = await bare.host.runUntil(bare.handle.handle(coded('EPIPE'), SUBJECT));
    expect(none).toMatchObject({ outcome: 'gave_up', steps: 0, error: { code: 'ERR_RECOVERY_NO_STEP' } });
    const listed = await setUp({ playbook: [{ subjects: 'app/*', retry: () => 'from the book' }] });
    const some = await listed.host.runUntil(listed.handle.handle(coded('EPIPE'), SUBJECT));
    expect(some).toMatchObject({ outcome: 'recovered', value: 'from the book' });
  });

  it('retry waits out what the other side asked for', async () => {
    const { host, handle } = await setUp();
    const slow = { status: 429, headers: { 'retry-after': '3' } };
    const operation = failing(slow);
    await host.runUntil(handle.handle(slow, { ...SUBJECT, operation: operation.step(host) }));
    expect(operation.at).toEqual([3_000, 6_000]);
  });

  it('retry outlasts an open breaker, which says when to come back', async () => {
    const { host, handle } = await setUp();
    const operation = failing();
    const error = createError('ERR_BREAKER_OPEN', { breaker: 'b', retryAfterMs: 20_000 });
    const outcome = await host.runUntil(
      handle.handle(error, { ...SUBJECT, operation: operation.step(host) }),
    );
    expect([outcome.outcome, operation.at]).toEqual(['recovered', [20_000]]);
  });

  it('a delay that cannot end within the budget is not waited for', async () => {
    const { host, handle } = await setUp();
    const error = createError('ERR_BREAKER_OPEN', { breaker: 'b', retryAfterMs: 60_000 });
    const outcome = await host.runUntil(handle.handle(error, { ...SUBJECT, operation: () => 1 }));
    expect(outcome).toMatchObject({ outcome: 'gave_up', durationMs: 0, steps: 0 });
  });

  it('failover tries its chain in order until one succeeds: pool, adapter, stand-in', async () => {
    const tried: string[] = [];
    const fail = (name: string) => () => {
      tried.push(name);
      throw new Error(name);
    };
    const { host, handle } = await setUp({
      playbook: [
        {
          subjects: 'app/prices',
          failover: {
            pool: fail('pool'),
            adapter: fail('adapter'),
            standIn: () => 'stand-in',
            never: fail('never'),
          },
        },
      ],
    });
    const outcome = await host.runUntil(handle.handle('python_exception', SUBJECT));
    expect(outcome).toMatchObject({ outcome: 'recovered', value: 'stand-in', remedy: 'failover', steps: 3 });
    expect(tried).toEqual(['pool', 'adapter']);
  });

  it('failover gives up at the end of its chain', async () => {
    const { host, handle } = await setUp({
      playbook: [{ subjects: '**', failover: { only: () => Promise.reject(new Error('no')) } }],
    });
    const outcome = await host.runUntil(handle.handle('python_exception', SUBJECT));
    expect(outcome.error).toMatchObject({ code: 'ERR_RECOVERY_EXHAUSTED', cause: { message: 'no' } });
  });

  it('circuit_break records the failure with the circuit of that name, and contains the subject', async () => {
    const failures: unknown[] = [];
    const { host, handle } = await setUp({
      circuits: { pool_resources: { fail: (e) => void failures.push(e) } },
    });
    const error = coded('ENOMEM');
    const outcome = await host.runUntil(handle.handle(error, SUBJECT));
    expect(outcome).toMatchObject({ outcome: 'gave_up', error: { code: 'ERR_RECOVERY_CONTAINED' } });
    expect(failures).toEqual([error]);
  });

  it("an entry's circuit of the same name goes before the orchestrator's", async () => {
    const named: string[] = [];
    const circuits = (who: string) => ({ pool_resources: () => void named.push(who) });
    const { host, handle } = await setUp({
      circuits: circuits('all'),
      playbook: [{ subjects: 'app/prices', circuits: circuits('prices') }],
    });
    await host.runUntil(handle.handle('checkout_failed', SUBJECT));
    await host.runUntil(handle.handle('checkout_failed', { subject: 'app/else' }));
    expect(named).toEqual(['prices', 'all']);
  });

  it('a circuit may be a breaker of the tree, named by its spec', async () => {
    const breaker = circuitBreaker('breaker', { window: { kind: 'consecutive', failures: 1 } });
    const { host, system, handle } = await setUp({ circuits: { pool_connections: breaker } });
    await host.runUntil(system.start(breaker));
    await host.runUntil(handle.handle(coded('EPIPE'), { ...SUBJECT, severity: 'critical' }));
    await expect(host.runUntil(system.get(breaker).execute(() => 1))).rejects.toMatchObject({
      code: 'ERR_BREAKER_OPEN',
    });
  });

  it('abandon ends at once, and says why', async () => {
    const { host, handle } = await setUp();
    const outcome = await host.runUntil(handle.handle(new Error('?'), SUBJECT));
    expect(outcome).toMatchObject({
      outcome: 'gave_up',
      steps: 0,
      error: { code: 'ERR_RECOVERY_ABANDONED', data: { category: 'system', severity: 'critical' } },
    });
  });

  it('stop runs stop, then cleanup, each once', async () => {
    const done: string[] = [];
    const { host, handle } = await setUp({
      playbook: [
        {
          subjects: '**',
          remedy: remedy('stop'),
          stop: () => done.push('stop'),
          cleanup: () => done.push('cleanup'),
        },
      ],
    });
    const outcome = await host.runUntil(handle.handle(new Error('?'), SUBJECT));
    expect(done).toEqual(['stop', 'cleanup']);
    expect(outcome.error).toMatchObject({ code: 'ERR_RECOVERY_CONTAINED' });
  });

  it("a remedy of the user's own runs all its steps, and fails with the first that fails", async () => {
    const done: string[] = [];
    const entry = (second: () => unknown) => ({
      subjects: '**',
      remedy: () => remedy('flush'),
      remedies: { flush: { drop: () => done.push('drop'), refill: second } },
    });
    const good = await setUp({ playbook: [entry(() => 'full')] });
    const outcome = await good.host.runUntil(good.handle.handle(new Error('?'), SUBJECT));
    expect(outcome).toMatchObject({ outcome: 'recovered', value: 'full', remedy: 'flush', steps: 2 });
    const bad = await setUp({ playbook: [entry(() => Promise.reject(new Error('dry')))] });
    expect(await bad.host.runUntil(bad.handle.handle(new Error('?'), SUBJECT))).toMatchObject({
      outcome: 'gave_up',
      error: { code: 'ERR_RECOVERY_EXHAUSTED' },
    });
  });

  it("a remedy chosen by the user's function that throws, or is none, leaves the table's", async () => {
    for (const choose of [
      () => {
        throw new Error('bug');
      },
      () => 7 as never,
    ]) {
      const { host, handle } = await setUp({
        playbook: [{ subjects: '**', remedy: choose, retry: () => 'table' }],
      });
      expect(await host.runUntil(handle.handle(coded('EPIPE'), SUBJECT))).toMatchObject({ value: 'table' });
    }
  });
});

describe('restart', () => {
  const restarting = (answer: 'restarted' | 'already' | 'failed') => ({
    subjects: 'app/idle',
    remedy: remedy('restart'),
    restart: () => answer,
  });

  it('asks the owner, and is done when the owner has done it', async () => {
    const { host, handle } = await setUp({ playbook: [restarting('restarted')] });
    expect(await host.runUntil(handle.handle(new Error('?'), { subject: 'app/idle' }))).toMatchObject({
      outcome: 'recovered',
      remedy: 'restart',
    });
  });

  it.each(['already', 'failed'] as const)(
    'answered %s, it waits for the child to start, by no deed of its own',
    async (answer) => {
      const { host, handle, system, idle } = await setUp({ playbook: [restarting(answer)] });
      const { done } = handle.report(new Error('?'), { subject: 'app/idle', severity: 'major' });
      await host.advance(1_000);
      expect(handle.inspect().active).toHaveLength(1);
      system.exit(system.get(idle), 'kill');
      expect(await host.runUntil(done)).toMatchObject({ outcome: 'recovered', durationMs: 1_000, steps: 1 });
    },
  );

  it('of a child of a supervisor, by its spec: the very supervisor restarts it', async () => {
    const { host, system, root, idle } = await setUp();
    const spec = recovery('other', {
      playbook: [
        { subjects: 'app/idle', remedy: remedy('restart'), restart: { supervisor: root, child: 'idle' } },
      ],
    });
    const handle = await host.runUntil(system.start(spec));
    const before = system.get(idle).ref();
    const outcome = await host.runUntil(handle.handle(new Error('?'), { subject: system.get(idle) }));
    expect(outcome).toMatchObject({ outcome: 'recovered', subject: 'app/idle' });
    expect(system.get(idle).ref()?.incarnation).not.toBe(before?.incarnation);
  });

  it('an answer that is none fails the step', async () => {
    const { host, handle } = await setUp({ playbook: [restarting('later' as never)] });
    expect(await host.runUntil(handle.handle(new Error('?'), { subject: 'app/idle' }))).toMatchObject({
      error: { code: 'ERR_RECOVERY_EXHAUSTED', cause: { code: 'ERR_OPTION_INVALID' } },
    });
  });

  it('any step may leave it to the owner, and where that was quicker the subject has recovered', async () => {
    let overtake: () => Promise<unknown> = () => Promise.resolve();
    const { host, handle, system, idle } = await setUp({
      playbook: [{ subjects: 'app/idle', retry: () => overtake().then(() => AWAIT_HEALING) }],
    });
    overtake = () =>
      new Promise((resolve) => {
        system.events.on('supervisor.child.started', resolve);
        system.exit(system.get(idle), 'kill');
      });
    const outcome = await host.runUntil(handle.handle(coded('EPIPE'), { subject: 'app/idle' }));
    expect(outcome).toMatchObject({ outcome: 'recovered', durationMs: 0 });
  });
});

describe('a healing', () => {
  it('of before a step that leaves it to the owner is none: it may have fallen again', async () => {
    const first = held();
    const { host, handle, system } = await setUp({
      playbook: [
        {
          subjects: '**',
          remedy: remedy('both'),
          remedies: { both: { first: first.step, second: () => AWAIT_HEALING } },
        },
      ],
    });
    const { done } = handle.report(coded('EPIPE'), { subject: 'app/idle' });
    await host.settle();
    system.events.emit('supervisor.child.started', { path: 'app', child: 'idle' });
    first.last()?.succeed();
    await host.advance(1_000);
    expect(handle.metrics().active).toBe(1);
    system.events.emit('supervisor.child.started', { path: 'app', child: 'idle' });
    expect(await host.runUntil(done)).toMatchObject({ outcome: 'recovered', durationMs: 1_000 });
  });
});

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
        playbook: [{ subjects: '**', remedy: retry(3), retry: never }],
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
        ({ category: 'odd', severity: 'odd', remedy: retry(1), attempt: 1, userFacing: false }) as never,
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
      remedy: ABANDON.kind,
    });
  });
});
