import { describe, expect, it } from 'vitest';
import { application } from '../../src/application/application.ts';
import { resource } from '../../src/application/resource.ts';
import { actor } from '../../src/kernel/actor.ts';
import { server } from '../../src/kernel/server.ts';
import { supervisor } from '../../src/supervision/supervisor.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';

const logged = (
  id: string,
  log: string[],
  options: { terminate?: () => Promise<void> | void; crash?: boolean } = {},
) =>
  actor(
    id,
    server({
      init: () => {
        log.push(`+${id}`);
        if (options.crash === true) throw new Error(`no ${id}`);
        return {};
      },
      call: { ping: () => 'pong' },
      cast: {
        crash: () => {
          throw new Error('boom');
        },
      },
      terminate: () => {
        log.push(`-${id}`);
        return options.terminate?.();
      },
    }),
  );

const setUp = (
  options: { crash?: boolean; terminate?: () => Promise<void>; close?: () => Promise<void> } = {},
) => {
  const host = new SimulatedHost();
  const log: string[] = [];
  const a = logged('a', log);
  const b = logged('b', log, options);
  const tree = supervisor('shop', { children: [a, b] });
  const database = resource('database', {
    open: () => {
      log.push('+database');
      return 'db';
    },
    close: () => {
      log.push('-database');
      return options.close?.();
    },
  });
  const http = resource('http', {
    dependsOn: [tree, database],
    open: ({ app }) => {
      log.push('+http');
      return app;
    },
    drain: () => {
      log.push('~http');
    },
    close: () => {
      log.push('-http');
    },
  });
  const spec = application(tree, { host, resources: [http, database] });
  return { host, log, a, b, tree, database, spec };
};

describe('application', () => {
  it('opens before the tree what the tree may need, after it what needs the tree, and ends in reverse', async () => {
    const { host, log, spec, database, a } = setUp();
    const app = await host.runUntil(spec.start());
    expect(log).toEqual(['+database', '+a', '+b', '+http']);
    expect(app.resource(database)).toBe('db');
    expect(app.health()).toMatchObject({ live: true, ready: true, phase: 'running' });
    expect(await host.runUntil(app.get(a).call({ type: 'ping' }))).toBe('pong');
    const report = await host.runUntil(app.stop());
    expect(log.slice(4)).toEqual(['~http', '-b', '-a', '-http', '-database']);
    expect(report).toMatchObject({ reason: 'shutdown', survivors: [] });
    expect(app.health()).toMatchObject({ live: false, ready: false, phase: 'stopped' });
    expect(host.pendingTimers()).toEqual([]);
  });

  it('ends once, however often and whenever it is asked to', async () => {
    const { host, log, spec } = setUp();
    const app = await host.runUntil(spec.start());
    const reports = await host.runUntil(Promise.all([app.stop(), app.stop(), app.stop({ error: 'other' })]));
    expect(new Set(reports).size).toBe(1);
    expect(await app.stop()).toBe(reports[0]);
    expect(log.filter((entry) => entry.startsWith('-'))).toHaveLength(4);
  });

  it('undoes what had started when something does not start, and says why', async () => {
    const { host, log, spec } = setUp({ crash: true });
    await expect(host.runUntil(spec.start())).rejects.toMatchObject({ code: 'ERR_APP_START' });
    expect(log).toEqual(['+database', '+a', '+b', '-a', '-database']);
  });

  it('kills what is left at the deadline, and names what did not close', async () => {
    const never = () => new Promise<void>(() => undefined);
    const { host, spec } = setUp({ terminate: never, close: never });
    const app = await host.runUntil(spec.start());
    const report = await host.runUntil(app.stop());
    expect(report.survivors).toEqual([expect.stringMatching(/^handler of shop\/b@/), 'resource database']);
    expect(report.durationMs).toBeLessThanOrEqual(25_000);
    expect(app.system.tree()).toEqual([]);
  });

  it('ends in phases when its root gives up, with the reason', async () => {
    const { host, log, spec, b } = setUp();
    const app = await host.runUntil(spec.start());
    for (let crash = 0; crash < 5; crash++) {
      app.get(b).tell({ type: 'crash' });
      await host.advance(400);
    }
    const report = await host.runUntil(app.stopped);
    expect(report.reason).toMatchObject({ gaveUp: { supervisor: 'shop', child: 'b' } });
    expect(log.slice(-3)).toEqual(['~http', '-http', '-database']);
  });

  it('breaks off a boot that is under way, and undoes it', async () => {
    const host = new SimulatedHost();
    const log: string[] = [];
    const slow = actor('slow', server({ init: () => new Promise<object>(() => undefined) }));
    const tree = supervisor('shop', { children: [logged('a', log), slow] });
    let app: Awaited<ReturnType<ReturnType<typeof application>['start']>> | undefined;
    const early = resource('early', {
      open: (context) => {
        app = context.app;
      },
      close: () => {
        log.push('-early');
      },
    });
    const started = application(tree, { host, resources: [early] }).start();
    started.catch(() => undefined);
    await host.advance(100);
    const report = await host.runUntil(app?.stop() ?? Promise.reject(new Error('never opened')));
    await expect(started).rejects.toMatchObject({ code: 'ERR_APP_START' });
    expect(log).toEqual(['+a', '-a', '-early']);
    // The init that nobody waits for any more still runs, and is named.
    expect(report.survivors).toEqual([expect.stringMatching(/slow/)]);
  });

  it('closes exactly once what opened after its time was over', async () => {
    const host = new SimulatedHost();
    const log: string[] = [];
    let open: ((value: string) => void) | undefined;
    const late = resource('late', {
      open: () => new Promise<string>((resolve) => (open = resolve)),
      close: (value) => {
        log.push(`-${value}`);
      },
      openTimeoutMs: 50,
    });
    const started = application(supervisor('shop', { children: [] }), { host, resources: [late] }).start();
    await expect(host.runUntil(started)).rejects.toMatchObject({ code: 'ERR_APP_START' });
    open?.('late');
    await host.settle();
    expect(log).toEqual(['-late']);
  });

  it('refuses a spec that stands twice, a stranger among dependencies, and a delay beyond the deadline', () => {
    const log: string[] = [];
    const a = logged('a', log);
    const nested = supervisor('one', { children: [a] });
    expect(() =>
      application(supervisor('root', { children: [nested, supervisor('two', { children: [a] })] })),
    ).toThrow(/stands at root\/one\/a and again at root\/two\/a/);
    const stranger = resource('r', { open: () => 1, close: () => undefined, dependsOn: [logged('x', log)] });
    expect(() => application(nested, { resources: [stranger] })).toThrow(/not part of this application/);
    expect(() => application(nested, { deadlineMs: 10, drainDelayMs: 10 })).toThrow(/drainDelayMs/);
    expect(() => application(nested, { deadlinMs: 10 } as never)).toThrow(/did you mean deadlineMs/);
  });
});
