import { describe, expect, it } from 'vitest';
import type { ActorContext, ActorTimer } from '../../src/kernel/logic.ts';
import { createRig, gate, part } from './rig.ts';

/** An actor that logs when what reaches it, and its context. */
const timed = async () => {
  const rig = createRig();
  const log: string[] = [];
  let own!: ActorContext;
  const spec = part('a', (context) => {
    own = context;
    return {
      tell: (m) => {
        if (typeof m === 'function') return m();
        log.push(`${context.now()} ${m}`);
        return undefined;
      },
      info: (info) => void log.push(`${context.now()} ${info.type}`),
    };
  });
  const handle = await rig.start(spec);
  return { ...rig, log, handle, context: own };
};

describe('after', () => {
  it('tells oneself when its time has come, equal times in the order of asking', async () => {
    const { context, host, log } = await timed();
    context.after(20, 'second');
    context.after(20, 'third');
    context.after(10, 'first');
    context.after(Number.POSITIVE_INFINITY, 'never');
    await host.advance(100);
    expect(log).toEqual(['10 first', '20 second', '20 third']);
  });

  it('comes behind what was already in the mailbox', async () => {
    const { context, host, log, handle, system } = await timed();
    context.after(10, 'timer');
    system.suspend(handle);
    await host.settle();
    handle.tell('mail');
    await host.advance(10);
    system.resume(handle);
    await host.settle();
    expect(log).toEqual(['10 mail', '10 timer']);
  });

  it('is cancelled before it fires, once fired but not yet handled, twice, and after', async () => {
    const { context, host, log, handle, system } = await timed();
    const timers: ActorTimer[] = [1, 2, 3].map((n) => context.after(10 * n, `timer ${n}`));
    timers[0]?.cancel();
    timers[0]?.cancel();
    system.suspend(handle);
    await host.advance(20);
    timers[1]?.cancel();
    system.resume(handle);
    await host.advance(10);
    timers[2]?.cancel();
    await host.settle();
    expect(log).toEqual(['30 timer 3']);
  });

  it('is gone with the incarnation: a restart finds none of its timers', async () => {
    const { context, host, log, handle, system } = await timed();
    context.after(10, 'old');
    context.after(10, 'old, unref', { unref: true });
    expect(host.pendingTimers()).toMatchObject([{ unref: false }, { unref: true }]);
    system.exit(handle, 'kill');
    await host.advance(20);
    expect(log).toEqual([]);
    expect(host.pendingTimers()).toEqual([]);
  });

  it('is not refused by a full mailbox, and not handled once terminate runs', async () => {
    const rig = createRig();
    const log: string[] = [];
    const hold = gate();
    const spec = part('a', (context) => ({
      tell: (m) => {
        log.push(String(m));
        context.after(5, 'timer');
      },
      terminate: () => hold.passed,
    }));
    const handle = await rig.start(spec);
    handle.tell('go');
    await rig.host.settle();
    const stopped = rig.system.stop(handle);
    await rig.host.advance(10);
    hold.open();
    await rig.host.runUntil(stopped);
    expect(log).toEqual(['go']);
  });
});

describe('idle', () => {
  it('brings a timeout when nothing comes', async () => {
    const { context, host, log } = await timed();
    context.idle(10);
    await host.advance(50);
    expect(log).toEqual(['10 timeout']);
  });

  it('is ended by any message: mail, a timer, a notice', async () => {
    for (const disturb of ['mail', 'timer', 'notice']) {
      const { context, host, log, handle } = await timed();
      context.idle(10);
      if (disturb === 'timer') context.after(5, 'timer');
      await host.advance(5);
      if (disturb === 'mail') handle.tell('mail');
      if (disturb === 'notice') context.monitor('nobody');
      await host.advance(50);
      expect(log).toHaveLength(1);
      expect(log[0]).not.toContain('timeout');
    }
  });

  it('is ended by a message that came in time but waits for its turn', async () => {
    const { context, host, log, handle, system } = await timed();
    context.idle(10);
    system.suspend(handle);
    await host.advance(5);
    handle.tell('in time');
    await host.advance(10);
    system.resume(handle);
    await host.advance(50);
    expect(log).toEqual(['15 in time']);
  });

  it('is set anew by asking again', async () => {
    const { context, host, log } = await timed();
    context.idle(10);
    context.idle(30);
    await host.advance(50);
    expect(log).toEqual(['30 timeout']);
  });
});

describe('next', () => {
  it('runs before all mail, what was asked for first first', async () => {
    const { context, host, log, handle } = await timed();
    handle.tell(() => {
      context.next(() => void log.push('next 1'));
      context.next(() => void log.push('next 2'));
    });
    handle.tell('mail');
    await host.settle();
    expect(log).toEqual(['next 1', 'next 2', '0 mail']);
  });

  it('asked for by init runs before the mail that came meanwhile', async () => {
    const rig = createRig();
    const log: string[] = [];
    const spec = part('a', (context) => {
      context.next(() => void log.push('continued'));
      return { tell: (m) => void log.push(String(m)) };
    });
    const started = rig.system.start(spec);
    rig.system.get(spec).tell('mail');
    await rig.host.runUntil(started);
    await rig.host.settle();
    expect(log).toEqual(['continued', 'mail']);
  });

  it('that throws ends the actor', async () => {
    const { context, host, ends } = await timed();
    context.next(() => {
      throw new Error('boom');
    });
    await host.settle();
    expect(ends('a')).toMatchObject([{ error: { message: 'boom' } }]);
  });
});

describe('pipe', () => {
  it('brings what a promise gave as mail, in a turn of the actor', async () => {
    const { context, host, log } = await timed();
    const [first, second] = [gate<string>(), gate<string>()];
    context.pipe(first.passed, (value) => `got ${value}`);
    context.pipe(
      second.passed,
      () => 'no',
      (error) => `failed ${(error as Error).message}`,
    );
    second.fail(new Error('boom'));
    await host.settle();
    first.open('it');
    await host.settle();
    expect(log).toEqual(['0 failed boom', '0 got it']);
  });

  it('tells nothing where the mapper gives nothing', async () => {
    const { context, host, log } = await timed();
    context.pipe(Promise.resolve(1), () => undefined);
    await host.settle();
    expect(log).toEqual([]);
  });

  it('ends the actor with a rejection that nobody maps, and with what a mapper throws', async () => {
    const unmapped = await timed();
    unmapped.context.pipe(Promise.reject(new Error('unmapped')), () => undefined);
    await unmapped.host.settle();
    expect(unmapped.ends('a')).toMatchObject([{ error: { message: 'unmapped' } }]);
    const throwing = await timed();
    throwing.context.pipe(Promise.resolve(1), () => {
      throw new Error('mapper');
    });
    await throwing.host.settle();
    expect(throwing.ends('a')).toMatchObject([{ error: { message: 'mapper' } }]);
  });
});

describe('post', () => {
  it('runs in a turn of the actor, in mail order, and is held by suspend', async () => {
    const { context, host, log, handle, system } = await timed();
    system.suspend(handle);
    await host.settle();
    handle.tell('mail 1');
    context.post(() => void log.push('posted'));
    handle.tell('mail 2');
    await host.settle();
    expect(log).toEqual([]);
    system.resume(handle);
    await host.settle();
    expect(log).toEqual(['0 mail 1', 'posted', '0 mail 2']);
  });

  it('after a delay is cancelled as after() is', async () => {
    const { context, host, log } = await timed();
    const timer = context.postAfter(10, 'work', () => void log.push('ran'));
    timer.cancel();
    context.postAfter(20, 'work', () => void log.push('ran 2'));
    await host.advance(30);
    expect(log).toEqual(['ran 2']);
  });
});
