import { expect, it } from 'vitest';
import { LiveSource } from '../../src/explorer/live-source.ts';
import {
  type Application,
  application,
  circuitBreaker,
  createSystem,
  inProcess,
  pool,
  recovery,
  type System,
  supervisor,
} from '../../src/index.ts';
import type { SystemOfActors } from '../../src/kernel/system.ts';
import { SimulatedHost } from '../../src/testing/index.ts';

/** A source that somebody looks at. */
const watched = (system: System, app?: Application): LiveSource => {
  const source = new LiveSource({
    system: system as SystemOfActors,
    name: 'shop',
    pid: undefined,
    node: 'x',
    application: () => app,
    redact: (context) => context,
  });
  source.open();
  return source;
};

/** The regions of a pool and of a worker, in the order in which people name them. */
const REGIONS = ['admission', 'service', 'lifecycle', 'health'];
const wordOf = (value: unknown): string =>
  typeof value === 'string'
    ? value
    : REGIONS.flatMap((region) => (value as Readonly<Record<string, string>>)[region] ?? []).join(' ');

/** Every step of one actor: event, where to, and by which transitions. */
const stepsOf = (source: LiveSource, path: string) =>
  (source.history(path)?.steps ?? []).map(({ event, from, to, taken }) => [
    `${from === undefined ? '' : wordOf(from)} -${event}-> ${wordOf(to)}`,
    taken.length,
  ]);

it('each step of a breaker is told as its chart took it', async () => {
  const host = new SimulatedHost();
  const system = createSystem({ host });
  const prices = circuitBreaker('prices', { window: { kind: 'consecutive', failures: 2 }, openMs: 1_000 });
  const starting = system.start(supervisor('shop', { children: [prices] }));
  await host.advance(0);
  await starting;
  const source = watched(system);
  const breaker = system.get(prices);
  const call = (ends: boolean) =>
    breaker
      .execute(() => (ends ? Promise.resolve(1) : Promise.reject(new Error('no'))))
      .catch(() => undefined);
  await call(false);
  await call(false);
  await host.advance(1_000);
  await call(false);
  await host.advance(1_000);
  await call(true);
  const release = breaker.isolate();
  release();
  expect(stepsOf(source, 'shop/prices')).toEqual([
    ['closed -window.tripped-> open', 1],
    ['open -wait.elapsed-> half_open', 1],
    ['half_open -probe.failed-> open', 1],
    ['open -wait.elapsed-> half_open', 1],
    ['half_open -probe.succeeded-> closed', 1],
    ['closed -isolate-> isolated', 1],
    ['isolated -resume-> closed', 1],
  ]);
  void system.shutdown();
  await host.advance(10_000);
});

it('each step of a pool and of its workers is told as their charts took it', async () => {
  const host = new SimulatedHost();
  const system = createSystem({ host });
  const documents = pool('documents', { size: 1, worker: inProcess({ handlers: { count: () => 1 } }) });
  const starting = system.start(supervisor('shop', { children: [documents] }));
  const source = watched(system);
  await host.advance(0);
  await starting;
  const handle = system.get(documents);
  const job = handle.run('count', {});
  await host.advance(10);
  await job;
  handle.pause();
  handle.resume();
  const drained = handle.drain();
  await host.advance(10_000);
  await drained;
  expect(stepsOf(source, 'shop/documents')).toEqual([
    [' -xstate.init-> starting serving', 0],
    ['starting serving -worker.started-> ready serving', 1],
    ['ready serving -pause.wanted-> ready paused', 1],
    ['ready paused -resume.wanted-> ready serving', 1],
    ['ready serving -drain.wanted-> draining finishing', 2],
    ['draining finishing -work.done-> closed over', 2],
  ]);
  expect(stepsOf(source, 'shop/documents/worker-1')).toEqual([
    [' -xstate.init-> initializing unknown', 0],
    ['initializing unknown -port.ready-> ready healthy', 2],
    ['ready healthy -lease.taken-> busy healthy', 1],
    ['busy healthy -lease.returned-> ready healthy', 1],
    ['ready healthy -close.wanted-> terminating healthy', 1],
    ['terminating healthy -port.ended-> terminated over', 2],
  ]);
});

it('a recovery is shown with the heads of its stacks, however deep its error came from', async () => {
  const host = new SimulatedHost();
  const system = createSystem({ host });
  const mending = recovery('mending');
  const starting = system.start(supervisor('shop', { children: [mending] }));
  await host.advance(0);
  await starting;
  const source = watched(system);
  const deep = (depth: number): Error =>
    depth === 0 ? new Error('no', { cause: new Error('why') }) : deep(depth - 1);
  const reportedAt = host.wall();
  const ended = system.get(mending).report(deep(100), { subject: 'shop/prices' }).done;
  await host.advance(60_000);
  expect((await ended).outcome).toBe('gave_up');
  const entry = source.recoveries()[0]?.recent[0];
  expect(entry?.startedAt).toBe(reportedAt);
  expect(entry?.endedAt).toBeLessThan(host.wall());
  const error = entry?.error;
  const stacks: string[] = [];
  for (let one = error; one !== undefined; one = one.cause)
    if (one.stack !== undefined) stacks.push(one.stack);
  expect(stacks.join('\n')).toContain('Error: why');
  expect(Math.max(...stacks.map((stack) => stack.split('\n').length))).toBe(5);
  void system.shutdown();
  await host.advance(10_000);
});

it('each step of an application is told as its chart took it', async () => {
  const host = new SimulatedHost();
  const starting = application(supervisor('shop', { children: [] }), { host, drainDelayMs: 50 }).start();
  await host.advance(0);
  const app = await starting;
  const source = watched(app.system, app);
  const stopped = app.stop();
  await host.advance(10_000);
  await stopped;
  expect(stepsOf(source, 'application shop')).toEqual([
    ['running -stop.wanted-> unready', 1],
    ['unready -delay.elapsed-> draining', 1],
    ['draining -drained-> stopping', 1],
    ['stopping -tree.stopped-> closing', 1],
    ['closing -closed-> stopped', 1],
  ]);
  expect(source.application().chart).toMatchObject({ value: 'stopped', last: { event: 'closed' } });
});
