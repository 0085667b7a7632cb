import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codeExecutor, type ExecutorHandle } from '../../src/execution/executor.ts';
import type { SessionOptions } from '../../src/execution/session-options.ts';
import { createSystem, type System } from '../../src/kernel/system.ts';
import { requires } from '../requirements.ts';

/** Code that does what nobody should, and how it has to end. */
interface Hostile {
  readonly what: string;
  readonly code: string;
  readonly options?: Partial<SessionOptions>;
  readonly timeoutMs?: number;
  /** Characters that are printed. */
  readonly prints?: number;
  readonly result?: object;
  readonly error?: object;
}

const MANY = 100 * 1_048_576;
const limited = (limit: string) => ({ code: 'ERR_EXECUTION_LIMIT', data: { limit } });

const PYTHON: readonly Hostile[] = [
  {
    what: 'prints 100 MiB',
    code: 'import sys\nfor _ in range(1600): sys.stdout.write("x" * 65536)',
    prints: MANY,
    result: { hasValue: false },
  },
  {
    what: 'recurses without end',
    code: 'def f(): return f()\nf()',
    error: { data: { type: 'RecursionError' } },
  },
  {
    what: 'closes what it prints on',
    code: 'import os; os.close(1); os.close(2); print("still")',
    prints: 6,
    result: {},
  },
  {
    what: 'writes into every descriptor',
    code: 'import os\nfor fd in range(3, 40):\n  try: os.write(fd, b"\\xff" * 64)\n  except OSError: pass\n"fine"',
    result: { value: 'fine' },
  },
  {
    what: 'gives what cannot travel',
    code: 'object()',
    result: { serialisable: false, value: null, type: 'object' },
  },
  {
    what: 'gives more than a frame holds',
    code: '"x" * 20_000_000',
    result: { serialisable: false, value: null },
  },
  {
    what: 'takes more memory than it may',
    code: 'x = []\nwhile True: x.append(bytes(10**6))',
    options: { limits: { memoryBytes: 400_000_000 } },
    error: limited('memoryBytes'),
  },
  {
    what: 'opens more files than it may',
    code: 'x = [open("/dev/null") for _ in range(1000)]',
    options: { limits: { openFiles: 64 } },
    error: limited('openFiles'),
  },
  {
    what: 'forks without end',
    code: 'import os, time\nchildren = 0\nwhile True:\n  if os.fork() == 0: time.sleep(600)',
    options: { limits: { processes: 40 } },
    error: limited('processes'),
  },
  {
    what: 'has a child print',
    code: 'import subprocess; subprocess.run(["sh", "-c", "echo sub; echo err >&2; sleep 0.1"]).returncode',
    prints: 8,
    result: { value: 0 },
  },
];

const JAVASCRIPT: readonly Hostile[] = [
  {
    what: 'prints 100 MiB',
    code: 'for (let i = 0; i < 1600; i++) process.stdout.write("x".repeat(65536)); 1',
    prints: MANY,
    result: { value: 1 },
  },
  {
    what: 'recurses without end',
    code: 'const f = () => f() + 1; f()',
    error: { data: { type: 'RangeError' } },
  },
  {
    what: 'closes what it prints on',
    code: 'require("fs").closeSync(1); require("fs").closeSync(2); console.log("still")',
    prints: 6,
    result: {},
  },
  { what: 'gives what cannot travel', code: '(() => 1)', result: { serialisable: false, value: null } },
  { what: 'gives more than a frame holds', code: '"x".repeat(20_000_000)', result: { serialisable: false } },
  {
    what: 'takes more memory than it may',
    code: 'const x = []; while (true) x.push(new Array(1e5).fill({}))',
    options: { limits: { memoryBytes: 400_000_000 } },
    error: limited('memoryBytes'),
  },
  {
    what: 'leaves an error floating',
    code: 'setTimeout(() => { throw new Error("lost") }, 5); await new Promise((r) => setTimeout(r, 50)); 5',
    result: { value: 5 },
  },
];

const LANGUAGES = [
  ['python', requires('python3').skip, PYTHON],
  ['javascript', false, JAVASCRIPT],
] as const;

describe.each(LANGUAGES)('hostile code in %s', (language, skip, cases) => {
  let system: System;
  let executor: ExecutorHandle;

  beforeAll(async () => {
    system = createSystem();
    const spec = codeExecutor('code', { capabilities: 'unrestricted', readyTimeoutMs: 60_000 });
    executor = await system.start(spec);
  });

  afterAll(() => system.shutdown());

  it.skipIf(skip).each(cases)(
    'that $what ends as it should, and the session goes on',
    async ({ code, options, prints, result, error, timeoutMs = 60_000 }) => {
      await using session = await executor.session({ language, ...options });
      const execution = session.execute(code, { timeoutMs });
      let printed = 0;
      for await (const event of execution) if (event.kind === 'output') printed += event.text.length;
      if (error !== undefined) await expect(execution.result).rejects.toMatchObject(error);
      else expect(await execution.result).toMatchObject(result ?? {});
      if (prints !== undefined) expect(printed).toBe(prints);
      const { value } = await session.execute('1 + 1', { timeoutMs }).result;
      expect(value).toBe(2);
    },
    60_000,
  );
});
