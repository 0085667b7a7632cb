import { describe, expect, it } from 'vitest';
import type { ActorContext } from '../../src/kernel/logic.ts';
import type { Spec, SpecOptions } from '../../src/kernel/spec.ts';
import { supervisor } from '../../src/supervision/supervisor.ts';
import { createRig, gate, part, type RawHandle, watch } from './rig.ts';

/** A child that crashes when told to, under a supervisor that waits before it starts it again. */
const restarting = async (
  init: (tries: number) => unknown = () => undefined,
  options: SpecOptions = {},
  backoff: { delayFirst: boolean; baseMs: number } = { delayFirst: true, baseMs: 1_000 },
) => {
  const rig = createRig();
  let tries = 0;
  const child: Spec<RawHandle> = part(
    'child',
    async (context) => {
      tries += 1;
      await init(tries);
      const mine = tries;
      return {
        tell: (m) => {
          if (m === 'crash') throw new Error('boom');
          if (m === 'stop') context.stop();
        },
        call: (m) => `${m} from ${mine}`,
      };
    },
    options,
  );
  const tree = supervisor('root', {
    children: [child],
    backoff: { ...backoff, jitter: 'none' },
    giveUp: 'never',
  });
  await rig.start(tree);
  return { ...rig, child, tree, handle: rig.system.get(child) };
};

describe('a handle', () => {
  it('follows restarts; its ref is the incarnation of now', async () => {
    const { host, handle, system } = await restarting(undefined, {}, { delayFirst: false, baseMs: 1 });
    const before = handle.ref();
    expect(await host.runUntil(handle.call('x'))).toBe('x from 1');
    handle.tell('crash');
    await host.settle();
    expect(await host.runUntil(handle.call('x'))).toBe('x from 2');
    expect(handle.ref()).not.toEqual(before);
    expect(handle.ref()?.path).toBe(before?.path);
    expect(system.isAlive(before as never)).toBe(false);
  });

  it('whose target is down rejects at once, with when to try again', async () => {
    const { host, handle, system } = await restarting();
    handle.tell('crash');
    await host.advance(400);
    const call = watch(handle.call('x'));
    await Promise.resolve();
    expect(call).toMatchObject({ now: 'ERR_RESTARTING', outcome: 'not_started' });
    expect((call.error as { data: unknown }).data).toMatchObject({ retryAfterMs: 600 });
    expect(handle.tell('lost')).toBe('dropped');
    expect(handle.ref()).toBeUndefined();
    expect(system.counters.deadLetters).toBe(1);
    await host.advance(600);
    expect(await host.runUntil(handle.call('x'))).toBe('x from 2');
  });

  it("waits for the next incarnation with whenDown: 'wait', in order, and no longer than its deadline", async () => {
    const { host, handle } = await restarting();
    handle.tell('crash');
    await host.settle();
    const patient = [1, 2].map((n) => watch(handle.call(n, { whenDown: 'wait' })));
    const short = watch(handle.call('short', { whenDown: 'wait', timeoutMs: 999 }));
    const controller = new AbortController();
    const aborted = watch(handle.call('aborted', { whenDown: 'wait', signal: controller.signal }));
    await host.advance(998);
    controller.abort();
    await host.advance(1);
    expect(short).toMatchObject({ now: 'ERR_CALL_TIMEOUT', outcome: 'not_started' });
    expect(aborted).toMatchObject({ now: 'ERR_CALL_ABORTED', outcome: 'not_started' });
    await host.advance(1);
    expect(patient.map((call) => call.now)).toEqual(['1 from 2', '2 from 2']);
  });

  it('that waits goes on waiting when the next incarnation does not start', async () => {
    const { host, handle } = await restarting((tries) => {
      if (tries === 2 || tries === 3) throw new Error('not yet');
    });
    handle.tell('crash');
    await host.settle();
    const patient = watch(handle.call('x', { whenDown: 'wait', timeoutMs: 60_000 }));
    await host.advance(1_000);
    expect(patient.settled).toBe(false);
    await host.advance(2_000);
    expect(patient.settled).toBe(false);
    await host.advance(4_000);
    expect(patient.now).toBe('x from 4');
  });

  it('bounds those that wait by the capacity of the mailbox; those that gave up make room', async () => {
    const { host, handle } = await restarting(undefined, { mailboxCapacity: 2 });
    handle.tell('crash');
    await host.settle();
    const wait = (timeoutMs: number) => watch(handle.call('x', { whenDown: 'wait', timeoutMs }));
    const [first, , third] = [wait(10), wait(5_000), wait(5_000)];
    await host.settle();
    expect(third).toMatchObject({ now: 'ERR_MAILBOX_FULL', outcome: 'not_started' });
    await host.advance(10);
    expect(first?.now).toBe('ERR_CALL_TIMEOUT');
    const fourth = wait(5_000);
    await host.advance(990);
    expect(fourth.now).toBe('x from 2');
  });

  it('of what will not come back says so: ERR_NOPROC, also to those who wait', async () => {
    const { host, handle, system, tree } = await restarting();
    handle.tell('crash');
    await host.settle();
    const patient = watch(handle.call('x', { whenDown: 'wait' }));
    await host.runUntil(system.get(tree).terminateChild('child'));
    await host.settle();
    const call = watch(handle.call('x'));
    await host.settle();
    expect([patient.now, call.now]).toEqual(['ERR_NOPROC', 'ERR_NOPROC']);
  });

  it('of what stood below a supervisor that is gone for good says the same', async () => {
    const rig = createRig();
    const leaf = (id: string) => part(id, (context) => ({ tell: () => context.stop({ error: 'x' }) }));
    const [deep, direct, waiting] = [leaf('deep'), leaf('direct'), leaf('waiting')];
    const tree = supervisor('root', {
      children: [supervisor('nested', { children: [deep] }), direct, waiting],
      backoff: { delayFirst: true },
    });
    await rig.start(tree);
    const handles = [deep, direct, waiting].map((spec) => rig.system.get(spec));
    handles[2]?.tell('end');
    await rig.host.settle();
    const ask = () =>
      handles.map((handle) =>
        watch(handle.call('x', { whenDown: 'wait', timeoutMs: Number.POSITIVE_INFINITY })),
      );
    rig.system.suspend(rig.system.get(direct));
    const patient = ask();
    rig.system.exit(rig.system.get(tree), 'kill');
    await rig.host.settle();
    expect(patient.map((call) => call.outcome)).toEqual(['not_started', 'not_started', 'not_started']);
    const late = ask();
    await rig.host.settle();
    expect(late.map((call) => call.now)).toEqual(['ERR_NOPROC', 'ERR_NOPROC', 'ERR_NOPROC']);
  });

  it('takes calls while the next incarnation starts', async () => {
    const ready = gate();
    const { host, handle } = await restarting((tries) => (tries === 2 ? ready.passed : undefined));
    handle.tell('crash');
    await host.advance(1_000);
    const call = watch(handle.call('x'));
    await host.settle();
    expect(call.settled).toBe(false);
    ready.open();
    await host.settle();
    expect(call.now).toBe('x from 2');
  });
});

describe('a spec as a key', () => {
  it('gives the handle of what it started; the same one each time', async () => {
    const rig = createRig();
    const spec = part('a', () => ({ call: () => 'a' }));
    await rig.start(spec);
    expect(rig.system.get(spec)).toBe(rig.system.get(spec));
    expect(rig.system.get(spec).path).toBe('a');
  });

  it('is unknown to a system in which it does not stand', async () => {
    const rig = createRig();
    const spec = part('a', () => ({}));
    expect(() => rig.system.get(spec)).toThrow(expect.objectContaining({ code: 'ERR_SPEC_UNKNOWN' }));
  });

  it('stands once: the refusal names both places, and nothing of the second tree stands', async () => {
    const rig = createRig();
    const [a, b] = [part('a', () => ({})), part('b', () => ({}))];
    await rig.start(supervisor('one', { children: [a] }));
    const second = supervisor('two', { children: [b, a] });
    const refused = watch(rig.system.start(second));
    await rig.host.settle();
    expect(refused.error).toMatchObject({
      code: 'ERR_SPEC_DUPLICATE',
      data: { id: 'a', first: 'one/a', second: 'two/a' },
    });
    expect(() => rig.system.get(b)).toThrow(/ERR_SPEC_UNKNOWN/);
    await rig.start(supervisor('three', { children: [b, a.as('a2')] }));
  });

  it('makes another key with as(), with all its options', async () => {
    const rig = createRig();
    const spec = part('a', (_c, input) => ({ call: () => input }), { input: 7, restart: 'transient' });
    const other = spec.as('eu');
    expect(other).toMatchObject({ id: 'eu', input: 7, restart: 'transient' });
    await rig.start(supervisor('root', { children: [spec, other] }));
    expect(await rig.host.runUntil(rig.system.get(other).call('x'))).toBe(7);
    expect(rig.system.get(other).path).toBe('root/eu');
    expect(() => spec.as('not/an id')).toThrow(/ERR_OPTION_INVALID/);
  });

  it('names one running actor at a time: starting or spawning it again is refused until all of it is gone', async () => {
    const rig = createRig();
    const hold = gate();
    const slow = part('slow', (context) => {
      context.trapExit = true;
      return { terminate: () => hold.passed };
    });
    const spec = part('a', async (context) => {
      await context.spawn(slow);
      return { call: () => context.spawn(slow).catch((error: { code: string }) => error.code) };
    });
    const handle = await rig.start(spec);
    expect(await rig.host.runUntil(handle.call('spawn again'))).toBe('ERR_CHILD_ALREADY_STARTED');
    const again = () => watch(rig.system.start(spec));
    rig.system.exit(handle, 'kill');
    await rig.host.settle();
    const early = again();
    const stopped = watch(rig.system.stop(handle));
    await rig.host.settle();
    expect([early.now, stopped.settled]).toEqual(['ERR_CHILD_ALREADY_STARTED', false]);
    hold.open();
    await rig.host.settle();
    expect(stopped.now).toBe('killed');
    const late = again();
    await rig.host.settle();
    expect(late.now).toMatchObject({ path: 'a' });
  });
});

describe('ctx.get', () => {
  it('gives a handle through which an actor acts within its own deadline, trace and chain', async () => {
    const rig = createRig();
    const seen: unknown[] = [];
    const inner = part('inner', (context) => ({
      call: () => void seen.push(context.deadline, context.trace),
      tell: () => void seen.push(context.trace),
    }));
    const outer = part('outer', (context) => ({
      call: async () => {
        context.get(inner).tell('x');
        await context.get(inner).call('x');
      },
    }));
    await rig.start(inner);
    const handle = await rig.start(outer);
    await rig.host.runUntil(handle.call('x', { timeoutMs: 77, trace: 't' }));
    expect(seen).toEqual(['t', 77, 't']);
  });

  it('gives one handle for each incarnation, and follows restarts as any', async () => {
    const rig = createRig();
    let own!: ActorContext;
    const target = part('target', (context) => ({
      tell: () => context.stop({ error: 'x' }),
      call: (m) => m,
    }));
    const asking = part('asking', (context) => {
      own = context;
      return {};
    });
    await rig.start(supervisor('root', { children: [target, asking] }));
    const handle = own.get(target);
    expect(own.get(target)).toBe(handle);
    handle.tell('die');
    await rig.host.settle();
    expect(await rig.host.runUntil(handle.call('alive'))).toBe('alive');
  });
});
