/** The audit over the real host: timers, OS processes, threads, servers, sockets and tasks that outlive the scope they were made in. */
import { afterEach, describe, expect, it } from 'vitest';
import type { ChannelListeners, Host } from '../../src/base/host.ts';
import { createLeakAudit, type LeakAudit } from '../../src/coordination/leak-audit.ts';
import { createScope } from '../../src/coordination/scope.ts';

const PATIENCE_MS = 30_000;

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const nothing: ChannelListeners = { data: () => {}, closed: () => {} };
const ended = () => {
  let end!: () => void;
  const promise = new Promise<void>((resolve) => {
    end = resolve;
  });
  return { promise, end };
};

const CASES: readonly [string, (host: Host) => unknown, expect: Record<string, unknown>][] = [
  [
    'a timer',
    (host) => {
      const timer = host.timer(60_000, 'reminder', () => {});
      ends.push(() => timer.cancel());
    },
    { kind: 'timer', name: 'reminder' },
  ],
  [
    'an OS process',
    (host) => {
      const gone = ended();
      const child = host.spawn(
        { command: process.execPath, args: ['-e', 'setTimeout(() => {}, 60_000)'], env: {} },
        { stdout: () => {}, stderr: () => {}, ended: gone.end },
      );
      ends.push(() => {
        child.kill('SIGKILL');
        return gone.promise;
      });
    },
    { kind: 'child_process', name: expect.stringContaining('setTimeout') },
  ],
  [
    'a thread',
    (host) => {
      const gone = ended();
      const code = 'setInterval(() => {}, 60_000)';
      const thread = host.startThread(
        { code, isSource: true, env: {}, argv: [] },
        { message: () => {}, stderr: () => {}, ended: gone.end },
      );
      ends.push(() => {
        thread.kill();
        return gone.promise;
      });
    },
    { kind: 'thread' },
  ],
  [
    'a server and both ends of a socket',
    async (host) => {
      const server = await host.transport.listen('tcp://127.0.0.1:0', () => nothing);
      const channel = await host.transport.connect(server.address, nothing);
      ends.push(
        () => channel.close(),
        () => server.close(),
      );
    },
    { kind: 'socket' },
  ],
];

describe('what outlives its scope, of real resources', () => {
  const outlive = async (make: (host: Host) => unknown): Promise<LeakAudit> => {
    const audit = createLeakAudit({ timerSample: 1 });
    ends.push(() => audit.dispose());
    const scope = createScope({ host: audit.host, name: 'request 7' });
    const own = audit.within(scope, 'request 7');
    await scope.start('makes it', () => make(own)).result;
    expect(audit.look().leaks).toEqual([]);
    await scope.close();
    return audit;
  };

  it.each(CASES)(
    '%s is found and named with its owner and its line, and no more when it has ended',
    async (_, make, seen) => {
      const audit = await outlive(make);
      const origin = expect.stringContaining('leak-audit-real.test.ts');
      await expect
        .poll(() => audit.look().leaks)
        .toContainEqual(expect.objectContaining({ ...seen, owner: 'request 7', origin }));
      const dispose = ends.shift();
      for (const end of ends.splice(0).reverse()) await end();
      await expect.poll(() => audit.look().leaks, { timeout: PATIENCE_MS }).toEqual([]);
      dispose?.();
    },
    PATIENCE_MS,
  );

  it('a task that did not heed its cancellation is, and one that did is not', async () => {
    const audit = createLeakAudit();
    ends.push(() => audit.dispose());
    const scope = createScope({ host: audit.host, name: 'request 8', closeMs: 5, origins: 'all' });
    scope.start(
      'heeds',
      ({ signal }) => new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve())),
    );
    const over = ended();
    scope.start('deaf', () => over.promise);
    await scope.close();
    const leak = { kind: 'task', name: 'deaf', origin: expect.stringContaining('leak-audit-real.test.ts') };
    expect(audit.look().leaks).toMatchObject([leak]);
    over.end();
    await expect.poll(() => audit.look().leaks).toEqual([]);
  });
});
