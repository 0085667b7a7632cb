import { describe, expect, it } from 'vitest';
import type { Spec } from '../../src/kernel/spec.ts';
import { supervisor } from '../../src/supervision/supervisor.ts';
import type { SupervisorHandle } from '../../src/supervision/supervisor-handle.ts';
import { gate, part, watch } from '../kernel/rig.ts';
import { createCompany } from './rig.ts';

describe('the start of a supervisor', () => {
  it('starts each child only after the one before has started, and resolves after the last', async () => {
    const company = createCompany();
    const [first, second] = [gate(), gate()];
    const children = [
      company.worker('a', { starts: [first.passed] }),
      company.worker('b', { starts: [second.passed] }),
      company.worker('c'),
    ];
    const started = watch(company.system.start(company.supervise(children)));
    await company.host.settle();
    expect(company.news()).toEqual([]);
    first.open();
    await company.host.settle();
    expect([company.news(), started.settled]).toEqual([['+a1'], false]);
    second.open();
    await company.host.settle();
    expect([company.news(), started.settled]).toEqual([['+b1', '+c1'], true]);
    const reports = company.told('supervisor.child.started').map((event) => event.child);
    expect(reports).toEqual(['a', 'b', 'c']);
  });

  it('that fails stops the started ones in reverse, and says which child and why', async () => {
    const company = createCompany();
    const inner = supervisor('inner', {
      children: [company.worker('b'), company.worker('c', { starts: ['fail'] }), company.worker('d')],
    });
    const started = watch(company.system.start(company.supervise([company.worker('a'), inner])));
    await company.host.settle();
    expect(company.news()).toEqual(['+a1', '+b1', '!c1', '-b1', '-a1']);
    expect(started).toMatchObject({ now: 'ERR_INIT_FAILED', error: { cause: { message: 'no start of c' } } });
    expect(company.told('actor.start_failed').at(-1)).toMatchObject({
      path: 'root',
      reason: {
        shutdown: {
          failedToStart: 'inner',
          reason: { shutdown: { failedToStart: 'c', reason: { error: { message: 'no start of c' } } } },
        },
      },
    });
    expect(company.system.tree()).toEqual([]);
  });

  it('is not tried again: a failed first start spends no restarts', async () => {
    const company = createCompany();
    const a = company.worker('a', { starts: ['fail'] });
    void company.system.start(company.supervise([a], { intensity: 100 })).catch(() => undefined);
    await company.host.advance(10_000);
    expect(company.news()).toEqual(['!a1']);
  });

  it('keeps a child that ignores, unless it is temporary', async () => {
    const company = createCompany();
    const children = [
      company.worker('a', { starts: ['ignore'] }),
      company.worker('b', { starts: ['ignore'], restart: 'temporary' }),
      company.worker('c', { starts: ['ignore'], restart: 'transient' }),
    ];
    const handle = await company.start(company.supervise(children));
    expect(await company.host.runUntil(handle.whichChildren())).toEqual([
      { id: 'c', status: 'undefined', type: 'worker' },
      { id: 'a', status: 'undefined', type: 'worker' },
    ]);
    expect(await company.host.runUntil(handle.countChildren())).toEqual({
      specs: 2,
      active: 0,
      supervisors: 0,
      workers: 2,
    });
  });

  it('bounds the init of each child by its own deadline', async () => {
    const company = createCompany();
    const hanging = company.worker('b', { starts: ['hang'], initTimeoutMs: 300 });
    const started = watch(company.system.start(company.supervise([company.worker('a'), hanging])));
    await company.host.advance(300);
    expect(started).toMatchObject({
      now: 'ERR_INIT_FAILED',
      error: { cause: { code: 'ERR_INIT_TIMEOUT' } },
    });
    expect(company.news()).toEqual(['+a1', '-a1']);
  });

  it('is broken off by a shutdown: the pending init is let go, the started ones stop in reverse', async () => {
    const company = createCompany();
    const children = [company.worker('a'), company.worker('b'), company.worker('c', { starts: ['hang'] })];
    const started = watch(company.system.start(company.supervise(children)));
    await company.host.settle();
    const down = watch(company.system.shutdown());
    await company.host.settle();
    expect(company.news()).toEqual(['+a1', '+b1', '-b1', '-a1']);
    expect([started.now, down.settled]).toEqual(['ERR_INIT_FAILED', true]);
    expect(company.system.stragglers().map((ref) => ref.path)).toEqual(['root/c']);
    expect(company.system.tree()).toEqual([]);
  });

  it('that is broken off while a child comes up in the same turn still stops it in order', async () => {
    const company = createCompany();
    const ready = gate();
    const children = [
      company.worker('a'),
      company.worker('b', { starts: [ready.passed] }),
      company.worker('c'),
    ];
    void company.system.start(company.supervise(children)).catch(() => undefined);
    await company.host.settle();
    company.news();
    ready.open();
    const down = watch(company.system.shutdown());
    await company.host.settle();
    expect(down.settled).toBe(true);
    const stops = company.news().filter((line) => line.startsWith('-'));
    expect(stops).toEqual([...stops].sort().reverse());
    expect(company.system.counters.started).toBe(company.system.counters.ended);
    expect(company.system.stragglers()).toEqual([]);
  });

  it('that is killed leaves neither children nor stragglers of its own', async () => {
    const company = createCompany();
    const children = [company.worker('a'), company.worker('b', { starts: ['hang'] })];
    const tree = company.supervise(children);
    void company.system.start(tree).catch(() => undefined);
    await company.host.settle();
    company.system.exit(company.system.get(tree), 'kill');
    await company.host.settle();
    expect(company.system.tree()).toEqual([]);
    expect(company.system.stragglers().map((ref) => ref.path)).toEqual(['root/b']);
  });
});

describe('an init that asks its own supervisor', () => {
  const asking = async (ask: (root: SupervisorHandle) => Promise<unknown>, deep = false) => {
    const company = createCompany();
    const seen: unknown[] = [];
    const child = part('child', async (context) => {
      await ask(context.get(tree)).catch((error) => seen.push(error));
      return {};
    });
    const inner = supervisor('inner', { children: [child] });
    const tree: Spec<SupervisorHandle> = company.supervise([deep ? inner : child]);
    await company.start(tree);
    return { seen, now: company.host.monotonic() };
  };

  it('hears at once that it cannot be answered, and can go on', async () => {
    const { seen, now } = await asking((root) => root.whichChildren());
    expect(seen).toMatchObject([
      { code: 'ERR_SELF_SUPERVISION', data: { child: 'root/child', supervisor: 'root' } },
    ]);
    expect(now).toBe(0);
  });

  it('hears it of a supervisor further up, too', async () => {
    const { seen } = await asking((root) => root.terminateChild('inner'), true);
    expect(seen).toMatchObject([{ code: 'ERR_SELF_SUPERVISION', outcome: 'not_started' }]);
  });

  it('hears it through a go-between as well', async () => {
    const company = createCompany();
    const seen: unknown[] = [];
    const between = part('between', (context) => ({
      call: async () => {
        await context
          .get(tree)
          .countChildren()
          .catch((error) => seen.push(error.code));
        return 'went on';
      },
    }));
    const child = part('child', async (context) => {
      seen.push(await context.get(between).call('x'));
      return {};
    });
    const tree: Spec<SupervisorHandle> = company.supervise([between, child]);
    await company.start(tree);
    expect(seen).toEqual(['ERR_SELF_SUPERVISION', 'went on']);
  });
});

describe('reads', () => {
  it('are answered while a slow child is started, and operations wait for it', async () => {
    const company = createCompany();
    const ready = gate();
    const handle = await company.start(company.supervise([company.worker('a')]));
    const started = watch(handle.startChild(company.worker('slow', { starts: [ready.passed] })));
    await company.host.settle();
    const terminated = watch(handle.terminateChild('a'));
    const [rows, counts, spec] = await company.host.runUntil(
      Promise.all([handle.whichChildren(), handle.countChildren(), handle.childSpec('slow')]),
    );
    expect(rows).toEqual([
      { id: 'slow', status: 'starting', type: 'worker' },
      { id: 'a', status: 'running', type: 'worker' },
    ]);
    expect([counts.specs, spec.id, started.settled, terminated.settled]).toEqual([2, 'slow', false, false]);
    ready.open();
    await company.host.settle();
    expect([started.settled, terminated.settled]).toEqual([true, true]);
  });

  it('are overtaken by a shutdown, which breaks off the pending init', async () => {
    const company = createCompany();
    const handle = await company.start(company.supervise([company.worker('a')]));
    const starting = watch(handle.startChild(company.worker('slow', { starts: ['hang'] })));
    await company.host.settle();
    const queued = watch(handle.startChild(company.worker('queued')));
    await company.host.settle();
    await company.host.runUntil(company.system.shutdown());
    await company.host.settle();
    expect(starting.settled).toBe(true);
    expect(queued).toMatchObject({ now: 'ERR_STOPPING', outcome: 'not_started' });
    expect(company.news()).toEqual(['+a1', '-a1']);
  });
});
