/** A worker port whose every call is recorded, and can be waited for. */
import { existsSync, readFileSync } from 'node:fs';
import type { TroupeError } from '../../src/base/errors.ts';
import type { Host } from '../../src/base/host.ts';
import type {
  WorkerEnd,
  WorkerFailure,
  WorkerJob,
  WorkerKind,
  WorkerPort,
  WorkerPortListeners,
  WorkerReady,
} from '../../src/work/worker-port.ts';

/** Generous: the machines that run this are slow and shared. */
const PATIENCE_MS = 15_000;

export type Told =
  | readonly ['ready', WorkerReady]
  | readonly ['succeeded', number, unknown]
  | readonly ['failed', number, WorkerFailure]
  | readonly ['cancelled', number]
  | readonly ['chunk', number, unknown]
  | readonly ['progress', number, unknown]
  | readonly ['outgrown', number]
  | readonly ['pong', number]
  | readonly ['stderr', string]
  | readonly ['broke', TroupeError]
  | readonly ['dropped', string]
  | readonly ['ended', WorkerEnd];

type Named<K extends Told[0]> = Extract<Told, readonly [K, ...unknown[]]>;

export class WatchedWorker implements WorkerPortListeners {
  readonly told: Told[] = [];
  readonly port: WorkerPort;
  #check: (() => void)[] = [];
  #nextJob = 1;

  constructor(kind: WorkerKind, host: Host, id = 'worker-1') {
    this.port = kind.open(host, id, this);
  }

  ready = (info: WorkerReady): void => this.#hear(['ready', info]);
  succeeded = (jobId: number, value: unknown): void => this.#hear(['succeeded', jobId, value]);
  failed = (jobId: number, failure: WorkerFailure): void => this.#hear(['failed', jobId, failure]);
  cancelled = (jobId: number): void => this.#hear(['cancelled', jobId]);
  chunk = (jobId: number, value: unknown): void => this.#hear(['chunk', jobId, value]);
  progress = (jobId: number, value: unknown): void => this.#hear(['progress', jobId, value]);
  outgrown = (residentBytes: number): void => this.#hear(['outgrown', residentBytes]);
  pong = (id: number): void => this.#hear(['pong', id]);
  stderr = (line: string): void => this.#hear(['stderr', line]);
  broke = (error: TroupeError): void => this.#hear(['broke', error]);
  dropped = (why: string): void => this.#hear(['dropped', why]);
  ended = (end: WorkerEnd): void => this.#hear(['ended', end]);

  all<K extends Told[0]>(kind: K): Named<K>[] {
    return this.told.filter((each): each is Named<K> => each[0] === kind);
  }

  get lines(): string[] {
    return this.all('stderr').map(([, line]) => line);
  }

  /** Waits for the first call that fits, also among those already made. */
  async until<K extends Told[0]>(kind: K, fits: (told: Named<K>) => boolean = () => true): Promise<Named<K>> {
    const find = () => this.all(kind).find(fits);
    return new Promise((resolve, reject) => {
      const settle = () => {
        const found = find();
        if (found === undefined) return;
        clearTimeout(timer);
        this.#check = this.#check.filter((each) => each !== settle);
        resolve(found);
      };
      const timer = setTimeout(() => {
        reject(
          new Error(
            `no such ${kind} within ${PATIENCE_MS} ms; told: ${JSON.stringify(this.told.slice(-30))}`,
          ),
        );
      }, PATIENCE_MS);
      this.#check.push(settle);
      settle();
    });
  }

  /** Gives it a job and returns its id. */
  start(
    name: string,
    args: unknown = {},
    remainingMs = Number.POSITIVE_INFINITY,
    more: Partial<WorkerJob> = {},
  ): number {
    const id = this.#nextJob++;
    this.port.run({ id, name, args, remainingMs, ...more });
    return id;
  }

  /** Gives it a job and waits for its answer: the value, the failure, or `'cancelled'`. */
  async answer(id: number): Promise<unknown> {
    const answers = await Promise.race(
      [
        this.until('succeeded', (each) => each[1] === id),
        this.until('failed', (each) => each[1] === id),
        this.until('cancelled', (each) => each[1] === id),
      ].map((each) => each.then((told) => told as Told)),
    );
    return answers[0] === 'cancelled' ? 'cancelled' : answers[2];
  }

  async end(): Promise<WorkerEnd> {
    return (await this.until('ended'))[1];
  }

  /** For those who see to some calls themselves. */
  protected record(told: Told): void {
    this.#hear(told);
  }

  #hear(told: Told): void {
    this.told.push(told);
    for (const check of [...this.#check]) check();
  }
}

/** Whether an OS process runs (a zombie does not). */
export const runs = (pid: number): boolean => {
  if (!existsSync(`/proc/${pid}/stat`)) return false;
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
};

/** Waits until an OS process is gone; there is no event for one that is not our child. */
export const gone = async (pid: number): Promise<void> => {
  const started = performance.now();
  while (runs(pid)) {
    if (performance.now() - started > PATIENCE_MS) throw new Error(`process ${pid} still runs`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};
