/** Whether a pool counts as ready in the health of its application. */
import { afterEach, describe, expect, it } from 'vitest';
import { type Application, application } from '../../src/application/application.ts';
import { supervisor } from '../../src/supervision/supervisor.ts';
import { type ScriptedOptions, scriptedWorkers } from '../../src/testing/scripted-worker.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { pool as poolOf } from '../../src/work/pool.ts';
import type { PoolOptions } from '../../src/work/pool-options.ts';
import { codeOf, fateOf } from './pool-stage.ts';

let stop: (() => Promise<unknown>) | undefined;

const serve = async (script: ScriptedOptions = {}, options: Partial<PoolOptions> = {}) => {
  const host = new SimulatedHost();
  const kind = scriptedWorkers(script);
  const spec = poolOf('pool', { worker: kind, size: 2, ...options });
  const tree = supervisor('root', { children: [spec] });
  const app: Application = await host.runUntil(application(tree, { host }).start());
  stop = () => host.runUntil(app.stop());
  await host.settle();
  return { host, kind, app, pool: app.get(spec) };
};

afterEach(async () => {
  await stop?.();
  stop = undefined;
});

const READY = { live: true, ready: true, notReady: [] };
const NOT_READY = { live: true, ready: false, notReady: ['root/pool'] };

describe('a pool in the health of its application', () => {
  it('is not ready before the first of its workers is', async () => {
    const { host, app } = await serve({ start: (number) => ({ do: 'ready', afterMs: 100 * number }) });
    expect(app.health()).toMatchObject(NOT_READY);
    await host.advance(100);
    expect(app.health()).toMatchObject(READY);
  });

  it('is ready while all its workers are busy, which is no illness', async () => {
    const { host, app, pool } = await serve();
    const fates = [1, 2].map(() => fateOf(pool.run('x', { do: 'succeed', afterMs: 50 })));
    await host.settle();
    expect(pool.inspect()).toMatchObject({ idle: 0 });
    expect(app.health()).toMatchObject(READY);
    await host.advance(50);
    expect(fates.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled']);
  });

  it('is not ready while its workers crash in a loop, and is again when a probe lives', async () => {
    let broken = true;
    const { host, app, pool } = await serve({ start: () => ({ do: broken ? 'exit' : 'ready' }) });
    await host.advance(1_000);
    expect(pool.inspect().state).toBe('degraded');
    expect(app.health()).toMatchObject(NOT_READY);
    broken = false;
    await host.runUntil(() => pool.inspect().idle === 2);
    expect(app.health()).toMatchObject(READY);
  });

  it('is not ready while none of its workers answers', async () => {
    const { host, app, kind } = await serve({}, { pingEveryMs: 100, pingTimeoutMs: 100, pingMisses: 100 });
    kind.ports[0]?.freeze();
    await host.advance(300);
    expect(app.health()).toMatchObject(READY);
    kind.ports[1]?.freeze();
    await host.advance(300);
    expect(app.health()).toMatchObject(NOT_READY);
    for (const port of kind.ports) port.frozen = false;
    await host.advance(300);
    expect(app.health()).toMatchObject(READY);
  });

  it('is not ready once it drains', async () => {
    const { host, app, pool } = await serve();
    const running = fateOf(pool.run('x', { do: 'succeed', afterMs: 100 }));
    const drained = fateOf(pool.drain());
    expect(app.health()).toMatchObject(NOT_READY);
    expect(await codeOf(host, pool.run('y'))).toBe('ERR_POOL_DRAINING');
    await host.advance(100);
    expect([running.status, drained.status]).toEqual(['fulfilled', 'fulfilled']);
    expect(app.health()).toMatchObject(NOT_READY);
  });
});
