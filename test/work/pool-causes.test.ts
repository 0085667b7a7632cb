/** What a pool says of workers that do not come up: the cause, in the words of whoever knows it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TroupeError } from '../../src/base/errors.ts';
import { createRealHost } from '../../src/base/real-host.ts';
import { createSystem } from '../../src/kernel/system.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { childProcess } from '../../src/work/child-process.ts';
import { inProcess } from '../../src/work/in-process.ts';
import { pool as poolOf } from '../../src/work/pool.ts';
import { tellingLine } from '../../src/work/worker-end.ts';
import type { WorkerKind } from '../../src/work/worker-port.ts';
import { requires } from '../requirements.ts';
import { stage } from './pool-stage.ts';

const python = requires('python3');

const errorOf = (promise: Promise<unknown>): Promise<TroupeError> =>
  promise.then(
    () => Promise.reject(new Error('it was fulfilled')),
    (error: TroupeError) => error,
  );

describe('a worker process that does not come up', () => {
  let folder = '';
  const file = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'troupe-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** The first rejection of a pool of such workers. */
  const rejectionOf = async (worker: WorkerKind): Promise<TroupeError> => {
    const system = createSystem({ host: createRealHost() });
    try {
      const handle = await system.start(poolOf('pool', { worker, size: 2, checkoutMs: 20_000 }));
      return await errorOf(handle.run('x'));
    } finally {
      await system.shutdown();
    }
  };

  it.each([
    ['throws at import', 'bad.mjs', 'throw new TypeError("no such table");', 'TypeError: no such table'],
    [
      'imports what is missing',
      'lost.mjs',
      'import "./nowhere.mjs";',
      'Error [ERR_MODULE_NOT_FOUND]: Cannot find',
    ],
    [
      'serves nothing',
      'idle.mjs',
      'console.log("hello");',
      'exit code 0, before it was ready: does it serve',
    ],
    ['exits at import', 'out.mjs', 'process.exit(0);', 'exit code 0, before it was ready: does it serve'],
    ['is no JavaScript', 'typed.ts', 'const a: number = 1;', 'typed.ts'],
  ])('because its module %s is the cause of a refusal', async (_what, name, text, words) => {
    if (name.endsWith('.ts') && (process.features as { typescript?: unknown }).typescript) return;
    const error = await rejectionOf(childProcess({ module: file(name, text) }));
    expect(error).toMatchObject({ code: 'ERR_POOL_DEGRADED', outcome: 'not_started' });
    expect(error.message).toContain(words);
    expect(error.message.match(/\[ERR_POOL_\w+\]/g)).toHaveLength(1);
    const cause = error.cause as TroupeError;
    expect(cause).toMatchObject({ code: 'ERR_WORKER_START', outcome: 'not_started' });
    expect(cause.message).toContain(words);
    if (name !== 'out.mjs') expect(cause.data['lastStderr']).not.toEqual([]);
  });

  it.skipIf(python.skip)('says so in Python as well', async () => {
    const error = await rejectionOf(childProcess({ module: file('bad.py', 'import no_such_thing_at_all') }));
    expect(error.message).toContain("ModuleNotFoundError: No module named 'no_such_thing_at_all'");
  });

  it('because its command does not exist is named', async () => {
    const error = await rejectionOf(childProcess({ command: 'no-such-command-at-all' }));
    expect((error.cause as TroupeError).message).toContain('no-such-command-at-all ENOENT');
  });

  it('because its module does not exist keeps its pool from starting, in its own name', async () => {
    const host = new SimulatedHost();
    const system = createSystem({ host });
    const module = join(folder, 'nowhere.mjs');
    const start = errorOf(system.start(poolOf('pool', { worker: childProcess({ module }) })));
    const error = await host.runUntil(start);
    const all = [error, error.cause as TroupeError].filter((each) => each !== undefined);
    expect(all.map(({ code }) => code)).toContain('ERR_WORKER_START');
    expect(all.map(({ message }) => message).join()).toContain(`its module ${module} does not exist`);
  });

  it('is not foretold where Node or a command of its own may find the module', () => {
    file('found.js', '');
    expect(() => childProcess({ module: join(folder, 'found') }).verify?.()).not.toThrow();
    const elsewhere = childProcess({ command: 'enter-container', module: '/srv/worker.mjs' });
    expect(() => elsewhere.verify?.()).not.toThrow();
  });
});

describe('a worker in this process whose resource cannot be made', () => {
  it('is the cause of the refusal, with the error of its maker', async () => {
    const host = new SimulatedHost();
    const system = createSystem({ host });
    const boom = new Error('no route to the database');
    const worker = inProcess({
      create: () => {
        throw boom;
      },
      handlers: { ask: () => 1 },
    });
    const handle = await host.runUntil(system.start(poolOf('pool', { worker, size: 1 })));
    const error = await host.runUntil(errorOf(handle.run('ask')));
    expect(error).toMatchObject({ code: 'ERR_POOL_DEGRADED' });
    expect(error.message).toContain('no route to the database');
    expect((error.cause as TroupeError).code).toBe('ERR_WORKER_START');
    expect((error.cause as TroupeError).cause).toBe(boom);
    const refused = await host.runUntil(errorOf(handle.run('ask')));
    expect((refused.cause as TroupeError).cause).toBe(boom);
    await host.runUntil(system.shutdown());
  });
});

describe('a wait for a worker that passes', () => {
  it('says how many are still starting', async () => {
    const { host, pool } = await stage({
      size: 3,
      checkoutMs: 100,
      script: { start: () => ({ do: 'hang' }) },
    });
    const error = await host.runUntil(errorOf(pool.run('x')));
    expect(error).toMatchObject({
      code: 'ERR_POOL_CHECKOUT_TIMEOUT',
      data: { size: 3, starting: 3, failed: 0 },
    });
    expect(error.message).toContain('3 of 3 workers are not there: 3 starting, 0 failed');
    expect(error.cause).toBeUndefined();
  });

  it('has the last crash for its cause where workers failed meanwhile, for leases too', async () => {
    const { host, pool } = await stage({
      checkoutMs: 100,
      replaceBackoff: { jitter: 'none', baseMs: 1_000 },
      script: { start: (number) => (number === 2 ? { do: 'ready' } : { do: 'exit', code: 7 }) },
    });
    const busy = errorOf(pool.run('x', { do: 'hang' }, { timeoutMs: 500 }));
    for (const late of [pool.run('y'), pool.lease()].map(errorOf)) {
      const error = await host.runUntil(late);
      expect(error.message).toContain('1 of 2 workers are not there: 0 starting, 1 failed');
      expect(error.cause).toMatchObject({ code: 'ERR_WORKER_START', data: { code: 7 } });
    }
    expect(await host.runUntil(busy)).toMatchObject({ code: 'ERR_JOB_TIMEOUT' });
  });

  it('says nothing of workers that are merely busy', async () => {
    const { host, pool } = await stage({ size: 1, checkoutMs: 100 });
    const busy = errorOf(pool.run('x', { do: 'hang' }, { timeoutMs: 500 }));
    const error = await host.runUntil(errorOf(pool.run('y')));
    expect(error.message).toBe('pool pool: no worker became free within 100 ms [ERR_POOL_CHECKOUT_TIMEOUT]');
    await host.runUntil(busy);
  });
});

describe('the end of a worker', () => {
  it('is announced without a cause where there is none, and with one where there is', async () => {
    const { host, kind, of } = await stage();
    kind.ports[0]?.exit();
    kind.ports[1]?.breakProtocol();
    await host.settle();
    const [crashed, broken] = of('pool.worker.ended');
    expect(crashed).not.toHaveProperty('cause');
    expect(broken).toHaveProperty('cause');
  });

  it('by a breach is told once, in plain words', async () => {
    const { host, pool } = await stage();
    const error = await host.runUntil(errorOf(pool.run('x', { do: 'garbage' })));
    expect(error.message).toBe(
      'pool/worker-2 broke the protocol: malformed frame: as scripted [ERR_WORKER_PROTOCOL]',
    );
  });
});

describe('the telling line of what was printed', () => {
  it.each([
    [
      ['node:internal/x:1', '  throw err;', "Error: Cannot find module '/x'", '    at a'],
      "Error: Cannot find module '/x'",
    ],
    [['/x/y.ts:1', 'const a: number', 'SyntaxError: Missing'], 'SyntaxError: Missing (/x/y.ts:1)'],
    [['Traceback:', '  x', "KeyError: 'a'"], "KeyError: 'a'"],
    [["python3: can't open file '/x.py': [Errno 2]"], "python3: can't open file '/x.py': [Errno 2]"],
    [['info: started', 'no error here'], undefined],
    [[`Error: ${'x'.repeat(500)}`], `Error: ${'x'.repeat(193)}…`],
    [[], undefined],
  ])('of %j is %j', (lines, expected) => {
    expect(tellingLine(lines)).toBe(expected);
  });
});
