import { describe, expect, it } from 'vitest';
import { type Application, application } from '../../src/application/application.ts';
import { resource } from '../../src/application/resource.ts';
import type { Spec } from '../../src/kernel/spec.ts';
import { supervisor } from '../../src/supervision/supervisor.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { gate, part, type RawHandle, watch } from '../kernel/rig.ts';

const never = () => new Promise<void>(() => undefined);

/** A tree of one child that crashes when told to, and a log of what opens and closes. */
const shop = (options: { intensity?: number } = {}) => {
  const host = new SimulatedHost();
  const log: string[] = [];
  const child: Spec<RawHandle> = part('child', () => ({
    tell: () => {
      throw new Error('crash');
    },
    terminate: () => void log.push('-child'),
  }));
  const tree = supervisor('shop', { children: [child], backoff: false, ...options });
  const opens = (id: string, open: (app: Application, signal: AbortSignal) => unknown, more = {}) =>
    resource(id, {
      open: ({ app, signal }) => {
        log.push(`+${id}`);
        return open(app, signal);
      },
      drain: () => void log.push(`~${id}`),
      close: () => void log.push(`-${id}`),
      ...more,
    });
  return { host, log, child, tree, opens };
};

describe('a boot whose root ends meanwhile', () => {
  it('is broken off: nothing opens any more, what was open is drained and closed', async () => {
    const { host, log, child, tree, opens } = shop({ intensity: 0 });
    const early = opens('early', () => 'early');
    const slow = opens(
      'slow',
      (app, signal) => {
        app.get(child).tell('crash');
        return new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(new Error('broken off')));
        });
      },
      { dependsOn: [tree] },
    );
    const last = opens('last', () => 'last', { dependsOn: [tree, slow] });
    const started = watch(application(tree, { host, resources: [early, slow, last] }).start());
    await host.advance(100);
    expect(started.error).toMatchObject({
      code: 'ERR_APP_START',
      message: expect.stringContaining('gave up: shop on child'),
      cause: { message: 'crash' },
    });
    expect(log).toEqual(['+early', '+slow', '-child', '~early', '-early']);
    expect(host.pendingTimers()).toEqual([]);
  });

  it('leaves nothing open that opened in the same moment', async () => {
    const { host, log, child, tree, opens } = shop({ intensity: 0 });
    const http = opens('http', (app) => app.get(child).tell('crash'), { dependsOn: [tree] });
    const started = watch(application(tree, { host, resources: [http] }).start());
    await host.advance(100);
    expect(started.settled).toBe(true);
    expect(log.filter((line) => line === '+http')).toHaveLength(1);
    expect(log.filter((line) => line === '-http')).toHaveLength(1);
  });
});

describe('a stop while a resource opens', () => {
  const stopped = async (open: (signal: AbortSignal) => unknown) => {
    const { host, log, tree, opens } = shop();
    let app: Application | undefined;
    const slow = opens('slow', (given, signal) => {
      app = given;
      return open(signal);
    });
    const started = watch(application(tree, { host, resources: [slow] }).start());
    await host.advance(10);
    const report = await host.runUntil(app?.stop() ?? Promise.reject(new Error('never opened')));
    await host.settle();
    return { host, log, started, report };
  };

  it('waits for one that comes through all the same, closes it, and is clean', async () => {
    const { log, report, started } = await stopped(
      (signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve('late'))),
    );
    expect(log).toEqual(['+slow', '-slow']);
    expect(report).toMatchObject({ reason: 'shutdown', survivors: [] });
    expect(started).toMatchObject({ now: 'ERR_APP_START' });
    expect((started.error as Error).message).toContain('it was stopped while it started');
  });

  it('does not wait for ever for one that does not heed it, and names it', async () => {
    const { report } = await stopped(never);
    expect(report.survivors).toEqual(['resource slow (still opening)']);
    expect(report.durationMs).toBe(1_000);
  });

  it('closes it once if it comes through after the end', async () => {
    const late = gate<string>();
    const { host, log, report } = await stopped(() => late.passed);
    expect(report.survivors).toEqual(['resource slow (still opening)']);
    late.open('late');
    await host.settle();
    expect(log).toEqual(['+slow', '-slow']);
    expect(host.pendingTimers()).toEqual([]);
  });
});

describe('an application with little time', () => {
  it('ends within its deadline, however deep and deaf its tree, and names who ran on', async () => {
    const host = new SimulatedHost();
    const log: string[] = [];
    const deaf = (id: string) =>
      part(id, () => ({ terminate: never }), { shutdownMs: Number.POSITIVE_INFINITY });
    const tree = supervisor('shop', {
      children: [
        deaf('a'),
        supervisor('b', { children: [deaf('c'), supervisor('d', { children: [deaf('e')] })] }),
      ],
    });
    const database = resource('database', {
      open: () => 'database',
      close: (_value, { remainingMs }) => void log.push(`close ${remainingMs > 0}`),
    });
    const spec = application(tree, { host, resources: [database], deadlineMs: 1_000 });
    const app = await host.runUntil(spec.start());
    const stopping = watch(app.stop());
    await host.advance(1_000);
    expect(stopping.settled).toBe(true);
    const { survivors, durationMs } = stopping.now as { survivors: string[]; durationMs: number };
    expect(survivors.map((name) => name.replace(/@\d+/, '')).sort()).toEqual(
      ['handler of shop/a', 'handler of shop/b/c', 'handler of shop/b/d/e'].sort(),
    );
    expect(durationMs).toBeLessThanOrEqual(1_000);
    // The reserve is for closing: it still has time.
    expect(log).toEqual(['close true']);
    expect(app.system.tree()).toEqual([]);
    expect(host.pendingTimers()).toEqual([]);
  });
});
