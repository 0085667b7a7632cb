/** Drives a session kernel by the worker protocol, as the service does: opens it, executes, and grants chunks as they come. */
import { createRealHost } from '../../../src/base/real-host.ts';
import { type ChildProcessOptions, childProcess } from '../../../src/work/child-process.ts';
import { type Told, WatchedWorker } from '../../work/watched-worker.ts';

export interface Chunk {
  readonly kind: string;
  readonly at: number;
  readonly stream?: string;
  readonly text?: string;
  readonly request?: string;
  readonly [field: string]: unknown;
}

/** What an execution was answered. */
export interface Answer {
  readonly mode: string;
  readonly hasValue: boolean;
  readonly value: unknown;
  readonly serialisable: boolean;
  readonly repr: string;
  readonly type: string;
  readonly changed: readonly string[];
  readonly index?: number;
  readonly exitCode?: number;
}

export interface Failure {
  readonly type: string;
  readonly message: string;
  readonly traceback: string;
}

const host = createRealHost();
const CREDIT = 32;

export class DrivenKernel {
  readonly worker: WatchedWorker;
  /** Whether chunks are granted as they come. */
  granting = true;
  /** Whether chunks are kept for the test to look at. */
  keeping = true;
  /** Is told of each chunk as it comes. */
  onChunk: (chunk: Chunk, job: number) => void = () => {};

  constructor(options: ChildProcessOptions) {
    const told = (job: number, value: unknown): void => {
      if (this.granting) this.worker.port.more?.(job, 1);
      this.onChunk(value as Chunk, job);
    };
    const kind = childProcess(options);
    this.worker = new WatchedWorker(
      {
        ...kind,
        open: (on, id, listeners) =>
          kind.open(on, id, {
            ...(listeners as WatchedWorker),
            chunk: (job, value) => {
              if (this.keeping) listeners.chunk?.(job, value);
              told(job, value);
            },
          }),
      },
      host,
    );
  }

  async open(args: Readonly<Record<string, unknown>> = {}): Promise<Readonly<Record<string, unknown>>> {
    await this.worker.until('ready');
    return (await this.job('open', { session: 'test', ...args })) as Readonly<Record<string, unknown>>;
  }

  job(name: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    return this.worker.answer(this.worker.start(name, args));
  }

  /** Begins an execution and returns the number of its job. */
  begin(code: string, more: Readonly<Record<string, unknown>> = {}, credit = CREDIT): number {
    const args = { execution: 'e', code, kind: 'repl', ...more };
    return this.worker.start('execute', args, Number.POSITIVE_INFINITY, { stream: credit });
  }

  run(code: string, more: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    return this.worker.answer(this.begin(code, more));
  }

  async value(code: string): Promise<unknown> {
    const answer = (await this.run(code)) as Answer & Failure;
    if (answer.mode === undefined) throw new Error(`${code}: ${JSON.stringify(answer)}`);
    return answer.value;
  }

  chunks(job: number, kind?: string): Chunk[] {
    return this.worker
      .all('chunk')
      .filter((each) => each[1] === job)
      .map((each) => each[2] as Chunk)
      .filter((chunk) => kind === undefined || chunk.kind === kind);
  }

  /** All text that an execution printed, on one stream or both. */
  printed(job: number, stream?: 'stdout' | 'stderr'): string {
    return this.chunks(job, 'output')
      .filter((chunk) => stream === undefined || chunk.stream === stream)
      .map(({ text }) => text)
      .join('');
  }

  /** Waits for a chunk of an execution, also among those that came. */
  async chunk(job: number, fits: (chunk: Chunk) => boolean): Promise<Chunk> {
    const told = await this.worker.until('chunk', (each) => each[1] === job && fits(each[2] as Chunk));
    return told[2] as Chunk;
  }

  get told(): readonly Told[] {
    return this.worker.told;
  }

  async end(): Promise<void> {
    this.worker.port.kill();
    await this.worker.end();
  }
}
