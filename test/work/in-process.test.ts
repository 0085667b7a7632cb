import { describe, expect, it } from 'vitest';
import { isTroupeError } from '../../src/base/errors.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { type InProcessOptions, inProcess } from '../../src/work/in-process.ts';
import type { WorkerHandlers } from '../../src/work/sdk/worker.ts';
import { WatchedWorker } from './watched-worker.ts';

interface Connection {
  readonly number: number;
  closed: number;
}

const setUp = async (options: Partial<InProcessOptions<Connection>> = {}) => {
  const host = new SimulatedHost();
  const made: Connection[] = [];
  const kind = inProcess<Connection>({
    handlers: {
      number: (_args, { resource }) => resource.number,
      same: (args) => args,
      fail() {
        throw new RangeError('too far');
      },
      wait: (_args, { signal }) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
      deaf: () => new Promise(() => {}),
      left: (_args, context) => context.remainingMs,
      log: (_args, { log }) => log('noted'),
    },
    create: () => {
      const connection = { number: made.length + 1, closed: 0 };
      made.push(connection);
      return connection;
    },
    destroy: (connection) => {
      connection.closed += 1;
    },
    ...options,
  });
  const worker = new WatchedWorker(kind, host);
  return { host, worker, made, kind };
};

const ready = async (options: Partial<InProcessOptions<Connection>> = {}) => {
  const all = await setUp(options);
  await all.host.settle();
  expect(all.worker.all('ready')).toHaveLength(1);
  return all;
};

const kinds = (worker: WatchedWorker) => worker.told.map(([kind]) => kind);

describe('a worker in this process', () => {
  it('is not ready before its resource is made, and says what it can do', async () => {
    const { worker, host } = await setUp();
    expect(worker.told).toEqual([]);
    await host.settle();
    const [, info] = worker.all('ready')[0] as readonly ['ready', unknown];
    expect(info).toMatchObject({ pid: undefined, version: 1, capabilities: ['stream', 'progress'] });
  });

  it('runs handlers with its resource, and never within run', async () => {
    const { worker, host } = await ready();
    const id = worker.start('number');
    expect(kinds(worker)).toEqual(['ready']);
    await host.settle();
    expect(worker.told.at(-1)).toEqual(['succeeded', id, 1]);
  });

  it('copies nothing', async () => {
    const { worker, host } = await ready();
    const args = { any: new Map() };
    worker.start('same', args);
    await host.settle();
    expect(worker.all('succeeded')[0]?.[2]).toBe(args);
  });

  it('tells of what a handler throws', async () => {
    const { worker, host } = await ready();
    const id = worker.start('fail');
    await host.settle();
    const [, jobId, failure] = worker.all('failed')[0] as readonly ['failed', number, { traceback: string }];
    expect(jobId).toBe(id);
    expect(failure).toMatchObject({ type: 'RangeError', message: 'too far' });
    expect(failure.traceback).toContain('in-process.test.ts');
  });

  it('gives a handler what is left of its deadline', async () => {
    const { worker, host } = await ready();
    worker.start('left', {}, 700);
    await host.settle();
    expect(worker.all('succeeded')[0]?.[2]).toBe(700);
  });

  it('cancels a job by its signal', async () => {
    const { worker, host } = await ready();
    const id = worker.start('wait');
    await host.settle();
    worker.port.cancel(id, 'enough');
    await host.settle();
    expect(worker.told.at(-1)).toEqual(['cancelled', id]);
  });

  it('refuses a job it cannot run, before anything runs', async () => {
    const { worker } = await setUp();
    const refusal = (name: string) => {
      try {
        worker.start(name);
      } catch (error) {
        return isTroupeError(error, 'ERR_JOB_INVALID') ? error.message : String(error);
      }
      return 'nothing';
    };
    expect(refusal('number')).toContain('not ready');
    const { worker: other } = await ready();
    worker.port.close();
    expect(refusal('number')).toContain('ending');
    expect(() => other.start('toString')).toThrow('ERR_JOB_INVALID');
  });

  it('answers a ping exactly where its check finds the resource sound', async () => {
    let verdict: unknown = true;
    const check = (): unknown => {
      if (verdict instanceof Error) throw verdict;
      return verdict;
    };
    const { worker, host } = await ready({ check });
    for (const [id, answer] of [true, undefined, false, new Error('gone')].entries()) {
      verdict = answer;
      worker.port.ping(id);
      await host.settle();
    }
    expect(worker.all('pong').map(([, id]) => id)).toEqual([0, 1]);
    expect(worker.lines).toEqual([
      'error: its check says that it is not sound',
      'error: its check failed: Error: gone',
    ]);
  });

  it('ends in order: jobs cancelled, then the resource destroyed once, then ended', async () => {
    const { worker, host, made } = await ready();
    worker.start('wait');
    await host.settle();
    worker.port.close();
    worker.port.close();
    await host.settle();
    expect(kinds(worker)).toEqual(['ready', 'cancelled', 'ended']);
    expect(worker.told.at(-1)).toEqual(['ended', { code: 0, signal: null, lastStderr: [], stragglers: [] }]);
    worker.port.kill();
    await host.settle();
    expect(made[0]?.closed).toBe(1);
    expect(kinds(worker)).toEqual(['ready', 'cancelled', 'ended']);
  });

  it('says so when its resource does not close', async () => {
    const { worker, host } = await ready({ destroy: () => Promise.reject(new Error('stuck')) });
    worker.port.close();
    await host.settle();
    expect(await worker.end()).toMatchObject({
      code: 1,
      lastStderr: ['error: its resource did not close: Error: stuck'],
    });
  });

  it('waits for jobs that do not heed a close, until it is killed; then it names them', async () => {
    const { worker, host, made } = await ready();
    worker.start('deaf');
    worker.start('wait');
    await host.settle();
    worker.port.close();
    await host.advance(60_000);
    expect(kinds(worker)).toEqual(['ready', 'cancelled']);
    worker.port.kill();
    await host.settle();
    expect(worker.told.at(-1)).toMatchObject(['ended', { signal: 'SIGKILL', stragglers: ['deaf'] }]);
    expect(made[0]?.closed).toBe(1);
  });

  it('tells nothing of stragglers after its end', async () => {
    let release = (_value: number): void => {};
    const { worker, host } = await ready({
      handlers: {
        stubborn: (_args, { log }) =>
          new Promise<number>((resolve) => {
            release = resolve;
          }).finally(() => log('late')),
      },
    });
    worker.start('stubborn');
    await host.settle();
    worker.port.kill();
    await host.settle();
    const before = worker.told.length;
    release(1);
    await host.settle();
    expect(worker.told).toHaveLength(before);
  });

  it('ends with the error when its resource cannot be made', async () => {
    const { worker, host } = await setUp({ create: () => Promise.reject(new Error('refused')) });
    await host.settle();
    expect(worker.told).toMatchObject([['ended', { code: null, error: { message: 'refused' } }]]);
  });

  it('destroys a resource that came after it was killed, once, and is never ready', async () => {
    let give = (_connection: Connection): void => {};
    const { worker, host } = await setUp({
      create: () =>
        new Promise((resolve) => {
          give = resolve;
        }),
    });
    await host.settle();
    worker.port.kill();
    await host.settle();
    expect(kinds(worker)).toEqual(['ended']);
    const late = { number: 9, closed: 0 };
    give(late);
    await host.settle();
    expect(late.closed).toBe(1);
    expect(kinds(worker)).toEqual(['ended']);
  });

  it('tells the making of its resource when it is not wanted any more', async () => {
    const { worker, host } = await setUp({
      create: ({ signal }) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    });
    await host.settle();
    worker.port.close();
    await host.settle();
    expect(worker.told).toMatchObject([['ended', { code: 0 }]]);
  });

  it('infers what its handlers are given from what is created', () => {
    const kind = inProcess({
      name: 'typed',
      create: async ({ id }) => ({ made: id }),
      check: ({ made }) => made.length > 0,
      handlers: {
        upper: ({ text }: { text: string }, { resource, signal }) =>
          `${resource.made.at(0)}${text}${signal.aborted}`,
        // @ts-expect-error: a resource has what was created, and nothing else
        wrong: (_args, { resource }) => resource.missing,
      },
    });
    const handlers: WorkerHandlers = {
      count: ({ text }: { readonly text: string }, { remainingMs }) => text.length + remainingMs,
      // @ts-expect-error: arguments are unknown until they are declared
      wrong: (args) => args.text,
    };
    expect([kind.name, Object.keys(handlers)]).toEqual(['typed', ['count', 'wrong']]);
  });

  it.each([
    ['no handlers', { handlers: {} }, 'ERR_OPTION_INVALID'],
    ['a handler that is none', { handlers: { a: 1 } }, 'ERR_OPTION_INVALID'],
    ['an option it does not know', { handlers: { a: () => 1 }, destory: () => 1 }, 'ERR_OPTION_UNKNOWN'],
  ])('refuses %s', (_what, options, code) => {
    expect(() => inProcess(options as never)).toThrow(code);
  });
});
