/** Where a breaker may stand on which a child depends, and what is refused. */
import { describe, expect, it } from 'vitest';
import { application } from '../../src/application/application.ts';
import { actor } from '../../src/kernel/actor.ts';
import { server } from '../../src/kernel/server.ts';
import { SPEC_DEFAULTS, type SpecOptions } from '../../src/kernel/spec.ts';
import { circuitBreaker } from '../../src/resilience/circuit-breaker-spec.ts';
import { dynamicSupervisor } from '../../src/supervision/dynamic-supervisor.ts';
import { supervisor } from '../../src/supervision/supervisor.ts';
import { createRig, part } from '../kernel/rig.ts';

const upstream = circuitBreaker('upstream');
const worker = (id: string, options: SpecOptions = {}) =>
  actor(id, server({ init: () => ({}), call: { who: () => id } }), options);
const needy = worker('needy', { dependsOn: upstream });

const refusal = (make: () => unknown): unknown => {
  try {
    return make();
  } catch (error) {
    return error;
  }
};

describe('a dependency', () => {
  it('is part of the spec: each breaker once, held for a minute unless it says otherwise', () => {
    const other = circuitBreaker('other');
    expect(worker('w').dependsOn).toEqual([]);
    expect(needy.dependsOn).toEqual([upstream]);
    expect(worker('w', { dependsOn: [upstream, other, upstream] }).dependsOn).toEqual([upstream, other]);
    expect([needy.holdMaxMs, SPEC_DEFAULTS.holdMaxMs]).toEqual([60_000, 60_000]);
    expect(needy.as('again')).toMatchObject({ dependsOn: [upstream], holdMaxMs: 60_000 });
    expect(Object.isFrozen(needy.dependsOn)).toBe(true);
  });

  it.each<[string, () => unknown, RegExp]>([
    [
      'something that is no breaker',
      () => worker('w', { dependsOn: worker('db') as never }),
      /dependsOn must be a breaker's spec or an array of breakers' specs/,
    ],
    ['a name', () => worker('w', { dependsOn: 'upstream' as never }), /dependsOn must be a breaker's spec/],
    [
      'a list with something else in it',
      () => worker('w', { dependsOn: [upstream, worker('db')] as never }),
      /dependsOn must be/,
    ],
    ['a hold of no time', () => worker('w', { dependsOn: upstream, holdMaxMs: 0 }), /holdMaxMs must be/],
    [
      'a hold without end',
      () => worker('w', { dependsOn: upstream, holdMaxMs: Number.POSITIVE_INFINITY }),
      /holdMaxMs must be a finite number/,
    ],
    [
      'a hold by nobody',
      () => worker('w', { holdMaxMs: 10 }),
      /holdMaxMs must be left out where dependsOn names no breaker/,
    ],
  ])('refuses %s', (_what, make, message) => {
    expect(refusal(make)).toMatchObject({
      code: 'ERR_OPTION_INVALID',
      message: expect.stringMatching(message),
    });
  });

  it('is refused to a breaker', () => {
    const make = () => circuitBreaker('second', { dependsOn: upstream } as never);
    expect(refusal(make)).toMatchObject({ code: 'ERR_OPTION_UNKNOWN', data: { field: 'dependsOn' } });
  });

  it('is taken by supervisors of both kinds', () => {
    expect(supervisor('s', { children: [], dependsOn: upstream }).dependsOn).toEqual([upstream]);
    expect(dynamicSupervisor('d', { dependsOn: upstream, holdMaxMs: 7 }).holdMaxMs).toBe(7);
  });
});

describe('the order of starting', () => {
  it('has the breaker first: a later sibling is refused', () => {
    const make = () => supervisor('root', { children: [needy, upstream] });
    expect(refusal(make)).toMatchObject({
      code: 'ERR_DEPENDENCY_ORDER',
      message: expect.stringContaining(
        'supervisor root: needy depends on the breaker upstream, which starts after it, and would stop before it',
      ),
    });
  });

  it('also where either stands deeper', () => {
    const deep = supervisor('deep', { children: [supervisor('deeper', { children: [needy] })] });
    const late = supervisor('late', { children: [upstream] });
    expect(refusal(() => supervisor('root', { children: [deep, late] }))).toMatchObject({
      code: 'ERR_DEPENDENCY_ORDER',
      data: { child: 'needy', breaker: 'upstream' },
    });
    expect(supervisor('root', { children: [late, deep] }).children).toHaveLength(2);
  });

  it('refuses a breaker below the one that depends on it: that would be a cycle', () => {
    const inner = circuitBreaker('inner');
    const cyclic = supervisor('cyclic', { children: [inner], dependsOn: inner });
    expect(refusal(() => supervisor('root', { children: [cyclic] }))).toMatchObject({
      code: 'ERR_DEPENDENCY_ORDER',
      data: { child: 'cyclic', breaker: 'inner', how: 'stands below it' },
    });
    expect(refusal(() => application(cyclic))).toMatchObject({ code: 'ERR_DEPENDENCY_ORDER' });
  });
});

describe('an application', () => {
  it('refuses a dependency on a breaker that it does not hold, before anything starts', () => {
    expect(refusal(() => application(supervisor('root', { children: [needy] })))).toMatchObject({
      code: 'ERR_DEPENDENCY_UNKNOWN',
      message: expect.stringContaining(
        'application root: needy depends on the breaker upstream, which is not part of this application',
      ),
    });
  });

  it('finds a breaker anywhere before', () => {
    const first = supervisor('first', { children: [upstream] });
    const second = supervisor('second', { children: [supervisor('inner', { children: [needy] })] });
    expect(application(supervisor('root', { children: [first, second] })).tree.id).toBe('root');
  });
});

describe('what is started by itself', () => {
  it('cannot be held: a root with a dependency is refused', async () => {
    const { host, system } = createRig();
    await expect(host.runUntil(system.start(needy))).rejects.toMatchObject({
      code: 'ERR_OPTION_INVALID',
      data: { field: 'dependsOn' },
    });
  });

  it('so is what an actor spawns', async () => {
    const { host, start } = createRig();
    let spawned: Promise<unknown> | undefined;
    await start(
      part('spawner', (context) => {
        spawned = context.spawn(needy);
        spawned.catch(() => undefined);
        return {};
      }),
    );
    await expect(host.runUntil(spawned as Promise<unknown>)).rejects.toMatchObject({
      data: { field: 'dependsOn' },
    });
  });
});

describe('a start at run time', () => {
  const running = async () => {
    const rig = createRig();
    const breaker = circuitBreaker('upstream');
    const early = supervisor('early', { children: [] });
    const crew = dynamicSupervisor('crew');
    const handle = await rig.start(supervisor('root', { children: [early, breaker, crew] }));
    const get = rig.system.get(crew);
    return { ...rig, breaker, early: rig.system.get(early), crew: get, handle };
  };

  it('refuses a dependency on an unknown breaker', async () => {
    const { host, handle, crew } = await running();
    const code = 'ERR_DEPENDENCY_UNKNOWN';
    await expect(host.runUntil(handle.startChild(needy))).rejects.toMatchObject({ code });
    await expect(host.runUntil(crew.startChild(needy))).rejects.toMatchObject({ code });
    expect(await host.runUntil(handle.countChildren())).toMatchObject({ specs: 3 });
  });

  it('refuses one on a breaker that would stop first, and one on its own', async () => {
    const { host, early, handle, crew, breaker } = await running();
    const code = 'ERR_DEPENDENCY_ORDER';
    const late = worker('late', { dependsOn: breaker });
    await expect(host.runUntil(early.startChild(late))).rejects.toMatchObject({ code });
    const inner = circuitBreaker('inner');
    const cyclic = supervisor('cyclic', { children: [inner], dependsOn: inner });
    await expect(host.runUntil(handle.startChild(cyclic))).rejects.toMatchObject({ code });
    expect(await host.runUntil(crew.startChild(late))).toMatchObject({ path: 'root/crew/late' });
  });

  it('takes a breaker that came at run time as well', async () => {
    const { host, handle, crew } = await running();
    const added = circuitBreaker('added');
    await host.runUntil(handle.startChild(added));
    const late = worker('late', { dependsOn: added });
    expect(await host.runUntil(handle.startChild(late))).toMatchObject({ path: 'root/late' });
    const tooLate = worker('too-late', { dependsOn: added });
    await expect(host.runUntil(crew.startChild(tooLate))).rejects.toMatchObject({
      code: 'ERR_DEPENDENCY_ORDER',
    });
  });
});
