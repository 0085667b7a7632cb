import { describe, expect, it } from 'vitest';
import {
  type DynamicSupervisorOptions,
  dynamicSupervisor,
} from '../../src/supervision/dynamic-supervisor.ts';
import { supervisor } from '../../src/supervision/supervisor.ts';
import { gate, watch } from '../kernel/rig.ts';
import { createCompany } from './rig.ts';

const crowd = async (options: DynamicSupervisorOptions = {}) => {
  const company = createCompany();
  const spec = dynamicSupervisor('crowd', { backoff: false, ...options });
  const handle = await company.start(spec);
  const ask = async (operation: Promise<unknown>): Promise<unknown> => {
    const asked = watch(operation);
    await company.host.settle();
    return asked.now;
  };
  return { ...company, spec, handle, ask };
};

describe('startChild', () => {
  it('starts a child under its key and gives its handle; child() reads it without asking', async () => {
    const { handle, host, worker } = await crowd();
    const a = await host.runUntil(handle.startChild(worker('a')));
    expect(await host.runUntil(a.call('who'))).toBe('a1');
    expect(handle.child('a')).toBe(a);
    expect(handle.child('b')).toBeUndefined();
    expect(await host.runUntil(handle.whichChildren())).toEqual([
      { id: 'a', status: 'running', type: 'worker' },
    ]);
  });

  it('refuses a key that is taken, whatever its child is doing', async () => {
    const { handle, ask, worker, fell } = await crowd({
      backoff: { delayFirst: true, jitter: 'none', baseMs: 100 },
    });
    const a = worker('a');
    await ask(handle.startChild(a));
    expect(await ask(handle.startChild(worker('a')))).toBe('ERR_CHILD_ALREADY_STARTED');
    await fell(a, 'crash');
    expect(await ask(handle.startChild(worker('a')))).toBe('ERR_CHILD_ALREADY_PRESENT');
  });

  it('refuses more than maxChildren, those that restart included', async () => {
    const { handle, ask, worker, fell, host } = await crowd({
      maxChildren: 2,
      backoff: { delayFirst: true, jitter: 'none', baseMs: 100 },
    });
    const a = worker('a');
    await ask(handle.startChild(a));
    await ask(handle.startChild(worker('b')));
    await fell(a, 'crash');
    expect(await ask(handle.startChild(worker('c')))).toBe('ERR_MAX_CHILDREN');
    expect(await ask(handle.countChildren())).toMatchObject({ specs: 2, active: 1 });
    await host.advance(100);
    await ask(handle.terminateChild('b'));
    expect(await ask(handle.startChild(worker('c')))).toMatchObject({ path: 'crowd/c' });
  });

  it('does not keep a child that does not start or ignores, nor one that ends for good', async () => {
    const { handle, ask, worker, fell } = await crowd({ maxChildren: 1 });
    expect(await ask(handle.startChild(worker('bad', { starts: ['fail'] })))).toBe('ERR_CHILD_START_FAILED');
    expect(await ask(handle.startChild(worker('shy', { starts: ['ignore'] })))).toBeUndefined();
    for (const [id, restart, reason] of [
      ['transient', 'transient', 'normal'],
      ['temporary', 'temporary', 'crash'],
    ] as const) {
      const child = worker(id, { restart });
      await ask(handle.startChild(child));
      await fell(child, reason);
      expect(await ask(handle.countChildren())).toMatchObject({ specs: 0 });
    }
    expect(await ask(handle.startChild(worker('bad')))).toMatchObject({ path: 'crowd/bad' });
  });

  it('is not held up by the slow init of another', async () => {
    const { handle, ask, worker } = await crowd();
    const slow = watch(handle.startChild(worker('slow', { starts: ['hang'] })));
    expect(await ask(handle.startChild(worker('quick')))).toMatchObject({ path: 'crowd/quick' });
    expect(slow.settled).toBe(false);
  });

  it('that is terminated before it has started is told so', async () => {
    const { handle, ask, worker } = await crowd();
    const slow = watch(handle.startChild(worker('slow', { starts: ['hang'] })));
    await ask(Promise.resolve());
    expect(await ask(handle.terminateChild('slow'))).toBeUndefined();
    expect(slow.now).toBe('ERR_CHILD_START_FAILED');
    expect(await ask(handle.startChild(worker('slow')))).toMatchObject({ path: 'crowd/slow' });
  });
});

describe('terminateChild', () => {
  it('stops and forgets a child, so that its key is free; asked twice at once it is one stop', async () => {
    const hold = gate();
    const { handle, ask, worker, host, news } = await crowd();
    const a = worker('a', { onStop: () => hold.passed });
    await ask(handle.startChild(a));
    const stops = [watch(handle.terminateChild('a')), watch(handle.terminateChild('a'))];
    await host.settle();
    expect(await ask(handle.startChild(worker('a')))).toBe('ERR_CHILD_ALREADY_STARTED');
    hold.open();
    await host.settle();
    expect(stops.map((stop) => stop.settled)).toEqual([true, true]);
    expect(news()).toEqual(['+a1', '-a1']);
    expect(await ask(handle.terminateChild('a'))).toBe('ERR_CHILD_NOT_FOUND');
    expect(await ask(handle.startChild(a))).toMatchObject({ path: 'crowd/a' });
  });

  it('ends the wait of a child that backs off', async () => {
    const { handle, ask, worker, fell, host } = await crowd({
      backoff: { delayFirst: true, jitter: 'none', baseMs: 100 },
    });
    const a = worker('a');
    await ask(handle.startChild(a));
    await fell(a, 'crash');
    await ask(handle.terminateChild('a'));
    expect(host.pendingTimers()).toEqual([]);
    expect(await ask(handle.whichChildren())).toEqual([]);
  });
});

describe('restarts', () => {
  it('are one for one, each with its own backoff', async () => {
    const { handle, ask, worker, fell, news, host } = await crowd({
      backoff: { delayFirst: true, jitter: 'none', baseMs: 100 },
    });
    const [a, b] = [worker('a'), worker('b')];
    for (const spec of [a, b]) await ask(handle.startChild(spec));
    await fell(a, 'crash');
    await host.advance(50);
    expect(await fell(b, 'crash')).toEqual(['-b1']);
    await host.advance(50);
    expect(news()).toEqual(['+a2']);
    await host.advance(50);
    expect(news()).toEqual(['+b2']);
  });

  it('that fail are tried again and counted; one that ignores is forgotten', async () => {
    const { handle, ask, worker, fell, ends } = await crowd({ intensity: 3 });
    const a = worker('a', { starts: ['ok', 'fail', 'ok', 'ignore'] });
    await ask(handle.startChild(a));
    expect(await fell(a, 'crash')).toEqual(['-a1', '!a2', '+a3']);
    await fell(a, 'crash');
    expect(await ask(handle.whichChildren())).toEqual([]);
    expect(ends('crowd')).toEqual([]);
  });

  it('beyond the limit end the supervisor, which its parent starts again, empty', async () => {
    const company = createCompany();
    const spec = dynamicSupervisor('crowd', { intensity: 0, backoff: false });
    await company.start(company.supervise([spec]));
    const handle = company.system.get(spec);
    const [a, b] = [company.worker('a'), company.worker('b')];
    for (const child of [a, b]) await company.host.runUntil(handle.startChild(child));
    expect(await company.fell(a, 'crash')).toEqual(['-a1', '-b1']);
    expect(company.ends('root/crowd')).toMatchObject([{ gaveUp: { child: 'a' } }]);
    expect(await company.host.runUntil(handle.countChildren())).toMatchObject({ specs: 0 });
    await company.host.runUntil(handle.startChild(b));
    expect(company.news()).toEqual(['+b2']);
  });

  it('under which the limit can never be reached are refused with the child', async () => {
    const { handle, ask, worker } = await crowd({ backoff: { baseMs: 60_000, maxMs: 60_000 } });
    expect(await ask(handle.startChild(worker('slow')))).toBe('ERR_INTENSITY_UNREACHABLE');
    expect(await ask(handle.startChild(worker('quick', { backoff: false })))).toMatchObject({
      path: 'crowd/quick',
    });
  });
});

describe('the stop', () => {
  it('tells all children at once, and takes as long as the slowest', async () => {
    const { handle, ask, worker, host, system, ends } = await crowd();
    const hang = () => new Promise<void>(() => undefined);
    for (const [i, id] of ['a', 'b', 'c'].entries())
      await ask(handle.startChild(worker(id, { onStop: hang, shutdownMs: 100 * (i + 1) })));
    const down = watch(system.shutdown());
    await host.advance(299);
    expect([ends('crowd/a'), ends('crowd/b'), down.settled]).toEqual([['killed'], ['killed'], false]);
    await host.advance(1);
    expect(down.settled).toBe(true);
    expect(host.monotonic()).toBe(300);
  });

  it('breaks off starts that are under way, and takes no new ones', async () => {
    const { handle, ask, worker, host, system } = await crowd();
    const hold = gate();
    await ask(handle.startChild(worker('a', { onStop: () => hold.passed })));
    const slow = watch(handle.startChild(worker('slow', { starts: ['hang'] })));
    await host.settle();
    const down = watch(system.shutdown());
    await host.settle();
    expect(slow).toMatchObject({ now: 'ERR_STOPPING', outcome: 'not_started' });
    expect(await ask(handle.startChild(worker('late')))).toBe('ERR_STOPPING');
    hold.open();
    await host.settle();
    expect(down.settled).toBe(true);
    expect(system.tree()).toEqual([]);
  });

  it('of a thousand children is one sweep', async () => {
    const { handle, worker, host, system } = await crowd();
    const starts = Array.from({ length: 1_000 }, (_, i) => handle.startChild(worker(`w${i}`)));
    await host.runUntil(Promise.all(starts));
    expect(await host.runUntil(handle.countChildren())).toMatchObject({ specs: 1_000, active: 1_000 });
    await host.runUntil(system.shutdown());
    expect(system.counters).toMatchObject({ started: 1_001, ended: 1_001 });
  });
});

describe('a dynamic supervisor that is killed', () => {
  it('leaves no orphan, no place and no timer', async () => {
    const company = createCompany();
    const spec = dynamicSupervisor('crowd', {
      backoff: { delayFirst: true, jitter: 'none', baseMs: 1_000 },
      giveUp: 'never',
    });
    await company.start(company.supervise([spec]));
    const handle = company.system.get(spec);
    const [a, waiting] = [company.worker('a'), company.worker('waiting')];
    for (const child of [a, waiting]) await company.host.runUntil(handle.startChild(child));
    await company.fell(waiting, 'crash');
    const of = company.system.get(waiting);
    company.system.exit(handle, 'kill');
    await company.host.settle();
    expect(company.host.pendingTimers()).toEqual([]);
    expect([handle.child('a'), handle.child('waiting')]).toEqual([undefined, undefined]);
    const call = watch(of.call('x'));
    await company.host.settle();
    expect(call.now).toBe('ERR_NOPROC');
    expect(company.system.tree()).toMatchObject([{ children: [{ id: 'crowd', children: [] }] }]);
    // The very same specs may stand again, here or elsewhere.
    await company.host.runUntil(handle.startChild(waiting));
    await company.host.runUntil(company.system.start(supervisor('other', { children: [a] })));
  });
});

describe("overlap: 'forbid'", () => {
  it('lets the restart of that child alone wait for its straggler', async () => {
    const { handle, ask, worker, host, system, fell } = await crowd({ intensity: 10 });
    const a = worker('a', { overlap: 'forbid' });
    const b = worker('b');
    for (const spec of [a, b]) await ask(handle.startChild(spec));
    system.get(a).tell('work');
    await host.settle();
    system.exit(system.get(a), 'kill');
    await host.settle();
    expect(system.get(a).ref()).toBeUndefined();
    expect(await fell(b, 'crash')).toEqual(['-b1', '+b2']);
    await host.runUntil(system.shutdown());
    expect(system.counters.fenced).toBe(0);
  });
});
