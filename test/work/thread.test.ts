/** The port of a thread under a scripted thread, and what `thread(…)` refuses. */
import { describe, expect, it } from 'vitest';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { SimulatedThread, type ThreadScript } from '../../src/testing/simulated-thread.ts';
import { thread } from '../../src/work/thread.ts';
import { FROM_THREAD, TO_THREAD } from '../../src/work/thread-messages.ts';
import { transfer } from '../../src/work/transfer.ts';
import { WatchedWorker } from './watched-worker.ts';

const READY = [FROM_THREAD.ready, 1, ['stream', 'progress'], ['count']];

const setUp = async (script: ThreadScript = {}) => {
  const host = new SimulatedHost();
  const threads: SimulatedThread[] = [];
  host.onThread = (spec, listeners) => {
    const made = new SimulatedThread(host, { spec, script }, listeners);
    threads.push(made);
    return made;
  };
  const worker = new WatchedWorker(thread({ handlers: { count: (n) => n } }), host);
  const made = threads[0] as SimulatedThread;
  const say = async (...messages: readonly unknown[]) => {
    for (const message of messages) made.emit(message);
    await host.settle();
  };
  await host.settle();
  return { host, worker, made, say };
};

const kinds = (worker: WatchedWorker) => worker.told.map(([kind]) => kind);

describe('the port of a thread', () => {
  it('sends jobs, grants, cancellations and pings as short messages', async () => {
    const { worker, made, say } = await setUp();
    await say(READY);
    worker.port.run({ id: 1, name: 'count', args: { n: 1n }, remainingMs: Number.POSITIVE_INFINITY });
    worker.port.run({ id: 2, name: 'count', args: 2, remainingMs: 50, stream: 3 });
    worker.port.more?.(1, 1);
    worker.port.more?.(2, 1);
    worker.port.cancel(1, 'enough');
    worker.port.interrupt?.(2, 'enough');
    worker.port.cancel(9, 'nobody');
    worker.port.ping(7);
    worker.port.close();
    expect(made.posted.slice(1)).toEqual([
      [TO_THREAD.run, 1, 'count', { n: 1n }, null],
      [TO_THREAD.run, 2, 'count', 2, 50, 3],
      [TO_THREAD.more, 2, 1],
      [TO_THREAD.cancel, 1, 'enough'],
      [TO_THREAD.cancel, 2, 'enough'],
      [TO_THREAD.ping, 7],
      [TO_THREAD.shutdown],
    ]);
  });

  it('tells each answer once; what nobody waits for is dropped', async () => {
    const { worker, say } = await setUp();
    await say(READY);
    for (const id of [1, 2, 3]) worker.port.run({ id, name: 'count', args: 0, remainingMs: 1 });
    worker.port.ping(1);
    await say(
      [FROM_THREAD.result, 1, undefined],
      [FROM_THREAD.result, 1, 2],
      [FROM_THREAD.error, 2, 'T', 'm', 't'],
      [FROM_THREAD.cancelled, 3],
      [FROM_THREAD.progress, 3, 1],
      [FROM_THREAD.pong, 1],
      [FROM_THREAD.pong, 1],
      [99, 1],
      [FROM_THREAD.log, 'warn', 'noted'],
    );
    expect(worker.told.slice(1)).toEqual([
      ['succeeded', 1, undefined],
      ['dropped', 'result of job 1, which is not running'],
      ['failed', 2, { type: 'T', message: 'm', traceback: 't' }],
      ['cancelled', 3],
      ['dropped', 'progress of job 3, which is not running'],
      ['pong', 1],
      ['dropped', 'a pong to ping 1, which is not awaited'],
      ['dropped', 'a message of the unknown kind 99'],
      ['stderr', 'warn: noted'],
    ]);
  });

  it.each([
    ['something of its own', [{ kind: 'result', id: 1 }]],
    ['a text', ['hello']],
    ['a message that lacks something', [[FROM_THREAD.result, 'x', 1]]],
    ['ready twice', [READY, READY]],
    ['another version', [[FROM_THREAD.ready, 2, [], []]]],
    ['an array of its own', [['kind', 1]]],
  ])('is ended when it posts %s', async (_what, messages) => {
    const { worker, say } = await setUp();
    await say(...messages);
    expect(worker.all('broke')[0]?.[1].code).toBe('ERR_WORKER_PROTOCOL');
    expect(kinds(worker).at(-1)).toBe('ended');
    expect(worker.all('ended')[0]?.[1]).toMatchObject({ signal: 'SIGKILL' });
  });

  it('ends a thread that sends more chunks than it was granted', async () => {
    const { worker, say } = await setUp();
    await say(READY);
    worker.port.run({ id: 1, name: 'count', args: 0, remainingMs: 1, stream: 1 });
    await say([FROM_THREAD.chunk, 1, 'a'], [FROM_THREAD.chunk, 1, 'b']);
    expect(kinds(worker)).toEqual(['ready', 'chunk', 'broke', 'ended']);
  });

  it('names the jobs of a thread that cannot be ended', async () => {
    const { host, worker, say } = await setUp({ unkillable: true });
    await say(READY);
    worker.port.run({ id: 1, name: 'count', args: 0, remainingMs: 1 });
    worker.port.kill();
    await host.settle();
    expect(worker.all('ended')[0]?.[1]).toMatchObject({ signal: 'SIGKILL', stragglers: ['count'] });
  });

  it('says that memory was what it lacked, and prints what it threw', async () => {
    const { host, worker, made, say } = await setUp();
    await say(READY);
    made.exit(1, Object.assign(new Error('limit'), { code: 'ERR_WORKER_OUT_OF_MEMORY' }));
    await host.settle();
    expect(worker.all('ended')[0]?.[1]).toMatchObject({ code: 1, outOfMemory: true });
    expect(worker.lines).toContain('Error: limit');
  });

  it('refuses what cannot be copied before it is sent, and moves what is marked', async () => {
    const { worker, made, say } = await setUp();
    await say(READY);
    const run = (args: unknown) => worker.port.run({ id: 1, name: 'count', args, remainingMs: 1 });
    expect(() => run({ inner: () => 1 })).toThrow('ERR_JOB_INVALID');
    const bytes = new Uint8Array([1, 2]);
    run(transfer({ bytes }, [bytes.buffer]));
    expect(bytes.length).toBe(0);
    expect(made.posted.at(-1)).toEqual([TO_THREAD.run, 1, 'count', { bytes: new Uint8Array([1, 2]) }, 1]);
    expect(() => transfer({ bytes })).toThrow(TypeError);
  });
});

describe('thread(…)', () => {
  it.each([
    ['neither', {}],
    ['both', { module: 'a.mjs', handlers: { a: () => 1 } }],
    ['an engine’s function', { handlers: { a: Math.max } }],
    ['a bound function', { handlers: { a: (() => 1).bind(null) } }],
    ['a class', { handlers: { a: class {} } }],
    ['no handlers', { handlers: {} }],
    ['another protocol', { module: new URL('https://example.org/a.mjs') }],
    ['a limit of nothing', { module: 'a.mjs', resourceLimits: { stackSizeMb: 0 } }],
  ])('refuses %s', (_what, options) => {
    expect(() => thread(options as never)).toThrow('ERR_OPTION_INVALID');
  });

  it('refuses options and limits that it does not know', () => {
    expect(() => thread({ modul: 'a.mjs' } as never)).toThrow('ERR_OPTION_UNKNOWN');
    const resourceLimits = { maxHeapMb: 1 } as never;
    expect(() => thread({ module: 'a.mjs', resourceLimits })).toThrow('ERR_OPTION_UNKNOWN');
  });

  it('does not start without its module', () => {
    expect(() => thread({ module: '/nonexistent/a.mjs' }).verify?.()).toThrow('does not exist');
  });

  it('takes functions of every sort', () => {
    const named = function named() {
      return 1;
    };
    const handlers = {
      arrow: () => 1,
      named,
      method() {
        return 1;
      },
      async later() {},
      *some() {
        yield 1;
      },
      async *many() {
        yield 1;
      },
      ['a name with spaces']() {
        return 1;
      },
    };
    expect(thread({ handlers, name: 'crunchers' }).name).toBe('crunchers');
  });
});
