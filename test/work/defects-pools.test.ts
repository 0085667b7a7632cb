/** The defects of DSPex's pools, workers, health checks and sessions, each as it was described, and what ours does instead. */
import { describe, expect, it } from 'vitest';
import { scriptedWorkers } from '../../src/testing/scripted-worker.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { pool as poolOf } from '../../src/work/pool.ts';
import { codeOf, fateOf, type Stage, stage } from './pool-stage.ts';

const ms = (afterMs: number) => ({ do: 'succeed', afterMs }) as const;
const CRASH = { do: 'crash' } as const;

/** The worker as its pool shows it, and as it is. */
const first = ({ pool, kind }: Stage) => {
  const [shown] = pool.inspect().workers;
  const [port] = kind.ports;
  if (shown === undefined || port === undefined) throw new Error('no worker');
  return { shown, port };
};

describe("defects of DSPex's session pool", () => {
  it('an option was ignored without a word, and so its overflow – one that is unknown is refused by name', () => {
    const worker = scriptedWorkers();
    expect(() => poolOf('pool', { worker, overflow: 2 } as never)).toThrow(
      /unknown option overflow.*ERR_OPTION_UNKNOWN/,
    );
  });

  it('workers were not monitored – one that dies idle is noticed and replaced', async () => {
    const { host, pool, kind, of } = await stage({ size: 2 });
    kind.ports[0]?.exit({ code: 3 });
    await host.advance(100);
    expect(of('pool.worker.ended')).toMatchObject([{ worker: 'worker-1', how: 'exit code 3' }]);
    expect(pool.inspect()).toMatchObject({ idle: 2 });
  });

  it('the notice of a replacement went astray, so that the pool shrank – after 40 losses it is as large as ever', async () => {
    const { host, pool, kind } = await stage({ size: 4 });
    for (let n = 0; n < 40; n++) {
      kind.live[n % kind.live.length]?.exit();
      await host.advance(500);
      expect(await codeOf(host, pool.run('x', n))).toBe(n);
    }
    await host.advance(30_000);
    expect([kind.live.length, pool.inspect().idle, kind.ports.length]).toEqual([4, 4, 44]);
  });

  it('the queue had no bound – one more than it holds is refused, and those in it are served', async () => {
    const { host, pool } = await stage({ size: 1, queueLimit: 3 });
    const fates = Array.from({ length: 6 }, () => fateOf(pool.run('x', ms(10))));
    await host.advance(40);
    expect(fates.map(({ status }) => status)).toEqual([
      ...Array(4).fill('fulfilled'),
      ...Array(2).fill('rejected'),
    ]);
    expect(fates[5]?.error).toMatchObject({ code: 'ERR_POOL_QUEUE_FULL', outcome: 'not_started' });
  });

  it('what had waited for too long was run all the same – it never is', async () => {
    const { host, pool, kind } = await stage({ size: 1, checkoutMs: 50 });
    const running = fateOf(pool.run('running', ms(200)));
    const late = fateOf(pool.run('late'));
    await host.advance(1_000);
    expect([running.status, late.error?.code]).toEqual(['fulfilled', 'ERR_POOL_CHECKOUT_TIMEOUT']);
    expect(kind.ports.flatMap(({ jobs }) => jobs.map(({ name }) => name))).toEqual(['running']);
  });

  it('blocking work ran in the process of the pool – a job that never ends delays nobody', async () => {
    const { host, pool } = await stage({ size: 2 });
    const stuck = fateOf(pool.run('stuck', { do: 'freeze' }, { timeoutMs: 60_000 }));
    for (let n = 0; n < 20; n++) expect(await codeOf(host, pool.run('x', n))).toBe(n);
    expect([host.monotonic(), stuck.status]).toEqual([0, 'pending']);
  });

  it.each([
    ['a success', ms(0), 'kept'],
    ['an error in reply', { do: 'fail' }, 'kept'],
    ['an exit', CRASH, 'removed'],
    ['what cannot be decoded', { do: 'garbage' }, 'removed'],
    ['a timeout that it heeds', { do: 'hang' }, 'kept'],
    ['a timeout that it does not heed', { do: 'hang', ignoresCancel: true }, 'removed'],
  ])('whether a worker stays was left to chance – after %s', async (_, answer, fate) => {
    const { host, pool, kind } = await stage({ size: 1, cancelGraceMs: 50 });
    const job = fateOf(pool.run('x', answer, { timeoutMs: 100 }));
    await host.advance(1_000);
    expect(job.settled).toBe(1);
    expect(kind.ports[0]?.over).toBe(fate === 'removed');
    expect(pool.inspect()).toMatchObject({ idle: 1 });
    expect(await codeOf(host, pool.run('next', 1))).toBe(1);
  });

  it('its health was always well – a pool that nobody can work for says so', async () => {
    const { host, pool } = await stage({ size: 2, crashLoop: { crashes: 2 } });
    expect([pool.inspect().state, pool.canAccept()]).toEqual(['ready', true]);
    for (let n = 0; n < 2; n++) await codeOf(host, pool.run('x', CRASH));
    await host.settle();
    expect([pool.inspect().state, pool.canAccept()]).toEqual(['degraded', false]);
  });

  it('each call began the session anew, and its count never rose – it goes on, and is counted', async () => {
    const { host, pool } = await stage({ size: 3 });
    for (let n = 0; n < 5; n++) await codeOf(host, pool.run('x', n, { session: 's' }));
    expect(pool.sessions.stats()).toMatchObject({ total: 1, hits: 4, rebound: 0 });
    const own = pool.inspect().workers.find(({ id }) => id === pool.sessions.get('s'));
    expect(own).toMatchObject({ uses: 5, jobsDone: 5 });
  });
});

describe("defects of DSPex's worker states", () => {
  const checks = { size: 1, pingEveryMs: 1_000, pingTimeoutMs: 100 };

  it('a recovered worker was ready, but stayed unhealthy for ever – one event restores both', async () => {
    const on = await stage(checks);
    on.kind.ports[0]?.freeze();
    await on.host.advance(1_100);
    expect(first(on).shown).toMatchObject({ state: 'degraded', health: 'unhealthy' });
    first(on).port.frozen = false;
    await on.host.advance(100);
    expect(first(on).shown).toMatchObject({ state: 'ready', health: 'healthy' });
    expect(first(on).shown.history.at(-1)).toMatchObject({ from: 'degraded', to: 'ready' });
    expect(await codeOf(on.host, on.pool.run('x', 1))).toBe(1);
  });

  it('a degraded worker was removed at the next checkout – it is passed by, asked again, and stays', async () => {
    const { host, pool, kind } = await stage({ ...checks, size: 2 });
    const [sick] = kind.ports;
    sick?.freeze();
    await host.advance(1_100);
    for (let n = 0; n < 10; n++) expect(await codeOf(host, pool.run('x', n))).toBe(n);
    expect([sick?.jobs.length, sick?.over, kind.ports.length]).toEqual([0, false, 2]);
    if (sick !== undefined) sick.frozen = false;
    await host.advance(200);
    expect(pool.inspect().idle).toBe(2);
  });

  it.each([
    ['initializing', { start: () => ({ do: 'hang' }) as const }],
    ['terminating', { closeMs: Number.POSITIVE_INFINITY }],
  ])('an end while %s crashed – the worker ends, and so does its pool', async (_, script) => {
    const { host, system, pool, kind } = await stage({ size: 1, script, closeGraceMs: 100 });
    const ends = [pool.drain({ timeoutMs: 50 }), system.stop(pool), system.stop(pool)];
    expect((await host.runUntil(Promise.allSettled(ends))).map(({ status }) => status)).toEqual(
      Array(3).fill('fulfilled'),
    );
    expect(kind.live).toEqual([]);
    expect(host.pendingTimers()).toEqual([]);
  });

  it('its history had no bound – it remembers the last 32 steps, each with reason and duration', async () => {
    const on = await stage(checks);
    for (let n = 0; n < 500; n++) await codeOf(on.host, on.pool.run('x', n));
    const { history } = first(on).shown;
    expect(history).toHaveLength(32);
    for (const step of history)
      expect(step).toMatchObject({ reason: expect.any(String), msInState: expect.any(Number) });
  });

  it('no path led to the doubt about what comes back in error – what gave up a job is asked before it gets more', async () => {
    const on = await stage({ ...checks, cancelGraceMs: 1_000 });
    const { host, pool } = on;
    const given = fateOf(pool.run('x', { do: 'hang' }, { timeoutMs: 10 }));
    await host.advance(10);
    expect(given.error?.code).toBe('ERR_JOB_TIMEOUT');
    await host.settle();
    const steps = first(on).shown.history.map(({ to, reason }) => `${to}: ${reason}`);
    expect(steps.slice(-2)).toEqual(['degraded: checkin_cancelled', 'ready: health_restored']);
    expect(first(on).port.pings).toBe(1);
  });

  it('a failing metric could block a transition – a listener that throws is removed, and the step is made', async () => {
    const on = await stage(checks);
    let heard = 0;
    on.system.events.on('pool.worker.transitioned', () => {
      heard += 1;
      throw new Error('no metrics today');
    });
    for (let n = 0; n < 3; n++) expect(await codeOf(on.host, on.pool.run('x', n))).toBe(n);
    expect(heard).toBe(1);
    expect(first(on).shown).toMatchObject({ state: 'ready', jobsDone: 3 });
  });
});

describe("defects of DSPex's health checks", () => {
  it('a check blocked the pool while it waited – the others work on meanwhile', async () => {
    const { host, pool, kind } = await stage({ size: 2, pingEveryMs: 1_000, pingTimeoutMs: 5_000 });
    kind.ports[0]?.freeze();
    await host.advance(1_001);
    expect(kind.ports[0]?.pings).toBe(1);
    const before = host.monotonic();
    for (let n = 0; n < 10; n++) expect(await codeOf(host, pool.run('x', n))).toBe(n);
    expect(host.monotonic()).toBe(before);
  });

  it('only what was given back was checked – an idle one is, too', async () => {
    const { host, kind } = await stage({ size: 1, pingEveryMs: 1_000 });
    await host.advance(3_500);
    expect(kind.ports[0]).toMatchObject({ pings: 3, jobs: [] });
  });

  it('without any check all was well – a worker that was not heard of yet is not called healthy', async () => {
    const on = await stage({ size: 1, script: { start: () => ({ do: 'ready', afterMs: 100 }) } });
    expect(first(on).shown).toMatchObject({ state: 'initializing', health: 'unknown' });
    expect(on.pool.inspect().idle).toBe(0);
    await on.host.advance(100);
    expect(first(on).shown).toMatchObject({ state: 'ready', health: 'healthy' });
  });

  it('restarts were counted for ever, and the sixth was the last – they are forgotten, and nothing is given up', async () => {
    const options = { crashLoop: { forgetMs: 5_000 }, replaceBackoff: { maxMs: 100 } };
    const { host, pool, kind, of } = await stage({ size: 1, ...options });
    for (let n = 0; n < 30; n++) {
      kind.live[0]?.exit();
      await host.advance(6_000);
    }
    expect(of('pool.degraded')).toEqual([]);
    expect([kind.ports.length, kind.live.length]).toEqual([31, 1]);
    // Not even a loop of crashes is the end: a probe comes, ever more rarely.
    for (let n = 0; n < 10; n++) await codeOf(host, pool.run('x', CRASH));
    await host.runUntil(() => pool.inspect().idle === 1);
    expect(await codeOf(host, pool.run('x', 1))).toBe(1);
  });

  it('(successor) an answer resets the misses – three that were not in a row end nobody', async () => {
    const { host, kind } = await stage({ size: 1, pingEveryMs: 1_000, pingTimeoutMs: 100, pingMisses: 3 });
    const [port] = kind.ports;
    if (port === undefined) throw new Error('no worker');
    for (let n = 0; n < 4; n++) {
      await host.advance(900);
      port.freeze();
      await host.advance(290);
      port.frozen = false;
      await host.advance(200);
    }
    expect(port.pings).toBeGreaterThan(5);
    expect([port.killed, kind.ports.length]).toEqual([false, 1]);
  });

  it('(successor) a crash that may be poison was tried again at once – once only, and only where that does no harm', async () => {
    const { host, pool, kind } = await stage({ size: 4, crashLoop: { crashes: 100 } });
    const poison = { do: 'crash', signal: 'SIGSEGV' } as const;
    const once = fateOf(pool.run('once', poison));
    const twice = fateOf(pool.run('twice', poison, { idempotent: true }));
    await host.advance(10_000);
    expect([once.error?.code, twice.error?.code]).toEqual(['ERR_WORKER_EXITED', 'ERR_WORKER_EXITED']);
    const names = kind.ports.flatMap(({ jobs }) => jobs.map(({ name }) => name));
    expect(names.sort()).toEqual(['once', 'twice', 'twice']);
  });
});

describe("defects of DSPex's session affinity", () => {
  it('it was never consulted for routing – all jobs of a session are on its worker, others idle', async () => {
    const { host, pool, kind } = await stage({ size: 5 });
    const all = Array.from({ length: 5 }, (_, n) => `session ${n}`);
    for (let round = 0; round < 4; round++)
      for (const session of all) await codeOf(host, pool.run(session, round, { session }));
    for (const { jobs } of kind.ports) {
      expect(jobs).toHaveLength(4);
      expect(new Set(jobs.map(({ name }) => name)).size).toBe(1);
    }
  });

  it('there was one table for all pools – each has its own', async () => {
    const host = new SimulatedHost();
    const one = await stage({ host });
    const other = await stage({ host });
    one.pool.sessions.bind('s', 'worker-2');
    expect([one.pool.sessions.get('s'), other.pool.sessions.get('s')]).toEqual(['worker-2', undefined]);
    expect(other.pool.sessions.stats().total).toBe(0);
  });

  it('statistics did not heed the time to live that was set – they do', async () => {
    const { host, pool } = await stage({ affinity: { ttlMs: 1_000 } });
    pool.sessions.bindAll(['a', 'b']);
    await host.advance(999);
    expect(pool.sessions.stats()).toMatchObject({ total: 2, expired: 0 });
    await host.advance(2);
    expect(pool.sessions.stats()).toMatchObject({ total: 0, expired: 2 });
  });

  it('the time to live ran from the binding – it runs from the last use', async () => {
    const { host, pool } = await stage({ affinity: { ttlMs: 1_000 } });
    for (let n = 0; n < 5; n++) {
      await codeOf(host, pool.run('x', n, { session: 's' }));
      await host.advance(900);
    }
    expect(pool.sessions.get('s')).toBeDefined();
    await host.advance(101);
    expect(pool.sessions.get('s')).toBeUndefined();
  });

  it('binding again replaces; what is unknown does no harm; a worker that is lost takes nobody along', async () => {
    const { host, pool, kind } = await stage({ size: 2 });
    const { sessions } = pool;
    sessions.bind('s', 'worker-1');
    expect(sessions.bind('s', 'worker-2')).toBe('worker-2');
    expect(sessions.stats()).toMatchObject({ total: 1, perWorker: { 'worker-2': 1 } });
    expect([sessions.unbind('nobody'), sessions.unbindWorker('no worker'), sessions.get('nobody')]).toEqual([
      false,
      0,
      undefined,
    ]);
    kind.ports[1]?.exit();
    await host.advance(500);
    expect(await codeOf(host, pool.run('x', 1, { session: 's' }))).toBe(1);
  });

  it('ten thousand are bound, found and forgotten in less than a second each, workers going meanwhile', async () => {
    const { host, pool, kind } = await stage({ size: 8 });
    const { sessions } = pool;
    const all = Array.from({ length: 10_000 }, (_, n) => `session ${n}`);
    const timed = <T>(work: () => T): T => {
      const before = performance.now();
      const result = work();
      expect(performance.now() - before).toBeLessThan(1_000);
      return result;
    };
    expect(timed(() => sessions.bindAll(all)).size).toBe(10_000);
    expect(Object.values(sessions.stats().perWorker)).toEqual(Array(8).fill(1_250));
    expect(timed(() => sessions.getAll(all)).size).toBe(10_000);
    for (const port of kind.ports.slice(0, 4)) port.exit();
    await host.settle();
    for (const session of all.slice(0, 100)) await codeOf(host, pool.run('x', 1, { session }));
    expect(timed(() => sessions.unbindAll())).toBeGreaterThan(0);
    expect(sessions.stats().total).toBe(0);
  });
});
