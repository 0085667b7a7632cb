import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { codeOf, fateOf, stage } from './pool-stage.ts';

describe('a job', () => {
  it('runs on a worker and resolves with what its handler returned', async () => {
    const { host, pool } = await stage();
    expect(await host.runUntil(pool.run('echo', { text: 'a' }))).toEqual({ text: 'a' });
    expect(pool.inspect().counts).toMatchObject({ accepted: 1, succeeded: 1 });
  });

  it('rejects with the failure of its handler, completed, and keeps the worker', async () => {
    const { host, pool, kind } = await stage();
    const fate = fateOf(pool.run('x', { do: 'fail', type: 'TypeError', message: 'no' }));
    await host.settle();
    expect(fate.error).toMatchObject({ code: 'ERR_JOB_FAILED', outcome: 'completed' });
    expect(fate.error?.data).toMatchObject({ type: 'TypeError', text: 'no', job: 'x' });
    expect(kind.ports.length).toBe(2);
    expect(pool.inspect().idle).toBe(2);
  });

  it('that cannot be sent fails, not started, and keeps the worker', async () => {
    const { host, pool, kind } = await stage();
    const fate = fateOf(pool.run('x', { do: 'refuse' }));
    await host.settle();
    expect(fate.error).toMatchObject({ code: 'ERR_JOB_INVALID', outcome: 'not_started' });
    expect(pool.inspect()).toMatchObject({ idle: 2 });
    expect(kind.ports.length).toBe(2);
  });

  it('is given what remains of its deadline', async () => {
    const { host, pool, kind } = await stage({ size: 1 });
    fateOf(pool.run('slow', { do: 'succeed', afterMs: 40 }));
    const second = fateOf(pool.run('next', 1, { timeoutMs: 100 }));
    await host.advance(50);
    expect(second.status).toBe('fulfilled');
    expect(kind.ports[0]?.jobs.map((job) => job.remainingMs)).toEqual([30_000, 60]);
  });

  it('waits in the order of arrival, aborted ones left out', async () => {
    const { host, pool, kind } = await stage({ size: 1 });
    const controller = new AbortController();
    for (const name of ['a', 'b', 'c']) fateOf(pool.run(name, { do: 'succeed', afterMs: 10 }));
    fateOf(pool.run('d', 0, { signal: controller.signal }));
    fateOf(pool.run('e', 0));
    controller.abort();
    await host.advance(100);
    expect(kind.ports[0]?.jobs.map(({ name }) => name)).toEqual(['a', 'b', 'c', 'e']);
  });

  it('brought by another, while those before it are being served, does not jump the line', async () => {
    const order: string[] = [];
    let bring = (): void => {};
    const { host, pool } = await stage({
      size: 2,
      script: {
        job: ({ name }) => {
          order.push(name);
          if (name === 'first') bring();
          return undefined;
        },
      },
    });
    const lease = await host.runUntil(pool.lease());
    const running = pool.run('running', { do: 'succeed', afterMs: 10 });
    const waiting = [pool.run('first'), pool.run('second')];
    let jumper: Promise<unknown> | undefined;
    bring = () => {
      lease.release();
      jumper = pool.run('third');
    };
    await host.runUntil(Promise.all([running, ...waiting]));
    await host.runUntil(Promise.resolve(jumper));
    expect(order).toEqual(['running', 'first', 'second', 'third']);
  });

  it('goes to the worker that was given back last', async () => {
    const { host, pool } = await stage({ size: 3 });
    const [a, b] = [
      pool.run('a', { do: 'succeed', afterMs: 5 }),
      pool.run('b', { do: 'succeed', afterMs: 9 }),
    ];
    await host.runUntil(Promise.all([a, b]));
    await host.runUntil(pool.run('c'));
    const done = pool.inspect().workers.map(({ jobsDone }) => jobsDone);
    expect(done.sort()).toEqual([0, 1, 2]);
  });

  it('is refused by name when its options are wrong', async () => {
    const { host, pool } = await stage();
    expect(await codeOf(host, pool.run('x', 0, { timeout: 1 } as never))).toBe('ERR_OPTION_UNKNOWN');
    expect(await codeOf(host, pool.run('x', 0, { timeoutMs: -1 }))).toBe('ERR_OPTION_INVALID');
    expect(await codeOf(host, pool.run('x', 0, null as never))).toBe('ERR_OPTION_INVALID');
    expect(await codeOf(host, pool.run(''))).toBe('ERR_OPTION_INVALID');
  });
});

describe('the line', () => {
  it('is bounded: one more is refused, stackless, not started', async () => {
    const { host, pool } = await stage({ size: 1, queueLimit: 2 });
    const running = pool.run('a', { do: 'succeed', afterMs: 10 });
    const waiting = [pool.run('b'), pool.run('c')];
    expect(pool.canAccept()).toBe(false);
    const refused = fateOf(pool.run('d'));
    await host.settle();
    expect(refused.error).toMatchObject({ code: 'ERR_POOL_QUEUE_FULL', outcome: 'not_started' });
    expect((refused.error as unknown as Error).stack).not.toContain('\n    at ');
    await host.runUntil(Promise.all([running, ...waiting]));
    expect(pool.canAccept()).toBe(true);
    expect(pool.inspect().counts).toMatchObject({ accepted: 3, refused: 1, succeeded: 3 });
  });

  it('gives up a job at its checkout deadline, which then never runs', async () => {
    const { host, pool, kind } = await stage({ size: 1, checkoutMs: 50 });
    fateOf(pool.run('long', { do: 'succeed', afterMs: 60 }));
    const late = fateOf(pool.run('late'));
    await host.advance(50);
    expect(late.error).toMatchObject({ code: 'ERR_POOL_CHECKOUT_TIMEOUT', outcome: 'not_started' });
    await host.advance(100);
    expect(kind.ports[0]?.jobs.map(({ name }) => name)).toEqual(['long']);
    expect(late.settled).toBe(1);
  });

  it('gives up a job at its own deadline where that is sooner', async () => {
    const { host, pool } = await stage({ size: 1 });
    fateOf(pool.run('long', { do: 'succeed', afterMs: 60 }));
    const late = fateOf(pool.run('late', 0, { timeoutMs: 20 }));
    await host.advance(20);
    expect(late.error?.code).toBe('ERR_POOL_CHECKOUT_TIMEOUT');
  });

  it('serves nobody whose time passed while the loop was held', async () => {
    const { host, pool, kind } = await stage({ size: 1, checkoutMs: 100 });
    fateOf(pool.run('first', { do: 'hang' }));
    const late = fateOf(pool.run('late'));
    await host.advance(10);
    kind.ports[0]?.answer({ do: 'succeed' });
    await host.stall(200);
    expect(late.error?.code).toBe('ERR_POOL_CHECKOUT_TIMEOUT');
    expect(kind.ports[0]?.jobs.length).toBe(1);
  });

  it('holds jobs that come before the first worker is ready', async () => {
    const { host, pool } = await stage({ script: { start: () => ({ do: 'ready', afterMs: 300 }) } });
    expect(pool.inspect().state).toBe('starting');
    const early = fateOf(pool.run('early', 7));
    await host.advance(299);
    expect(early.status).toBe('pending');
    await host.advance(1);
    expect(early).toMatchObject({ status: 'fulfilled', value: 7 });
  });

  it('refuses what is over before it begins', async () => {
    const { host, pool } = await stage();
    expect(await codeOf(host, pool.run('x', 0, { timeoutMs: 0 }))).toBe('ERR_POOL_CHECKOUT_TIMEOUT');
    expect(await codeOf(host, pool.run('x', 0, { signal: AbortSignal.abort() }))).toBe('ERR_POOL_ABORTED');
    expect(pool.inspect().counts).toMatchObject({ accepted: 0, refused: 2 });
  });
});

describe('a job past its deadline', () => {
  it('rejects at the deadline; a worker that complies is looked at and used again', async () => {
    const { host, pool, kind } = await stage({ size: 1 });
    const fate = fateOf(pool.run('slow', { do: 'hang' }, { timeoutMs: 100 }));
    await host.advance(100);
    expect(fate.error).toMatchObject({ code: 'ERR_JOB_TIMEOUT', outcome: 'unknown' });
    expect(await host.runUntil(pool.run('next', 5))).toBe(5);
    expect(kind.ports.length).toBe(1);
    expect(kind.ports[0]?.pings).toBe(1);
    const reasons = pool.inspect().workers[0]?.history.map(({ to, reason }) => `${to}: ${reason}`);
    expect(reasons?.slice(2, 5)).toEqual([
      'degraded: checkin_cancelled',
      'ready: health_restored',
      'busy: checkout',
    ]);
  });

  it('has its worker killed after the grace if that does not comply, and replaced', async () => {
    const { host, pool, kind } = await stage({ size: 1, cancelGraceMs: 200 });
    const fate = fateOf(pool.run('deaf', { do: 'hang', ignoresCancel: true }, { timeoutMs: 100 }));
    await host.advance(299);
    expect(fate).toMatchObject({ status: 'rejected', settled: 1 });
    expect(kind.ports[0]?.killed).toBe(false);
    await host.advance(1);
    expect(kind.ports[0]?.killed).toBe(true);
    expect(await host.runUntil(pool.run('next', 5))).toBe(5);
    expect(kind.ports.length).toBe(2);
  });

  it('settles although its worker is stopped, which is killed', async () => {
    const { host, pool, kind } = await stage({ size: 1 });
    const fate = fateOf(pool.run('stopped', { do: 'freeze' }, { timeoutMs: 100 }));
    await host.advance(1_100);
    expect(fate.error?.code).toBe('ERR_JOB_TIMEOUT');
    expect(kind.ports[0]).toMatchObject({ killed: true, over: true });
    await host.advance(100);
    expect(pool.inspect()).toMatchObject({ idle: 1 });
  });

  it('is heard no more when its answer comes after all', async () => {
    const { host, pool } = await stage({ size: 1, script: { job: () => ({ do: 'succeed', afterMs: 150 }) } });
    const fate = fateOf(pool.run('late', 0, { timeoutMs: 100 }));
    await host.advance(200);
    expect(fate).toMatchObject({ status: 'rejected', settled: 1 });
    expect(pool.inspect().counts).toMatchObject({ accepted: 1, timed_out: 1, succeeded: 0 });
  });
});

describe('an aborted job', () => {
  it('listens to the signal that it shares with others but once, and to none when all are done', async () => {
    const { host, pool } = await stage();
    const { signal } = new AbortController();
    for (let round = 0; round < 2; round++) {
      const jobs = Array.from({ length: 20 }, (_, n) => pool.run<number>('x', n, { signal }));
      const leases = Array.from({ length: 20 }, () =>
        pool.use((lease) => lease.run<string>('y', 'z'), { signal }),
      );
      expect(getEventListeners(signal, 'abort')).toHaveLength(1);
      const sum = (await host.runUntil(Promise.all(jobs))).reduce((a, b) => a + b, 0);
      const words = (await host.runUntil(Promise.all(leases))).map((word) => word.toUpperCase());
      expect([sum, words.length]).toEqual([190, 20]);
      expect(getEventListeners(signal, 'abort')).toEqual([]);
    }
  });

  it('leaves the line, not started', async () => {
    const { host, pool, kind } = await stage({ size: 1 });
    const controller = new AbortController();
    fateOf(pool.run('a', { do: 'succeed', afterMs: 10 }));
    const fate = fateOf(pool.run('b', 0, { signal: controller.signal }));
    controller.abort(new Error('gone'));
    await host.settle();
    expect(fate.error).toMatchObject({ code: 'ERR_POOL_ABORTED', outcome: 'not_started' });
    expect(pool.inspect().waiting).toBe(0);
    await host.advance(50);
    expect(kind.ports[0]?.jobs.length).toBe(1);
  });

  it('that runs rejects at once and is cancelled on its worker', async () => {
    const { host, pool, kind } = await stage({ size: 1 });
    const controller = new AbortController();
    const fate = fateOf(pool.run('a', { do: 'hang' }, { signal: controller.signal }));
    await host.settle();
    controller.abort(new Error('gone'));
    await host.settle();
    expect(fate.error).toMatchObject({ code: 'ERR_JOB_ABORTED', outcome: 'unknown' });
    expect(kind.ports[0]?.cancels.length).toBe(1);
    expect(await host.runUntil(pool.run('next', 1))).toBe(1);
    expect(kind.ports.length).toBe(1);
  });
});

describe('a job whose worker dies', () => {
  it('rejects with how, unknown, once', async () => {
    const { host, pool, kind } = await stage({ size: 1 });
    const fate = fateOf(pool.run('x', { do: 'hang' }));
    await host.settle();
    kind.ports[0]?.print('Segmentation fault');
    await host.settle();
    kind.ports[0]?.exit({ signal: 'SIGSEGV' });
    await host.advance(100);
    expect(fate).toMatchObject({ status: 'rejected', settled: 1 });
    expect(fate.error).toMatchObject({ code: 'ERR_WORKER_EXITED', outcome: 'unknown' });
    expect(fate.error?.data).toMatchObject({
      signal: 'SIGSEGV',
      code: null,
      job: 'x',
      lastStderr: ['Segmentation fault'],
    });
  });

  it('is tried on another worker if it is idempotent', async () => {
    const { host, pool, kind, of } = await stage({ size: 2 });
    const fate = fateOf(pool.run('x', { do: 'hang' }, { idempotent: true }));
    await host.settle();
    const first = kind.ports.find((port) => port.running !== undefined);
    first?.exit({ signal: 'SIGKILL' });
    await host.settle();
    kind.ports.find((port) => port.running !== undefined)?.answer({ do: 'succeed', value: 'done' });
    await host.settle();
    expect(fate).toMatchObject({ status: 'fulfilled', value: 'done' });
    expect(of('pool.job.retried').length).toBe(1);
    expect(pool.inspect().counts).toMatchObject({ accepted: 1, succeeded: 1, retried: 1 });
  });

  it('is not tried again unless it is', async () => {
    const { host, pool, of } = await stage();
    const fate = fateOf(pool.run('x', { do: 'crash' }));
    await host.settle();
    expect(fate.error?.code).toBe('ERR_WORKER_EXITED');
    expect(of('pool.job.retried')).toEqual([]);
  });

  it('and then another, fails: it is not tried on a third', async () => {
    const { host, pool, kind } = await stage({ size: 3, retry: { idempotent: true } });
    const fate = fateOf(pool.run('poison', { do: 'crash' }));
    await host.advance(1_000);
    expect(fate.error?.code).toBe('ERR_WORKER_EXITED');
    expect(kind.ports.flatMap(({ jobs }) => jobs).length).toBe(2);
    expect(await host.runUntil(pool.run('next', 1))).toBe(1);
  });

  it('is tried before those that came after it', async () => {
    const { host, pool, kind } = await stage({ size: 1 });
    const first = fateOf(pool.run('first', { do: 'hang' }, { idempotent: true }));
    fateOf(pool.run('second', { do: 'hang' }));
    await host.settle();
    kind.ports[0]?.exit();
    await host.advance(10);
    expect(kind.ports[1]?.jobs.map(({ name }) => name)).toEqual(['first']);
    expect(first.status).toBe('pending');
  });

  it('is tried only within its one deadline', async () => {
    const { host, pool, kind } = await stage({
      size: 1,
      script: { start: (n) => ({ do: 'ready', afterMs: n * 100 - 100 }) },
    });
    const fate = fateOf(pool.run('x', { do: 'hang' }, { idempotent: true, timeoutMs: 80 }));
    await host.advance(10);
    kind.ports[0]?.exit();
    await host.advance(70);
    expect(fate.error).toMatchObject({ code: 'ERR_JOB_TIMEOUT', outcome: 'unknown' });
    await host.advance(200);
    expect(kind.ports[1]?.jobs).toEqual([]);
  });

  it('by breaking the protocol, says so', async () => {
    const { host, pool, kind } = await stage({ size: 1 });
    const fate = fateOf(pool.run('x', { do: 'garbage' }));
    await host.advance(10);
    expect(fate.error).toMatchObject({ code: 'ERR_WORKER_PROTOCOL', outcome: 'unknown' });
    expect(kind.ports[0]?.killed).toBe(true);
    expect(await host.runUntil(pool.run('next', 1))).toBe(1);
  });

  it('before it got the job, is not held against the job', async () => {
    const { host, pool, kind } = await stage({ size: 2 });
    for (const port of kind.ports.slice(1)) port.killed = true;
    expect(await host.runUntil(pool.run('x', 3))).toBe(3);
    expect(pool.inspect().counts).toMatchObject({ accepted: 1, succeeded: 1, retried: 0 });
  });
});
