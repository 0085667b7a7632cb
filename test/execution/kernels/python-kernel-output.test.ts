/** The session kernel for Python, real, over its port: what code prints and asks, and how the process ends. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { encodeFrame, WIRE_LIMITS } from '../../../src/work/wire.ts';
import { requires } from '../../requirements.ts';
import { gone, runs } from '../../work/watched-worker.ts';
import { type Chunk, PYTHON_KERNEL, type PythonSession, PythonSessions } from './python-session.ts';

const sessions = new PythonSessions();

describe.skipIf(requires('python3').skip)('output of the session kernel for Python', () => {
  let session: PythonSession;

  beforeAll(async () => {
    session = await sessions.start();
  });

  afterEach(() => sessions.sweep([session]));
  afterAll(() => sessions.close());

  describe('input', () => {
    const answering = (text: string | null) => (chunk: Chunk) => {
      if (chunk.kind === 'input')
        session.start('input_response', { execution: 'asked', request: chunk['request'], text });
      return false;
    };

    afterEach(() => {
      session.onChunk = () => false;
    });

    it.each([
      ['input("name? ")', 'Ann', 'Ann'],
      ['import sys; sys.stdin.readline()', 'Bo', 'Bo\n'],
      ['import getpass; getpass.getpass("pass? ")', 'secret', 'secret'],
    ])('%s asks', async (code, text, value) => {
      session.onChunk = answering(text);
      const job = session.begin(code, { execution: 'asked' });
      expect(await session.answer(job)).toMatchObject({ value });
      expect(session.chunks(job, 'input')).toMatchObject([{ secret: code.includes('getpass') }]);
    });

    it('ends: null is EOF; an answer to nothing is none', async () => {
      session.onChunk = answering(null);
      expect(await session.run('input()', { execution: 'asked' })).toMatchObject({ type: 'EOFError' });
      expect(await session.ask('input_response', { execution: 'asked', request: '0', text: '' })).toBe(false);
    });

    it('wakes on cancel, with EOF, and finally runs', async () => {
      const job = session.begin('try:\n    input("? ")\nfinally:\n    print("woken")');
      await session.seen(job, (chunk) => chunk.kind === 'input');
      session.port.cancel(job, 'enough');
      expect(await session.answer(job)).toBe('cancelled');
      expect(session.text(job)).toBe('woken\n');
    });

    it('is asked for one at a time', async () => {
      session.onChunk = (chunk) => {
        if (chunk.kind === 'output')
          session.start('input_response', { execution: 'asked', request: asked, text: 'x' });
        if (chunk.kind === 'input') asked = chunk['request'];
        return false;
      };
      let asked: unknown;
      const code = `import asyncio
def ask():
    try: return input()
    except RuntimeError as error: print(error)
await asyncio.gather(asyncio.to_thread(ask), asyncio.to_thread(ask))`;
      const job = session.begin(code, { execution: 'asked' });
      await session.answer(job);
      expect(session.text(job)).toContain('only one input at a time');
      expect(session.chunks(job, 'input')).toHaveLength(1);
    });

    it('leaves the lifeline alone: descriptor 0 is empty', async () => {
      expect(await session.value('import os; os.read(0, 1) == b""')).toBe(true);
    });
  });

  describe('output', () => {
    it('keeps the order between stdout and stderr, and sends all of it before the result', async () => {
      const job = session.begin(
        'import sys\nfor i in range(40):\n    print(i, file=(sys.stdout, sys.stderr)[i % 2])',
      );
      await session.answer(job);
      expect(session.text(job)).toBe(Array.from({ length: 40 }, (_, i) => `${i}\n`).join(''));
      const places = session.told.map(([kind, id]) => (id === job ? kind : ''));
      expect(places.lastIndexOf('chunk')).toBeLessThan(places.indexOf('succeeded'));
    });

    it('takes what is written to the descriptors, by subprocesses too, in its place', async () => {
      const code =
        'import os, subprocess\nprint("a")\nos.write(1, b"b\\n")\nsubprocess.run(["echo", "c"])\nprint("d")';
      expect(await session.printed(code)).toBe('a\nb\nc\nd\n');
    });

    it('takes what C has in its own buffers', async () => {
      expect(await session.printed('import ctypes\nctypes.CDLL(None).printf(b"from C") and None')).toBe(
        'from C',
      );
    });

    it('never splits a character, however its bytes come', async () => {
      const code =
        'import os, sys\nfor byte in "é😀".encode():\n    os.write(1, bytes([byte]))\n    sys.stdout.flush()';
      const job = session.begin(code);
      await session.answer(job);
      expect(session.text(job)).toBe('é😀');
      const many = await session.printed('print("😀" * 50_000, end="")');
      expect(many === '😀'.repeat(50_000)).toBe(true);
    });

    it('sends a carriage return at once, and a line without an end soon', async () => {
      const job = session.begin(
        'import time\nprint("half", end="")\nprint("10%", end="\\r")\nprint("rest", end="")\ntime.sleep(3600)',
      );
      await session.printing(job, 'half10%\rrest');
      session.port.interrupt?.(job, 'seen');
      await session.answer(job);
    });

    it('comes from threads whole, line by line', async () => {
      const code =
        'import threading\ndef say(n):\n    for _ in range(200): print(f"{n}" * 40 + "\\n", end="")\nall = [threading.Thread(target=say, args=(n,)) for n in range(4)]\n[t.start() for t in all]; [t.join() for t in all]; None';
      const lines = (await session.printed(code)).trimEnd().split('\n');
      expect(lines.filter((line) => !/^(\d)\1{39}$/.test(line))).toEqual([]);
      expect(lines).toHaveLength(800);
    });

    it('makes print wait where no chunk is granted; more lets it go on', async () => {
      const job = 1_000_000;
      session.auto = false;
      session.port.run({
        id: job,
        name: 'execute',
        args: { execution: 'slow', code: 'for _ in range(5): print("x" * 65_535)', kind: 'repl' },
        remainingMs: Number.POSITIVE_INFINITY,
        stream: 1,
      });
      await session.seen(job, () => true);
      session.port.ping(88);
      await session.until('pong', ([, id]) => id === 88);
      expect(session.chunks(job)).toHaveLength(1);
      session.auto = true;
      session.port.more?.(job, 1);
      expect(await session.answer(job)).toMatchObject({ hasValue: false });
      expect(session.text(job)).toHaveLength(5 * 65_536);
    });

    it('a cancellation wakes whoever waits for credit', async () => {
      session.auto = false;
      session.credit = 1;
      const job = session.begin('while True: print("x" * 65_535)');
      await session.seen(job, () => true);
      session.port.cancel(job, 'enough');
      expect(await session.answer(job)).toBe('cancelled');
      session.auto = true;
      session.credit = 8;
    });

    it('of 100 MB holds no more than some chunks', async () => {
      const before = ((await session.ask('stats')) as { residentBytes: number }).residentBytes;
      let characters = 0;
      session.onChunk = (chunk) => {
        characters += (chunk['text'] as string).length;
        return true;
      };
      const job = session.begin('for _ in range(1_600): print("x" * 65_535)');
      await session.answer(job);
      session.onChunk = () => false;
      expect(characters).toBe(1_600 * 65_536);
      const after = ((await session.ask('stats')) as { residentBytes: number }).residentBytes;
      expect(after - before).toBeLessThan(20 * 1_048_576);
    });

    it('between executions is kept for the next, and comes first', async () => {
      await session.run(
        'import threading\nwaits = threading.Event()\nlater = threading.Thread(target=lambda: (waits.wait(), print("later")))\nlater.start()',
      );
      // A job that is no execution: what it lets go is printed while nothing is executed.
      await session.run(
        'class Lets:\n    def __repr__(self):\n        waits.set(); later.join()\n        return "let"\nlets = Lets()',
      );
      await session.ask('namespace', { action: 'list' });
      expect(await session.printed('print("next")')).toBe('later\nnext\n');
    });

    it('shrugs off code that closes descriptor 1, or prints frames', async () => {
      const code =
        'import os, struct, sys\nframe = struct.pack(">I", 9) + b\'{"kind":1}\'\nos.write(1, frame); os.write(2, frame)\nfor fd in (3, 4):\n    try: os.write(fd, frame)\n    except OSError: pass\nos.close(1)\nprint("printed")';
      expect(await session.printed(code)).toContain('printed\n');
      expect(await session.printed('os.write(1, b"open again") and None')).toBe('open again');
    });

    it('of a forked child is output, and the child is no session', async () => {
      const code =
        'import os\nif os.fork() == 0:\n    print("from the child")\nelse:\n    os.wait(); print("from the parent")';
      expect(await session.printed(code)).toBe('from the child\nfrom the parent\n');
      expect(await session.value('1 + 1')).toBe(2);
    });
  });

  describe('the end', () => {
    it('an orderly end leaves nothing behind that it has started', async () => {
      const session = await sessions.start();
      const code = 'import subprocess; child = subprocess.Popen(["sleep", "3600"]); child.pid';
      const child = (await session.value(code)) as number;
      expect(runs(child)).toBe(true);
      session.port.close();
      expect(await session.end()).toMatchObject({ code: 0 });
      await gone(child);
    });

    it.each([
      ['idle', 'print("go")'],
      ['in an infinite loop', 'print("go")\nwhile True: pass'],
    ])('parent EOF ends it %s', async (_name, code) => {
      const child = spawn('python3', [fileURLToPath(PYTHON_KERNEL)], {
        detached: true,
        env: { ...process.env, TROUPE_PROTOCOL_FDS: '3,4' },
        stdio: ['pipe', 'ignore', 'ignore', 'pipe', 'pipe'],
      });
      const ended = once(child, 'exit');
      const [, , , input, output] = child.stdio as unknown as [unknown, unknown, unknown, Writable, Readable];
      const say = (message: object) => input.write(encodeFrame(message, WIRE_LIMITS));
      const run = { kind: 'run', remainingMs: null };
      say({ kind: 'hello', protocol: 1, worker: 'w', maxFrameBytes: 65_536, maxDepth: 64, capabilities: [] });
      say({ ...run, id: 1, name: 'open', args: {} });
      say({ ...run, id: 2, name: 'execute', stream: 9, args: { execution: 'e', code } });
      for await (const piece of output) if (String(piece).includes('go\\n')) break;
      input.destroy();
      await ended;
      expect(runs(child.pid as number)).toBe(false);
    });

    it('os._exit ends it with its code, after what was printed', async () => {
      const session = await sessions.start();
      const job = session.begin('import os\nprint("last words", end="")\nos._exit(7)');
      expect(await session.end()).toMatchObject({ code: 7 });
      expect(session.text(job)).toBe('last words');
    });

    it('a native crash leaves its trace in the log', async () => {
      const session = await sessions.start();
      session.begin('import faulthandler; faulthandler._sigsegv()');
      await session.end();
      expect(session.lines.join('\n')).toContain('Segmentation fault');
    });

    it('a limit on files is met with an error, one on CPU time with an error that names it', async () => {
      const session = await sessions.start({ open: { limits: { fileBytes: 1_000, cpuS: 1 } } });
      expect(
        await session.run('open("big", "wb", 0).write(b"x" * 2_000); open("big", "ab", 0).write(b"y")'),
      ).toMatchObject({ type: 'OSError' });
      expect(await session.run('while True: pass')).toMatchObject({
        type: 'LimitExceeded',
        message: expect.stringMatching(/^cpuS 1: /),
      });
    });

    it('more processes than allowed are not started', async () => {
      const session = await sessions.start({ open: { limits: { processes: 3 } } });
      const code =
        'import subprocess\nall = []\nfor _ in range(9): all.append(subprocess.Popen(["sleep", "3600"]))';
      expect(await session.run(code)).toMatchObject({
        type: 'BlockingIOError',
        message: expect.stringContaining('processes 3'),
      });
      expect(await session.value('len(all)')).toBe(3);
    });
  });
});
