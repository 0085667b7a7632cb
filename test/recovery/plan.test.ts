import { describe, expect, it } from 'vitest';
import { createError } from '../../src/base/errors.ts';
import { AWAIT_HEALING } from '../../src/recovery/playbook.ts';
import { recovery } from '../../src/recovery/recovery.ts';
import { remedies } from '../../src/recovery/remedy.ts';
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
          remedy: remedies.stop,
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
      remedy: () => remedies.named('flush'),
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
    remedy: remedies.restart,
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
        { subjects: 'app/idle', remedy: remedies.restart, restart: { supervisor: root, child: 'idle' } },
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
          remedy: remedies.named('both'),
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
