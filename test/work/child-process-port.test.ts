/** The port of a worker process under a scripted process: every breach, and the order of what is told. */
import { describe, expect, it } from 'vitest';
import { isTroupeError, type TroupeError } from '../../src/base/errors.ts';
import type { ProcessSpec } from '../../src/base/host.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { type ProcessScript, SimulatedProcess } from '../../src/testing/simulated-process.ts';
import { type ChildProcessOptions, childProcess } from '../../src/work/child-process.ts';
import { encodeFrame, FrameDecoder } from '../../src/work/wire.ts';
import { WatchedWorker } from './watched-worker.ts';

const ANY = { maxFrameBytes: 1_000_000, maxDepth: 100 };
const READY = { kind: 'ready', protocol: 1, pid: 1, capabilities: ['later'], handlers: ['count'] };

const setUp = async (options: ChildProcessOptions = {}, script: ProcessScript = {}) => {
  const host = new SimulatedHost();
  const specs: ProcessSpec[] = [];
  const children: SimulatedProcess[] = [];
  host.onSpawn = (spec, listeners) => {
    specs.push(spec);
    const child = new SimulatedProcess(host, listeners, script);
    children.push(child);
    return child;
  };
  const worker = new WatchedWorker(childProcess({ command: 'worker', ...options }), host);
  const child = children[0] as SimulatedProcess;
  const say = async (...messages: readonly object[]) => {
    for (const message of messages) child.emitStdout(encodeFrame(message, ANY));
    await host.settle();
  };
  const heard = (): unknown[] => {
    const messages: unknown[] = [];
    const decoder = new FrameDecoder(ANY, (message) => messages.push(message));
    for (const bytes of child.written) decoder.push(bytes);
    return messages;
  };
  await host.settle();
  return { host, worker, child, spec: specs[0] as ProcessSpec, say, heard };
};

const kinds = (worker: WatchedWorker) => worker.told.map(([kind]) => kind);

const refusalOf = (act: () => unknown): TroupeError => {
  try {
    act();
  } catch (error) {
    if (isTroupeError(error)) return error;
    throw error;
  }
  throw new Error('nothing was refused');
};

describe('the port of a worker process', () => {
  it('speaks first: hello with its version and limits', async () => {
    const { heard } = await setUp({ maxFrameBytes: 5_000, maxDepth: 9 });
    expect(heard()).toEqual([
      {
        kind: 'hello',
        protocol: 1,
        worker: 'worker-1',
        maxFrameBytes: 5_000,
        maxDepth: 9,
        capabilities: ['stream', 'progress', 'interrupt'],
      },
    ]);
  });

  it('sends jobs, cancellations and pings as the protocol has them', async () => {
    const { worker, heard, say } = await setUp();
    await say(READY);
    worker.port.run({ id: 0, name: 'count', args: { a: 1 }, remainingMs: 12.5 });
    worker.port.run({ id: 1, name: 'count', args: undefined, remainingMs: Number.POSITIVE_INFINITY });
    worker.port.cancel(0, 'enough');
    worker.port.cancel(5, 'not running');
    worker.port.ping(3);
    worker.port.close();
    expect(heard().slice(1)).toEqual([
      { kind: 'run', id: 0, name: 'count', args: { a: 1 }, remainingMs: 12.5 },
      { kind: 'run', id: 1, name: 'count', args: null, remainingMs: null },
      { kind: 'cancel', id: 0, reason: 'enough' },
      { kind: 'ping', id: 3 },
      { kind: 'shutdown' },
    ]);
  });

  it('takes chunks as far as they were granted, and what comes beyond as a breach', async () => {
    const { worker, say, heard } = await setUp();
    await say({ ...READY, capabilities: ['stream', 'progress'] });
    worker.port.run({ id: 1, name: 'count', args: null, remainingMs: 1, stream: 2 });
    worker.port.run({ id: 2, name: 'count', args: null, remainingMs: 1 });
    worker.port.more?.(1, 1);
    worker.port.more?.(2, 9);
    worker.port.more?.(3, 9);
    worker.port.interrupt?.(1, 'enough');
    expect(heard().slice(1)).toEqual([
      { kind: 'run', id: 1, name: 'count', args: null, remainingMs: 1, stream: 2 },
      { kind: 'run', id: 2, name: 'count', args: null, remainingMs: 1 },
      { kind: 'more', id: 1, chunks: 1 },
      { kind: 'cancel', id: 1, reason: 'enough' },
    ]);
    await say(
      ...['a', 'b', 'c'].map((value) => ({ kind: 'chunk', id: 1, value })),
      { kind: 'progress', id: 2, value: 0.5 },
      { kind: 'chunk', id: 9, value: 1 },
      { kind: 'progress', id: 9, value: 1 },
    );
    expect(worker.told.slice(1)).toEqual([
      ['chunk', 1, 'a'],
      ['chunk', 1, 'b'],
      ['chunk', 1, 'c'],
      ['progress', 2, 0.5],
      ['dropped', 'chunk of job 9, which is not running'],
      ['dropped', 'progress of job 9, which is not running'],
    ]);
    await say({ kind: 'chunk', id: 1, value: 'd' });
    expect(worker.all('broke')[0]?.[1].message).toContain('more chunks of job 1 than it was granted');
    expect(kinds(worker).at(-1)).toBe('ended');
  });

  it('asks nothing of a worker that it has not announced: no stream, no interruption', async () => {
    const { worker, say, heard } = await setUp();
    await say(READY);
    worker.port.run({ id: 1, name: 'count', args: null, remainingMs: 1, stream: 2 });
    worker.port.more?.(1, 1);
    worker.port.interrupt?.(1, 'enough');
    expect(heard().slice(1)).toEqual([
      { kind: 'run', id: 1, name: 'count', args: null, remainingMs: 1 },
      { kind: 'cancel', id: 1, reason: 'enough' },
    ]);
    await say({ kind: 'chunk', id: 1, value: 1 });
    expect(kinds(worker).slice(1)).toEqual(['broke', 'ended']);
  });

  it('interrupts one that can be', async () => {
    const { worker, say, heard } = await setUp();
    await say({ ...READY, capabilities: ['interrupt'] });
    worker.port.run({ id: 1, name: 'count', args: null, remainingMs: 1 });
    worker.port.interrupt?.(1, 'enough');
    worker.port.interrupt?.(2, 'enough');
    expect(heard().slice(2)).toEqual([{ kind: 'interrupt', id: 1, reason: 'enough' }]);
  });

  it('tells each answer once; what nobody waits for is dropped', async () => {
    const { worker, say } = await setUp();
    await say(READY);
    for (const id of [1, 2, 3]) worker.port.run({ id, name: 'count', args: null, remainingMs: 1 });
    worker.port.ping(1);
    await say(
      { kind: 'result', id: 1, value: null },
      { kind: 'result', id: 1, value: 2 },
      { kind: 'error', id: 2, type: 'T', message: 'm', traceback: 't' },
      { kind: 'cancelled', id: 3 },
      { kind: 'cancelled', id: 4 },
      { kind: 'pong', id: 1 },
      { kind: 'pong', id: 1 },
      { kind: 'forecast', id: 1, of: 'a later version' },
      { kind: 'log', level: 'warn', text: 'noted' },
    );
    expect(worker.told.slice(1)).toEqual([
      ['succeeded', 1, null],
      ['dropped', 'result of job 1, which is not running'],
      ['failed', 2, { type: 'T', message: 'm', traceback: 't' }],
      ['cancelled', 3],
      ['dropped', 'cancelled of job 4, which is not running'],
      ['pong', 1],
      ['dropped', 'a pong to ping 1, which is not awaited'],
      ['dropped', 'a message of the unknown kind "forecast"'],
      ['stderr', 'warn: noted'],
    ]);
  });

  it.each([
    ['no kind', { id: 1 }],
    ['a result without value', { kind: 'result', id: 1 }],
    ['an id that is no number', { kind: 'result', id: '1', value: 1 }],
    ['an id below zero', { kind: 'pong', id: -1 }],
    ['an error without traceback', { kind: 'error', id: 1, type: 'T', message: 'm' }],
    ['handlers that are no names', { ...READY, handlers: [1] }],
    ['a second ready', READY],
    ['another version', { ...READY, protocol: 2 }],
  ])('takes for a breach: %s; then kills the worker and tells its end last', async (what, message) => {
    const { worker, say, child } = await setUp();
    if (!what.startsWith('another') && !what.startsWith('handlers')) await say(READY);
    await say(message, { kind: 'log', level: 'info', text: 'not heard any more' });
    expect(kinds(worker).filter((kind) => kind !== 'ready')).toEqual(['broke', 'ended']);
    expect(worker.all('broke')[0]?.[1].code).toBe('ERR_WORKER_PROTOCOL');
    expect(child.signals).toEqual([{ signal: 'SIGKILL', group: true }]);
  });

  it('kills a worker that begins a frame and does not end it, however steadily it sends', async () => {
    const { worker, say, child, host } = await setUp({ frameTimeoutMs: 1_000 });
    await say(READY);
    const bytes = encodeFrame({ kind: 'log', level: 'info', text: 'x'.repeat(5_000) }, ANY);
    for (let i = 0; i < 12 && child.end === undefined; i++) {
      child.emitStdout(bytes.subarray(i, i + 1));
      await host.advance(100);
    }
    expect(kinds(worker)).toEqual(['ready', 'broke', 'ended']);
    expect(worker.all('broke')[0]?.[1].message).toContain('did not end within 1000 ms');
    expect(host.pendingTimers()).toEqual([]);
  });

  it('gives every frame its own time, also when one ends where the next begins', async () => {
    const { worker, child, host, say } = await setUp({ frameTimeoutMs: 1_000 });
    await say(READY);
    const bytes = encodeFrame({ kind: 'log', level: 'info', text: 'hello' }, ANY);
    const half = bytes.length >> 1;
    child.emitStdout(bytes.subarray(0, half));
    for (let i = 0; i < 5; i++) {
      await host.advance(700);
      child.emitStdout(Buffer.concat([bytes.subarray(half), bytes.subarray(0, half)]));
    }
    await host.advance(700);
    child.emitStdout(bytes.subarray(half));
    await host.advance(5_000);
    expect(worker.lines).toHaveLength(6);
    expect(kinds(worker)).not.toContain('broke');
    expect(host.pendingTimers()).toEqual([]);
  });

  it('kills a worker that does not read, and refuses the job that found it so', async () => {
    const { worker, say, child, host } = await setUp({ maxFrameBytes: 1_024, maxBufferedBytes: 1_100 });
    await say(READY);
    child.fillPipe();
    const job = (id: number) => ({ id, name: 'count', args: 'x'.repeat(900), remainingMs: 1 });
    worker.port.run(job(1));
    const before = kinds(worker).length;
    const refusal = refusalOf(() => worker.port.run(job(2)));
    expect(refusal).toMatchObject({ code: 'ERR_WORKER_PROTOCOL', outcome: 'not_started' });
    expect(kinds(worker)).toHaveLength(before);
    await host.settle();
    expect(kinds(worker)).toEqual(['ready', 'broke', 'ended']);
  });

  it('refuses a job before anything is sent', async () => {
    const { worker, say, child } = await setUp({ maxFrameBytes: 1_024 });
    const run = (job: object) =>
      refusalOf(() => worker.port.run({ id: 1, name: 'count', args: null, remainingMs: 1, ...job })).code;
    expect(run({})).toBe('ERR_JOB_INVALID');
    await say(READY);
    const written = child.written.length;
    expect(run({ name: 'dance' })).toBe('ERR_JOB_INVALID');
    expect(run({ id: 1.5 })).toBe('ERR_JOB_INVALID');
    expect(run({ args: () => 1 })).toBe('ERR_JOB_INVALID');
    expect(run({ args: 'x'.repeat(2_000) })).toBe('ERR_FRAME_TOO_LARGE');
    expect(child.written).toHaveLength(written);
    worker.port.run({ id: 1, name: 'count', args: null, remainingMs: 1 });
    expect(run({ id: 1 })).toBe('ERR_JOB_INVALID');
  });

  it('tells of its end once, with the last lines, also those that were never ended', async () => {
    const { worker, child, host } = await setUp({ stderrLines: 2 });
    child.emitStderr('one\ntwo\n', 2);
    child.emitStderr('three', 1);
    child.emitStdout(Uint8Array.of(0, 0, 0));
    child.exit(4);
    await host.settle();
    expect(worker.told).toEqual([
      ['stderr', 'one'],
      ['stderr', 'two'],
      ['dropped', 'a frame that the worker did not live to end'],
      ['stderr', 'three'],
      ['ended', { code: 4, signal: null, lastStderr: ['two', 'three'], stragglers: [] }],
    ]);
    worker.port.kill();
    worker.port.close();
    worker.port.ping(1);
    worker.port.cancel(1, 'x');
    await host.settle();
    expect(kinds(worker)).toHaveLength(5);
  });

  it('closes in order and once, and can still be killed', async () => {
    const { worker, child, host, say } = await setUp({}, { onInputEnd: () => {} });
    await say(READY);
    worker.port.close();
    worker.port.close();
    expect(child.inputEnded).toBe(true);
    await host.advance(100_000);
    expect(kinds(worker)).toEqual(['ready']);
    worker.port.kill();
    await host.settle();
    expect(kinds(worker)).toEqual(['ready', 'ended']);
  });

  it('still tells an answer that comes after it was killed', async () => {
    const { worker, child, host, say } = await setUp();
    await say(READY);
    worker.port.run({ id: 1, name: 'count', args: null, remainingMs: 1 });
    child.emitStdout(encodeFrame({ kind: 'result', id: 1, value: 7 }, ANY));
    worker.port.kill();
    await host.settle();
    expect(kinds(worker)).toEqual(['ready', 'succeeded', 'ended']);
  });

  it('shortens the long words of a worker, at both ends of what matters', async () => {
    const { worker, say } = await setUp();
    await say(READY);
    worker.port.run({ id: 1, name: 'count', args: null, remainingMs: 1 });
    const long = `a${'x'.repeat(100_000)}z`;
    await say({ kind: 'error', id: 1, type: long, message: long, traceback: long }, { kind: long });
    const failure = worker.all('failed')[0]?.[2];
    expect(failure?.traceback.length).toBeLessThan(33_000);
    expect(failure?.traceback).toMatch(/^ax.*xz$/);
    expect(failure?.type.length).toBeLessThan(210);
    expect(worker.all('dropped')[0]?.[1].length).toBeLessThan(100);
  });
});

describe('the launch', () => {
  it('is the interpreter and the module, without a shell, with an allow-list for environment', async () => {
    const { spec } = await setUp({ command: undefined as never, module: '/a/worker.mjs', args: ['-x'] });
    expect(spec).toMatchObject({
      command: process.execPath,
      args: ['/a/worker.mjs', '-x'],
      protocolFds: true,
      ownGroup: true,
    });
    expect(
      Object.keys(spec.env).every((name) =>
        /^(PATH|HOME|LANG|LC_ALL|TZ|TMPDIR|TROUPE_PROTOCOL_FDS)$/.test(name),
      ),
    ).toBe(true);
  });

  it('of a Python module puts the SDK where it is found, before what the user has there', async () => {
    const { spec } = await setUp({ command: 'python3.12', module: 'w.py', env: { PYTHONPATH: '/mine' } });
    expect(spec.command).toBe('python3.12');
    expect(spec.args[0]).toMatch(/^\/.*w\.py$/);
    expect(spec.env['PYTHONPATH']).toMatch(/sdk:\/mine$/);
  });

  it.each([
    ['neither module nor command', {}, 'ERR_OPTION_INVALID'],
    ['a language for a command', { command: 'x', language: 'node' }, 'ERR_OPTION_INVALID'],
    ['a language it does not know', { module: 'x', language: 'ruby' }, 'ERR_OPTION_INVALID'],
    ['an environment of other things than strings', { module: 'x', env: { A: 1 } }, 'ERR_OPTION_INVALID'],
    ['a buffer smaller than a frame', { module: 'x', maxBufferedBytes: 2_000 }, 'ERR_OPTION_INVALID'],
    ['a misspelled option', { modul: 'x' }, 'ERR_OPTION_UNKNOWN'],
  ])('is refused with %s', (_what, options, code) => {
    expect(() => childProcess(options as ChildProcessOptions)).toThrow(code);
  });
});
