/** Each property of locks, buses and scopes finds the bug that it is there for. */
import { describe, expect, it } from 'vitest';
import { LocalLockStore } from '../../src/coordination/local-lock-store.ts';
import { Claimed } from '../../src/coordination/lock-lease.ts';
import { KeyedLocks } from '../../src/coordination/locks.ts';
import { TaskScope } from '../../src/coordination/scope.ts';
import { Subscriber } from '../../src/coordination/subscription.ts';
import { TaskRun } from '../../src/coordination/task.ts';
import type { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { found, type Method, plant, takeBackAfterEach } from './planting.ts';
import { busAlone } from './scenarios/bus.ts';
import type { AnyScenario } from './scenarios/index.ts';
import { locksAlone } from './scenarios/locks.ts';
import { scopesAlone } from './scenarios/scopes.ts';

const locks = locksAlone as AnyScenario;
const bus = busAlone as AnyScenario;
const scopes = scopesAlone as AnyScenario;

takeBackAfterEach();

/** Calls the original with something else. */
const call = (original: Method, self: unknown, ...args: readonly unknown[]): unknown =>
  Reflect.apply(original, self as never, args as never);

describe('locks are caught', () => {
  it('granting a key to two', async () => {
    plant(
      LocalLockStore,
      'claim',
      (original) =>
        function (this: unknown, claim: object, holder: unknown) {
          return call(original, this, { ...claim, units: 0 }, holder);
        },
    );
    expect(await found(locks)).toMatch(/held by as many as may/);
  });

  it('letting readers in beside a writer, which only the order of all they saw shows', async () => {
    const { always: _none, ...unwatched } = locks;
    plant(
      LocalLockStore,
      'claim',
      (original) =>
        function (this: unknown, claim: object, holder: unknown) {
          return call(original, this, { ...claim, mode: 'shared' }, holder);
        },
    );
    expect(await found(unwatched)).toBe('linearizable');
  });

  it('releasing twice', async () => {
    plant(
      Claimed,
      'release',
      (original) =>
        function (this: unknown) {
          call(original, this);
          return true;
        },
    );
    expect(await found(locks)).toBe('released once');
  });

  it('beginning tokens anew after a restart', async () => {
    plant(
      LocalLockStore,
      'nextToken',
      () =>
        function (this: { token?: number }) {
          this.token = (this.token ?? 0) + 1;
          return this.token;
        },
    );
    expect(await found(locks)).toBe('tokens only grow');
  });

  it('leaving a ghost in line', async () => {
    plant(
      Claimed,
      'giveUp',
      (original) =>
        function (this: Claimed, ...args: readonly unknown[]) {
          if (this.ticket !== undefined) Object.assign(this.ticket, { withdraw: () => {} });
          call(original, this, ...args);
        },
    );
    expect(await found(locks)).toMatch(
      /the line has no ghosts|held by as many as may|no key is kept|linearizable/,
    );
  });

  it('letting one starve', async () => {
    plant(
      Claimed,
      'granted',
      (original) =>
        function (this: Claimed, token: number) {
          if (this.owner?.name !== 'dora' || this.waiter === undefined) call(original, this, token);
        },
    );
    expect(await found(locks)).toMatch(
      /nobody waits beyond|every claim settles|no key is kept|ghosts|liveness/,
    );
  });

  it('keeping the keys', async () => {
    plant(LocalLockStore, 'forget', () => () => {});
    expect(await found(locks)).toBe('no key is kept');
  });

  it('counting what was lost as nothing', async () => {
    plant(KeyedLocks, 'ended', () => () => {});
    expect(await found(locks)).toBe('counts add up');
  });
});

describe('a bus is caught', () => {
  it('delivering after somebody left', async () => {
    const left = new WeakSet<object>();
    plant(
      Subscriber,
      'end',
      (original) =>
        function (this: Subscriber, why: string) {
          if (why === 'unsubscribed' && !this.plan.pulls && !left.has(this)) left.add(this);
          else call(original, this, why);
        },
    );
    expect(await found(bus)).toMatch(/nothing comes after leaving|a place for each/);
  });

  it('losing events uncounted', async () => {
    plant(
      Subscriber,
      'offer',
      (original) =>
        function (this: Subscriber, ...args: readonly unknown[]) {
          const { dropped } = this;
          const room = call(original, this, ...args);
          this.dropped = dropped;
          return room;
        },
    );
    expect(await found(bus)).toBe('delivered, dropped or waiting: all that was published');
  });

  it('handing events over in another order', async () => {
    let kept: readonly unknown[] | undefined;
    plant(
      Subscriber,
      'offer',
      (original) =>
        function (this: Subscriber, ...args: readonly unknown[]) {
          if (kept === undefined) {
            kept = args;
            return undefined;
          }
          const late = kept;
          kept = undefined;
          call(original, this, ...args);
          return call(original, this, ...late);
        },
    );
    expect(await found(bus)).toMatch(/in the order of each publisher|the odd do not keep/);
  });

  it('sparing others while one hangs', async () => {
    let all: Subscriber[] = [];
    plant(
      Subscriber,
      'offer',
      (original) =>
        function (this: Subscriber, ...args: readonly unknown[]) {
          if (!all.includes(this)) all.push(this);
          all = all.filter(({ active }) => active);
          const hangs = all.some((other) => other !== this && other.busy);
          return hangs ? undefined : call(original, this, ...args);
        },
    );
    expect(await found(bus)).toBe('the odd do not keep from the sound');
  });

  it('keeping the place of a loop that was left', async () => {
    plant(
      Subscriber,
      'end',
      (original) =>
        function (this: Subscriber, why: string) {
          if (!this.plan.pulls) call(original, this, why);
        },
    );
    expect(await found(bus)).toMatch(/a place for each|leaving a loop settles/);
  });
});

describe('scopes are caught', () => {
  it('waiting for what hears nothing', async () => {
    plant(
      TaskScope,
      'close',
      (original) =>
        function (this: { host: SimulatedHost }, ...args: readonly unknown[]) {
          const closed = call(original, this, ...args) as Promise<unknown>;
          return closed.then(async (report) => {
            if ((report as { stragglers: unknown[] }).stragglers.length > 0)
              await new Promise<void>((resolve) => this.host.timer(10_000, 'wait', resolve));
            return report;
          });
        },
    );
    expect(await found(scopes)).toMatch(/a close ends within its time|every scope closes/);
  });

  it('starting tasks when it closes', async () => {
    plant(TaskScope, 'closing', () => () => false);
    const start = Object.getOwnPropertyDescriptor(TaskScope.prototype, 'start')?.value as Method;
    let last: unknown;
    plant(
      TaskScope,
      'start',
      () =>
        function (this: unknown, ...args: readonly unknown[]) {
          try {
            last = call(start, this, ...args);
            return last;
          } catch {
            return last;
          }
        },
    );
    expect(await found(scopes)).not.toBe('nothing');
  });

  it('cancelling all kinds at once, in the order of their start', async () => {
    plant(
      TaskScope,
      'close',
      (original) =>
        function (this: TaskScope, ...args: readonly unknown[]) {
          const closed = call(original, this, ...args);
          const { reason } = this.signal;
          for (const task of [...tasks].reverse()) if (task.scope === this) task.cancel(reason);
          return closed;
        },
    );
    const tasks = new Set<TaskRun>();
    plant(
      TaskRun,
      'run',
      (original) =>
        function (this: TaskRun, work: unknown) {
          tasks.add(this);
          call(original, this, work);
        },
    );
    expect(await found(scopes)).toBe('kinds are cancelled in their order');
  });

  it('telling each caller something else', async () => {
    plant(
      TaskScope,
      'close',
      (original) =>
        function (this: unknown, ...args: readonly unknown[]) {
          return (call(original, this, ...args) as Promise<object>).then((report) => ({ ...report }));
        },
    );
    expect(await found(scopes)).toBe('all who close get one report');
  });

  it('forgetting results', async () => {
    plant(TaskRun, 'abandon', () => () => {});
    expect(await found(scopes)).toMatch(/every result settles|every task is counted once/);
  });

  it('outliving what owns them', async () => {
    plant(TaskScope, 'onEnd', (original) => {
      let first = true;
      return function (this: unknown, release: () => void) {
        const kept = first || String(release).includes('judge');
        first = false;
        return kept ? call(original, this, release) : () => {};
      };
    });
    expect(await found(scopes)).toBe('what is below a closed scope closes');
  });
});
