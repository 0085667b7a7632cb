import { describe, expect, it } from 'vitest';
import { isTroupeError } from '../../src/base/errors.ts';
import { scriptedWorkers } from '../../src/testing/scripted-worker.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { pool as poolOf } from '../../src/work/pool.ts';
import { codeOf, fateOf, stage } from './pool-stage.ts';

const crash = { do: 'crash' } as const;

describe('the workers of a pool', () => {
  it('start in parallel', async () => {
    const { host, pool } = await stage({ size: 8, script: { start: () => ({ do: 'ready', afterMs: 500 }) } });
    await host.advance(500);
    expect(pool.inspect()).toMatchObject({ state: 'ready', idle: 8 });
  });

  it('of several kinds take the places in turn, and keep them', async () => {
    const host = new SimulatedHost();
    const python = scriptedWorkers({ name: 'python' });
    const node = scriptedWorkers({ name: 'node' });
    const { pool } = await stage({ host, worker: [python, node], size: 4 });
    expect(pool.inspect().workers.map(({ kind }) => kind)).toEqual(['python', 'node', 'python', 'node']);
    python.ports[0]?.exit();
    await host.advance(1_000);
    expect(pool.inspect().workers.map(({ kind }) => kind)).toEqual(['python', 'node', 'python', 'node']);
    expect(python.live.length).toBe(2);
  });

  it('are actors of the tree, each with its state', async () => {
    const { system } = await stage({ size: 1 });
    expect(system.drawTree()).toContain('worker-1  worker · ready, healthy · pid 10001 · jobs 0');
  });

  it('that do not become ready in time are killed and started again', async () => {
    const { host, pool, kind } = await stage({
      size: 1,
      startTimeoutMs: 300,
      script: { start: (n) => (n === 1 ? { do: 'hang' } : { do: 'ready' }) },
    });
    await host.advance(299);
    expect(kind.ports[0]?.killed).toBe(false);
    await host.advance(200);
    expect(kind.ports[0]).toMatchObject({ killed: true, over: true });
    expect(pool.inspect()).toMatchObject({ state: 'ready', idle: 1 });
  });

  it('that cannot be started are tried with backoff, never in a loop', async () => {
    const { host, kind, pool } = await stage({
      size: 1,
      crashLoop: { crashes: 100 },
      replaceBackoff: { jitter: 'none' },
      script: { start: () => ({ do: 'fail' }) },
    });
    await host.advance(60_000);
    // At 0, 0, 100, 300, 700, … 25,500, 51,100, with the cap at 30,000.
    expect(kind.ports.length).toBe(11);
    expect(pool.inspect().state).toBe('starting');
  });

  it('keep a bounded history of what they went through, and why', async () => {
    const { host, pool } = await stage({ size: 1 });
    for (let i = 0; i < 50; i++) await host.runUntil(pool.run('x'));
    const { history } = pool.inspect().workers[0] ?? { history: [] };
    expect(history.length).toBe(32);
    expect(history.at(-1)).toMatchObject({ from: 'busy', to: 'ready', reason: 'checkin_success' });
  });

  it('have what they print told, line by line', async () => {
    const { host, kind, of } = await stage({ size: 1 });
    kind.ports[0]?.print('hello');
    await host.settle();
    expect(of('pool.worker.stderr')).toMatchObject([{ worker: 'worker-1', pid: 10_001, line: 'hello' }]);
  });
});

describe('a worker that is lost', () => {
  it('is replaced at once the first time, then later and later', async () => {
    const { host, kind } = await stage({
      size: 1,
      crashLoop: { crashes: 100 },
      replaceBackoff: { jitter: 'none', baseMs: 100, factor: 2, maxMs: 400 },
    });
    const starts: number[] = [];
    for (let n = 1; n < 6; n++) {
      kind.ports.at(-1)?.exit();
      const before = host.monotonic();
      await host.runUntil(() => kind.ports.length === n + 1);
      starts.push(host.monotonic() - before);
    }
    expect(starts).toEqual([0, 100, 200, 400, 400]);
  });

  it('is replaced at once again when it had done a job, or lived for long', async () => {
    const { host, kind, pool } = await stage({ size: 1, pingEveryMs: Infinity });
    for (let n = 1; n < 4; n++) {
      await host.runUntil(pool.run('x'));
      kind.ports.at(-1)?.exit();
      await host.settle();
      expect(kind.ports.length).toBe(n + 1);
    }
    kind.ports.at(-1)?.exit();
    await host.advance(10_100);
    kind.ports.at(-1)?.exit();
    await host.settle();
    expect(kind.live.length).toBe(1);
  });

  it('is replaced only when the last of it is gone', async () => {
    const { host, kind, pool } = await stage({ size: 1, cancelGraceMs: 0, script: { killMs: 300 } });
    fateOf(pool.run('x', { do: 'hang', ignoresCancel: true }, { timeoutMs: 10 }));
    await host.advance(200);
    expect(kind.ports.length).toBe(1);
    await host.advance(200);
    expect(kind.ports.length).toBe(2);
  });

  it('because its actor was killed, is killed and replaced', async () => {
    const { host, system, kind, pool } = await stage({ size: 1 });
    const fate = fateOf(pool.run('x', { do: 'hang' }));
    await host.settle();
    system.exit({ path: 'pool/worker-1', ref: () => undefined } as never, 'kill');
    await host.advance(200);
    expect(kind.ports[0]?.killed).toBe(true);
    expect(fate.error?.code).toBe('ERR_WORKER_EXITED');
    expect(kind.live.length).toBe(1);
  });

  it('because its actor was told to exit, ends in order and is replaced', async () => {
    const { host, system, kind } = await stage({ size: 1 });
    system.exit({ path: 'pool/worker-1', ref: () => undefined } as never, 'shutdown');
    await host.advance(200);
    expect(kind.ports[0]).toMatchObject({ closed: true, killed: false, over: true });
    expect(kind.live.length).toBe(1);
  });
});

describe('an idle worker', () => {
  it('is pinged, and stays', async () => {
    const { host, kind } = await stage({ size: 1, pingEveryMs: 1_000 });
    await host.advance(10_000);
    expect(kind.ports[0]?.pings).toBe(10);
    expect(kind.ports.length).toBe(1);
  });

  it('that misses a ping gets no work, and gets it again when it answers', async () => {
    const { host, pool, kind } = await stage({ size: 1, pingEveryMs: 1_000, pingTimeoutMs: 100 });
    kind.ports[0]?.freeze();
    await host.advance(1_100);
    expect(pool.inspect()).toMatchObject({ idle: 0, workers: [{ state: 'degraded', health: 'unhealthy' }] });
    const fate = fateOf(pool.run('x', 1));
    await host.advance(50);
    expect(fate.status).toBe('pending');
    if (kind.ports[0] !== undefined) kind.ports[0].frozen = false;
    await host.advance(100);
    expect(fate.status).toBe('fulfilled');
    expect(kind.ports.length).toBe(1);
  });

  it('that misses three in a row is killed and replaced', async () => {
    const { host, pool, kind, of } = await stage({ size: 1, pingEveryMs: 1_000, pingTimeoutMs: 100 });
    kind.ports[0]?.freeze();
    await host.advance(1_299);
    expect(kind.ports[0]?.killed).toBe(false);
    await host.advance(1);
    expect(kind.ports[0]?.killed).toBe(true);
    expect(of('pool.worker.ended')[0]?.how).toBe('signal SIGKILL, killed: health_check_failed');
    await host.advance(200);
    expect(pool.inspect()).toMatchObject({ idle: 1 });
  });

  it('is not blamed for a loop that was held', async () => {
    const { host, kind } = await stage({ size: 2, pingEveryMs: 1_000, pingTimeoutMs: 100, pingMisses: 1 });
    await host.advance(990);
    await host.stall(1_500);
    await host.advance(5_000);
    expect(kind.ports.length).toBe(2);
  });

  it('that is pinged while the loop is held, has its answer awaited as long again', async () => {
    const { host, kind } = await stage({ size: 1, pingEveryMs: 1_000, pingTimeoutMs: 100, pingMisses: 1 });
    kind.ports[0]?.freeze();
    await host.advance(1_050);
    await host.stall(1_500);
    expect(kind.ports[0]?.killed).toBe(false);
    await host.advance(1_600);
    expect(kind.ports[0]?.killed).toBe(true);
  });
});

describe('a busy worker', () => {
  it('is neither pinged nor blamed: it answers to the deadline of its job', async () => {
    const { host, pool, kind } = await stage({
      size: 1,
      pingEveryMs: 100,
      pingTimeoutMs: 100,
      pingMisses: 1,
    });
    const fate = fateOf(pool.run('x', { do: 'succeed', afterMs: 5_000 }));
    await host.advance(4_999);
    expect(kind.ports[0]).toMatchObject({ pings: 0, killed: false });
    await host.advance(1);
    expect(fate.status).toBe('fulfilled');
  });

  it('is not blamed for a ping that it was given work before it could answer', async () => {
    const { host, pool, kind } = await stage({ size: 1, pingEveryMs: 100, pingTimeoutMs: 50, pingMisses: 1 });
    const port = kind.ports[0];
    if (port === undefined) throw new Error('no worker');
    port.frozen = true;
    await host.advance(100);
    expect(port.pings).toBe(1);
    const fate = fateOf(pool.run('x', { do: 'succeed', afterMs: 200 }));
    port.frozen = false;
    await host.advance(100);
    expect(pool.inspect().workers[0]).toMatchObject({ state: 'busy', health: 'healthy' });
    await host.advance(100);
    expect(fate.status).toBe('fulfilled');
    expect(kind.ports.length).toBe(1);
  });
});

describe('a busy worker', () => {
  it('that the system holds stopped is killed at the next look, and its idempotent job tried on another', async () => {
    const { host, pool, of } = await stage({ size: 1, pingEveryMs: 60_000, lookEveryMs: 1_000 });
    const fate = fateOf(pool.run('x', { do: 'stop' }, { idempotent: true, timeoutMs: 60_000 }));
    await host.advance(999);
    expect(of('pool.worker.ended')).toEqual([]);
    await host.advance(1);
    expect(of('pool.worker.ended')).toMatchObject([{ how: 'signal SIGKILL, killed: stopped' }]);
    expect(of('pool.job.retried').length).toBe(1);
    expect(fate.status).toBe('pending');
    await host.advance(1_000);
    expect(fate.error).toMatchObject({ code: 'ERR_WORKER_EXITED', outcome: 'unknown' });
  });

  it('that runs, however long and deaf, answers to the deadline of its job only', async () => {
    const { host, pool, kind } = await stage({ size: 1, pingEveryMs: 100, pingMisses: 1 });
    const fate = fateOf(pool.run('x', { do: 'freeze' }, { timeoutMs: 20_000 }));
    await host.advance(19_999);
    expect(fate.status).toBe('pending');
    expect(kind.ports[0]).toMatchObject({ killed: false, pings: 0 });
    await host.advance(1);
    expect(fate.error?.code).toBe('ERR_JOB_TIMEOUT');
  });
});

describe('a crash loop', () => {
  it('degrades the pool at the fifth crash in a row: jobs are refused with when to come again', async () => {
    const { host, pool, of } = await stage({ size: 1, replaceBackoff: { jitter: 'none' } });
    for (let n = 0; n < 4; n++) await codeOf(host, pool.run('x', crash));
    expect(of('pool.degraded')).toEqual([]);
    const waiting = fateOf(pool.run('x', crash));
    const behind = fateOf(pool.run('behind'));
    await host.advance(1_000);
    expect(waiting.error?.code).toBe('ERR_WORKER_EXITED');
    expect(behind.error).toMatchObject({ code: 'ERR_POOL_DEGRADED', outcome: 'not_started' });
    expect(of('pool.degraded')).toMatchObject([{ path: 'pool', crashes: 5 }]);
    const refused = fateOf(pool.run('y'));
    await host.settle();
    expect(refused.error).toMatchObject({ code: 'ERR_POOL_DEGRADED', outcome: 'not_started' });
    expect(refused.error?.data['retryAfterMs']).toBeGreaterThan(0);
    expect(pool.canAccept()).toBe(false);
    expect(pool.inspect().state).toBe('degraded');
  });

  it('is probed by one worker after the backoff, whose life restores the pool at full size', async () => {
    let broken = true;
    const { host, pool, kind, of } = await stage({
      size: 3,
      replaceBackoff: { jitter: 'none' },
      script: { start: () => (broken ? { do: 'exit' } : { do: 'ready' }) },
    });
    await host.advance(1_000);
    expect(pool.inspect().state).toBe('degraded');
    expect(kind.live.length).toBe(0);
    const before = kind.ports.length;
    await host.advance(10_000);
    // The probes come one at a time, each later than the last.
    expect(kind.ports.length - before).toBeLessThanOrEqual(4);
    expect(kind.ports.length).toBeGreaterThan(before);
    broken = false;
    await host.runUntil(() => pool.inspect().state === 'ready');
    await host.settle();
    expect(pool.inspect()).toMatchObject({ idle: 3 });
    expect(of('pool.restored').length).toBe(1);
    expect(await host.runUntil(pool.run('x', 1))).toBe(1);
    expect(pool.inspect().crashesInRow).toBe(0);
  });

  it('is not over because a probe lives: the next crash before a success degrades it again, for longer', async () => {
    const { host, pool, of } = await stage({ size: 1, replaceBackoff: { jitter: 'none' } });
    const crashUntilDegraded = async (count: number): Promise<number> => {
      while (of('pool.degraded').length < count) {
        await codeOf(host, pool.run('x', crash));
        await host.settle();
        if (of('pool.degraded').length < count) await host.advance(1_000);
      }
      const { retryAfterMs } = of('pool.degraded').at(-1) ?? { retryAfterMs: 0 };
      return retryAfterMs;
    };
    const first = await crashUntilDegraded(1);
    await host.runUntil(() => pool.inspect().state === 'ready');
    const second = await crashUntilDegraded(2);
    expect(second).toBe(first * 2);
    expect(pool.inspect().crashesInRow).toBe(6);
  });

  it('is not made by crashes with a job done between them', async () => {
    const { host, pool, of } = await stage({ size: 2 });
    for (let n = 0; n < 20; n++) {
      await codeOf(host, pool.run('x', crash));
      await host.advance(1_000);
      await host.runUntil(pool.run('y'));
    }
    expect(of('pool.degraded')).toEqual([]);
  });

  it('is not made by crashes that are long ago', async () => {
    const { host, kind, of } = await stage({ size: 1, crashLoop: { forgetMs: 20_000 } });
    for (let n = 0; n < 10; n++) {
      kind.ports.at(-1)?.exit();
      await host.advance(20_100);
    }
    expect(of('pool.degraded')).toEqual([]);
    expect(kind.live.length).toBe(1);
  });

  it('ends when a job that was running is done', async () => {
    const { host, pool, kind, of } = await stage({ size: 2, crashLoop: { crashes: 2 } });
    const running = fateOf(pool.run('long', { do: 'hang' }));
    await codeOf(host, pool.run('x', crash));
    await host.settle();
    await codeOf(host, pool.run('x', crash));
    await host.settle();
    expect(pool.inspect().state).toBe('degraded');
    kind.ports.find((port) => port.running !== undefined)?.answer({ do: 'succeed' });
    await host.settle();
    expect(running.status).toBe('fulfilled');
    expect(of('pool.restored').length).toBe(1);
    expect(pool.inspect()).toMatchObject({ state: 'ready', idle: 2 });
  });
});

describe('the options of a pool', () => {
  const refused = (options: unknown): unknown => {
    try {
      poolOf('p', options as never);
      return 'accepted';
    } catch (error) {
      return isTroupeError(error) ? error.message : error;
    }
  };
  const worker = scriptedWorkers();

  it.each([
    [{}, 'worker must be'],
    [{ worker: [] }, 'worker must be'],
    [{ worker: {} }, 'worker must be'],
    [{ worker, size: 0 }, 'size must be'],
    [{ worker, sizes: 3 }, 'did you mean size'],
    [{ worker, queueLimit: -1 }, 'queueLimit must be'],
    [{ worker, crashLoop: { crashes: 0 } }, 'crashes must be'],
    [{ worker, retry: { maxAttempts: 0 } }, 'maxAttempts must be'],
    [{ worker, replaceBackoff: { jitter: 'some' } }, 'jitter must be'],
    [{ worker, shutdownMs: 'soon' }, 'shutdownMs must be'],
  ])('%o are refused by name', (options, words) => {
    expect(refused(options)).toContain(words);
  });
});
