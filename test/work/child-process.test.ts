/**
 * Workers as real OS processes, in both languages that have an SDK: one suite, every way to go right or
 * wrong.
 */
import { spawn } from 'node:child_process';
import { readdirSync, readlinkSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { isTroupeError } from '../../src/base/errors.ts';
import { createRealHost } from '../../src/base/real-host.ts';
import { pythonSdkFolder } from '../../src/work/assets.ts';
import { type ChildProcessOptions, childProcess } from '../../src/work/child-process.ts';
import { requires } from '../requirements.ts';
import { gone, runs, WatchedWorker } from './watched-worker.ts';

const host = createRealHost();
const opened: WatchedWorker[] = [];
const python = requires('python3');

const open = (options: ChildProcessOptions): WatchedWorker => {
  const worker = new WatchedWorker(childProcess(options), host);
  opened.push(worker);
  return worker;
};

afterEach(async () => {
  for (const worker of opened.splice(0)) {
    worker.port.kill();
    await worker.end();
  }
});

/** What a process has open, by number. It may close some while we look: those it has no more. */
const descriptorsOf = (pid: number): Map<string, string> => {
  const found = new Map<string, string>();
  for (const number of readdirSync(`/proc/${pid}/fd`)) {
    try {
      found.set(number, readlinkSync(`/proc/${pid}/fd/${number}`));
    } catch {
      // Closed meanwhile.
    }
  }
  return found;
};

const codeOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    return isTroupeError(error) ? error.code : String(error);
  }
  return 'nothing';
};

describe.each([
  { language: 'node' as const, file: 'worker.mjs', skip: false, interpreter: process.execPath },
  { language: 'python' as const, file: 'worker.py', skip: python.skip, interpreter: 'python3' },
])('a worker in $language', ({ language, file, skip, interpreter }) => {
  const module = new URL(`./fixtures/${file}`, import.meta.url);
  const it_ = it.skipIf(skip);
  const start = async (options: ChildProcessOptions = {}): Promise<WatchedWorker> => {
    const worker = open({ module, ...options });
    await worker.until('ready');
    return worker;
  };

  it_('says that it is ready, what it is and what it can do', async () => {
    const worker = open({ module });
    const [, info] = await worker.until('ready');
    expect(childProcess({ module }).name).toBe(language);
    expect(info.pid).toBe(worker.port.pid);
    expect(info.version).toBe(1);
    expect(info.handlers).toContain('echo');
    expect(info.capabilities).toEqual(expect.arrayContaining(['stream', 'progress']));
  });

  it_('runs jobs and gives back what they return, as it was', async () => {
    const worker = await start();
    const args = { text: 'äöü … 😀 \u0000 \ud800', list: [1, -2.5, null, true, { a: [] }] };
    expect(await worker.answer(worker.start('echo', args))).toEqual(args);
    expect(await worker.answer(worker.start('echo', undefined))).toEqual({});
    expect(await worker.answer(worker.start('nothing'))).toBe(null);
  });

  it_('tells the type, the message and the traceback of what a handler throws, with its cause', async () => {
    const worker = await start();
    const failure = await worker.answer(worker.start('fail', { text: 'no luck' }));
    expect(failure).toMatchObject({ type: 'Sorry', message: 'no luck' });
    const { traceback } = failure as { traceback: string };
    expect(traceback).toContain(file);
    expect(traceback).toContain('because');
    expect(traceback).not.toContain('troupe_worker.py');
  });

  it_('may print what it likes, on any output, before and during jobs', async () => {
    const worker = await start();
    expect(await worker.answer(worker.start('print', { text: 'hello' }))).toBe('hello');
    for (const line of ['printed while loading', 'out hello', 'err hello', 'raw hello']) {
      await worker.until('stderr', ([, told]) => told === line);
    }
    expect(worker.all('broke')).toEqual([]);
  });

  it_('logs lines with a level', async () => {
    const worker = await start();
    await worker.answer(worker.start('log'));
    expect(worker.lines).toContain('warn: noted');
  });

  it_('is told what is left of a deadline, and of none', async () => {
    const worker = await start();
    const left = await worker.answer(worker.start('remaining', {}, 5_000));
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(5_000);
  });

  it_('stops a job that was cancelled, and is good for the next', async () => {
    const worker = await start();
    const id = worker.start('wait');
    worker.port.cancel(id, 'enough');
    expect(await worker.answer(id)).toBe('cancelled');
    expect(await worker.answer(worker.start('echo', 1))).toBe(1);
  });

  it_('may finish a job that was cancelled', async () => {
    const worker = await start();
    const id = worker.start('finish');
    await worker.until('stderr', ([, line]) => line === 'info: started');
    worker.port.cancel(id, 'enough');
    expect(await worker.answer(id)).toBe('finished all the same');
  });

  it_('refuses a job that it has no handler for before it is sent', async () => {
    const worker = await start();
    expect(codeOf(() => worker.start('dance'))).toBe('ERR_JOB_INVALID');
    expect(codeOf(() => worker.start('constructor'))).toBe('ERR_JOB_INVALID');
  });

  it_('fails a job, and lives, where its result cannot be sent', async () => {
    const worker = await start({ maxFrameBytes: 10_000 });
    for (const [job, args] of [
      ['unsendable', {}],
      ['forbidden', {}],
      ['deep', { levels: 64 }],
      ['large', { size: 10_000 }],
    ] as const) {
      expect(await worker.answer(worker.start(job, args))).toMatchObject({ type: 'InvalidResult' });
    }
    expect(await worker.answer(worker.start('deep', { levels: 63 }))).toBeTruthy();
    expect(await worker.answer(worker.start('large', { size: 9_000 }))).toHaveLength(9_000);
  });

  it_('takes and gives frames of megabytes', async () => {
    const worker = await start();
    const text = 'x'.repeat(5_000_000);
    expect(await worker.answer(worker.start('echo', { text }))).toEqual({ text });
  });

  it_('is killed when it writes garbage where the protocol is', async () => {
    const worker = await start();
    worker.start('garbage', { text: 'Segmentation fault\n' });
    const [, error] = await worker.until('broke');
    expect(error.code).toBe('ERR_WORKER_PROTOCOL');
    expect(isTroupeError(error.cause, 'ERR_FRAME_TOO_LARGE')).toBe(true);
    expect((await worker.end()).signal).toBe('SIGKILL');
    expect(worker.told.filter(([kind]) => kind === 'ended')).toHaveLength(1);
    expect(worker.told.at(-1)?.[0]).toBe('ended');
  });

  it_('gives its whole last answer though it exits at once', async () => {
    const worker = await start();
    const id = worker.start('large', { size: 4_000_000 });
    worker.start('exit', { code: 3 });
    expect(await worker.answer(id)).toHaveLength(4_000_000);
    const end = await worker.end();
    expect(end).toMatchObject({ code: 3, signal: null });
    expect(end.lastStderr).toContain('about to exit');
  });

  it_('ends with the reason on stderr when an error escapes its handlers', async () => {
    const worker = await start();
    worker.start('float');
    const end = await worker.end();
    expect(end.code).toBe(1);
    expect(end.lastStderr.join('\n')).toContain('floating');
  });

  it_('ends with the signal that it died of', async () => {
    const worker = await start();
    worker.start('abort');
    expect(await worker.end()).toMatchObject({ code: null, signal: 'SIGABRT' });
  });

  it_('is not held up by what it prints, of which the last lines are kept', async () => {
    const worker = await start();
    expect(await worker.answer(worker.start('flood', { lines: 500 }))).toBe(500);
    worker.port.close();
    const end = await worker.end();
    expect(end.lastStderr).toHaveLength(20);
    expect(end.lastStderr.at(-1)).toMatch(/^line 499 /);
    expect(worker.lines.filter((line) => line.startsWith('line '))).toHaveLength(500);
  });

  it_('leaves in order when it is closed', async () => {
    const worker = await start();
    worker.port.close();
    worker.port.close();
    expect(await worker.end()).toMatchObject({ code: 0, signal: null });
    expect(codeOf(() => worker.start('echo'))).toBe('ERR_JOB_INVALID');
  });

  it_('cancels what it runs when it is closed, and answers before it leaves', async () => {
    const worker = await start();
    const id = worker.start('wait');
    worker.port.close();
    expect(await worker.answer(id)).toBe('cancelled');
    expect(await worker.end()).toMatchObject({ code: 0 });
  });

  it_('is killed at once, busy or stopped, with all it has started', async () => {
    const worker = await start();
    const grandchild = (await worker.answer(worker.start('grandchild'))) as number;
    const pid = worker.port.pid as number;
    const inherited = [...descriptorsOf(grandchild).values()];
    const own = descriptorsOf(pid);
    expect(own.get('3')).toMatch(/^socket:/);
    expect(inherited).not.toContain(own.get('3'));
    expect(inherited).not.toContain(own.get('4'));
    worker.start('busy');
    process.kill(pid, 'SIGSTOP');
    worker.port.kill();
    worker.port.kill();
    expect(await worker.end()).toMatchObject({ code: null, signal: 'SIGKILL' });
    await gone(pid);
    await gone(grandchild);
  });

  it_('sees of the environment only what is allowed', async () => {
    process.env['TROUPE_TEST_SECRET'] = 'hunter2';
    process.env['TROUPE_TEST_PASSED'] = 'yes';
    try {
      const worker = await start({
        passEnv: ['TROUPE_TEST_PASSED'],
        env: { EXTRA: '1' },
        args: ['--flag'],
        cwd: '/',
      });
      const seen = (await worker.answer(worker.start('environment'))) as Record<string, unknown>;
      expect(seen).toMatchObject({ cwd: '/', argv: ['--flag'] });
      expect(seen['env']).toEqual(expect.arrayContaining(['PATH', 'EXTRA', 'TROUPE_TEST_PASSED']));
      expect(seen['env']).not.toContain('TROUPE_TEST_SECRET');
      expect(seen['env']).not.toContain('TROUPE_PROTOCOL_FDS');
    } finally {
      delete process.env['TROUPE_TEST_SECRET'];
      delete process.env['TROUPE_TEST_PASSED'];
    }
  });

  it_('exits with a word when it does not understand its parent', async () => {
    const child = spawn(interpreter, [fileURLToPath(module)], {
      env: { ...process.env, PYTHONPATH: pythonSdkFolder(), TROUPE_PROTOCOL_FDS: '3,4' },
      stdio: ['pipe', 'ignore', 'pipe', 'pipe', 'pipe'],
    });
    (child.stdio[3] as Writable).write(Uint8Array.of(0, 0, 0, 3, 0x7b, 0x7b, 0x7b));
    let printed = '';
    const exited = new Promise((resolve) => child.on('exit', resolve));
    for await (const chunk of child.stderr as Readable) printed += String(chunk);
    expect(await exited).toBe(76);
    expect(printed).toContain('the parent broke the protocol');
  });

  it_.each(['idle', 'wait', 'deaf', ...(language === 'node' ? [] : ['busy'])])(
    'goes, with all it has started, when its parent is killed: %s',
    async (job) => {
      const parent = fileURLToPath(new URL('./fixtures/parent.mjs', import.meta.url));
      const env = { PATH: process.env['PATH'], PYTHONPATH: pythonSdkFolder() };
      const child = spawn(process.execPath, [parent, job, interpreter, fileURLToPath(module)], {
        env,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const pids: number[] = [];
      // A plain Python function waits for its turn, so only the other jobs leave room for a grandchild.
      const expected = language === 'node' || job === 'idle' ? 2 : 1;
      for await (const line of createInterface({ input: child.stdout })) {
        pids.push(Number(line.split(' ')[1]));
        if (pids.length === expected) break;
      }
      expect(pids.every(runs)).toBe(true);
      child.kill('SIGKILL');
      for (const pid of pids) await gone(pid);
    },
  );
});

describe('a worker in node', () => {
  it('goes when its parent is killed though a job holds its event loop', async () => {
    const parent = fileURLToPath(new URL('./fixtures/parent.mjs', import.meta.url));
    const module = fileURLToPath(new URL('./fixtures/worker.mjs', import.meta.url));
    const child = spawn(process.execPath, [parent, 'busy', process.execPath, module], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    for await (const line of createInterface({ input: child.stdout })) {
      const pid = Number(line.split(' ')[1]);
      child.kill('SIGKILL');
      await gone(pid);
    }
  });

  it('refuses to serve when it was not started by a pool', async () => {
    const module = fileURLToPath(new URL('./fixtures/worker.mjs', import.meta.url));
    const child = spawn(process.execPath, [module], { env: {}, stdio: ['ignore', 'ignore', 'pipe'] });
    let printed = '';
    for await (const chunk of child.stderr) printed += String(chunk);
    expect(printed).toContain('started by a pool');
  });
});

describe.skipIf(python.skip)('a worker in python', () => {
  const module = new URL('./fixtures/worker.py', import.meta.url);

  it('answers pings while a handler is busy', async () => {
    const worker = open({ module });
    await worker.until('ready');
    worker.start('busy');
    worker.port.ping(1);
    worker.port.ping(2);
    await worker.until('pong', ([, id]) => id === 2);
  });

  it('runs coroutine functions side by side, and cancels them', async () => {
    const worker = open({ module });
    await worker.until('ready');
    const waiting = worker.start('wait_async');
    expect(await worker.answer(worker.start('echo_async', [1]))).toEqual([1]);
    worker.port.cancel(waiting, 'enough');
    expect(await worker.answer(waiting)).toBe('cancelled');
  });

  it('may be reached over its standard input and output, and still print', async () => {
    const worker = open({ module, descriptors: 'stdio', env: { PYTHONSTARTUP: '' }, args: [] });
    const [, error] = await worker.until('broke');
    // It printed before it imported the SDK: only descriptors of its own protect that.
    expect(error.code).toBe('ERR_WORKER_PROTOCOL');
    const quiet = open({ module: new URL('./fixtures/quiet.py', import.meta.url), descriptors: 'stdio' });
    await quiet.until('ready');
    expect(await quiet.answer(quiet.start('shout', { text: 'hello' }))).toBe('HELLO');
    await quiet.until('stderr', ([, line]) => line === 'shouting hello');
    quiet.port.close();
    expect(await quiet.end()).toMatchObject({ code: 0 });
  });
});

describe('a command that is no worker', () => {
  it('that does not exist ends with an error and no pid', async () => {
    const worker = open({ command: '/nonexistent/worker' });
    const end = await worker.end();
    expect(worker.port.pid).toBeUndefined();
    expect((end.error as NodeJS.ErrnoException).code).toBe('ENOENT');
    expect(worker.told).toHaveLength(1);
    worker.port.kill();
    worker.port.close();
  });

  it('whose working directory does not exist ends likewise', async () => {
    const worker = open({ command: process.execPath, cwd: '/nonexistent' });
    expect((await worker.end()).error).toBeDefined();
  });

  it('that exits at once has told why', async () => {
    const worker = open({
      command: process.execPath,
      args: ['-e', 'console.error("bad luck"); process.exit(7)'],
    });
    const end = await worker.end();
    expect(end).toMatchObject({ code: 7, lastStderr: ['bad luck'] });
    expect(worker.all('ready')).toEqual([]);
  });

  it('that answers in another voice is killed', async () => {
    const worker = open({ command: 'sh', args: ['-c', 'echo hello; sleep 600'], descriptors: 'stdio' });
    await worker.until('broke');
    expect((await worker.end()).signal).toBe('SIGKILL');
  });

  it('that speaks another version of the protocol is killed', async () => {
    const ready = '{"kind":"ready","protocol":2,"pid":1,"capabilities":[],"handlers":[]}';
    const say = `const b=Buffer.from('${ready}');const h=Buffer.alloc(4);h.writeUInt32BE(b.length);
      require('fs').writeSync(4,Buffer.concat([h,b]));setInterval(()=>{},1000)`;
    const worker = open({ command: process.execPath, args: ['-e', say] });
    const [, error] = await worker.until('broke');
    expect(error.message).toContain('version 2');
    expect((await worker.end()).signal).toBe('SIGKILL');
  });
});
