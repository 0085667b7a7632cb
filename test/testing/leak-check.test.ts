/** Real timers, sockets, processes, threads and listeners, each left behind on purpose, and none where nothing is. */
import { spawn } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { realHost } from '../../src/base/real-host.ts';
import { createScope } from '../../src/coordination/scope.ts';
import { createRetry } from '../../src/resilience/retry.ts';
import { findLeaks, withLeakCheck } from '../../src/testing/leak-check.ts';
import { troupeMatchers } from '../../src/testing/matchers.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';

expect.extend(troupeMatchers);

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});
const here = expect.stringContaining('leak-check.test.ts') as string;

describe('what is left behind', () => {
  it('is nothing where everything is ended', async () => {
    const value = await withLeakCheck(async ({ host }) => {
      clearTimeout(setTimeout(() => {}, 1_000));
      await delay(1);
      const server = createServer().listen(0);
      await new Promise((resolve) => server.on('listening', resolve));
      await new Promise((resolve) => server.close(resolve));
      const noop = (): void => {};
      process.on('SIGUSR2', noop).off('SIGUSR2', noop);
      host.timer(1_000, 'mine', noop).cancel();
      const scope = createScope({ host });
      await scope.start('quick', async () => 1).result;
      await scope.close();
      return 'clean';
    });
    expect(value).toBe('clean');
  });

  it.each<[string, string, () => unknown]>([
    [
      'a timer',
      'timer',
      () => {
        const timer = setTimeout(() => {}, 60_000);
        cleanUps.push(() => clearTimeout(timer));
      },
    ],
    [
      'an interval',
      'timer',
      () => {
        const timer = setInterval(() => {}, 60_000);
        cleanUps.push(() => clearInterval(timer));
      },
    ],
    [
      'a listener on the process',
      'listener',
      () => {
        const noop = (): void => {};
        process.on('SIGUSR2', noop);
        cleanUps.push(() => process.off('SIGUSR2', noop));
      },
    ],
    [
      'a server',
      'server',
      async () => {
        const server = createServer().listen(0);
        await new Promise((resolve) => server.on('listening', resolve));
        cleanUps.push(() => new Promise((resolve) => server.close(resolve)));
      },
    ],
    [
      'a child process',
      'child_process',
      () => {
        const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)'], { stdio: 'ignore' });
        cleanUps.push(() => {
          child.kill('SIGKILL');
          return new Promise((resolve) => child.on('close', resolve));
        });
      },
    ],
    [
      'a thread',
      'thread',
      async () => {
        const worker = new Worker('setTimeout(() => {}, 60_000)', { eval: true });
        await new Promise((resolve) => worker.on('online', resolve));
        cleanUps.push(() => worker.terminate());
      },
    ],
  ])('%s is named, with the place where it was made', async (_what, kind, leave) => {
    const leaks = await findLeaks(leave);
    expect(leaks).toContainEqual(expect.objectContaining({ kind, origin: here }));
    await expect(withLeakCheck(leave)).rejects.toMatchObject({
      code: 'ERR_LEAK_FOUND',
      message: expect.stringContaining('leak-check.test.ts') as string,
    });
  });

  it('a socket is named, though its server is older', async () => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => sockets.push(socket)).listen(0);
    await new Promise((resolve) => server.on('listening', resolve));
    cleanUps.push(() => new Promise((resolve) => server.close(resolve)));
    const leaks = await findLeaks(async () => {
      const socket = connect((server.address() as { port: number }).port);
      sockets.push(socket);
      await new Promise((resolve) => socket.on('connect', resolve));
    });
    for (const socket of sockets) socket.destroy();
    expect(leaks).toContainEqual(expect.objectContaining({ kind: 'socket', origin: here }));
  });

  it('a listener on an emitter that is named is found', async () => {
    const emitter = new EventEmitter();
    const leaks = await findLeaks(() => void emitter.on('data', () => {}), { emitters: [emitter] });
    expect(leaks).toMatchObject([{ kind: 'listener', name: 'data', origin: here }]);
  });

  it("troupe's own timers are named one by one, also of what was given no host", async () => {
    const retry = createRetry({ maxAttempts: 5, backoff: { baseMs: 60_000, jitter: 'none' } });
    const controller = new AbortController();
    const leaks = await findLeaks(({ host }) => {
      const timer = host.timer(60_000, 'mine', () => {});
      cleanUps.push(
        () => timer.cancel(),
        () => controller.abort(),
      );
      const bounds = { signal: controller.signal };
      retry.execute(() => Promise.reject(new Error('always')), bounds).catch(() => {});
    });
    expect(leaks.map(({ kind }) => kind)).toEqual(['timer', 'timer']);
    expect(leaks[0]).toMatchObject({ name: 'mine', origin: here });
    expect(leaks[1]?.name).toContain('wait');
    expect(Object.keys(realHost())).not.toContain('timer');
  });

  it('a task that runs on in a scope that nobody closed, or that closed over it', async () => {
    const leaks = await findLeaks(async ({ host }) => {
      createScope({ host, name: 'open', origins: 'all' }).start('runs on', () => new Promise(() => {}));
      const closed = createScope({ host, name: 'closed', closeMs: 1, origins: 'all' });
      closed.start('deaf', () => new Promise(() => {}));
      await closed.close();
    });
    expect(leaks).toMatchObject([
      { kind: 'task', name: 'runs on', origin: here },
      { kind: 'task', name: 'deaf', origin: here },
    ]);
  });

  it('of a simulated host counts too', async () => {
    const base = new SimulatedHost();
    const leaks = await findLeaks(({ host }) => void host.timer(1, 'simulated', () => {}), { host: base });
    expect(leaks).toMatchObject([{ kind: 'timer', name: 'simulated' }]);
  });

  it('may be allowed, and does not count unless it keeps the process alive', async () => {
    const leave = (): void => {
      const timer = setTimeout(() => {}, 60_000).unref();
      cleanUps.push(() => clearTimeout(timer));
    };
    expect(await findLeaks(leave)).toEqual([]);
    expect(await findLeaks(leave, { unref: true })).toHaveLength(1);
    expect(await findLeaks(leave, { unref: true, allow: ({ kind }) => kind === 'timer' })).toEqual([]);
  });

  it('is not looked for where the code throws: that is what it rejects with', async () => {
    await expect(withLeakCheck(() => Promise.reject(new Error('as told')))).rejects.toThrow('as told');
  });

  it('is named by its maker in the built package too, whose files have other names', async () => {
    const name: string = 'troupe/testing';
    const built = (await import(name)) as { readonly findLeaks: typeof findLeaks };
    const leaks = await built.findLeaks(() => {
      const timer = setTimeout(() => {}, 60_000);
      const noop = (): void => {};
      process.on('SIGUSR2', noop);
      cleanUps.push(
        () => clearTimeout(timer),
        () => process.off('SIGUSR2', noop),
      );
    });
    expect(leaks).toMatchObject([
      { kind: 'timer', origin: here },
      { kind: 'listener', origin: here },
    ]);
  });

  it('is a matcher', async () => {
    const matcher = troupeMatchers.toLeaveNothing;
    expect((await matcher(() => 1)).pass).toBe(true);
    const { pass, message } = await matcher(({ host }) => {
      const timer = host.timer(60_000, 'left', () => {});
      cleanUps.push(() => timer.cancel());
    });
    expect(pass).toBe(false);
    expect(message()).toMatch(
      /expected nothing to be left behind; timer left made at .*leak-check\.test\.ts/,
    );
  });
});
