import { describe, expect, it } from 'vitest';
import type { ActorContext } from '../../src/kernel/logic.ts';
import type { Spec } from '../../src/kernel/spec.ts';
import { createRig, gate, part, type RawHandle, type Rig, watch } from './rig.ts';

type Answer = (context: ActorContext, message: unknown) => unknown;

/** Actors a, b, c … that answer calls by what the test wrote for them. */
const company = async (rig: Rig, answers: Record<string, Answer>) => {
  const specs: Record<string, Spec<RawHandle>> = {};
  for (const [id, answer] of Object.entries(answers))
    specs[id] = part(id, (context) => ({
      call: (m) => answer(context, m),
      tell: (m) => answer(context, m) as never,
    }));
  const handles: Record<string, RawHandle> = {};
  for (const [id, spec] of Object.entries(specs)) handles[id] = await rig.start(spec);
  return { specs, at: (id: string) => handles[id] as RawHandle };
};

describe('a call that would wait for itself', () => {
  it('is refused at once when an actor calls itself', async () => {
    const rig = createRig();
    const { at } = await company(rig, { a: (context) => context.call(context.self, 'x') });
    const call = watch(at('a').call('x'));
    await rig.host.settle();
    expect(call).toMatchObject({ now: 'ERR_CALLEE_ENDED' });
    expect((call.error as Error).cause).toMatchObject({ code: 'ERR_CALL_CYCLE', outcome: 'not_started' });
    expect(rig.host.monotonic()).toBe(0);
  });

  it('is refused when the callee waits up the chain, and names the chain', async () => {
    const rig = createRig();
    const seen: unknown[] = [];
    const { at } = await company(rig, {
      a: (context) => context.call(at_('b'), 'x'),
      b: (context) => context.call(at_('c'), 'x'),
      c: async (context) => {
        await context.call(at_('a'), 'x').catch((error) => seen.push(error));
        return 'c went on';
      },
    });
    const at_ = (id: string) => at(id);
    expect(await rig.host.runUntil(at('a').call('x'))).toBe('c went on');
    expect(seen).toMatchObject([{ code: 'ERR_CALL_CYCLE', data: { chain: 'a ← c ← b ← a' } }]);
  });

  it('is refused through the handle of ctx.get as well', async () => {
    const rig = createRig();
    const seen: unknown[] = [];
    const { at, specs } = await company(rig, {
      a: (context) => context.get(spec_('b')).call('x'),
      b: async (context) => {
        await context
          .get(spec_('a'))
          .call('x')
          .catch((error) => seen.push(error.code));
        return 'b went on';
      },
    });
    const spec_ = (id: string) => specs[id] as Spec<RawHandle>;
    expect(await rig.host.runUntil(at('a').call('x'))).toBe('b went on');
    expect(seen).toEqual(['ERR_CALL_CYCLE']);
  });

  it('is refused when the callee waits in its init', async () => {
    const rig = createRig();
    const seen: unknown[] = [];
    const { at } = await company(rig, {
      b: async (context) => {
        await context.call(rig.system.get(starting), 'x').catch((error) => seen.push(error.code));
        return 'b went on';
      },
    });
    const starting = part('starting', async (context) => {
      seen.push(await context.call(at('b'), 'x'));
      return {};
    });
    await rig.host.runUntil(rig.system.start(starting));
    expect(seen).toEqual(['ERR_CALL_CYCLE', 'b went on']);
    expect(rig.host.monotonic()).toBe(0);
  });
});

describe('a call that waits for nobody who waits for it', () => {
  it('is no cycle when the caller up the chain has piped its call and gone on', async () => {
    const rig = createRig();
    const seen: unknown[] = [];
    const { at } = await company(rig, {
      a: (context, m) => {
        if (m === 'go') context.pipe(context.call(at_('b'), 'x'), (value) => seen.push(value) && undefined);
        return 'a answered';
      },
      b: (context) => context.call(at_('a'), 'x'),
    });
    const at_ = (id: string) => at(id);
    at('a').tell('go');
    await rig.host.settle();
    expect(seen).toEqual(['a answered']);
  });

  it('is no cycle either while the piping handler itself still runs on', async () => {
    const rig = createRig();
    const seen: unknown[] = [];
    const hold = gate();
    const { at } = await company(rig, {
      a: async (context, m) => {
        if (m !== 'go') return 'a answered';
        context.pipe(context.call(at_('b'), 'x'), (value) => void seen.push(value));
        await hold.passed;
        return undefined;
      },
      b: (context) => context.call(at_('a'), 'x'),
    });
    const at_ = (id: string) => at(id);
    at('a').tell('go');
    await rig.host.settle();
    expect(seen).toEqual([]);
    hold.open();
    await rig.host.settle();
    expect(seen).toEqual(['a answered']);
  });

  it('is no cycle when the caller serves another message by now', async () => {
    const rig = createRig();
    const seen: unknown[] = [];
    const go = gate();
    const busy = gate();
    const { at } = await company(rig, {
      a: async (context, m) => {
        if (m === 'go') {
          void context.call(at_('b'), 'x').then((value) => seen.push(value));
          return undefined;
        }
        if (m === 'busy') await busy.passed;
        return 'a answered';
      },
      b: async (context) => {
        await go.passed;
        return context.call(at_('a'), 'x');
      },
    });
    const at_ = (id: string) => at(id);
    at('a').tell('go');
    at('a').tell('busy');
    await rig.host.settle();
    go.open();
    await rig.host.settle();
    expect(seen).toEqual([]);
    busy.open();
    await rig.host.settle();
    expect(seen).toEqual(['a answered']);
  });

  it('is no cycle when the call up the chain is settled already', async () => {
    const rig = createRig();
    const seen: unknown[] = [];
    const { at } = await company(rig, {
      a: async (context, m) => {
        if (m !== 'go') return 'a answered';
        const answer = await context.call(at_('b'), 'x');
        await Promise.resolve();
        return answer;
      },
      b: async (context) => {
        context.later().reply('b answered early');
        // Its handler goes on with the same chain, but nobody waits along it.
        await Promise.resolve();
        seen.push(await context.call(at_('a'), 'x'));
      },
    });
    const at_ = (id: string) => at(id);
    expect(await rig.host.runUntil(at('a').call('go'))).toBe('b answered early');
    await rig.host.settle();
    expect(seen).toEqual(['a answered']);
  });
});
