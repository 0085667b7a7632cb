import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { createRealHost } from '../../src/base/real-host.ts';
import {
  type Context,
  contextFrom,
  contextKey,
  currentContext,
  EMPTY_CONTEXT,
  withContext,
} from '../../src/coordination/context.ts';
import { contextKeys } from '../../src/coordination/context-log.ts';
import { createScope } from '../../src/coordination/scope.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';

const tenant = contextKey<string | undefined>('tenant', { default: undefined, carried: true });
const depth = contextKey('depth', { default: 0 });

const here = (): string | undefined => currentContext().get(tenant);

describe('a context', () => {
  it('never changes: a setter makes a copy', () => {
    const outer = EMPTY_CONTEXT.with(tenant.of('a'));
    const inner = outer.with([tenant.of('b'), depth.of(2)]);
    expect([EMPTY_CONTEXT, outer, inner].map((context) => context.get(tenant))).toEqual([
      undefined,
      'a',
      'b',
    ]);
    expect([outer, inner].map((context) => context.get(depth))).toEqual([0, 2]);
    expect([outer.has(depth), inner.has(depth)]).toEqual([false, true]);
  });

  it('holds for what runs inside, and for nothing after it', () => {
    const seen = withContext(tenant.of('a'), () => [here(), withContext(tenant.of('b'), here), here()]);
    expect(seen).toEqual(['a', 'b', 'a']);
    expect(here()).toBeUndefined();
  });

  it('is left when what runs inside throws', () => {
    expect(() =>
      withContext(tenant.of('a'), () => {
        throw new Error('as told');
      }),
    ).toThrow('as told');
    expect(here()).toBeUndefined();
  });

  it('crosses awaits, timers, immediates and ticks', async () => {
    const seen = await withContext(tenant.of('a'), async () => {
      const found: (string | undefined)[] = [];
      await null;
      found.push(here());
      await delay(1);
      found.push(here());
      await new Promise<void>((resolve) => {
        setImmediate(() => process.nextTick(() => queueMicrotask(() => resolve(void found.push(here())))));
      });
      return found;
    });
    expect(seen).toEqual(['a', 'a', 'a']);
  });

  it('is inherited by tasks, or given to them as a value', async () => {
    const host = new SimulatedHost();
    const scope = createScope({ host });
    const inherited = withContext(tenant.of('a'), () => scope.start('inherits', async () => here()));
    const given = scope.start('is given', async () => here(), {
      context: EMPTY_CONTEXT.with(tenant.of('b')),
    });
    expect(await host.runUntil(Promise.all([inherited.result, given.result]))).toEqual(['a', 'b']);
  });

  it('bounds a task that it is given to by its deadline', async () => {
    const host = new SimulatedHost();
    const scope = createScope({ host, onFailure: 'collect' });
    const context = EMPTY_CONTEXT.with(contextKeys.deadline.of(30));
    const task = scope.start('late', () => new Promise(() => {}), { context });
    await host.advance(30);
    expect(task.state).toBe('timed_out');
  });

  it('binds a callback that others call', () => {
    const bound = EMPTY_CONTEXT.with(tenant.of('a')).bind((suffix: string) => `${here()}${suffix}`);
    expect(withContext(tenant.of('b'), () => bound('!'))).toBe('a!');
  });

  it('has a deadline that only becomes sooner', () => {
    const outer = EMPTY_CONTEXT.with(contextKeys.deadline.of(100));
    expect(outer.with(contextKeys.deadline.of(500)).deadline).toBe(100);
    expect(outer.with(contextKeys.deadline.of(50)).deadline).toBe(50);
    expect(EMPTY_CONTEXT.deadline).toBe(Number.POSITIVE_INFINITY);
  });

  it('carries to jobs what its keys say, and is found there by the same keys', () => {
    const context = EMPTY_CONTEXT.with([tenant.of('a'), depth.of(2), contextKeys.verbosity.of('debug')]);
    const carried = context.carried();
    expect(carried).toEqual({ tenant: 'a', 'troupe.verbosity': 'debug' });
    const there = contextFrom(JSON.parse(JSON.stringify(carried)));
    expect([there.get(tenant), there.get(depth), there.get(contextKeys.verbosity)]).toEqual([
      'a',
      0,
      'debug',
    ]);
    expect(there.carried()).toEqual(carried);
    expect([EMPTY_CONTEXT.carried(), contextFrom(undefined)]).toEqual([undefined, EMPTY_CONTEXT]);
  });

  it('refuses what is no entry, and names that are taken or could not travel', () => {
    expect(() => withContext({ tenant: 'a' } as never, here)).toThrow(/changes must be entries/);
    for (const name of ['troupe.output', '__proto__', '', 'two words'])
      expect(() => contextKey(name, { default: 0 }), name).toThrow(/ERR_OPTION_INVALID/);
    expect(() => contextKey('x', { default: 0, carrid: true } as never)).toThrow(/did you mean carried/);
  });

  it('survives that its module is loaded again', async () => {
    vi.resetModules();
    const again: typeof import('../../src/coordination/context.ts') = await import(
      '../../src/coordination/context.ts'
    );
    expect(again.currentContext).not.toBe(currentContext);
    const key = again.contextKey<string | undefined>('tenant', { default: undefined });
    expect(withContext(tenant.of('a'), () => again.currentContext().get(key))).toBe('a');
    expect(again.withContext(key.of('b'), here)).toBe('b');
  });
});

describe('what runs in the turn of another', () => {
  const enter = <T>(name: string, work: (context: Context) => T): T => withContext(tenant.of(name), work);

  it('timers and steps of a host run in the context of nobody', async () => {
    const host = createRealHost();
    const seen = await new Promise<(string | undefined)[]>((resolve) => {
      const found: (string | undefined)[] = [];
      const note = (): void => {
        if (found.push(here()) === 6) resolve(found);
      };
      for (const name of ['a', 'b']) {
        enter(name, () => {
          host.timer(1, 'note', note);
          host.step('note', note);
          host.yield('note', note);
        });
      }
    });
    expect(seen).toEqual(Array(6).fill(undefined));
  });

  it('a bound timer runs in its own', async () => {
    const host = new SimulatedHost();
    const seen: (string | undefined)[] = [];
    for (const name of ['a', 'b'])
      enter(name, (context) =>
        host.timer(
          1,
          'note',
          context.bind(() => void seen.push(here())),
        ),
      );
    await host.advance(1);
    expect(seen).toEqual(['a', 'b']);
  });
});
