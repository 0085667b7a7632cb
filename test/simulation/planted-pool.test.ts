/** Each property of a changing pool finds the bug that it is there for. */
import { afterEach, describe, expect, it } from 'vitest';
import { simulate } from '../../src/testing/simulate.ts';
import { Dispatch } from '../../src/work/dispatch.ts';
import { FairLine } from '../../src/work/fair-line.ts';
import { PoolWorker } from '../../src/work/pool-worker.ts';
import { SessionTable } from '../../src/work/session-table.ts';
import { Staff } from '../../src/work/staff.ts';
import { WorkerLife } from '../../src/work/worker-life.ts';
import { poolSizes } from './scenarios/pool-sizes.ts';

type Method = (this: never, ...args: never[]) => unknown;

const undo: (() => void)[] = [];
afterEach(() => {
  for (const back of undo.splice(0)) back();
});

/** Puts something else in the place of a method or a property. */
const plant = (
  owner: { readonly prototype: object },
  name: string,
  make: (original: Method) => PropertyDescriptor,
): void => {
  const { prototype } = owner;
  const was = Object.getOwnPropertyDescriptor(prototype, name);
  if (was === undefined) throw new Error(`nothing is called ${name}`);
  Object.defineProperty(prototype, name, { configurable: true, ...make((was.value ?? was.get) as Method) });
  undo.push(() => Object.defineProperty(prototype, name, was));
};

const RUNS = 200;

/** The property that a campaign reports. */
const found = async (): Promise<string> => {
  try {
    await simulate(poolSizes, { runs: RUNS, directory: false, shrinkRuns: 0, repeatOneIn: 0 });
    return 'nothing';
  } catch (error) {
    return String((error as { data?: { property?: unknown } }).data?.property ?? error);
  }
};

describe('a changing pool is caught', () => {
  it('giving one worker to two jobs', async () => {
    let last: PoolWorker | undefined;
    plant(Dispatch, 'takeIdle', (original) => ({
      value(this: Dispatch, ...args: never[]) {
        const worker = Reflect.apply(original, this as never, args) as PoolWorker | undefined;
        last = worker ?? last;
        return last;
      },
    }));
    expect(await found()).toMatch(/one job a worker|only the sound get work|accounted for|no error/);
  });

  it('ignoring whose session it is', async () => {
    plant(SessionTable, 'workerOf', () => ({ value: () => undefined }));
    expect(await found()).toBe('a session keeps to its worker');
  });

  it('giving work to a worker in doubt', async () => {
    plant(WorkerLife, 'offers', () => ({
      get(this: WorkerLife) {
        return !this.isOver && /ready|degraded/.test(this.states.state);
      },
    }));
    expect(await found()).toBe('only the sound get work');
  });

  it('starting more workers than there may be', async () => {
    plant(Staff, 'resize', (original) => ({
      value(this: Staff, { min, max }: Staff['size']) {
        return Reflect.apply(original, this as never, [{ min: min + 2, max: max + 2 }] as never);
      },
    }));
    expect(await found()).toBe('never more workers than there may be');
  });

  it('serving the last first', async () => {
    plant(FairLine, 'push', (original) => ({
      value(this: FairLine<never>, item: never) {
        if (this.size === 0) Reflect.apply(original, this as never, [item]);
        else this.unshift(item);
      },
    }));
    expect(await found()).toBe('first in, first served within a priority');
  });

  it('forgetting who is more urgent', async () => {
    plant(FairLine, 'precedes', () => ({
      value: (a: { readonly order: number }, b: { readonly order: number }) => a.order < b.order,
    }));
    expect(await found()).toBe('the more urgent goes first');
  });

  it('serving in a pause', async () => {
    const paused = new WeakSet<Dispatch>();
    plant(Dispatch, 'paused', () => ({
      get(this: Dispatch) {
        return paused.has(this);
      },
      set(this: Dispatch, value: boolean) {
        if (value) paused.add(this);
        else paused.delete(this);
      },
    }));
    expect(await found()).toBe('a pause holds back what waits');
  });

  it('not letting its workers go', async () => {
    plant(PoolWorker, 'dismiss', () => ({ value: () => undefined }));
    expect(await found()).toMatch(/every drain settles|a drain ends in time|liveness|as many as are wanted/);
  });
});
