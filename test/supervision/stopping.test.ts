import { describe, expect, it } from 'vitest';
import type { Spec } from '../../src/kernel/spec.ts';
import { supervisor } from '../../src/supervision/supervisor.ts';
import type { SupervisorHandle } from '../../src/supervision/supervisor-handle.ts';
import { gate, part, type RawHandle, watch } from '../kernel/rig.ts';
import { createCompany } from './rig.ts';

const never = () => new Promise<void>(() => undefined);

describe('the stop of a supervisor', () => {
  it('stops the children in reverse, each fully gone before the next is told', async () => {
    const company = createCompany();
    const holds = [gate(), gate()];
    const leaf = company.worker('leaf', { onStop: () => holds[0]?.passed });
    const children = [
      company.worker('a', { onStop: () => holds[1]?.passed }),
      supervisor('inner', { children: [leaf] }),
      company.worker('c'),
    ];
    await company.start(company.supervise(children));
    company.news();
    const down = watch(company.system.shutdown());
    await company.host.settle();
    expect(company.news()).toEqual(['-c1', '-leaf1']);
    holds[0]?.open();
    await company.host.settle();
    expect([company.news(), down.settled]).toEqual([['-a1'], false]);
    holds[1]?.open();
    await company.host.settle();
    expect(down.settled).toBe(true);
    expect(company.told('actor.ended').map((event) => event.path)).toEqual([
      'root/c',
      'root/inner/leaf',
      'root/inner',
      'root/a',
      'root',
    ]);
  });

  it('kills a child that does not end within its allowance, and reports that', async () => {
    const company = createCompany();
    const hanging = company.worker('b', { onStop: never, shutdownMs: 200 });
    await company.start(company.supervise([company.worker('a'), hanging]));
    const down = watch(company.system.shutdown());
    await company.host.advance(199);
    expect(company.news()).not.toContain('-a1');
    await company.host.advance(1);
    expect(down.settled).toBe(true);
    expect(company.ends('root/b')).toEqual(['killed']);
    expect(company.ends('root/a')).toEqual(['shutdown']);
    expect(company.told('supervisor.child.shutdown_failed')).toMatchObject([
      { path: 'root', child: 'b', reason: 'killed' },
    ]);
  });

  it('gives workers 5,000 ms unless told otherwise, and supervisors all the time they need', async () => {
    const company = createCompany();
    const leaves = ['x', 'y', 'z'].map((id) => company.worker(id, { onStop: never }));
    await company.start(company.supervise([supervisor('inner', { children: leaves })]));
    const down = watch(company.system.shutdown());
    await company.host.advance(14_999);
    expect(down.settled).toBe(false);
    await company.host.advance(1);
    expect(down.settled).toBe(true);
    expect(company.ends('root/inner')).toEqual(['shutdown']);
  });

  it('kills at once where a child says brutal_kill: no terminate, no report', async () => {
    const company = createCompany();
    const brutal = company.worker('b', { shutdownMs: 'brutal_kill' });
    await company.start(company.supervise([company.worker('a'), brutal]));
    company.news();
    await company.host.runUntil(company.system.shutdown());
    expect(company.news()).toEqual(['-a1']);
    expect(company.ends('root/b')).toEqual(['killed']);
    expect(company.told('supervisor.child.shutdown_failed')).toEqual([]);
  });

  it('accepts that children end by themselves meanwhile, for reasons of their own', async () => {
    const company = createCompany();
    const specs = ['a', 'b', 'c'].map((id) => company.worker(id)) as [
      Spec<RawHandle>,
      Spec<RawHandle>,
      Spec<RawHandle>,
    ];
    await company.start(company.supervise(specs));
    const down = watch(company.system.shutdown());
    company.end(specs[0], 'crash');
    company.end(specs[1], { shutdown: 'own' });
    await company.host.settle();
    expect(down.settled).toBe(true);
    expect(company.system.counters.started).toBe(company.system.counters.ended);
    expect(company.told('supervisor.child.restarted')).toEqual([]);
  });

  it('begins no restart once it has begun', async () => {
    const company = createCompany();
    const hold = gate();
    const [a, b] = [company.worker('a'), company.worker('b', { onStop: () => hold.passed })];
    await company.start(company.supervise([a, b], { strategy: 'one_for_all' }));
    company.news();
    const down = watch(company.system.shutdown());
    await company.host.settle();
    company.end(a, 'crash');
    await company.host.advance(100);
    hold.open();
    await company.host.settle();
    expect(down.settled).toBe(true);
    expect(company.news()).toEqual(['-b1', '-a1']);
  });

  it('from inside a child, twice and at once is one stop', async () => {
    const company = createCompany();
    const downs: ReturnType<typeof watch>[] = [];
    const child = part('child', (context) => ({
      tell: () => void downs.push(watch(context.system.stop(context.get(tree), { reason: 'shutdown' }))),
    }));
    const tree: Spec<SupervisorHandle> = company.supervise([company.worker('a'), child]);
    await company.start(tree);
    company.news();
    company.system.get(child).tell('stop it all');
    downs.push(watch(company.system.shutdown()), watch(company.system.shutdown()));
    await company.host.settle();
    expect(downs.map((down) => down.settled)).toEqual([true, true, true]);
    expect(company.news()).toEqual(['-a1']);
    expect(company.ends('root')).toHaveLength(1);
  });

  it('stops a child whose init came through just before the stop reached it, as any other', async () => {
    const company = createCompany();
    const ready = gate();
    const hold = gate();
    const b = company.worker('b', { starts: ['ok', ready.passed], onStop: () => hold.passed });
    await company.start(company.supervise([company.worker('a'), b]));
    await company.fell(b, 'crash');
    hold.open();
    await company.host.settle();
    company.news();
    ready.open();
    const down = watch(company.system.shutdown());
    await company.host.settle();
    expect(down.settled).toBe(true);
    expect(company.news()).toEqual(['+b2', '-b2', '-a1']);
    expect(company.ends('root/b').at(-1)).toBe('shutdown');
  });
});

describe('a stop with little time', () => {
  /** Leaves that hang for as long as they may. */
  const deep = async () => {
    const company = createCompany();
    const hanging = (id: string, shutdownMs = 5_000) => company.worker(id, { onStop: never, shutdownMs });
    const inner = supervisor('inner', { children: [hanging('x'), hanging('y')] });
    const tree = company.supervise([
      hanging('a'),
      supervisor('outer', { children: [inner, hanging('z')] }),
      hanging('b', 100),
    ]);
    await company.start(tree);
    return company;
  };

  it('gives each child the smaller of its own allowance and what is left, less a tenth in reserve', async () => {
    const company = await deep();
    const down = watch(company.system.shutdown({ timeoutMs: 1_000 }));
    await company.host.advance(100);
    expect(company.ends('root/b')).toEqual(['killed']);
    // 900 are left: 810 for outer, of which 729 for z.
    await company.host.advance(728);
    expect(company.ends('root/outer/z')).toEqual([]);
    await company.host.advance(1);
    expect(company.ends('root/outer/z')).toEqual(['killed']);
    await company.host.advance(171);
    expect(down.settled).toBe(true);
    expect(company.host.monotonic()).toBe(1_000);
    expect(company.system.tree()).toEqual([]);
    expect(company.system.counters.started).toBe(company.system.counters.ended);
  });

  it('kills the rest together when none is left, the whole of their subtrees', async () => {
    const company = await deep();
    const down = watch(company.system.shutdown({ timeoutMs: 0 }));
    await company.host.advance(1);
    expect(down.settled).toBe(true);
    expect(company.system.tree()).toEqual([]);
    expect(company.host.pendingTimers()).toEqual([]);
  });

  it('takes a second, sooner deadline for what is under way, however deep', async () => {
    const company = await deep();
    const first = watch(company.system.shutdown());
    await company.host.advance(200);
    const second = watch(company.system.shutdown({ timeoutMs: 50 }));
    await company.host.advance(51);
    expect([first.settled, second.settled]).toEqual([true, true]);
    expect(company.system.tree()).toEqual([]);
  });

  it('bounds what is left below a supervisor that is killed, as its spec has it', async () => {
    const company = createCompany();
    const leaf = company.worker('leaf', { onStop: never, shutdownMs: Number.POSITIVE_INFINITY });
    const children = [supervisor('innermost', { children: [leaf] })];
    const inner = supervisor('inner', { children, shutdownMs: 'brutal_kill' });
    await company.start(company.supervise([inner]));
    const down = watch(company.system.shutdown({ timeoutMs: 300 }));
    await company.host.advance(242);
    // `innermost` traps: it stops its child in order, within nine tenths of nine tenths of what was left.
    expect(company.news()).toEqual(['+leaf1', '-leaf1']);
    expect(down.settled).toBe(false);
    await company.host.advance(1);
    expect(down.settled).toBe(true);
  });

  it('bounds what is left below a supervisor that was killed before', async () => {
    const company = createCompany();
    const leaf = company.worker('leaf', { onStop: never, shutdownMs: Number.POSITIVE_INFINITY });
    const inner = supervisor('inner', { children: [supervisor('innermost', { children: [leaf] })] });
    await company.start(company.supervise([inner]));
    company.system.exit(company.system.get(inner), 'kill');
    await company.host.settle();
    const down = watch(company.system.shutdown({ timeoutMs: 300 }));
    await company.host.advance(300);
    expect(down.settled).toBe(true);
    expect(company.system.tree()).toEqual([]);
  });
});

describe('a supervisor that is killed', () => {
  it('leaves no orphan, and is started again only when its old subtree is gone', async () => {
    const company = createCompany();
    const hold = gate();
    const leaf = company.worker('leaf', { onStop: () => hold.passed });
    const deeper = supervisor('deeper', { children: [leaf] });
    const inner = supervisor('inner', { children: [company.worker('x'), deeper] });
    await company.start(company.supervise([inner]));
    company.news();
    company.system.exit(company.system.get(inner), 'kill');
    await company.host.advance(1_000);
    // `deeper` traps, and stops its child in order; nothing new may stand there yet.
    expect(company.news()).toEqual(['-leaf1']);
    expect(company.ends('root/inner/x')).toEqual(['killed']);
    hold.open();
    await company.host.settle();
    expect(company.news()).toEqual(['+x2', '+leaf2']);
    const living = company.told('actor.started').length - company.told('actor.ended').length;
    expect(living).toBe(5);
  });

  it('loses what was added at run time: the places are free again, and nobody is said to restart', async () => {
    const company = createCompany();
    const inner = supervisor('inner', { children: [] });
    const root = await company.start(company.supervise([inner]));
    const added = company.worker('added');
    await company.host.runUntil(company.system.get(inner).startChild(added));
    const handle = company.system.get(added);
    company.system.exit(company.system.get(inner), 'kill');
    await company.host.settle();
    expect(() => company.system.get(added)).toThrow(/ERR_SPEC_UNKNOWN/);
    const call = watch(handle.call('x'));
    await company.host.settle();
    expect(call.now).toBe('ERR_NOPROC');
    await company.host.runUntil(root.startChild(added));
    expect(company.system.get(added).path).toBe('root/added');
  });
});

describe("overlap: 'forbid'", () => {
  const straggling = async (strategy: 'one_for_one' | 'one_for_all' = 'one_for_one') => {
    const company = createCompany();
    const hold = gate();
    const a = part('a', () => ({ tell: () => hold.passed, terminate: () => void company.log.push('-a') }), {
      overlap: 'forbid',
    });
    const b = company.worker('b');
    const handle = await company.start(company.supervise([a, b], { strategy, intensity: 9 }));
    company.system.get(a).tell('work');
    await company.host.settle();
    company.system.exit(company.system.get(a), 'kill');
    await company.host.settle();
    return { ...company, a, b, hold, handle };
  };

  it('lets a restart wait until the handlers of the incarnation before have settled', async () => {
    const { system, host, a, hold } = await straggling();
    await host.advance(1_000);
    expect(system.get(a).ref()).toBeUndefined();
    hold.open();
    await host.settle();
    expect(system.get(a).ref()).toBeDefined();
  });

  it('lets nothing else wait: siblings are restarted, operations answered, the wait called off', async () => {
    const { host, handle, fell, b, hold, system, a } = await straggling();
    expect(await fell(b, 'crash')).toEqual(['-b1', '+b2']);
    expect(await host.runUntil(handle.recycleChild('a'))).toBe('already');
    await host.runUntil(handle.terminateChild('a'));
    hold.open();
    await host.settle();
    expect(system.get(a).ref()).toBeUndefined();
    await host.runUntil(handle.restartChild('a'));
    expect(system.get(a).ref()).toBeDefined();
  });

  it('keeps the order of a group, and loses none of it', async () => {
    const { host, news, hold, handle } = await straggling('one_for_all');
    news();
    await host.advance(100);
    expect(news()).toEqual([]);
    hold.open();
    await host.settle();
    expect(news()).toEqual(['+b2']);
    expect(await host.runUntil(handle.countChildren())).toMatchObject({ active: 2 });
  });

  it('waits for nobody once the supervisor has ended, and reaches nobody', async () => {
    const { host, system, hold } = await straggling();
    await host.runUntil(system.shutdown());
    hold.open();
    await host.settle();
    expect(system.tree()).toEqual([]);
    expect(system.counters.fenced).toBe(0);
  });
});
