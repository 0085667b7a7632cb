import { describe, expect, test } from 'vitest';
import { isTroupeError } from '../../src/base/errors.ts';
import { SIMULATED_EPOCH_MS, SimulatedHost } from '../../src/testing/simulated-host.ts';

const later = (host: SimulatedHost, ms: number) =>
  new Promise<number>((resolve) => host.timer(ms, 'later', () => resolve(host.monotonic())));

describe('settle', () => {
  test('nothing runs before it, and everything ready has run after it, promise jobs included', async () => {
    const host = new SimulatedHost();
    const seen: string[] = [];
    host.step('a', () => {
      seen.push('step');
      void Promise.resolve()
        .then(() => {})
        .then(() => host.step('b', () => seen.push('step after promise jobs')));
      host.yield('c', () => seen.push('yield'));
      host.step('d', () => seen.push('step asked by a step'));
    });
    await Promise.resolve();
    expect(seen).toEqual([]);
    await host.settle();
    expect(seen).toEqual(['step', 'step asked by a step', 'step after promise jobs', 'yield']);
    expect(host.monotonic()).toBe(0);
  });

  test('steps keep their order whatever the choices, yields and arrivals follow the choices', async () => {
    const run = async (choices: number[]) => {
      const host = new SimulatedHost({ choices });
      const seen: string[] = [];
      const pipe = {};
      for (const name of ['s1', 's2', 's3']) host.step(name, () => seen.push(name));
      for (const name of ['y1', 'y2']) host.yield(name, () => seen.push(name));
      for (const name of ['p1', 'p2']) host.arrive(pipe, name, () => seen.push(name));
      await host.settle();
      return seen.join(' ');
    };
    expect(await run([])).toBe('s1 s2 s3 y1 y2 p1 p2');
    expect(await run([1])).toBe('s1 s2 s3 y2 y1 p1 p2');
    expect(await run([2, 2])).toBe('s1 s2 s3 p1 p2 y1 y2');
    expect(await run([5, 1])).toBe('s1 s2 s3 p1 y2 y1 p2');
  });

  test('a livelock fails with the labels of what goes round', async () => {
    const host = new SimulatedHost({ stepLimit: 500 });
    const again = () => host.step('merry-go-round', again);
    again();
    await expect(host.settle()).rejects.toThrow(/500 steps at 0 ms .* merry-go-round/);
    const other = new SimulatedHost({ stepLimit: 500 });
    const tick = () => other.timer(0, 'zero', tick);
    tick();
    await expect(other.advance(10)).rejects.toSatisfy((error) =>
      isTroupeError(error, 'ERR_SIMULATION_LIVELOCK'),
    );
  });

  test('what a step throws reaches the test', async () => {
    const host = new SimulatedHost();
    host.step('bad', () => {
      throw new Error('boom');
    });
    await expect(host.settle()).rejects.toThrow('boom');
  });

  test('five hundred steps settle in a few milliseconds', async () => {
    const host = new SimulatedHost();
    const time = async () => {
      const begin = performance.now();
      for (let i = 0; i < 500; i++) host.yield('y', () => host.step('s', () => {}));
      await host.settle();
      return performance.now() - begin;
    };
    const runs = [await time(), await time(), await time(), await time(), await time()];
    // A few ms when the machine is idle; the bound only catches a change of order of magnitude.
    expect(Math.min(...runs)).toBeLessThan(100);
  });
});

describe('time', () => {
  test('advance fires each instant at its own time and settles before the next', async () => {
    const host = new SimulatedHost();
    const seen: string[] = [];
    const note = (what: string) => seen.push(`${what}@${host.monotonic()}`);
    host.timer(20, 't', () => note('second'));
    host.timer(10, 't', () => {
      note('first');
      host.timer(5, 't', () => note('nested'));
      void Promise.resolve().then(() => note('promise job'));
    });
    host.timer(10, 't', () => note('equal'));
    await host.advance(20);
    expect(seen).toEqual(['first@10', 'equal@10', 'promise job@10', 'nested@15', 'second@20']);
    await host.advance(2.5);
    expect(host.monotonic()).toBe(22.5);
  });

  test('a timer of 0 ms fires without time moving, of Infinity never', async () => {
    const host = new SimulatedHost();
    const seen: string[] = [];
    host.timer(Number.POSITIVE_INFINITY, 'never', () => seen.push('never'));
    host.timer(0, 'zero', () => seen.push('zero'));
    await host.settle();
    expect(seen).toEqual([]);
    await host.advance(0);
    expect(seen).toEqual(['zero']);
    await host.advance(1e12);
    expect(seen).toEqual(['zero']);
  });

  test('the wall clock starts at its epoch, goes along, and jumps alone', async () => {
    const host = new SimulatedHost();
    expect(host.wall()).toBe(SIMULATED_EPOCH_MS);
    await host.advance(1_000);
    expect(host.wall()).toBe(SIMULATED_EPOCH_MS + 1_000);
    host.setWall(5);
    expect([host.wall(), host.monotonic()]).toEqual([5, 1_000]);
    await host.advance(1);
    expect(host.wall()).toBe(6);
  });

  test('pendingTimers names what waits, earliest first, without the cancelled', () => {
    const host = new SimulatedHost();
    host.timer(30, 'late', () => {}, { unref: true });
    host.timer(10, 'early', () => {});
    host.timer(20, 'cancelled', () => {}).cancel();
    expect(host.pendingTimers()).toEqual([
      { label: 'early', dueMs: 10, unref: false },
      { label: 'late', dueMs: 30, unref: true },
    ]);
  });
});

describe('runUntil', () => {
  test('gives what the promise gives, at the instant it settles and no later', async () => {
    const host = new SimulatedHost();
    host.timer(500, 'after', () => {});
    expect(await host.runUntil(later(host, 300))).toBe(300);
    expect(host.monotonic()).toBe(300);
  });

  test('throws what the promise was rejected with', async () => {
    const host = new SimulatedHost();
    await expect(
      host.runUntil(later(host, 5).then(() => Promise.reject(new Error('refused')))),
    ).rejects.toThrow('refused');
    await expect(host.runUntil(Promise.reject(undefined))).rejects.toBe(undefined);
  });

  test('a predicate is awaited likewise', async () => {
    const host = new SimulatedHost();
    let ticks = 0;
    const tick = () => {
      ticks += 1;
      host.timer(7, 'tick', tick);
    };
    host.timer(7, 'tick', tick);
    await host.runUntil(() => ticks === 3);
    expect(host.monotonic()).toBe(21);
  });

  test('says which timers wait when time runs out', async () => {
    const host = new SimulatedHost();
    host.timer(90, 'heartbeat', () => {});
    await expect(host.runUntil(new Promise(() => {}), 50)).rejects.toThrow(
      /within 50 ms; waiting timers: heartbeat at 90 ms/,
    );
    expect(host.monotonic()).toBe(50);
  });

  test('two at once are refused: someone forgot to await', async () => {
    const host = new SimulatedHost();
    const first = host.advance(10);
    await expect(host.settle()).rejects.toSatisfy((error) => isTroupeError(error, 'ERR_SIMULATION_BUSY'));
    await first;
    await host.settle();
  });
});

describe('stall', () => {
  test('an answer that had arrived wins over a deadline that passed while the loop was held', async () => {
    const host = new SimulatedHost();
    const seen: string[] = [];
    host.onStall((lateMs) => seen.push(`late ${lateMs}`));
    const deadline = host.timer(100, 'deadline', () => seen.push('deadline'));
    host.timer(200, 'other', () => seen.push('other'));
    host.arrive({}, 'answer', () => {
      seen.push('answer');
      deadline.cancel();
    });
    await host.stall(1_500);
    expect(seen).toEqual(['late 1400', 'answer', 'other']);
    expect(host.monotonic()).toBe(1_500);
  });

  test('timers not late by more than 50 ms fire as ever, and nobody is told', async () => {
    const host = new SimulatedHost();
    const seen: string[] = [];
    const stop = host.onStall((lateMs) => seen.push(`late ${lateMs}`));
    host.timer(100, 'deadline', () => seen.push('deadline'));
    host.arrive({}, 'answer', () => seen.push('answer'));
    await host.stall(150);
    expect(seen).toEqual(['deadline', 'answer']);
    host.timer(0, 'deadline', () => seen.push('deadline'));
    stop();
    await host.stall(1_000);
    expect(seen).toEqual(['deadline', 'answer', 'deadline']);
  });
});

describe('chance, ids and faults', () => {
  test('the same seed gives the same numbers, ids count up by kind', () => {
    const [a, b] = [new SimulatedHost({ seed: 7 }), new SimulatedHost({ seed: 7 })];
    expect([a.random.next(), a.random.below(100)]).toEqual([b.random.next(), b.random.below(100)]);
    expect([a.newId('job'), a.newId('job'), a.newId('lease')]).toEqual(['job-1', 'job-2', 'lease-1']);
  });

  test('a choice is spent only where there is one to make, and is 0 past the end', () => {
    const host = new SimulatedHost({ choices: [7, 3] });
    expect([host.choose(1, ''), host.choose(5, ''), host.choose(2, ''), host.choose(9, '')]).toEqual([
      0, 2, 1, 0,
    ]);
  });

  test('faults come from a function, a map or a record, and by default not at all', () => {
    const host = new SimulatedHost();
    expect(host.fault('x')).toBe(undefined);
    host.faults = { x: { kind: 'drop' } };
    expect(host.fault('x')).toEqual({ kind: 'drop' });
    host.faults = new Map([['y', { kind: 'cut' }]]);
    expect([host.fault('x'), host.fault('y')]).toEqual([undefined, { kind: 'cut' }]);
    host.faults = (point) => ({ kind: point });
    expect(host.fault('z')).toEqual({ kind: 'z' });
  });
});
