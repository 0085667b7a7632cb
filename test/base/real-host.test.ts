import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { isTroupeError } from '../../src/base/errors.ts';
import { createRealHost, realHost } from '../../src/base/real-host.ts';

const REAL_HOST = new URL('../../src/base/real-host.ts', import.meta.url).href;
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Runs a script in a Node of its own and gives what it printed, once it has ended by itself. */
const runAlone = async (script: string): Promise<string> => {
  const source = [
    `import { createRealHost } from ${JSON.stringify(REAL_HOST)};`,
    'const host = createRealHost();',
    script,
  ].join('\n');
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', source], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  let complained = '';
  child.stdout.on('data', (chunk) => {
    printed += chunk;
  });
  child.stderr.on('data', (chunk) => {
    complained += chunk;
  });
  const [code] = await once(child, 'close');
  return code === 0 ? printed.trim() : `exit ${code}: ${complained}`;
};

/** Holds the event loop. */
const block = (ms: number): void => {
  const until = performance.now() + ms;
  while (performance.now() < until);
};

const fires = (host: ReturnType<typeof createRealHost>, ms: number) =>
  new Promise<number>((resolve) => host.timer(ms, 'test', () => resolve(host.monotonic())));

describe('timers', () => {
  test('a timer fires at its instant or later, never before', async () => {
    const host = createRealHost();
    const begin = host.monotonic();
    const delays = [1, 3.7, 10, 0.2];
    const fired = await Promise.all(delays.map((ms) => fires(host, ms)));
    fired.forEach((at, i) => {
      expect(at - begin).toBeGreaterThanOrEqual(delays[i] as number);
    });
  });

  test('equal instants fire in the order of setting, and a timer of 0 ms set by one fires too', async () => {
    const host = createRealHost();
    const seen: string[] = [];
    await new Promise<void>((resolve) => {
      host.timer(5, 'a', () => {
        seen.push('a');
        host.timer(0, 'nested', () => {
          seen.push('nested');
          resolve();
        });
      });
      host.timer(5, 'b', () => seen.push('b'));
    });
    expect(seen).toEqual(['a', 'b', 'nested']);
  });

  test('an earlier timer set after a later one is not kept waiting for it', async () => {
    const host = createRealHost();
    const late = host.timer(60_000, 'late', () => {});
    await fires(host, 2);
    late.cancel();
  });

  test('a cancelled timer does not fire, and one that throws stops no other', async () => {
    expect(
      await runAlone(`
        process.on('uncaughtException', (error) => console.log(error.message));
        host.timer(1, 'cancelled', () => console.log('cancelled')).cancel();
        host.timer(1, 'throws', () => { throw new Error('boom'); });
        host.timer(1, 'next', () => console.log('next'));`),
    ).toBe('boom\nnext');
  });

  test('a delay beyond 2^31 ms does not fire at once, nor does Infinity', async () => {
    expect(
      await runAlone(`
        const wrong = () => { console.log('fired'); };
        const far = host.timer(2 ** 31, 'far', wrong);
        host.timer(2 ** 31 + 5, 'farther', wrong, { unref: true });
        host.timer(Infinity, 'never', wrong);
        process.on('warning', (warning) => console.log(warning.name));
        host.timer(30, 'end', () => { far.cancel(); console.log('done'); });`),
    ).toBe('done');
  });

  test('the process ends by itself while only unref timers wait, also after the last ref timer is cancelled', async () => {
    expect(
      await runAlone(`
        host.timer(60_000, 'health', () => console.log('fired'), { unref: true });
        host.timer(60_000, 'deadline', () => console.log('fired')).cancel();
        host.timer(5, 'work', () => console.log('work'));
        host.onStall(() => {});`),
    ).toBe('work');
  });

  test('the process stays for a ref timer though the earliest is unref', async () => {
    expect(
      await runAlone(`
        host.timer(1, 'first', () => console.log('unref'), { unref: true });
        host.timer(20, 'last', () => console.log('ref'));`),
    ).toBe('unref\nref');
  });
});

describe('steps', () => {
  test('run in the order of asking, before any I/O; a yield lets I/O pass', async () => {
    const host = createRealHost();
    const seen: string[] = [];
    await new Promise<void>((resolve) => {
      host.yield('y', () => {
        seen.push('yield');
        resolve();
      });
      host.step('a', () => {
        seen.push('a');
        host.step('c', () => seen.push('c'));
      });
      host.step('b', () => seen.push('b'));
      seen.push('sync');
    });
    expect(seen).toEqual(['sync', 'a', 'b', 'c', 'yield']);
  });

  test('one that throws, though it must not, stops no other', async () => {
    expect(
      await runAlone(`
        process.on('uncaughtException', (error) => console.log(error.message));
        host.step('bad', () => { throw new Error('boom'); });
        host.step('good', () => { console.log('good'); host.step('later', () => console.log('later')); });`),
    ).toBe('good\nlater\nboom');
  });
});

describe('stalls', () => {
  test('an answer that arrived while the loop was held beats the deadline, and the lateness is told', async () => {
    const host = createRealHost();
    const seen: string[] = [];
    const { PATH = '' } = process.env;
    let answered = () => {};
    const echo = host.spawn(
      { command: 'cat', args: [], env: { PATH } },
      {
        stdout: (chunk) => {
          seen.push(`answer ${Buffer.from(chunk)}`);
          deadline?.cancel();
          answered();
        },
        stderr: () => {},
        ended: () => seen.push('ended'),
      },
    );
    let deadline: ReturnType<typeof host.timer> | undefined;
    const nextAnswer = () =>
      new Promise<void>((resolve) => {
        answered = resolve;
      });
    let next = nextAnswer();
    echo.write(Buffer.from('1'));
    await next;
    next = nextAnswer();
    let lateMs = 0;
    host.onStall((ms) => {
      lateMs = ms;
    });
    deadline = host.timer(20, 'deadline', () => seen.push('deadline'));
    echo.write(Buffer.from('2'));
    block(300);
    await next;
    expect(seen).toEqual(['answer 1', 'answer 2']);
    await fires(host, 1);
    expect(seen).toEqual(['answer 1', 'answer 2']);
    // The answer's own turn may come before the wheel's; then nothing was late any more.
    if (lateMs !== 0) expect(lateMs).toBeGreaterThan(50);
    echo.kill('SIGKILL');
  });

  test('a deadline that nothing beats still fires, after its listeners have heard how late it is', async () => {
    const host = createRealHost();
    const seen: string[] = [];
    const stop = host.onStall((lateMs) => seen.push(lateMs > 50 && lateMs < 10_000 ? 'late' : `${lateMs}`));
    const fired = fires(host, 10).then(() => seen.push('fired'));
    block(150);
    await fired;
    expect(seen).toEqual(['late', 'fired']);
    stop();
    const again = fires(host, 10);
    block(150);
    await again;
    expect(seen).toEqual(['late', 'fired']);
  });
});

describe('the rest', () => {
  test('clocks are what they say', () => {
    const host = createRealHost();
    expect(Math.abs(host.wall() - Date.now())).toBeLessThan(1_000);
    expect(host.monotonic()).toBeLessThanOrEqual(host.monotonic());
  });

  test('ids count up by kind, a seed repeats its numbers, and without one hosts differ', () => {
    const [a, b] = [createRealHost({ seed: 3 }), createRealHost({ seed: 3 })];
    expect([a.newId('x'), a.newId('x'), a.newId('y')]).toEqual(['x-1', 'x-2', 'y-1']);
    expect(a.random.next()).toBe(b.random.next());
    expect(createRealHost().random.next()).not.toBe(createRealHost().random.next());
  });

  test('there are no faults and no choices in production', () => {
    const host = createRealHost();
    expect(host.fault('anywhere')).toBe(undefined);
    expect(host.choose).toBe(undefined);
  });

  test('the shared host is one and the same', () => {
    expect(realHost()).toBe(realHost());
  });

  test('an unknown option is refused', () => {
    expect(() => createRealHost({ sed: 1 } as object)).toThrow(/did you mean seed/);
    try {
      createRealHost({ seed: -1 });
      expect.unreachable();
    } catch (error) {
      expect(isTroupeError(error, 'ERR_OPTION_INVALID')).toBe(true);
    }
  });
});
