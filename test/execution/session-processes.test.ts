import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codeExecutor, type ExecutorHandle } from '../../src/execution/executor.ts';
import type { Session } from '../../src/execution/session.ts';
import { createSystem, type System } from '../../src/kernel/system.ts';
import { requires } from '../requirements.ts';

interface Dialect {
  readonly language: 'python' | 'javascript';
  readonly skip: boolean;
  readonly print: (text: string) => string;
  readonly set: string;
  readonly get: string;
  readonly loop: string;
  readonly where: string;
  readonly write: (file: string) => string;
  readonly ask: string;
  readonly fail: string;
  readonly exit: string;
  readonly deaf: string;
}

const PYTHON: Dialect = {
  language: 'python',
  skip: requires('python3').skip,
  print: (text) => `print(${JSON.stringify(text)})`,
  set: 'x = 41',
  get: 'x + 1',
  loop: 'while True: pass',
  where: '__import__("os").getcwd()',
  write: (file) => `with open(${JSON.stringify(file)}, "w") as f: f.write("mine")`,
  ask: 'input("name? ")',
  fail: 'raise ValueError("no")',
  exit: 'import os; os._exit(7)',
  // Native code that never lets go of the interpreter.
  deaf: 'import ctypes; ctypes.PyDLL(None).sleep(600)',
};

const JAVASCRIPT: Dialect = {
  language: 'javascript',
  skip: false,
  print: (text) => `console.log(${JSON.stringify(text)})`,
  set: 'x = 41',
  get: 'x + 1',
  loop: 'while (true) {}',
  where: 'process.cwd()',
  write: (file) => `require('fs').writeFileSync(${JSON.stringify(file)}, 'mine')`,
  ask: 'await input("name? ")',
  fail: 'throw new TypeError("no")',
  exit: 'process.reallyExit(7)',
  // Nothing of a stopped process runs, its wire included.
  deaf: 'process.kill(process.pid, "SIGSTOP"); while (true) {}',
};

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe.each([PYTHON, JAVASCRIPT])('a session in $language', (dialect) => {
  describe.skipIf(dialect.skip)('as a process', () => {
    let root: string;
    let system: System;
    let executor: ExecutorHandle;

    beforeAll(async () => {
      root = await mkdtemp(join(tmpdir(), 'troupe-test-'));
      system = createSystem();
      // A loaded machine may take longer than a user would wait.
      const spec = codeExecutor('code', { root, capabilities: 'unrestricted', readyTimeoutMs: 60_000 });
      executor = await system.start(spec);
    });

    afterAll(async () => {
      await system.shutdown();
      await rm(root, { recursive: true, force: true });
    });

    const open = (id: string, options = {}): Promise<Session> =>
      executor.session({ language: dialect.language, id, ...options });

    it('runs, prints, asks, fails, keeps its names and lives in a folder of its own', async () => {
      await using session = await open('talk');
      const printed: string[] = [];
      for await (const event of session.execute(dialect.print('grüße 🎭')))
        if (event.kind === 'output') printed.push(event.text);
      expect(printed.join('')).toBe('grüße 🎭\n');
      await session.execute(dialect.set).result;
      expect(await session.execute(dialect.get).result).toMatchObject({ value: 42, hasValue: true });
      const { result } = session.execute(dialect.ask, { onInput: ({ prompt }) => `${prompt}bob` });
      expect(await result).toMatchObject({ value: 'name? bob' });
      await expect(session.execute(dialect.fail).result).rejects.toMatchObject({
        code: 'ERR_EXECUTION_FAILED',
        data: { text: 'no' },
      });
      expect(await session.execute(dialect.where).result).toMatchObject({ value: join(root, 'talk') });
      await session.execute(dialect.write('own.txt')).result;
      expect(await readFile(join(root, 'talk', 'own.txt'), 'utf8')).toBe('mine');
      expect((await session.namespace.list()).map(({ name }) => name)).toContain('x');
    });

    it('is broken out of a loop and keeps its names; where it holds the interpreter it is killed and replaced', async () => {
      await using session = await open('stuck', { checkpoint: 'on_kill' });
      await session.execute(dialect.set).result;
      await expect(session.execute(dialect.loop, { timeoutMs: 300 }).result).rejects.toMatchObject({
        code: 'ERR_EXECUTION_TIMEOUT',
      });
      expect(await session.execute(dialect.get).result).toMatchObject({ value: 42 });
      expect(session.inspect().processes).toBe(1);
      const { pid } = session.inspect();
      await expect(session.execute(dialect.deaf, { timeoutMs: 300 }).result).rejects.toMatchObject({
        code: 'ERR_EXECUTION_TIMEOUT',
      });
      expect(await session.execute(dialect.get, { timeoutMs: 60_000 }).result).toMatchObject({ value: 42 });
      expect(session.inspect().processes).toBe(2);
      expect(isAlive(pid as number)).toBe(false);
    });

    it('whose process exits says how, and has another one', async () => {
      await using session = await open('crash');
      await expect(session.execute(dialect.exit).result).rejects.toMatchObject({
        code: 'ERR_WORKER_EXITED',
        data: { code: 7 },
      });
      expect(await session.execute('1 + 1', { timeoutMs: 60_000 }).result).toMatchObject({ value: 2 });
      process.kill(session.inspect().pid as number, 'SIGKILL');
      await expect(session.execute(dialect.loop).result).rejects.toMatchObject({
        code: expect.stringMatching(/ERR_WORKER_(EXITED|PROTOCOL)/),
      });
    });

    it('leaves no process and no temporary folder when it is closed', async () => {
      const session = await open('closing');
      const where =
        dialect.language === 'python' ? '__import__("tempfile").gettempdir()' : "require('os').tmpdir()";
      const { value: temporary } = await session.execute(where).result;
      const { pid } = session.inspect();
      expect(existsSync(String(temporary))).toBe(true);
      await session.close();
      expect(isAlive(pid as number)).toBe(false);
      await expect.poll(() => existsSync(String(temporary)), { timeout: 15_000 }).toBe(false);
    });

    it('that prints without end is stopped, and the session goes on', async () => {
      await using session = await open('flood');
      const code = dialect.language === 'python' ? 'while True: print("y")' : 'while (true) console.log("y")';
      await expect(session.execute(code).result).rejects.toMatchObject({
        code: 'ERR_EXECUTION_LIMIT',
        data: { limit: expect.stringMatching(/identicalLines|lines/) },
      });
      expect(await session.execute('1 + 1', { timeoutMs: 60_000 }).result).toMatchObject({ value: 2 });
    });
  });
});
