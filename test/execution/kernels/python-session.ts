/** A Python session as a test talks to it: the real kernel in a real process, every chunk granted as it comes. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Host } from '../../../src/base/host.ts';
import { createRealHost } from '../../../src/base/real-host.ts';
import { childProcess } from '../../../src/work/child-process.ts';
import { WatchedWorker } from '../../work/watched-worker.ts';

export const PYTHON_KERNEL = new URL(
  '../../../src/execution/kernels/python/session_kernel.py',
  import.meta.url,
);

export interface Chunk {
  readonly kind: string;
  readonly at: number;
  readonly [field: string]: unknown;
}

/** How an execution ended: a result's fields, an error's, or `'cancelled'`. */
export type Ending = Readonly<Record<string, unknown>> | 'cancelled';

export interface SessionOptions {
  readonly open?: Readonly<Record<string, unknown>>;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export class PythonSession extends WatchedWorker {
  /** Chunks granted at the start of an execution; none are granted afterwards where it is not `auto`. */
  credit = 8;
  auto = true;
  /** Called with each chunk, instead of keeping it where it answers `true`. */
  onChunk: (chunk: Chunk, job: number) => unknown = () => false;
  #executions = 0;

  static async start(host: Host, { open = {}, cwd, env = {} }: SessionOptions = {}): Promise<PythonSession> {
    const session = new PythonSession(
      childProcess({ module: PYTHON_KERNEL, env, ...(cwd === undefined ? {} : { cwd }) }),
      host,
    );
    await session.until('ready');
    await session.ask('open', { session: 'one', ...open });
    return session;
  }

  override chunk = (job: number, value: unknown): void => {
    if (this.onChunk(value as Chunk, job) !== true) this.record(['chunk', job, value]);
    if (this.auto) this.port.more?.(job, 1);
  };

  ask(name: string, args: object = {}): Promise<unknown> {
    return this.answer(this.start(name, args));
  }

  /** Gives it code and returns the job's id. */
  begin(code: string, more: object = {}): number {
    this.#executions += 1;
    const args = { execution: `e${this.#executions}`, code, kind: 'repl', ...more };
    return this.start('execute', args, Number.POSITIVE_INFINITY, { stream: this.credit });
  }

  async run(code: string, more: object = {}): Promise<Ending> {
    return (await this.answer(this.begin(code, more))) as Ending;
  }

  /** What code evaluates to. */
  async value(code: string): Promise<unknown> {
    const ending = await this.run(code);
    return ending === 'cancelled' ? ending : 'value' in ending ? ending['value'] : ending;
  }

  chunks(job: number, kind?: string): Chunk[] {
    return this.all('chunk')
      .filter(([, id, value]) => id === job && (kind === undefined || (value as Chunk).kind === kind))
      .map(([, , value]) => value as Chunk);
  }

  text(job: number, stream?: string): string {
    return this.chunks(job, 'output')
      .filter((chunk) => stream === undefined || chunk['stream'] === stream)
      .map((chunk) => chunk['text'])
      .join('');
  }

  /** What code prints. */
  async printed(code: string, more: object = {}): Promise<string> {
    const job = this.begin(code, more);
    await this.answer(job);
    return this.text(job);
  }

  /** Waits for a chunk of an execution. */
  async seen(job: number, fits: (chunk: Chunk) => boolean): Promise<Chunk> {
    const [, , value] = await this.until('chunk', ([, id, chunk]) => id === job && fits(chunk as Chunk));
    return value as Chunk;
  }

  /** Waits until code has printed this: the sign that it has got there. */
  printing(job: number, text: string): Promise<Chunk> {
    return this.seen(job, () => this.text(job).includes(text));
  }
}

/** The sessions of one test file: a shared one, for all that leaves a session as it was, and those of single tests. */
export class PythonSessions {
  readonly folder = mkdtempSync(join(tmpdir(), 'troupe-python-kernel-'));
  readonly #host = createRealHost();
  readonly #own: PythonSession[] = [];

  /** A session of a test's own: for what ends it, or leaves it changed. Ended by `sweep`. */
  async start(options: SessionOptions = {}): Promise<PythonSession> {
    const session = await PythonSession.start(this.#host, { cwd: this.folder, ...options });
    this.#own.push(session);
    return session;
  }

  async sweep(keep: readonly PythonSession[] = []): Promise<void> {
    const ending = this.#own.splice(0);
    this.#own.push(...ending.filter((session) => keep.includes(session)));
    await Promise.all(ending.filter((session) => !keep.includes(session)).map(end));
  }

  async close(): Promise<void> {
    await this.sweep();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const end = async (session: PythonSession): Promise<void> => {
  session.port.kill();
  await session.end();
};
