/** The session kernel for Python, real, over its port: what code is, what comes of it, and how it is stopped. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { requires } from '../../requirements.ts';
import { type PythonSession, PythonSessions } from './python-session.ts';

const sessions = new PythonSessions();

describe.skipIf(requires('python3').skip)('the session kernel for Python', () => {
  let session: PythonSession;

  beforeAll(async () => {
    session = await sessions.start();
  });

  afterEach(() => sessions.sweep([session]));
  afterAll(() => sessions.close());

  const stop = async (code: string, how: 'cancel' | 'interrupt', sign = 'go') => {
    const job = session.begin(code);
    await session.printing(job, sign);
    session.port[how]?.(job, 'enough');
    return { job, ending: await session.answer(job) };
  };

  describe('modes', () => {
    it.each([
      ['simple_sync', '1 + 1'],
      ['simple_sync', 'def f():\n    import socket\n    open("x")'],
      ['simple_sync', 'async_ = 1; lambda: input()'],
      ['simple_sync', 'def sleep(n): pass\nsleep(1)'],
      ['blocking_sync', 'import os; os.read(os.open("/dev/null", 0), 1)'],
      ['blocking_sync', 'import urllib.parse'],
      ['async_def', 'async def f():\n    await g()'],
      ['top_level_await', 'import asyncio\nawait asyncio.sleep(0)'],
      ['top_level_await', '[await asyncio.sleep(0) for _ in range(2)]'],
      ['top_level_await', 'f"{await asyncio.sleep(0)}"'],
      ['top_level_await', 'async def f(): pass\nawait f()'],
    ])('%s: %j', async (mode, code) => {
      expect(await session.run(code)).toMatchObject({ mode });
    });

    it('says what does not parse, and where, and goes on', async () => {
      const failure = await session.run('def (');
      expect(failure).toMatchObject({ type: 'SyntaxError', traceback: expect.stringContaining('def (\n') });
      expect(await session.value('1 + 1')).toBe(2);
    });

    it('looks the cache up before parsing: 100 codes, the oldest leaves, a touched one stays', async () => {
      const fresh = await sessions.start();
      const cache = async () => ((await fresh.ask('stats')) as { cache: object }).cache;
      for (let i = 0; i < 100; i++) await fresh.run(`${i}`);
      await fresh.run('0');
      expect(await cache()).toEqual({ hits: 1, misses: 100, size: 100 });
      await fresh.run('"one more"');
      await fresh.run('0');
      expect(await cache()).toEqual({ hits: 2, misses: 101, size: 100 });
      await fresh.run('1');
      expect(await cache()).toEqual({ hits: 2, misses: 102, size: 100 });
    });
  });

  describe('results and history', () => {
    it('evaluates a trailing expression once', async () => {
      expect(await session.printed('print("evaluated") or 5')).toBe('evaluated\n');
    });

    it('moves _ for expressions only: None and assignments never', async () => {
      const fresh = await sessions.start();
      for (const code of ['1', '2', '3', 'x = 9', 'None', '4']) await fresh.run(code);
      expect(await fresh.value('[_, __, ___]')).toEqual([4, 3, 2]);
      expect(await fresh.value('[Out[0], Out[3], _oh is Out, _i]')).toEqual([
        1,
        4,
        true,
        '[Out[0], Out[3], _oh is Out, _i]',
      ]);
      expect(await fresh.ask('history', { from: 2, to: 3 })).toEqual([
        { index: 2, code: '3', repr: '3' },
        { index: 3, code: '4', repr: '4' },
      ]);
    });

    it('forgets the oldest beyond its limit, numbers unchanged', async () => {
      const fresh = await sessions.start({ open: { historyLimit: 2 } });
      for (const code of ['"a"', '"b"', '"c"']) await fresh.run(code);
      expect(await fresh.value('list(Out)')).toEqual([1, 2]);
      expect(await fresh.run('5')).toMatchObject({ index: 4 });
    });

    it.each([
      ['object()', 'object'],
      ['{1, 2}', 'set'],
      ['2 ** 60', 'int'],
      ['float("nan")', 'float'],
      ['{"__proto__": 1}', 'dict'],
      ['a = []; a.append(a); a', 'list'],
      ['"x" * 9_000_000', 'str'],
      ['lambda: 1', 'function'],
    ])('tells a result that cannot be sent by its repr: %j', async (code, type) => {
      expect(await session.run(code)).toMatchObject({
        hasValue: true,
        value: null,
        serialisable: false,
        type,
      });
    });

    it('survives a repr that raises, and one that exits', async () => {
      const code = (what: string) => `class Odd:\n    def __repr__(self): ${what}\nOdd()`;
      expect(await session.run(code('raise ValueError(1)'))).toMatchObject({
        repr: '<Odd whose repr raised ValueError>',
      });
      expect(await session.run(code('import sys; sys.exit(3)'))).toMatchObject({
        repr: '<Odd whose repr raised SystemExit>',
      });
    });

    it("traces errors through the user's frames only, with their lines", async () => {
      const failure = await session.run('def broken():\n    return 1 / 0\nbroken()');
      expect(failure).toMatchObject({ type: 'ZeroDivisionError', message: 'division by zero' });
      const { traceback } = failure as { traceback: string };
      expect(traceback).toContain('line 2, in broken\n    return 1 / 0');
      expect(traceback).not.toMatch(/troupe_session|interruption\.py/);
    });

    it('comes back from deep recursion', async () => {
      expect(await session.run('def deep(n): return deep(n + 1)\ndeep(0)')).toMatchObject({
        type: 'RecursionError',
      });
      expect(await session.value('1 + 1')).toBe(2);
    });

    it('an exit in a REPL is an error; in a script it is the exit code, after what was registered for it', async () => {
      expect(await session.run('raise SystemExit(3)')).toMatchObject({ type: 'SystemExit' });
      const code =
        'import atexit, sys\natexit.register(print, "last")\nprint(sys.argv[1:], __name__)\nsys.exit(4)';
      const job = session.begin(code, {
        kind: 'script',
        argv: ['a'],
        filename: join(sessions.folder, 'script.py'),
      });
      expect(await session.answer(job)).toMatchObject({ exitCode: 4, hasValue: false });
      expect(session.text(job)).toBe("['a'] __main__\nlast\n");
      expect(await session.run('1', { kind: 'script' })).toMatchObject({ exitCode: 0, hasValue: false });
    });
  });

  describe('await', () => {
    it('really awaits, and background tasks live on between executions', async () => {
      const fresh = await sessions.start();
      await fresh.run(
        'import asyncio, threading\nseen = []\nasync def tick():\n    await asyncio.sleep(0.01)\n    seen.append(1)\n    print("ticked")',
      );
      await fresh.run('task = asyncio.create_task(tick())');
      expect(await fresh.ask('stats')).toMatchObject({ backgroundTasks: expect.any(Number) });
      expect(await fresh.value('await task\nseen')).toEqual([1]);
    });

    it('lets code call asyncio.run, and run_until_complete, as in any script', async () => {
      expect(await session.value('import asyncio\nasync def f(): return 7\nasyncio.run(f())')).toBe(7);
      expect(await session.value('asyncio.get_event_loop().run_until_complete(f())')).toBe(7);
      expect(await session.run('print(asyncio.run(f()))', { kind: 'script' })).toMatchObject({ exitCode: 0 });
    });

    it('cancels the top-level task only; its finally may await, background tasks go on', async () => {
      await session.run('import asyncio\nbackground = asyncio.ensure_future(asyncio.sleep(3600))');
      const { job, ending } = await stop(
        'try:\n    print("go")\n    await asyncio.sleep(3600)\nfinally:\n    await asyncio.sleep(0)\n    print("cleaned")',
        'cancel',
      );
      expect(ending).toBe('cancelled');
      expect(session.text(job)).toBe('go\ncleaned\n');
      expect(await session.value('background.done()')).toBe(false);
      expect(await session.value('background.cancel()')).toBe(true);
    });

    it('cancels code that has awaited and then loops', async () => {
      const code =
        'async def spin():\n    await asyncio.sleep(0)\n    print("go")\n    while True: pass\nawait spin()';
      expect((await stop(code, 'cancel')).ending).toBe('cancelled');
    });

    it('interrupts a background task that holds the thread against everyone', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'troupe-held-'));
      const begun = join(folder, 'begun');
      await session.run(
        `async def hold():\n    await asyncio.sleep(0)\n    open(${JSON.stringify(begun)}, "w").close()\n    while True: pass\nheld = asyncio.ensure_future(hold())`,
      );
      while (!existsSync(begun)) await new Promise((resolve) => setImmediate(resolve));
      rmSync(folder, { recursive: true });
      const job = session.begin('1 + 1');
      session.port.interrupt?.(job, 'enough');
      expect(await session.answer(job)).toBe('cancelled');
      expect(await session.value('held.done()')).toBe(true);
    });
  });

  describe('cancellation', () => {
    it.each([
      ['an infinite loop', 'print("go")\nwhile True: pass'],
      ['one in a comprehension', 'print("go")\nsum(1 for _ in iter(int, 1))'],
      ['one that catches errors', 'print("go")\nwhile True:\n    try: 1 / 0\n    except Exception: pass'],
      ['asyncio.run', 'import asyncio\nprint("go")\nasyncio.run(asyncio.sleep(3600))'],
    ])('stops %s, and the session is kept', async (_name, code) => {
      await session.run('kept = 1');
      expect((await stop(code, 'cancel')).ending).toBe('cancelled');
      expect(await session.value('kept')).toBe(1);
    });

    it('runs finally', async () => {
      const { job } = await stop(
        'try:\n    print("go")\n    while True:\n        n = 1\nfinally:\n    print("finally")',
        'cancel',
      );
      expect(session.text(job)).toBe('go\nfinally\n');
    });

    it("hands a program's own handler of Ctrl-C the decision", async () => {
      const code =
        'import signal\ngoing = True\ndef leave(*_):\n    global going\n    going = False\nold = signal.signal(signal.SIGINT, leave)\nprint("go")\nwhile going: pass\nsignal.signal(signal.SIGINT, old)\n"left"';
      expect((await stop(code, 'cancel')).ending).toMatchObject({ value: 'left' });
    });

    it.each([
      ['time.sleep', 'import time\nprint("go")\ntime.sleep(3600)'],
      ['a lock', 'import threading\nprint("go")\nlock = threading.Lock()\nlock.acquire()\nlock.acquire()'],
      ['a child process', 'import subprocess\nprint("go")\nsubprocess.run(["sleep", "3600"])'],
      [
        'except Exception',
        'import time\nprint("go")\nwhile True:\n    try: time.sleep(3600)\n    except Exception: pass',
      ],
    ])('interrupts native sleep in %s', async (_name, code) => {
      expect((await stop(code, 'interrupt')).ending).toBe('cancelled');
    });

    it('is too late for code that is over, and touches nothing that follows', async () => {
      const job = session.begin('1');
      session.port.interrupt?.(job, 'late');
      await session.answer(job);
      expect(await session.value('sum(range(100_000))')).toBe(4999950000);
    });

    it('answers pings while code holds the interpreter, and refuses a second execution: Busy', async () => {
      const job = session.begin('print("go")\nwhile True: pass');
      await session.printing(job, 'go');
      session.port.ping(77);
      await session.until('pong', ([, id]) => id === 77);
      expect(await session.run('2')).toMatchObject({ type: 'Busy' });
      expect(await session.ask('namespace', { action: 'list' })).toMatchObject({ type: 'Busy' });
      expect(await session.ask('stats')).toMatchObject({ executions: expect.any(Number) });
      session.port.cancel(job, 'enough');
      expect(await session.answer(job)).toBe('cancelled');
    });
  });
});
