import { describe, expect, it } from 'vitest';
import type { Host } from '../../src/base/host.ts';
import { actor } from '../../src/kernel/actor.ts';
import type { Ref } from '../../src/kernel/ref.ts';
import { ACTOR_BUDGET, CLOCK_EVERY, TURN_MS } from '../../src/kernel/scheduler.ts';
import { createSystem } from '../../src/kernel/system.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { createRig, gate, part, raw } from './rig.ts';

/** A host without choices, as in production: the run queue then drains by its budgets. Each look at the clock costs. */
const productionHost = (host: SimulatedHost, msPerLook: number): Host => {
  let spent = 0;
  return {
    monotonic: () => {
      spent += msPerLook;
      return host.monotonic() + spent;
    },
    wall: () => host.wall(),
    timer: (delayMs, label, run, options) => host.timer(delayMs, label, run, options),
    step: (label, run) => host.step(label, run),
    yield: (label, run) => host.yield(label, run),
    random: host.random,
    newId: (kind) => host.newId(kind),
    spawn: (spec, listeners) => host.spawn(spec, listeners),
    startThread: (spec, listeners) => host.startThread(spec, listeners),
    transport: host.transport,
    vitals: host.vitals,
    fault: () => undefined,
    onStall: (listener) => host.onStall(listener),
  };
};

describe('sending', () => {
  it('never runs the receiver', async () => {
    const rig = createRig();
    const got: unknown[] = [];
    const handle = await rig.start(part('a', () => ({ tell: (message) => void got.push(message) })));
    expect(handle.tell(1)).toBe('sent');
    expect(got).toEqual([]);
    await rig.host.settle();
    expect(got).toEqual([1]);
  });

  it('keeps the order of one sender, whatever it sends: tells, calls, timers of the receiver', async () => {
    const rig = createRig();
    const got: unknown[] = [];
    const handle = await rig.start(
      part('a', () => ({ tell: (m) => void got.push(m), call: (m) => void got.push(m) })),
    );
    handle.tell(1);
    void handle.call(2);
    handle.tell(3);
    await rig.host.settle();
    expect(got).toEqual([1, 2, 3]);
  });

  it('takes one message at a time, also where handlers are async', async () => {
    const rig = createRig();
    const log: string[] = [];
    const first = gate();
    const handle = await rig.start(
      part('a', () => ({
        tell: async (m) => {
          log.push(`+${m}`);
          if (m === 1) await first.passed;
          log.push(`-${m}`);
        },
      })),
    );
    handle.tell(1);
    handle.tell(2);
    await rig.host.settle();
    expect(log).toEqual(['+1']);
    first.open();
    await rig.host.settle();
    expect(log).toEqual(['+1', '-1', '+2', '-2']);
  });

  it('relays through 20,000 actors, round and round, without touching the stack', async () => {
    const [actors, rounds] = [20_000, 5];
    const host = new SimulatedHost();
    const system = createSystem({ host: productionHost(host, 0) });
    const refs: Ref[] = [];
    let hops = 0;
    const relay = raw((context) => {
      const place = refs.push(context.self);
      return {
        tell: () => {
          hops += 1;
          if (hops < actors * rounds) context.tell(refs[place % actors] as Ref, 'on');
        },
      };
    });
    for (let i = 0; i < actors; i++) void system.start(actor(`a${i}`, relay));
    await host.settle();
    system.tell(refs[0] as Ref, 'go');
    await host.settle();
    expect(hops).toBe(actors * rounds);
  });

  it('gives every actor its turn: a busy one handles at most its budget before the next', async () => {
    const simulated = new SimulatedHost();
    const system = createSystem({ host: productionHost(simulated, 0) });
    const log: string[] = [];
    const spec = (id: string) => part(id, () => ({ tell: () => void log.push(id) }));
    const [flooded, other] = [spec('flooded'), spec('other')];
    const handles = await simulated.runUntil(Promise.all([system.start(flooded), system.start(other)]));
    for (let i = 0; i < 3 * ACTOR_BUDGET; i++) handles[0].tell(i);
    handles[1].tell('me too');
    await simulated.settle();
    expect(log.indexOf('other')).toBe(ACTOR_BUDGET);
    expect(log).toHaveLength(3 * ACTOR_BUDGET + 1);
  });

  it('lets I/O in when a turn of the run queue has lasted its time', async () => {
    const simulated = new SimulatedHost();
    const system = createSystem({ host: productionHost(simulated, TURN_MS) });
    let left = 4 * CLOCK_EVERY;
    const log: string[] = [];
    const spec = part('endless', (context) => ({
      tell: () => {
        left -= 1;
        if (left > 0) context.tell(context.self, 'again');
        else log.push('done');
      },
    }));
    const handle = await simulated.runUntil(system.start(spec));
    handle.tell('go');
    // It arrives from outside at once, and only what yields to I/O lets it come before the end.
    simulated.arrive({}, 'socket', () => log.push('socket'));
    await simulated.settle();
    expect(log).toEqual(['socket', 'done']);
  });
});

describe('the control lane', () => {
  it('overtakes mail: a kill, a suspension, the shutdown of the parent', async () => {
    const rig = createRig();
    const got: unknown[] = [];
    const spec = part('a', () => ({ tell: (m) => void got.push(m) }));
    const handle = await rig.start(spec);
    for (const message of [1, 2, 3]) handle.tell(message);
    rig.system.exit(handle, 'kill');
    await rig.host.settle();
    expect(got).toEqual([]);
    expect(rig.ends('a')).toEqual(['killed']);
    expect(rig.system.counters.deadLetters).toBe(3);
  });

  it('overtakes it also in the middle of a turn', async () => {
    const simulated = new SimulatedHost();
    const system = createSystem({ host: productionHost(simulated, 0) });
    const got: unknown[] = [];
    const spec = part('a', (context) => ({
      tell: (m) => {
        got.push(m);
        context.exit(context.self, 'kill');
      },
    }));
    const handle = await simulated.runUntil(system.start(spec));
    for (const message of [1, 2, 3]) handle.tell(message);
    await simulated.settle();
    expect(got).toEqual([1]);
    expect(system.counters.deadLetters).toBe(2);
  });

  it('is overtaken by nothing, but an exit that a trapping actor gets as mail waits its turn', async () => {
    const rig = createRig();
    const got: unknown[] = [];
    const spec = part('a', (context) => {
      context.trapExit = true;
      return { tell: (m) => void got.push(m), info: (i) => void got.push(i.type) };
    });
    const handle = await rig.start(spec);
    handle.tell(1);
    rig.system.exit(handle, { error: 'mail' });
    handle.tell(2);
    await rig.host.settle();
    expect(got).toEqual([1, 'exit', 2]);
  });

  it('leaves a DOWN behind everything that the dead one had sent', async () => {
    const rig = createRig();
    const got: unknown[] = [];
    const watcher = part('watcher', (context) => ({
      tell: (m) => {
        if (m === 'watch') context.monitor('dying');
        else got.push(m);
      },
      info: (info) => void got.push(info.type),
    }));
    const watching = await rig.start(watcher);
    const dying = part('dying', (context) => {
      context.register('dying');
      return {
        tell: () => {
          for (const m of ['first', 'second']) context.tell(watching, m);
          throw new Error('boom');
        },
      };
    });
    const handle = await rig.start(dying);
    watching.tell('watch');
    await rig.host.settle();
    handle.tell('die');
    await rig.host.settle();
    expect(got).toEqual(['first', 'second', 'down']);
  });

  it('lets a reply that was given before the death beat it', async () => {
    const rig = createRig();
    const spec = part('a', (context) => ({
      call: () => {
        context.later().reply('in time');
        throw new Error('boom');
      },
    }));
    const handle = await rig.start(spec);
    expect(await rig.host.runUntil(handle.call('go'))).toBe('in time');
    expect(rig.ends('a')).toHaveLength(1);
  });
});
