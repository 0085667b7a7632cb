/**
 * What every kind of worker does alike, whatever it is made of: one suite, run against each. A kind says what it cannot do, and why.
 */
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { isTroupeError } from '../../src/base/errors.ts';
import { createRealHost } from '../../src/base/real-host.ts';
import type { WorkerKind } from '../../src/work/worker-port.ts';
import { WatchedWorker } from './watched-worker.ts';

export interface KindUnderTest {
  readonly name: string;
  readonly skip?: boolean;
  /** Serves the jobs of `fixtures/kind-jobs.mjs`. */
  readonly kind: WorkerKind;
  /** Its start never ends. */
  readonly hanging: WorkerKind;
  /** Its start fails with `no database here`. */
  readonly failing: WorkerKind;
  /** Why it passes on whatever a job gives, if it does. */
  readonly sendsAnything?: string;
  /** Why it cannot be ended while it computes, if it cannot. */
  readonly cannotBeEnded?: string;
  /** Whether it can break into code that does not look. */
  readonly interrupts?: boolean;
}

const host = createRealHost();
const opened: WatchedWorker[] = [];

const open = (kind: WorkerKind): WatchedWorker => {
  const worker = new WatchedWorker(kind, host);
  opened.push(worker);
  return worker;
};

afterEach(async () => {
  for (const worker of opened.splice(0)) {
    worker.port.kill();
    await worker.end();
    const [last] = worker.told.slice(-1);
    expect(last?.[0]).toBe('ended');
    expect(worker.all('ended')).toHaveLength(1);
  }
});

const codeOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    return isTroupeError(error) ? error.code : String(error);
  }
  return 'nothing';
};

/** What the tests of one kind share. */
class Rig {
  readonly tested: KindUnderTest;
  #shared: WatchedWorker | undefined;

  constructor(tested: KindUnderTest) {
    this.tested = tested;
  }

  readonly fresh = async (): Promise<WatchedWorker> => {
    const worker = open(this.tested.kind);
    await worker.until('ready');
    return worker;
  };

  /** One after another use the same worker: each has to leave it as good as it was. Starting one takes a while. */
  readonly start = async (): Promise<WatchedWorker> => {
    if (this.#shared === undefined) {
      this.#shared = new WatchedWorker(this.tested.kind, host);
      await this.#shared.until('ready');
    }
    this.#shared.told.length = 0;
    return this.#shared;
  };

  readonly end = async (): Promise<void> => {
    this.#shared?.port.kill();
    await this.#shared?.end();
  };
}

/** All that it was told to do before has been done, as far as it would be: it answers pings in between. */
const settled = async (worker: WatchedWorker): Promise<void> => {
  const id = 1_000 + worker.told.length;
  worker.port.ping(id);
  await worker.until('pong', (told) => told[1] === id);
};

const chunks = (worker: WatchedWorker, job: number): unknown[] =>
  worker
    .all('chunk')
    .filter(([, id]) => id === job)
    .map(([, , value]) => value);

/** Runs the suite against a kind. */
export const runWorkerKindSuite = (tested: KindUnderTest): void => {
  describe.skipIf(tested.skip === true)(`a worker of the kind ${tested.name}`, () => {
    const rig = new Rig(tested);
    afterAll(rig.end);
    testJobs(rig);
    testCancelling(rig);
    testStreams(rig);
    testReports(rig);
    testEnds(rig);
    testStarts(rig);
  });
};

const testJobs = ({ start, fresh }: Rig): void => {
  it('says first, and once, that it is ready, and which jobs it takes', async () => {
    const worker = await fresh();
    const [, info] = worker.told.find(([told]) => told === 'ready') as Extract<
      (typeof worker.told)[number],
      readonly ['ready', unknown]
    >;
    expect(info.version).toBe(1);
    expect(info.pid).toBe(worker.port.pid);
    expect(info.handlers).toEqual(expect.arrayContaining(['echo', 'count', 'wait']));
    expect(info.capabilities).toEqual(expect.arrayContaining(['stream', 'progress']));
    await worker.answer(worker.start('echo', 1));
    expect(worker.all('ready')).toHaveLength(1);
  });

  it('gives back what a handler returns', async () => {
    const worker = await start();
    const args = { text: 'äöü 😀', list: [1, -2.5, null, true, { a: [] }] };
    expect(await worker.answer(worker.start('echo', args))).toEqual(args);
  });

  it('tells the type and the message of what a handler throws, and is good for the next', async () => {
    const worker = await start();
    const failure = { type: 'RangeError', message: 'too far' };
    expect(await worker.answer(worker.start('fail', { text: 'too far' }))).toMatchObject(failure);
    expect(await worker.answer(worker.start('echo', 1))).toBe(1);
  });

  it('refuses a job that it has no handler for, and one with an id in use', async () => {
    const worker = await fresh();
    expect(codeOf(() => worker.start('dance'))).toBe('ERR_JOB_INVALID');
    const id = worker.start('wait');
    const again = { id, name: 'echo', args: 1, remainingMs: 1_000 };
    expect(codeOf(() => worker.port.run(again))).toBe('ERR_JOB_INVALID');
  });

  it('answers each of several jobs by its id', async () => {
    const worker = await start();
    const jobs = ['a', 'b', 'c'].map((value) => ({ value, id: worker.start('echo', value) }));
    for (const { value, id } of jobs.reverse()) expect(await worker.answer(id)).toBe(value);
    expect(worker.all('dropped')).toEqual([]);
  });

  it('knows what is left of a deadline', async () => {
    const worker = await start();
    const left = await worker.answer(worker.start('remaining', {}, 5_000));
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(5_000);
  });

  it("is told what its caller's context lets go along, and nothing of another job's", async () => {
    const worker = await start();
    const context = { tenant: 'acme', 'troupe.trace': { traceId: 'ab', spanId: 'cd' } };
    expect(await worker.answer(worker.start('context', {}, 5_000, { context }))).toEqual(context);
    expect(await worker.answer(worker.start('context'))).toEqual({});
  });
};

const testCancelling = ({ start, tested }: Rig): void => {
  it('gives up a job when told to, and is good for the next', async () => {
    const worker = await start();
    const id = worker.start('wait');
    worker.port.cancel(id, 'enough');
    expect(await worker.answer(id)).toBe('cancelled');
    worker.port.cancel(id, 'too late');
    expect(await worker.answer(worker.start('echo', 1))).toBe(1);
  });

  it('may finish a job all the same', async () => {
    const worker = await start();
    const id = worker.start('finish');
    await worker.until('stderr', ([, line]) => line === 'info: started');
    worker.port.cancel(id, 'enough');
    expect(await worker.answer(id)).toBe('finished all the same');
  });

  it('is interrupted, or told to give up where it cannot be', async () => {
    const worker = await start();
    const id = worker.start(tested.interrupts === true ? 'hog' : 'wait');
    worker.port.interrupt?.(id, 'enough');
    expect(await worker.answer(id)).toBe('cancelled');
    worker.port.interrupt?.(id, 'too late');
    expect(await worker.answer(worker.start('echo', 1))).toBe(1);
  });
};

const testStreams = ({ start }: Rig): void => {
  it.each(['count', 'countSlowly'])('streams what %s yields, never more than was granted', async (job) => {
    const worker = await start();
    const id = worker.start(job, { to: 6 }, Number.POSITIVE_INFINITY, { stream: 2 });
    await worker.until('chunk', ([, of, value]) => of === id && value === 1);
    await settled(worker);
    expect(chunks(worker, id)).toEqual([0, 1]);
    worker.port.more?.(id, 1);
    await worker.until('chunk', ([, of, value]) => of === id && value === 2);
    await settled(worker);
    expect(chunks(worker, id)).toEqual([0, 1, 2]);
    worker.port.more?.(id, 10);
    await worker.answer(id);
    expect(chunks(worker, id)).toEqual([0, 1, 2, 3, 4, 5]);
    worker.port.more?.(id, 10);
    expect(worker.all('dropped')).toEqual([]);
  });

  it('ends a stream with what the generator returns', async () => {
    const worker = await start();
    const id = worker.start('count', { to: 1 }, Number.POSITIVE_INFINITY, { stream: 5 });
    expect(await worker.answer(id)).toBe('counted');
  });

  it('gives the values of a generator in one piece to whoever asked for no stream', async () => {
    const worker = await start();
    expect(await worker.answer(worker.start('count', { to: 3 }))).toEqual([0, 1, 2]);
    expect(await worker.answer(worker.start('countSlowly', { to: 3 }))).toEqual([0, 1, 2]);
    expect(worker.all('chunk')).toEqual([]);
  });

  it('answers a job that is no generator as ever, though a stream was asked for', async () => {
    const worker = await start();
    const id = worker.start('echo', 7, Number.POSITIVE_INFINITY, { stream: 1 });
    expect(await worker.answer(id)).toBe(7);
  });

  it('gives up a stream that nobody takes, when told to', async () => {
    const worker = await start();
    const id = worker.start('count', { to: 6 }, Number.POSITIVE_INFINITY, { stream: 1 });
    await worker.until('chunk', ([, of]) => of === id);
    worker.port.cancel(id, 'enough');
    expect(await worker.answer(id)).toBe('cancelled');
    expect(chunks(worker, id)).toEqual([0]);
    expect(await worker.answer(worker.start('echo', 1))).toBe(1);
  });

  it('fails a stream whose generator throws, after what it had yielded', async () => {
    const worker = await start();
    const id = worker.start('failAfter', { chunks: 2 }, Number.POSITIVE_INFINITY, { stream: 9 });
    expect(await worker.answer(id)).toMatchObject({ type: 'RangeError', message: 'no more' });
    expect(chunks(worker, id)).toEqual([0, 1]);
  });
};

const testReports = ({ start, tested }: Rig): void => {
  it('tells how far it is, before it answers', async () => {
    const worker = await start();
    const id = worker.start('steps');
    expect(await worker.answer(id)).toBe('done');
    const told = worker.told.filter(([kind, of]) => of === id && kind !== 'ready');
    expect(told.map(([kind]) => kind)).toEqual(['progress', 'progress', 'succeeded']);
    expect(worker.all('progress').map(([, , value]) => value)).toEqual([{ done: 1 }, { done: 2 }]);
  });

  it('logs lines with a level', async () => {
    const worker = await start();
    await worker.answer(worker.start('log'));
    await worker.until('stderr', ([, line]) => line === 'warn: noted');
  });

  it.skipIf(tested.sendsAnything !== undefined)('fails a job whose result cannot be sent', async () => {
    const worker = await start();
    expect(await worker.answer(worker.start('unsendable'))).toMatchObject({ type: 'InvalidResult' });
    const id = worker.start('unsendableChunk', {}, Number.POSITIVE_INFINITY, { stream: 5 });
    expect(await worker.answer(id)).toMatchObject({ type: 'InvalidResult' });
    expect(await worker.answer(worker.start('echo', 1))).toBe(1);
  });
};

const testEnds = ({ fresh, tested }: Rig): void => {
  it('gives up what it runs when it is closed, answers, and leaves in order', async () => {
    const worker = await fresh();
    const id = worker.start('wait');
    worker.port.close();
    worker.port.close();
    expect(await worker.answer(id)).toBe('cancelled');
    expect(await worker.end()).toMatchObject({ code: 0, signal: null, stragglers: [] });
    expect(codeOf(() => worker.start('echo'))).toBe('ERR_JOB_INVALID');
  });

  it('is ended at once under a job that does not listen; that job is never answered', async () => {
    const worker = await fresh();
    worker.start('deaf');
    worker.port.kill();
    worker.port.kill();
    expect(await worker.end()).toMatchObject({ code: null, signal: 'SIGKILL' });
    expect(worker.told.map(([kind]) => kind)).toEqual(['ready', 'ended']);
    expect(codeOf(() => worker.start('echo'))).toBe('ERR_JOB_INVALID');
  });

  it.skipIf(tested.cannotBeEnded !== undefined)('is ended at once while it computes', async () => {
    const worker = await fresh();
    worker.start('hog');
    worker.port.kill();
    expect(await worker.end()).toMatchObject({ signal: 'SIGKILL' });
  });

  it.skipIf(tested.cannotBeEnded !== undefined)('ends with its code when it goes by itself', async () => {
    const worker = await fresh();
    worker.start('crash');
    expect(await worker.end()).toMatchObject({ code: 9, signal: null });
  });
};

const testStarts = ({ tested }: Rig): void => {
  it('whose start hangs takes no job, and can be ended', async () => {
    const worker = open(tested.hanging);
    expect(codeOf(() => worker.start('echo'))).toBe('ERR_JOB_INVALID');
    worker.port.kill();
    expect((await worker.end()).signal).toBe('SIGKILL');
    expect(worker.all('ready')).toEqual([]);
  });

  it('whose start fails ends with what it said, and was never ready', async () => {
    const worker = open(tested.failing);
    const { error, lastStderr } = await worker.end();
    expect(`${error?.message} ${lastStderr.join(' ')}`).toContain('no database here');
    expect(worker.all('ready')).toEqual([]);
  });
};
