import { describe, expect, it } from 'vitest';
import { IGNORE } from '../../src/kernel/logic.ts';
import { createRig, gate, part, watch } from './rig.ts';

describe('init', () => {
  it('may be async: the start resolves after it, and mail waits meanwhile', async () => {
    const rig = createRig();
    const ready = gate();
    const got: unknown[] = [];
    const spec = part('a', async () => {
      await ready.passed;
      return { tell: (m) => void got.push(m), call: (m) => m };
    });
    const started = watch(rig.system.start(spec));
    await rig.host.settle();
    const handle = rig.system.get(spec);
    handle.tell(1);
    const call = watch(handle.call('x'));
    await rig.host.advance(1_000);
    expect([started.settled, call.settled, got.length]).toEqual([false, false, 0]);
    expect(rig.system.tree()).toMatchObject([{ status: 'starting' }]);
    ready.open();
    await rig.host.settle();
    expect([started.settled, call.now, got]).toEqual([true, 'x', [1]]);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('no');
      },
    ],
    ['rejects', () => Promise.reject(new Error('no'))],
  ] as const)('that %s is a failed start with the error as its cause', async (_how, init) => {
    const rig = createRig();
    const started = watch(rig.system.start(part('a', init)));
    await rig.host.settle();
    expect(started).toMatchObject({ now: 'ERR_INIT_FAILED', error: { cause: { message: 'no' } } });
    expect(rig.told('actor.start_failed')).toMatchObject([
      { path: 'a', reason: { error: { message: 'no' } } },
    ]);
    expect(rig.system.counters).toMatchObject({ started: 0, ended: 0 });
  });

  it('may ignore: nothing runs, and that is no failure of the actor', async () => {
    for (const init of [() => IGNORE, () => Promise.resolve(IGNORE)] as (() => typeof IGNORE)[]) {
      const rig = createRig();
      const started = watch(rig.system.start(part('a', init)));
      await rig.host.settle();
      expect(started.now).toBe('ERR_NOPROC');
      expect(rig.system.tree()).toEqual([]);
    }
  });

  it.each(['shutdown', 'kill'] as const)(
    'does not begin once its actor was told to end (%s)',
    async (how) => {
      const rig = createRig();
      let begun = 0;
      const spec = part('a', () => {
        begun += 1;
        return {};
      });
      const started = watch(rig.system.start(spec));
      if (how === 'kill') rig.system.exit(rig.system.get(spec), 'kill');
      else watch(rig.system.shutdown());
      await rig.host.settle();
      expect([begun, started.settled]).toEqual([0, true]);
      expect(rig.told('actor.started')).toEqual([]);
    },
  );

  it('may stop itself, with any reason', async () => {
    const rig = createRig();
    const spec = part('a', (context) => {
      context.stop({ shutdown: 'not today' });
      return {};
    });
    const started = watch(rig.system.start(spec));
    await rig.host.settle();
    expect(started.now).toBe('ERR_INIT_FAILED');
    expect(rig.told('actor.start_failed')).toMatchObject([{ reason: { shutdown: 'not today' } }]);
  });

  it('that takes longer than its timeout is a failed start; its late result is closed exactly once', async () => {
    const rig = createRig();
    const late = gate();
    const log: string[] = [];
    const spec = part(
      'a',
      async () => {
        await late.passed;
        return { terminate: () => void log.push('terminate'), reap: () => void log.push('reap') };
      },
      { initTimeoutMs: 200 },
    );
    const started = watch(rig.system.start(spec));
    await rig.host.advance(199);
    expect(started.settled).toBe(false);
    await rig.host.advance(1);
    expect(started).toMatchObject({ now: 'ERR_INIT_FAILED', error: { cause: { code: 'ERR_INIT_TIMEOUT' } } });
    expect(rig.system.stragglers()).toHaveLength(1);
    late.open();
    await rig.host.settle();
    expect(log).toEqual(['terminate', 'reap']);
    expect(rig.system.stragglers()).toEqual([]);
  });

  it('that resolves late, and whose closing throws or rejects, reaches nobody but the counters', async () => {
    for (const terminate of [
      () => {
        throw new Error('closing');
      },
      () => Promise.reject(new Error('closing')),
    ]) {
      const rig = createRig();
      const late = gate();
      const init = () => late.passed.then(() => ({ terminate }));
      const spec = part('a', init, { initTimeoutMs: 10 });
      void rig.system.start(spec).catch(() => undefined);
      await rig.host.advance(10);
      late.open();
      await rig.host.settle();
      expect(rig.told('actor.threw')).toMatchObject([{ path: 'a', error: { message: 'closing' } }]);
    }
  });

  it('that resolves in the very turn of its deadline has started', async () => {
    const rig = createRig();
    const spec = part(
      'a',
      () =>
        new Promise((resolve) => rig.host.timer(100, 'init work', () => resolve({ call: () => 'alive' }))),
      { initTimeoutMs: 100 },
    );
    const started = watch(rig.system.start(spec));
    await rig.host.advance(100);
    expect(started.now).toMatchObject({ path: 'a' });
    expect(await rig.host.runUntil(rig.system.get(spec).call('x'))).toBe('alive');
    expect(rig.ends('a')).toEqual([]);
    expect(rig.host.pendingTimers()).toEqual([]);
  });

  it('is told through ctx.signal when nobody waits for it any more', async () => {
    const rig = createRig();
    let aborted = false;
    const spec = part(
      'a',
      (context) => {
        context.signal.addEventListener('abort', () => {
          aborted = true;
        });
        return new Promise(() => undefined);
      },
      { initTimeoutMs: 50 },
    );
    void rig.system.start(spec).catch(() => undefined);
    await rig.host.advance(50);
    expect(aborted).toBe(true);
  });

  it('that fails, is ignored or times out leaves neither its name nor its mail behind', async () => {
    const inits: (() => typeof IGNORE | Promise<never>)[] = [
      () => {
        throw new Error('no');
      },
      () => IGNORE,
      () => new Promise<never>(() => undefined),
    ];
    for (const init of inits) {
      const rig = createRig();
      const spec = part(
        'a',
        (context) => {
          context.register('the-name');
          return init();
        },
        { initTimeoutMs: 10 },
      );
      void rig.system.start(spec).catch(() => undefined);
      const call = watch(rig.system.get(spec).call('x'));
      await rig.host.advance(10);
      expect(rig.system.whereis('the-name')).toBeUndefined();
      expect(call).toMatchObject({ outcome: 'not_started' });
      expect(rig.host.pendingTimers()).toEqual([]);
      const next = part('b', (context) => {
        context.register('the-name');
        return {};
      });
      await rig.start(next);
      expect(rig.system.whereis('the-name')).toMatchObject({ path: 'b' });
    }
  });

  it('that fails can be tried again', async () => {
    const rig = createRig();
    let tries = 0;
    const spec = part('a', () => {
      tries += 1;
      if (tries === 1) throw new Error('first');
      return { call: () => tries };
    });
    await expect(rig.host.runUntil(rig.system.start(spec))).rejects.toMatchObject({
      code: 'ERR_INIT_FAILED',
    });
    const handle = await rig.start(spec);
    expect(await rig.host.runUntil(handle.call('x'))).toBe(2);
  });

  it('gets its input', async () => {
    const rig = createRig();
    const spec = part('a', (_context, input) => ({ call: () => input }), { input: { port: 80 } });
    const handle = await rig.start(spec);
    expect(await rig.host.runUntil(handle.call('x'))).toEqual({ port: 80 });
  });
});
