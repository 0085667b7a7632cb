import { describe, expect, it } from 'vitest';
import { supervisor } from '../../src/supervision/supervisor.ts';
import { gate, watch } from '../kernel/rig.ts';
import { createCompany, type WorkerOptions } from './rig.ts';

/** A supervisor with one child that runs (`up`), one that was terminated (`down`), one that backs off (`due`). */
const mixed = async (options: WorkerOptions = {}) => {
  const company = createCompany();
  const [up, down, due] = [company.worker('up'), company.worker('down', options), company.worker('due')];
  const tree = company.supervise([up, down, due], {
    backoff: { jitter: 'none', delayFirst: true, baseMs: 60_000, maxMs: 60_000 },
    giveUp: 'never',
  });
  const handle = await company.start(tree);
  await company.host.runUntil(handle.terminateChild('down'));
  await company.fell(due, 'crash');
  company.news();
  const ask = async (operation: Promise<unknown>): Promise<unknown> => {
    const asked = watch(operation);
    await company.host.settle();
    return asked.now;
  };
  return { ...company, up, down, due, tree, handle, ask };
};

describe('startChild', () => {
  it('adds a child at the end, starts it, and gives its handle', async () => {
    const { handle, host, worker, ask } = await mixed();
    const more = worker('more');
    const given = await host.runUntil(handle.startChild(more));
    expect(await host.runUntil(given.call('who'))).toBe('more1');
    expect(await ask(handle.whichChildren())).toMatchObject(
      ['more', 'due', 'down', 'up'].map((id) => ({ id })),
    );
  });

  it('refuses an id that is known: started, or present and not running', async () => {
    const { handle, ask, worker } = await mixed();
    expect(await ask(handle.startChild(worker('up')))).toBe('ERR_CHILD_ALREADY_STARTED');
    expect(await ask(handle.startChild(worker('down')))).toBe('ERR_CHILD_ALREADY_PRESENT');
    expect(await ask(handle.startChild(worker('due')))).toBe('ERR_CHILD_ALREADY_PRESENT');
  });

  it('does not keep a child that does not start, and says why', async () => {
    const { handle, ask, worker, host, told } = await mixed();
    const bad = watch(handle.startChild(worker('bad', { starts: ['fail'] })));
    await host.settle();
    expect(bad).toMatchObject({
      now: 'ERR_CHILD_START_FAILED',
      error: { cause: { message: 'no start of bad' }, data: { supervisor: 'root', child: 'bad' } },
    });
    expect(await ask(handle.deleteChild('bad'))).toBe('ERR_CHILD_NOT_FOUND');
    expect(told('supervisor.child.start_failed')).toEqual([]);
  });

  it('keeps a child that ignores, without an incarnation, unless it is temporary', async () => {
    const { handle, ask, worker, host } = await mixed();
    const ignoring = (id: string, restart: 'permanent' | 'temporary') =>
      worker(id, { starts: ['ignore'], restart });
    const kept = await host.runUntil(handle.startChild(ignoring('kept', 'permanent')));
    expect(kept.ref()).toBeUndefined();
    await host.runUntil(handle.startChild(ignoring('gone', 'temporary')));
    expect(await ask(handle.restartChild('kept'))).toMatchObject({ path: 'root/kept' });
    expect(await ask(handle.restartChild('gone'))).toBe('ERR_CHILD_NOT_FOUND');
  });

  it('refuses what is no spec, and a spec that stands elsewhere', async () => {
    const { handle, ask, up } = await mixed();
    expect(await ask(handle.startChild({} as never))).toBe('ERR_OPTION_INVALID');
    const twice = supervisor('twice', { children: [up] });
    expect(await ask(handle.startChild(twice))).toBe('ERR_SPEC_DUPLICATE');
    expect(await ask(handle.restartChild('twice'))).toBe('ERR_CHILD_NOT_FOUND');
  });
});

describe('terminateChild', () => {
  it('stops a child in order and keeps its spec; again, it is nothing', async () => {
    const { handle, ask, news } = await mixed();
    expect(await ask(handle.terminateChild('up'))).toBeUndefined();
    expect(await ask(handle.terminateChild('up'))).toBeUndefined();
    expect(news()).toEqual(['-up1']);
    expect(await ask(handle.whichChild('up'))).toEqual({ id: 'up', status: 'undefined', type: 'worker' });
    expect(await ask(handle.terminateChild('nobody'))).toBe('ERR_CHILD_NOT_FOUND');
  });

  it('forgets a temporary child', async () => {
    const { handle, ask, worker } = await mixed();
    await ask(handle.startChild(worker('passing', { restart: 'temporary' })));
    await ask(handle.terminateChild('passing'));
    expect(await ask(handle.childSpec('passing'))).toBe('ERR_CHILD_NOT_FOUND');
    expect(await ask(handle.startChild(worker('passing')))).toMatchObject({ path: 'root/passing' });
  });

  it('resolves only when the child and all below it are gone', async () => {
    const { handle, worker, host } = await mixed();
    const hold = gate();
    const leaf = worker('leaf', { onStop: () => hold.passed });
    await host.runUntil(handle.startChild(supervisor('inner', { children: [leaf] })));
    const terminated = watch(handle.terminateChild('inner'));
    await host.advance(1_000);
    expect(terminated.settled).toBe(false);
    hold.open();
    await host.settle();
    expect(terminated.settled).toBe(true);
  });
});

describe('restartChild', () => {
  it('starts a stopped child again', async () => {
    const { handle, ask, news } = await mixed();
    expect(await ask(handle.restartChild('down'))).toMatchObject({ path: 'root/down' });
    expect(news()).toEqual(['+down2']);
  });

  it('is refused for a child that runs, or whose restart is due, or that nobody knows', async () => {
    const { handle, ask } = await mixed();
    expect(await ask(handle.restartChild('up'))).toBe('ERR_CHILD_RUNNING');
    expect(await ask(handle.restartChild('due'))).toBe('ERR_CHILD_RESTARTING');
    expect(await ask(handle.restartChild('nobody'))).toBe('ERR_CHILD_NOT_FOUND');
  });

  it('that fails leaves the child stopped, and spends nothing', async () => {
    const { handle, ask, host } = await mixed({ starts: ['ok', 'fail'] });
    expect(await ask(handle.restartChild('down'))).toBe('ERR_CHILD_START_FAILED');
    await host.advance(1_000);
    expect(await ask(handle.whichChild('down'))).toMatchObject({ status: 'undefined' });
    expect(await ask(handle.restartChild('down'))).toMatchObject({ path: 'root/down' });
  });
});

describe('deleteChild', () => {
  it('forgets a stopped child, whose handle then finds nobody', async () => {
    const { handle, ask, down, system } = await mixed();
    const of = system.get(down);
    expect(await ask(handle.deleteChild('down'))).toBeUndefined();
    expect(await ask(handle.deleteChild('down'))).toBe('ERR_CHILD_NOT_FOUND');
    expect(await ask(of.call('x'))).toBe('ERR_NOPROC');
    expect(() => system.get(down)).toThrow(/ERR_SPEC_UNKNOWN/);
  });

  it('is refused for a child that runs, or whose restart is due', async () => {
    const { handle, ask } = await mixed();
    expect(await ask(handle.deleteChild('up'))).toBe('ERR_CHILD_RUNNING');
    expect(await ask(handle.deleteChild('due'))).toBe('ERR_CHILD_RESTARTING');
  });
});

describe('recycleChild', () => {
  it('restarts in order, spending no intensity', async () => {
    const company = createCompany();
    const a = company.worker('a');
    const handle = await company.start(company.supervise([a, company.worker('b')], { intensity: 0 }));
    company.news();
    for (let n = 1; n <= 3; n++) {
      expect(await company.host.runUntil(handle.recycleChild('a'))).toBe('restarted');
      expect(company.news()).toEqual([`-a${n}`, `+a${n + 1}`]);
    }
    expect(company.ends('root')).toEqual([]);
  });

  it('answers already while a restart is due or under way', async () => {
    const { handle, ask, host } = await mixed();
    expect(await ask(handle.recycleChild('due'))).toBe('already');
    const hold = gate();
    const company = createCompany();
    const slow = company.worker('slow', { starts: ['ok', hold.passed] });
    const other = await company.start(company.supervise([slow]));
    const first = watch(other.recycleChild('slow'));
    await company.host.settle();
    expect(await company.host.runUntil(other.recycleChild('slow'))).toBe('already');
    hold.open();
    await company.host.settle();
    expect(first.now).toBe('restarted');
    await host.settle();
  });

  it('that does not start again is a failure like any other, and is tried again', async () => {
    const company = createCompany();
    const a = company.worker('a', { starts: ['ok', 'fail'] });
    const handle = await company.start(company.supervise([a]));
    expect(await company.host.runUntil(handle.recycleChild('a'))).toBe('failed');
    await company.host.settle();
    expect(company.news()).toEqual(['+a1', '-a1', '!a2', '+a3']);
  });

  it('leaves callers that wait their turn with the next incarnation', async () => {
    const company = createCompany();
    const hold = gate();
    const a = company.worker('a', { starts: ['ok', hold.passed] });
    const handle = await company.start(company.supervise([a]));
    void handle.recycleChild('a');
    await company.host.settle();
    const call = watch(company.system.get(a).call('who'));
    hold.open();
    await company.host.settle();
    expect(call.now).toBe('a2');
  });
});

describe('a supervisor', () => {
  it('refuses what it does not understand, and drops what is told to it', async () => {
    const { tree, system, ask } = await mixed();
    expect(await ask(system.call(system.get(tree), { type: 'dance' }))).toBe('ERR_NO_HANDLER');
    expect(await ask(system.call(system.get(tree), undefined))).toBe('ERR_NO_HANDLER');
    expect(await ask(system.call(system.get(tree), { type: 'start_child' }))).toBe('ERR_OPTION_INVALID');
    system.tell(system.get(tree), 'x');
    await ask(Promise.resolve());
    expect(system.counters.deadLetters).toBe(1);
    expect(system.tree()).toHaveLength(1);
  });

  it('ignores the exit signals of strangers, except kill', async () => {
    const { tree, system, host, ends } = await mixed();
    for (const reason of ['normal', 'shutdown', { error: 'boom' }] as const)
      system.exit(system.get(tree), reason);
    await host.settle();
    expect(ends('root')).toEqual([]);
    system.exit(system.get(tree), 'kill');
    await host.settle();
    expect(ends('root')).toEqual(['killed']);
    expect(system.tree()).toEqual([]);
  });
});
