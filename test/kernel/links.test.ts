import { describe, expect, it } from 'vitest';
import type { ActorContext, Info } from '../../src/kernel/logic.ts';
import type { ExitReason } from '../../src/kernel/reason.ts';
import { createRig, part, type Rig } from './rig.ts';

interface Peer {
  readonly id: string;
  readonly context: ActorContext;
  readonly infos: Info[];
  readonly log: string[];
}

/** An actor that does what a test tells it through its context. */
const peer = async (rig: Rig, id: string, options: { trap?: boolean } = {}): Promise<Peer> => {
  const infos: Info[] = [];
  const log: string[] = [];
  let own!: ActorContext;
  await rig.start(
    part(id, (context) => {
      own = context;
      context.trapExit = options.trap === true;
      return {
        tell: (reason) => {
          if (reason === 'throw') throw new Error('boom');
          context.stop(reason as ExitReason);
        },
        info: (info) => void infos.push(info),
        terminate: (reason) => void log.push(`terminate ${JSON.stringify(reason)}`),
      };
    }),
  );
  return { id, context: own, infos, log };
};

const REASONS: readonly ExitReason[] = [
  'shutdown',
  { shutdown: 'moved' },
  { error: 'boom' },
  { gaveUp: { supervisor: 's', child: 'c', restarts: 1, periodMs: 1, last: 'killed' } },
];

describe('a link', () => {
  it.each(REASONS)('ends a peer that does not trap, at once, without its terminate: %j', async (reason) => {
    const rig = createRig();
    const [a, b] = [await peer(rig, 'a'), await peer(rig, 'b')];
    a.context.link(b.context.self);
    a.context.stop(reason);
    await rig.host.settle();
    expect(rig.ends('a')).toEqual([reason]);
    expect(rig.ends('b')).toEqual([reason]);
    expect([a.log.length, b.log.length]).toEqual([1, 0]);
  });

  it('does not carry a normal end to a peer that does not trap', async () => {
    const rig = createRig();
    const [a, b] = [await peer(rig, 'a'), await peer(rig, 'b')];
    b.context.link(a.context.self);
    a.context.stop('normal');
    await rig.host.settle();
    expect(rig.ends('a')).toEqual(['normal']);
    expect(rig.system.isAlive(b.context.self)).toBe(true);
  });

  it.each(['normal', ...REASONS] as ExitReason[])('is mail to a peer that traps: %j', async (reason) => {
    const rig = createRig();
    const [a, b] = [await peer(rig, 'a'), await peer(rig, 'b', { trap: true })];
    const { self } = a.context;
    a.context.link(b.context.self);
    a.context.stop(reason);
    await rig.host.settle();
    expect(b.infos).toEqual([{ type: 'exit', ref: self, reason }]);
    expect(rig.system.isAlive(b.context.self)).toBe(true);
  });

  it('goes both ways, and stands once however often it is made', async () => {
    const rig = createRig();
    const [a, b] = [await peer(rig, 'a', { trap: true }), await peer(rig, 'b')];
    a.context.link(b.context.self);
    b.context.link(a.context.self);
    b.context.stop('shutdown');
    await rig.host.settle();
    expect(a.infos).toHaveLength(1);
  });

  it('that was taken away carries nothing, from either side', async () => {
    const rig = createRig();
    const [a, b] = [await peer(rig, 'a'), await peer(rig, 'b')];
    a.context.link(b.context.self);
    b.context.unlink(a.context.self);
    a.context.stop({ error: 'boom' });
    await rig.host.settle();
    expect(rig.system.isAlive(b.context.self)).toBe(true);
  });

  it('to the dead is an exit with noproc: mail when trapping, the end when not', async () => {
    const rig = createRig();
    const [gone, a] = [await peer(rig, 'gone'), await peer(rig, 'a', { trap: true })];
    const b = await peer(rig, 'b');
    gone.context.stop();
    await rig.host.settle();
    a.context.link(gone.context.self);
    b.context.link(gone.context.self);
    await rig.host.settle();
    expect(a.infos).toEqual([{ type: 'exit', ref: gone.context.self, reason: 'noproc' }]);
    expect(rig.ends('b')).toEqual(['noproc']);
  });

  it('to a killed peer carries killed, which can be trapped', async () => {
    const rig = createRig();
    const [a, b] = [await peer(rig, 'a'), await peer(rig, 'b', { trap: true })];
    a.context.link(b.context.self);
    rig.system.exit(a.context.self, 'kill');
    await rig.host.settle();
    expect(b.infos).toEqual([{ type: 'exit', ref: a.context.self, reason: 'killed' }]);
  });
});

describe('a monitor', () => {
  it('gives exactly one DOWN with the reason, whoever else watches', async () => {
    const rig = createRig();
    const [a, b] = [await peer(rig, 'a'), await peer(rig, 'b')];
    const [first, second] = [b.context.monitor(a.context.self), b.context.monitor(a.context.self)];
    a.context.stop({ error: 'boom' });
    await rig.host.settle();
    const down = { type: 'down', ref: a.context.self, reason: { error: 'boom' } };
    expect(b.infos).toEqual([
      { ...down, monitor: first },
      { ...down, monitor: second },
    ]);
    expect(rig.system.isAlive(b.context.self)).toBe(true);
  });

  it('of the dead, or of nobody, gives a DOWN with noproc', async () => {
    const rig = createRig();
    const [gone, b] = [await peer(rig, 'gone'), await peer(rig, 'b')];
    gone.context.stop();
    await rig.host.settle();
    const monitors = [b.context.monitor(gone.context.self), b.context.monitor('nobody')];
    await rig.host.settle();
    expect(b.infos).toMatchObject(monitors.map((monitor) => ({ type: 'down', monitor, reason: 'noproc' })));
  });

  it('that was removed gives none, also where its DOWN waits already', async () => {
    const rig = createRig();
    const [a, c, b] = [await peer(rig, 'a'), await peer(rig, 'c'), await peer(rig, 'b')];
    const early = b.context.monitor(a.context.self);
    b.context.demonitor(early);
    a.context.stop();
    const late = b.context.monitor(c.context.self);
    rig.system.suspend(b.context.self);
    await rig.host.settle();
    c.context.stop();
    await rig.host.settle();
    b.context.demonitor(late);
    rig.system.resume(b.context.self);
    await rig.host.settle();
    expect(b.infos).toEqual([]);
  });

  it('is one-way: the end of the watcher is nothing to the watched', async () => {
    const rig = createRig();
    const [a, b] = [await peer(rig, 'a'), await peer(rig, 'b')];
    b.context.monitor(a.context.self);
    b.context.stop({ error: 'boom' });
    await rig.host.settle();
    expect(rig.system.isAlive(a.context.self)).toBe(true);
    expect(a.infos).toEqual([]);
  });
});

describe('an exit signal', () => {
  it('normal from another is ignored, or mail when trapping', async () => {
    const rig = createRig();
    const [a, b] = [await peer(rig, 'a'), await peer(rig, 'b', { trap: true })];
    for (const { context } of [a, b]) rig.system.exit(context.self, 'normal');
    a.context.exit(b.context.self, 'normal');
    await rig.host.settle();
    expect(rig.system.isAlive(a.context.self)).toBe(true);
    expect(b.infos.map((info) => info.type)).toEqual(['exit', 'exit']);
    expect((b.infos[1] as { ref: unknown }).ref).toEqual(a.context.self);
  });

  it('of any other reason ends who does not trap, without terminate', async () => {
    const rig = createRig();
    const [a, b] = [await peer(rig, 'a'), await peer(rig, 'b')];
    b.context.exit(a.context.self, { error: 'you' });
    await rig.host.settle();
    expect(rig.ends('a')).toEqual([{ error: 'you' }]);
    expect(a.log).toEqual([]);
  });

  it('kill cannot be trapped, and runs no terminate', async () => {
    const rig = createRig();
    const [a, b] = [await peer(rig, 'a', { trap: true }), await peer(rig, 'b')];
    b.context.exit(a.context.self, 'kill');
    await rig.host.settle();
    expect(rig.ends('a')).toEqual(['killed']);
    expect([a.log, a.infos]).toEqual([[], []]);
  });

  it('to nobody is nothing', async () => {
    const rig = createRig();
    const a = await peer(rig, 'a');
    a.context.exit('nobody', 'kill');
    rig.system.exit('nobody', 'kill');
    await rig.host.settle();
    expect(rig.system.isAlive(a.context.self)).toBe(true);
  });

  it('is decided by whether its receiver traps when the signal comes, not when its turn comes', async () => {
    const rig = createRig();
    const a = await peer(rig, 'a');
    rig.system.exit(a.context.self, 'shutdown');
    a.context.trapExit = true;
    await rig.host.settle();
    expect(rig.ends('a')).toEqual(['shutdown']);
  });
});

describe('the end of an actor', () => {
  it('is reported with the reason of its own, and what it handled last', async () => {
    const rig = createRig();
    await peer(rig, 'a');
    rig.system.tell({ path: 'a', ref: () => undefined }, 'throw');
    await rig.host.settle();
    expect(rig.told('actor.ended')).toMatchObject([
      { path: 'a', kind: 'raw', lastMessage: 'throw', reason: { error: { message: 'boom' } } },
    ]);
    expect(rig.system.counters.crashed).toBe(1);
  });
});
