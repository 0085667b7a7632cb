/** What an operation writes, and how it ends. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EventStream, type TroupeEvent } from '../../src/base/telemetry.ts';
import { currentContext, EMPTY_CONTEXT, withContext } from '../../src/coordination/context.ts';
import { contextKeys, contextLog } from '../../src/coordination/context-log.ts';
import { elapsedText } from '../../src/coordination/elapsed-timer.ts';
import { type Operation, operation } from '../../src/coordination/operation.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { gate, watch } from '../kernel/rig.ts';
import { folder, linesOf, newFile, sink } from './operation-rig.ts';

const setUp = () => {
  const host = new SimulatedHost();
  const events = new EventStream(() => host.wall());
  const told: TroupeEvent[] = [];
  events.listen((event) => told.push(event));
  return { host, events, told };
};

describe('an operation', () => {
  it('logs with the time since it began, to its output and its file', async () => {
    const { host, events, told } = setUp();
    const output = sink();
    const logFile = newFile();
    const result = operation({ name: 'build', host, events, output, logFile }, async ({ log, timer }) => {
      log.info('begun');
      await new Promise<void>((resolve) => void host.timer(1_239, 'work', resolve));
      log.debug('for the file alone');
      log.warn('slow');
      log.error('a\nb');
      return `${timer}`;
    });
    expect(await host.runUntil(result)).toBe('00:01.23');
    expect(output.lines).toEqual([
      '00:00.00 begun',
      '00:01.23 warning: slow',
      '00:01.23 error: a\n         b',
    ]);
    expect(linesOf(logFile)).toHaveLength(5);
    expect(linesOf(logFile)[1]).toBe('00:01.23 for the file alone');
    expect(told).toMatchObject([
      { type: 'operation.ended', path: 'build', outcome: 'completed', runMs: 1_239 },
    ]);
  });

  it('writes times as MM:SS.cc, and minutes beyond 99', () => {
    const times = [0, 9, 10, 59_999, 60_000, 3_600_000 - 1, 6_000_000].map(elapsedText);
    expect(times).toEqual([
      '00:00.00',
      '00:00.00',
      '00:00.01',
      '00:59.99',
      '01:00.00',
      '59:59.99',
      '100:00.00',
    ]);
  });

  it('lets no text pass for a record of its own', async () => {
    const output = sink();
    await operation({ output }, ({ log }) => log.info('mallory\r\n00:00.00 error: forged\u2028x'));
    expect(
      output.lines[0]
        ?.split('\n')
        .slice(1)
        .every((line) => line.startsWith(' ')),
    ).toBe(true);
  });

  it('costs no store where it is not entered', async () => {
    const seen = await operation({ ambient: false }, ({ context }) => [currentContext(), context]);
    expect(seen[0]).toBe(EMPTY_CONTEXT);
    expect(seen[1]?.has(contextKeys.timer)).toBe(true);
  });

  it('refuses what it does not know', async () => {
    await expect(operation({ verbos: true } as never, () => 1)).rejects.toThrow(/did you mean verbose/);
    await expect(operation({ output: {} } as never, () => 1)).rejects.toThrow(/anything with write/);
  });
});

describe('the end of an operation', () => {
  let descriptors = 0;
  const openDescriptors = (): number => readdirSync('/proc/self/fd').length;
  beforeEach(() => {
    descriptors = existsSync('/proc/self/fd') ? openDescriptors() : 0;
  });
  afterEach(() => {
    if (descriptors > 0) expect(openDescriptors()).toBe(descriptors);
  });

  /** Whether the file was closed: another operation may have it. */
  const canBeTaken = async (logFile: string): Promise<boolean> =>
    operation({ logFile }, () => true).catch(() => false);

  it.each<[string, (operation: Operation) => unknown]>([
    ['returns', () => 1],
    ['resolves', async () => 1],
    [
      'throws',
      () => {
        throw new Error('as told');
      },
    ],
    ['rejects', () => Promise.reject(new Error('as told'))],
  ])('closes its file when its work %s', async (_how, work) => {
    const logFile = newFile();
    await operation({ logFile }, work).catch(() => {});
    expect(await canBeTaken(logFile)).toBe(true);
  });

  it('by an abort rejects at once, closes its file, and lets the work log into nothing', async () => {
    const { host, events, told } = setUp();
    const logFile = newFile();
    const output = sink();
    const controller = new AbortController();
    const work = gate();
    let signal!: AbortSignal;
    const call = watch(
      operation({ host, events, logFile, output, signal: controller.signal }, async (own) => {
        signal = own.signal;
        own.log.info('before');
        await work.passed;
        own.log.info('after');
        contextLog.info('after, too');
        expect(own.signal.aborted).toBe(true);
      }),
    );
    await host.settle();
    controller.abort(new Error('enough'));
    await host.settle();
    expect(call).toMatchObject({ settled: true, error: new Error('enough') });
    expect(signal.aborted).toBe(true);
    expect(await canBeTaken(logFile)).toBe(true);
    work.open();
    await host.settle();
    expect(output.lines).toEqual(['00:00.00 before']);
    expect(linesOf(logFile)).toEqual([]);
    expect(told).toMatchObject([{ type: 'operation.ended', outcome: 'aborted' }]);
  });

  it('comes at its deadline, or that of the context around it, whatever its work does', async () => {
    const { host, events, told } = setUp();
    const context = EMPTY_CONTEXT.with(contextKeys.deadline.of(20));
    const deaf = (): Promise<never> => new Promise(() => {});
    const calls = [
      watch(operation({ host, events, logFile: newFile(), timeoutMs: 30 }, deaf)),
      watch(operation({ host, events, context, timeoutMs: 30 }, deaf)),
    ];
    await host.advance(20);
    expect(calls.map(({ now }) => now)).toEqual(['pending', 'ERR_DEADLINE_PASSED']);
    await host.advance(10);
    expect(calls.map(({ now }) => now)).toEqual(['ERR_DEADLINE_PASSED', 'ERR_DEADLINE_PASSED']);
    expect(told.map((event) => 'outcome' in event && event.outcome)).toEqual(['timed_out', 'timed_out']);
    expect(host.pendingTimers()).toEqual([]);
  });

  it('leaves no timer and no listener', async () => {
    const { host } = setUp();
    const { signal } = new AbortController();
    const added = vi.spyOn(signal, 'addEventListener');
    const removed = vi.spyOn(signal, 'removeEventListener');
    await host.runUntil(operation({ host, signal, timeoutMs: 1_000 }, async () => 1));
    expect(host.pendingTimers()).toEqual([]);
    expect(removed).toHaveBeenCalledTimes(added.mock.calls.length);
  });

  it('that was aborted before it began calls nothing and touches no file', async () => {
    const logFile = newFile();
    const work = vi.fn();
    await expect(operation({ logFile, signal: AbortSignal.abort('no') }, work)).rejects.toBe('no');
    expect(work).not.toHaveBeenCalled();
    expect(existsSync(logFile)).toBe(false);
  });
});

describe('the file of an operation', () => {
  it('is opened fresh', async () => {
    const logFile = newFile();
    for (const text of ['one', 'two']) await operation({ logFile }, ({ log }) => log.info(text));
    expect(linesOf(logFile)).toEqual([expect.stringMatching(/^[\d:.]+ two$/)]);
  });

  it('is not shared with another that runs: that one is refused, and not begun', async () => {
    const logFile = newFile();
    const work = vi.fn();
    await operation({ name: 'first', logFile }, async ({ log }) => {
      await expect(operation({ name: 'second', logFile }, work)).rejects.toMatchObject({
        code: 'ERR_OPERATION_LOG_FILE',
        outcome: 'not_started',
        message: expect.stringContaining('operation first is writing it') as string,
      });
      log.info('still whole');
    });
    expect(work).not.toHaveBeenCalled();
    expect(linesOf(logFile)).toEqual([expect.stringMatching(/^[\d:.]+ still whole$/)]);
  });

  it('that cannot be opened is an error before anything is begun', async () => {
    const work = vi.fn();
    await expect(operation({ logFile: join(folder, 'none', 'x.log') }, work)).rejects.toMatchObject({
      code: 'ERR_OPERATION_LOG_FILE',
    });
    expect(work).not.toHaveBeenCalled();
  });

  it.skipIf(!existsSync('/dev/full'))('that cannot be written fails nobody, and is told once', async () => {
    const { events, told } = setUp();
    const value = await operation({ events, logFile: '/dev/full' }, ({ log }) => {
      log.info('a');
      log.info('b');
      return 'done';
    });
    expect(value).toBe('done');
    expect(told).toMatchObject([
      { type: 'operation.log_failed', what: '/dev/full', why: expect.stringContaining('ENOSPC') as string },
      { type: 'operation.ended', outcome: 'completed' },
    ]);
  });
});

describe('the output of an operation', () => {
  it('that is closed is no error', async () => {
    const { events, told } = setUp();
    const output = new PassThrough();
    output.destroy();
    const value = await operation({ events, output }, ({ log }) => {
      log.info('a');
      log.info('b');
      return 1;
    });
    expect(value).toBe(1);
    expect(told.map(({ type }) => type)).toEqual(['operation.log_failed', 'operation.ended']);
  });

  it('that closes under it is no error, also when that is heard after its end', async () => {
    let break_: (error: Error) => void = () => {};
    const output = new Writable({
      write: (_chunk, _encoding, done) => {
        break_ = done;
      },
    });
    const uncaught = vi.fn();
    process.on('uncaughtException', uncaught);
    await operation({ output }, ({ log }) => log.info('a'));
    break_(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    await turn();
    await turn();
    process.off('uncaughtException', uncaught);
    expect(uncaught).not.toHaveBeenCalled();
  });

  it('has one listener of ours however many share it, and none afterwards', async () => {
    const output = new PassThrough();
    output.resume();
    const all = gate();
    const operations = Array.from({ length: 100 }, () =>
      operation({ output }, async ({ log }) => {
        log.info('x');
        await all.passed;
      }),
    );
    expect(output.listenerCount('error')).toBe(1);
    all.open();
    await Promise.all(operations);
    await turn();
    expect(output.listenerCount('error')).toBe(0);
  });

  it('that throws fails nobody', async () => {
    const output = {
      write: () => {
        throw new Error('as told');
      },
    };
    expect(await operation({ output }, ({ log }) => log.info('a') ?? 'done')).toBe('done');
    expect(() => withContext(contextKeys.output.of(output), () => contextLog.info('a'))).not.toThrow();
  });
});
