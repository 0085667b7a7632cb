/** The cases of supervisor_SUITE that are about specs, options and the API itself rather than about what happens when. */
import { describe, expect, it } from 'vitest';
import { isTroupeError } from '../../src/base/errors.ts';
import { actor } from '../../src/kernel/actor.ts';
import { type Behaviour, IGNORE, type Logic } from '../../src/kernel/logic.ts';
import type { Spec, SpecOptions } from '../../src/kernel/spec.ts';
import { createSystem } from '../../src/kernel/system.ts';
import { dynamicSupervisor } from '../../src/supervision/dynamic-supervisor.ts';
import { checkChildSpecs, supervisor } from '../../src/supervision/supervisor.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';

interface Started {
  readonly path: string;
  readonly input: unknown;
}

const logicOf = (
  starts: Started[],
  outcomes: readonly ('ok' | 'ignore')[] = [],
): Logic<{ path: string }> => ({
  kind: 'worker',
  start: (context, input): Behaviour | typeof IGNORE => {
    starts.push({ path: context.path, input });
    if (outcomes[starts.length - 1] === 'ignore') return IGNORE;
    context.register(`name of ${context.path}`);
    return {
      tell: () => {
        throw new Error('crash');
      },
    };
  },
  handle: (place) => ({ path: place.path }),
});

const stage = () => {
  const host = new SimulatedHost();
  const system = createSystem({ host });
  const starts: Started[] = [];
  const worker = (id: string, options: SpecOptions = {}): Spec<{ path: string }> =>
    actor(id, logicOf(starts), options);
  return { host, system, starts, worker };
};

/** The code and the field of what a refusal names. */
const refused = (act: () => unknown): unknown => {
  try {
    act();
  } catch (error) {
    return isTroupeError(error) ? [error.code, error.data['field'] ?? error.data['child']] : error;
  }
  return 'taken';
};

const later = async (host: SimulatedHost, asked: Promise<unknown>): Promise<unknown> => {
  const outcome = asked.catch((error: unknown) => (isTroupeError(error) ? error.code : error));
  return host.runUntil(outcome);
};

describe('supervisor_SUITE, specs', () => {
  const { worker } = stage();
  const loose = (options: object) => () => worker('a', options as SpecOptions);

  it('sup_start_map: the defaults', () => {
    expect(worker('a')).toMatchObject({ restart: 'permanent', shutdownMs: 5_000, significant: false });
    expect(supervisor('s', { children: [] })).toMatchObject({ shutdownMs: Number.POSITIVE_INFINITY });
  });

  it.each([
    [{ restart: 'prmanent' }, 'restart'],
    [{ restart: true }, 'restart'],
    [{ shutdownMs: -1 }, 'shutdownMs'],
    [{ shutdownMs: 'brutal' }, 'shutdownMs'],
    [{ significant: 'yes' }, 'significant'],
    [{ restartBudget: { intensity: -1, periodMs: 1 } }, 'intensity'],
    [{ restartBudget: { intensity: 1 } }, 'periodMs'],
  ])(
    'child_specs, child_specs_map, sup_start_map_faulty_specs: %j is refused by its field',
    (options, field) => {
      expect(refused(loose(options))).toEqual(['ERR_OPTION_INVALID', field]);
    },
  );

  it('child_specs: unknown keys are refused too (OTP ignores them)', () => {
    expect(refused(loose({ modules: [] }))).toEqual(['ERR_OPTION_UNKNOWN', 'modules']);
    expect(refused(() => supervisor('s', { children: [{ id: 'a' }] } as never))).toEqual([
      'ERR_OPTION_INVALID',
      'children',
    ]);
  });

  it('child_specs: bad_combination of significant with permanent, and with autoShutdown never', () => {
    expect(refused(loose({ significant: true }))).toEqual(['ERR_OPTION_INVALID', 'significant']);
    expect(refused(loose({ significant: true, restart: 'permanent' }))).toEqual([
      'ERR_OPTION_INVALID',
      'significant',
    ]);
    const significant = worker('a', { significant: true, restart: 'transient' });
    expect(refused(() => supervisor('s', { children: [significant] }))).toEqual([
      'ERR_OPTION_INVALID',
      'significant',
    ]);
    expect(refused(() => supervisor('s', { children: [significant], autoShutdown: 'any_significant' }))).toBe(
      'taken',
    );
    expect(refused(() => dynamicSupervisor('d', { template: significant }))).toEqual([
      'ERR_OPTION_INVALID',
      'significant',
    ]);
  });

  it('child_specs: duplicate ids are refused; check_childspecs does so beforehand', () => {
    const [a, b] = [worker('a'), worker('b')];
    expect(refused(() => checkChildSpecs([a, worker('a')]))).toEqual(['ERR_OPTION_INVALID', 'children']);
    expect(refused(() => checkChildSpecs([a, a]))).toEqual(['ERR_SPEC_DUPLICATE', undefined]);
    expect(refused(() => checkChildSpecs([a, b]))).toBe('taken');
  });

  it.each([
    ['strategy', 'one_for_none'],
    ['intensity', -1],
    ['intensity', 0.5],
    ['periodMs', 0],
    ['periodMs', Number.POSITIVE_INFINITY],
    ['autoShutdown', 'some_significant'],
  ])('sup_flags: %s %j is refused', (field, value) => {
    expect(refused(() => supervisor('s', { children: [], [field]: value }))).toEqual([
      'ERR_OPTION_INVALID',
      field,
    ]);
  });

  it('a template with children of its own must be a function', () => {
    const whole = supervisor('s', { children: [worker('a')] });
    expect(refused(() => dynamicSupervisor('d', { template: whole }))).toEqual([
      'ERR_OPTION_INVALID',
      'template',
    ]);
  });

  it('a budget that parks is refused where siblings restart together', () => {
    const restartBudget = { intensity: 1, periodMs: 1_000, onExceeded: 'park' } as const;
    const children = [worker('a', { restartBudget })];
    expect(refused(() => supervisor('s', { children, strategy: 'one_for_all' }))).toEqual([
      'ERR_OPTION_INVALID',
      'restartBudget',
    ]);
  });
});

describe('supervisor_SUITE, the API', () => {
  it('child_adm_simple: keys and specs are told apart; an unknown key is not found', async () => {
    const { host, system, worker } = stage();
    const tree = dynamicSupervisor('d', { template: worker('t') });
    const handle = await host.runUntil(system.start(tree));
    await host.runUntil(handle.startChild('k'));
    expect(await later(host, handle.startChild('k'))).toBe('ERR_CHILD_ALREADY_STARTED');
    expect(await later(host, handle.startChild(worker('x') as never))).toBe('ERR_OPTION_INVALID');
    expect(await later(host, handle.terminateChild('zz'))).toBe('ERR_CHILD_NOT_FOUND');
    expect(await later(host, handle.whichChild('k'))).toEqual({ id: 'k', status: 'running', type: 'worker' });
    expect(await later(host, handle.whichChild('zz'))).toBe('ERR_CHILD_NOT_FOUND');
  });

  it('sup_start_map_simple: get_childspec of a dynamic child', async () => {
    const { host, system, worker } = stage();
    const tree = dynamicSupervisor('d', { template: worker('t', { restart: 'transient' }) });
    const handle = await host.runUntil(system.start(tree));
    await host.runUntil(handle.startChild('k', 'input of k'));
    const spec = (await later(host, handle.childSpec('k'))) as Spec<unknown>;
    expect(spec).toMatchObject({ id: 'k', restart: 'transient', input: 'input of k' });
    expect(await later(host, handle.childSpec('zz'))).toBe('ERR_CHILD_NOT_FOUND');
  });

  it('simple_one_for_one_extra: an input of its own reaches each child, after restarts too', async () => {
    const { host, system, starts, worker } = stage();
    const tree = dynamicSupervisor('d', { template: worker('t', { input: 'all' }), backoff: false });
    const handle = await host.runUntil(system.start(tree));
    await host.runUntil(handle.startChild('a'));
    await host.runUntil(handle.startChild('b', 7));
    system.tell(handle.child('b') as never, 'crash');
    await host.settle();
    expect(starts.map(({ path, input }) => [path, input])).toEqual([
      ['d/a', 'all'],
      ['d/b', 7],
      ['d/b', 7],
    ]);
  });

  it('simple_one_for_one_restart_ignore: a restart that ignores drops the child', async () => {
    const { host, system, starts } = stage();
    const template = actor('t', logicOf(starts, ['ok', 'ignore']));
    const handle = await host.runUntil(system.start(dynamicSupervisor('d', { template, backoff: false })));
    await host.runUntil(handle.startChild('k'));
    system.tell(handle.child('k') as never, 'crash');
    await host.settle();
    expect(await later(host, handle.countChildren())).toMatchObject({ specs: 1, active: 0, workers: 0 });
    await host.runUntil(system.shutdown());
  });

  it('simple_global_supervisor: names are registered anew by who is restarted, with its supervisor too', async () => {
    const { host, system, worker } = stage();
    const inner = supervisor('s', { children: [worker('a')], backoff: false });
    await host.runUntil(system.start(supervisor('root', { children: [inner], backoff: false })));
    const first = system.whereis('name of root/s/a');
    for (const path of ['root/s/a', 'root/s']) {
      system.exit({ path } as never, 'kill');
      await host.settle();
      expect(system.whereis('name of root/s/a')).toMatchObject({ path: 'root/s/a' });
      expect(system.whereis('name of root/s/a')).not.toEqual(first);
    }
  });

  it('sup_start_normal, sup_stop: a stranger cannot end a supervisor, its owner can', async () => {
    const { host, system, worker } = stage();
    const tree = supervisor('root', { children: [worker('a')] });
    await host.runUntil(system.start(tree));
    system.exit({ path: 'root' } as never, { error: 'of a stranger' });
    await host.settle();
    expect(system.whereis('name of root/a')).toBeDefined();
    await host.runUntil(system.shutdown());
    expect(system.whereis('name of root/a')).toBeUndefined();
  });
});

describe('beyond OTP: a restart budget of its own', () => {
  const crash = async (host: SimulatedHost, system: ReturnType<typeof createSystem>, path: string) => {
    system.exit({ path } as never, 'kill');
    await host.settle();
  };

  it('is spent instead of the supervisor’s, window and all', async () => {
    const { host, system, worker } = stage();
    const restartBudget = { intensity: 2, periodMs: 1_000 };
    const children = [worker('a', { restartBudget }), worker('b')];
    const tree = supervisor('root', { children, intensity: 1, backoff: false, onGiveUp: 'shutdown' });
    await host.runUntil(system.start(tree));
    await crash(host, system, 'root/a');
    await crash(host, system, 'root/a');
    await crash(host, system, 'root/b');
    expect(system.tree()).toHaveLength(1);
    await host.advance(1_001);
    await crash(host, system, 'root/a');
    await crash(host, system, 'root/a');
    expect(system.tree()).toHaveLength(1);
    await crash(host, system, 'root/a');
    expect(system.tree()).toEqual([]);
  });

  it('parks the child where asked, tells so, and can be started again', async () => {
    const { host, system, worker } = stage();
    const parked: unknown[] = [];
    system.events.on('supervisor.child.parked', ({ child, restarts }) => parked.push([child, restarts]));
    const restartBudget = { intensity: 1, periodMs: 1_000, onExceeded: 'park' } as const;
    const tree = supervisor('root', {
      children: [worker('a', { restartBudget }), worker('b')],
      intensity: 0,
      backoff: false,
    });
    const handle = await host.runUntil(system.start(tree));
    await crash(host, system, 'root/a');
    await crash(host, system, 'root/a');
    expect(parked).toEqual([['a', 1]]);
    expect(await later(host, handle.whichChild('a'))).toMatchObject({ status: 'undefined' });
    expect(await later(host, handle.whichChild('b'))).toMatchObject({ status: 'running' });
    await later(host, handle.restartChild('a'));
    expect(await later(host, handle.whichChild('a'))).toMatchObject({ status: 'running' });
  });
});
