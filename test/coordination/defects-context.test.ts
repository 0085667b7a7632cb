/** What concurrent builds did to each other when timer, file and verbosity were shared: each a test that fails on it. */
import { describe, expect, it } from 'vitest';
import { currentContext, withContext } from '../../src/coordination/context.ts';
import { contextKeys, contextLog } from '../../src/coordination/context-log.ts';
import { startElapsedTimer } from '../../src/coordination/elapsed-timer.ts';
import { type Operation, operation } from '../../src/coordination/operation.ts';
import { createScope } from '../../src/coordination/scope.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { linesOf, newFile, sink } from './operation-rig.ts';

describe('nested operations', () => {
  it('keep their own file, timer and verbosity, and leave those around them alone', async () => {
    const host = new SimulatedHost();
    const [outer, inner] = [newFile(), newFile()];
    const output = sink();
    const wait = (ms: number): Promise<void> =>
      new Promise((resolve) => void host.timer(ms, 'wait', resolve));
    const call = operation({ host, output, logFile: outer }, async (own) => {
      await wait(100);
      await operation({ host, logFile: inner, verbose: true }, async () => {
        await wait(50);
        contextLog.debug('inner');
      });
      contextLog.debug('outer');
      own.log.info('outer');
    });
    await host.runUntil(call);
    expect(linesOf(inner)).toEqual(['00:00.05 inner']);
    expect(linesOf(outer)).toEqual(['00:00.15 outer', '00:00.15 outer']);
    expect(output.lines).toEqual(['00:00.05 inner', '00:00.15 outer']);
  });

  it('take what they do not set from the one around them', async () => {
    const logFile = newFile();
    await operation({ logFile, verbose: true }, () =>
      operation({ name: 'inner' }, ({ log, context }) => {
        log.debug('from inside');
        expect(context.get(contextKeys.verbosity)).toBe('debug');
      }),
    );
    expect(linesOf(logFile)).toEqual([expect.stringMatching(/^[\d:.]+ from inside$/)]);
  });
});

describe('regressions: what concurrent builds did to each other', () => {
  const wait = (host: SimulatedHost, ms: number): Promise<void> =>
    new Promise((resolve) => void host.timer(ms, 'wait', resolve));

  it('A sets a file, B sets another 5 ms later, A still sees its own', async () => {
    const host = new SimulatedHost();
    const [a, b] = [newFile(), newFile()];
    const build = (logFile: string, delayMs: number) => async () => {
      await wait(host, delayMs);
      await operation({ host, logFile }, async () => {
        contextLog.info('before');
        await wait(host, 20);
        contextLog.info('after');
      });
    };
    await host.runUntil(Promise.all([build(a, 0)(), build(b, 5)()]));
    for (const path of [a, b]) expect(linesOf(path)).toEqual(['00:00.00 before', '00:00.02 after']);
  });

  it('A resets its timer and waits 100 ms, B resets after 50: A has waited its 100', async () => {
    const host = new SimulatedHost();
    const reset = (forMs: number) =>
      withContext(contextKeys.timer.of(startElapsedTimer(host)), async () => {
        await wait(host, forMs);
        return currentContext().get(contextKeys.timer)?.elapsedMs();
      });
    const both = Promise.all([
      operation({ host }, () => reset(100)),
      operation({ host }, async () => {
        await wait(host, 50);
        return reset(10);
      }),
    ]);
    expect(await host.runUntil(both)).toEqual([100, 10]);
  });

  it('A is verbose, B 5 ms later is not: A still is', async () => {
    const host = new SimulatedHost();
    const output = sink();
    const build = async (name: string, delayMs: number, verbose: boolean) => {
      await wait(host, delayMs);
      await operation({ host, output, verbose }, async () => {
        await wait(host, 20);
        contextLog.debug(name);
      });
    };
    await host.runUntil(Promise.all([build('a', 0, true), build('b', 5, false)]));
    expect(output.lines).toEqual(['00:00.02 a']);
  });

  it('a file that is closed is detached: what is logged later reaches no file that came after it', async () => {
    const host = new SimulatedHost();
    const [a, b] = [newFile(), newFile()];
    let late!: Operation;
    await operation({ host, logFile: a }, (own) => {
      late = own;
    });
    await operation({ host, logFile: b }, () => {
      // The system has given the next file the same descriptor.
      late.log.info('from the grave');
      late.context.run(() => contextLog.info('from the grave'));
    });
    expect([linesOf(a), linesOf(b)]).toEqual([[], []]);
  });

  it('a task that an operation starts sees its context, where child threads saw none', async () => {
    const host = new SimulatedHost();
    const logFile = newFile();
    const scope = createScope({ host });
    await host.runUntil(
      operation({ host, logFile }, async () => {
        await scope.start('child', async () => {
          await null;
          contextLog.info('child');
        }).result;
      }),
    );
    expect(linesOf(logFile)).toEqual(['00:00.00 child']);
  });

  it('work that gives what cannot be looked at has failed, and its file is closed', async () => {
    const logFile = newFile();
    const hostile = Object.defineProperty({}, 'then', {
      get: () => {
        throw new Error('as told');
      },
    });
    await expect(operation({ logFile }, () => hostile)).rejects.toThrow('as told');
    await operation({ logFile }, ({ log }) => log.info('the file is free'));
    expect(linesOf(logFile)).toEqual([expect.stringMatching(/^[\d:.]+ the file is free$/)]);
  });

  it('errors are not kept where another operation could find them', async () => {
    const own = new Error('mine');
    const [failed, fine] = await Promise.allSettled([
      operation({}, () => Promise.reject(own)),
      operation({}, async () => 'fine'),
    ]);
    expect(failed).toEqual({ status: 'rejected', reason: own });
    expect(fine).toEqual({ status: 'fulfilled', value: 'fine' });
  });
});
