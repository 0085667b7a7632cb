import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { ActorContext } from '../../src/kernel/logic.ts';
import type { Spec, SpecOptions } from '../../src/kernel/spec.ts';
import { supervisor } from '../../src/supervision/supervisor.ts';
import { createRig, gate, part, type RawHandle, type Rig, watch } from './rig.ts';

describe('an inspect that throws', () => {
  it('is told in the place of its state, and hides nobody else', async () => {
    const rig = createRig();
    const broken = part('broken', () => ({
      inspect: () => {
        throw new Error('no view');
      },
    }));
    const sound = part('sound', () => ({ inspect: () => ({ state: 'fine', ready: true }) }));
    await rig.start(supervisor('top', { children: [broken, sound] }));
    const [top] = rig.system.tree();
    expect(top?.children.map(({ id, state }) => [id, state])).toEqual([
      ['broken', 'inspect failed'],
      ['sound', 'fine'],
    ]);
    expect(rig.system.drawTree()).toContain('broken  raw · inspect failed');
    expect(rig.told('actor.threw')[0]).toMatchObject({ path: 'top/broken', error: { message: 'no view' } });
    expect(rig.system.counters.threw).toBe(2);
  });

  it('is as good as one that answers with no object', async () => {
    const rig = createRig();
    await rig.start(part('odd', () => ({ inspect: () => 'fine' as never })));
    expect(rig.system.tree()[0]?.state).toBe('inspect failed');
  });
});

/** A supervised actor that fails when it is told to, numbering its incarnations. */
const mortal = async (rig: Rig, options: SpecOptions & { readonly terminate?: () => Promise<void> } = {}) => {
  const { terminate, ...ofSpec } = options;
  let incarnation = 0;
  const spec: Spec<RawHandle> = part(
    'mortal',
    (context) => {
      incarnation += 1;
      const own = incarnation;
      return {
        tell: async (m) => {
          await Promise.resolve();
          if (m === 'crash') throw new Error('as told');
          context.stop('normal');
        },
        call: () => `answered by ${own}`,
        ...(terminate === undefined ? {} : { terminate }),
      };
    },
    ofSpec,
  );
  await rig.start(supervisor('top', { children: [spec], backoff: false }));
  return { spec, handle: rig.system.get(spec) };
};

describe('a call that meets a crash before it has begun', () => {
  it("waits for the next incarnation with whenDown: 'wait', also behind the handler that fails", async () => {
    const rig = createRig();
    const { handle } = await mortal(rig);
    handle.tell('crash');
    const first = watch(handle.call('x', { whenDown: 'wait' }));
    const second = watch(handle.call('x', { whenDown: 'wait' }));
    await rig.host.settle();
    expect([first.now, second.now]).toEqual(['answered by 2', 'answered by 2']);
  });

  it('waits as well when it is made while the failed one cleans up', async () => {
    const rig = createRig();
    const cleaned = gate();
    const { handle } = await mortal(rig, { terminate: () => cleaned.passed });
    handle.tell('crash');
    await rig.host.settle();
    const call = watch(handle.call('x', { whenDown: 'wait' }));
    const impatient = watch(handle.call('x'));
    await rig.host.settle();
    expect(impatient).toMatchObject({ now: 'ERR_RESTARTING', outcome: 'not_started' });
    expect(call.now).toBe('pending');
    cleaned.open();
    await rig.host.settle();
    expect(call.now).toBe('answered by 2');
  });

  it('waits when it is killed, or ends of its own and is permanent', async () => {
    const rig = createRig();
    const { handle } = await mortal(rig);
    handle.tell('end');
    const ended = watch(handle.call('x', { whenDown: 'wait' }));
    await rig.host.settle();
    expect(ended.now).toBe('answered by 2');
    rig.system.suspend(handle);
    await rig.host.settle();
    const killed = watch(handle.call('x', { whenDown: 'wait' }));
    await rig.host.settle();
    rig.system.exit(handle, 'kill');
    await rig.host.settle();
    expect(killed.now).toBe('answered by 3');
  });

  it('is refused as restarting without it, not started', async () => {
    const rig = createRig();
    const { handle } = await mortal(rig);
    handle.tell('crash');
    const call = watch(handle.call('x'));
    await rig.host.settle();
    expect(call).toMatchObject({ now: 'ERR_RESTARTING', outcome: 'not_started' });
  });

  it('is refused where nobody comes again: a temporary child, a clean end of a transient one, a stop', async () => {
    const rig = createRig();
    const { handle } = await mortal(rig, { restart: 'temporary' });
    handle.tell('crash');
    const temporary = watch(handle.call('x', { whenDown: 'wait' }));
    await rig.host.settle();
    expect(temporary).toMatchObject({ now: 'ERR_STOPPING', outcome: 'not_started' });

    const other = createRig();
    const { handle: transient } = await mortal(other, { restart: 'transient' });
    transient.tell('end');
    const clean = watch(transient.call('x', { whenDown: 'wait' }));
    await other.host.settle();
    expect(clean).toMatchObject({ now: 'ERR_STOPPING', outcome: 'not_started' });

    const third = createRig();
    const { handle: stopped } = await mortal(third);
    stopped.tell('crash');
    const planned = watch(stopped.call('x', { whenDown: 'wait' }));
    await third.host.runUntil(third.system.shutdown());
    expect(planned.settled).toBe(true);
  });

  it('hears that nobody is alive when its supervisor gives up instead', async () => {
    const rig = createRig();
    const spec = part('mortal', () => ({
      tell: async () => {
        await Promise.resolve();
        throw new Error('as told');
      },
    }));
    await rig.start(supervisor('top', { children: [spec], intensity: 0, backoff: false }));
    const handle = rig.system.get(spec);
    handle.tell('crash');
    const call = watch(handle.call('x', { whenDown: 'wait', timeoutMs: Number.POSITIVE_INFINITY }));
    await rig.host.settle();
    expect(call).toMatchObject({ now: 'ERR_NOPROC', outcome: 'not_started' });
  });
});

describe('one signal for many calls', () => {
  it('carries one listener while any of them waits, none after, and ends them all', async () => {
    const rig = createRig();
    const answer = gate();
    const handle = await rig.start(part('slow', () => ({ call: (m) => (m === 'hang' ? answer.passed : m) })));
    const controller = new AbortController();
    const { signal } = controller;
    const calls = Array.from({ length: 20 }, () => watch(handle.call('hang', { signal })));
    await rig.host.settle();
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    answer.open();
    await rig.host.settle();
    expect(calls.every(({ settled }) => settled)).toBe(true);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    rig.system.suspend(handle);
    await rig.host.settle();
    const held = [watch(handle.call('x', { signal })), watch(handle.call('x', { signal }))];
    controller.abort('enough');
    await rig.host.settle();
    for (const call of held)
      expect(call).toMatchObject({
        now: 'ERR_CALL_ABORTED',
        outcome: 'not_started',
        error: { cause: 'enough' },
      });
  });
});

describe("a call by a handle of outside, with context: 'async'", () => {
  it('to the very actor whose handler makes it is refused as a cycle, also after an await', async () => {
    const rig = createRig({ context: 'async' });
    const spec: Spec<RawHandle> = part('a', () => ({
      call: async (m) => {
        if (m === 'later') await Promise.resolve();
        return rig.system.get(spec).call('self');
      },
    }));
    const handle = await rig.start(spec);
    for (const message of ['now', 'later']) {
      const call = watch(handle.call(message));
      await rig.host.settle();
      expect((call.error as Error).cause).toMatchObject({ code: 'ERR_CALL_CYCLE', outcome: 'not_started' });
      await rig.start(spec);
    }
    expect(rig.host.monotonic()).toBe(0);
  });

  it('stands in the chain of calls, and within the deadline of the call being handled', async () => {
    const rig = createRig({ context: 'async' });
    const seen: unknown[] = [];
    const a: Spec<RawHandle> = part('a', () => ({ call: () => rig.system.get(b).call('x') }));
    const b: Spec<RawHandle> = part('b', (context) => ({
      call: async (_m, request) => {
        seen.push(request.deadline);
        await rig.system.call(a, 'x').catch((error) => seen.push(error.code));
        return `b, called by ${request.from?.path}, heard by ${context.path}`;
      },
    }));
    await rig.start(b);
    const handle = await rig.start(a);
    expect(await rig.host.runUntil(handle.call('x', { timeoutMs: 50 }))).toBe('b, called by a, heard by b');
    expect(seen).toEqual([50, 'ERR_CALL_CYCLE']);
  });

  it("is nobody's once the turn that set the code in motion is over", async () => {
    const rig = createRig({ context: 'async' });
    const seen: unknown[] = [];
    const go = gate();
    const spec: Spec<RawHandle> = part('a', () => ({
      tell: () => void go.passed.then(async () => seen.push(await rig.system.get(spec).call('x'))),
      call: (_m, request) => request.from ?? 'from outside',
    }));
    const handle = await rig.start(spec);
    handle.tell('begin');
    await rig.host.settle();
    go.open();
    await rig.host.settle();
    expect(seen).toEqual(['from outside']);
  });
});

describe('an addressee', () => {
  const b = part('b', () => ({ call: (m) => `b heard ${m}`, tell: () => undefined }));
  const acting = async () => {
    const rig = createRig();
    let context!: ActorContext;
    await rig.start(b);
    await rig.start(
      part('a', (own) => {
        context = own;
        return {};
      }),
    );
    return { rig, context };
  };

  it('may be a spec, in a context and from outside', async () => {
    const { rig, context } = await acting();
    expect(await rig.host.runUntil(context.call(b, 'x'))).toBe('b heard x');
    expect(await rig.host.runUntil(rig.system.call(b, 'x'))).toBe('b heard x');
    expect([context.tell(b, 'x'), rig.system.tell(b, 'x')]).toEqual(['sent', 'sent']);
    expect(await rig.host.runUntil(rig.system.stop(b))).toBe('normal');
  });

  it('that is none is refused by name, and a spec of elsewhere as unknown', async () => {
    const { rig, context } = await acting();
    const stranger = part('stranger', () => ({}));
    for (const to of [undefined, null, 5, {}]) {
      const refused = expect.objectContaining({
        code: 'ERR_OPTION_INVALID',
        data: expect.objectContaining({ field: 'to' }),
      });
      expect(() => context.tell(to as never, 'x')).toThrow(refused);
      expect(() => context.call(to as never, 'x')).toThrow(refused);
      expect(() => context.monitor(to as never)).toThrow(refused);
      expect(() => rig.system.call(to as never, 'x')).toThrow(refused);
      expect(() => rig.system.exit(to as never, 'kill')).toThrow(refused);
    }
    expect(() => context.call(stranger, 'x')).toThrow(expect.objectContaining({ code: 'ERR_SPEC_UNKNOWN' }));
  });

  it('of get that is no spec is refused as such', async () => {
    const { rig, context } = await acting();
    for (const value of [undefined, 'a', {}]) {
      const refused = expect.objectContaining({
        code: 'ERR_OPTION_INVALID',
        data: expect.objectContaining({ field: 'spec' }),
      });
      expect(() => rig.system.get(value as never)).toThrow(refused);
      expect(() => context.get(value as never)).toThrow(refused);
    }
  });
});
