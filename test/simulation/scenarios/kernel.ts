/**
 * The kernel alone: actors that tell, call, monitor and link one another, crash and are killed in the midst of it. Mail keeps its
 * order, a reply comes once and before the end of who sent it, and each monitor tells once.
 */
import { actor } from '../../../src/kernel/actor.ts';
import type { ActorContext, Info } from '../../../src/kernel/logic.ts';
import { server } from '../../../src/kernel/server.ts';
import type { Spec } from '../../../src/kernel/spec.ts';
import { createSystem, type System } from '../../../src/kernel/system.ts';
import { supervisor } from '../../../src/supervision/supervisor.ts';
import { faultsAt } from '../../../src/testing/faults.ts';
import type { Draw, Scenario, Stage } from '../../../src/testing/simulation.ts';
import { cellAt, follow, Living, leftOver, listen, type Outcome } from './ledger.ts';

interface Peer {
  tell(message: object): unknown;
  call(message: object, options?: object): Promise<unknown>;
  readonly path: string;
  ref(): { readonly incarnation: number } | undefined;
}

export interface Company {
  readonly system: System;
  readonly peers: readonly Peer[];
  readonly asked: Outcome[];
  /** The last number each receiving incarnation had of each sender. */
  readonly heard: Map<string, number>;
  /** Monitors that are set, and those that have told. */
  readonly monitors: Map<string, number>;
  /** Incarnations that were told to end at once, and calls that were answered. */
  readonly killed: Set<string>;
  readonly answered: Set<number>;
  readonly living: Living;
  sent: number;
}

const PEERS = 3;
const CAPACITY = 4;

const peerOf = (id: string, world: { is?: Company }, stage: Stage): Spec<unknown> => {
  let overtaken: ActorContext | undefined;
  const hear = ({ self }: ActorContext, from: string, number: number): void => {
    const key = `${self.path}@${self.incarnation} ${from}`;
    const last = world.is?.heard.get(key) ?? -1;
    if (number <= last) stage.violated('mail keeps its order', `${key}: ${number} after ${last}`);
    world.is?.heard.set(key, number);
    if (world.is?.killed.has(`${self.path}@${self.incarnation}`) === true)
      stage.violated('orders overtake mail', `${key}: ${number} after it was killed`);
  };
  const fence = (context: ActorContext): void => {
    try {
      context.tell(context.self, { type: 'heard', from: 'ghost', number: 0 });
      stage.violated('the ended are fenced', context.path);
    } catch (error) {
      stage.reached((error as { code?: string }).code ?? 'fenced');
    }
  };
  return actor(
    id,
    server({
      init: (_input: unknown, context) => {
        context.trapExit = stage.choose(2, 'trap') === 1;
        if (overtaken !== undefined) fence(overtaken);
        overtaken = context;
        return {};
      },
      call: {
        ask: (_state, { number, from }: { number: number; from: string }, context) => {
          hear(context, from, number);
          return number;
        },
        slow: async (_state, { number }: { number: number; from: string }) => {
          await new Promise<void>((resolve) => stage.host.timer(30, 'slow', resolve));
          return number;
        },
        last: (_state, { number }: { number: number; from: string }, context) => {
          context.later().reply(number);
          world.is?.answered.add(number);
          throw new Error('its last words');
        },
      },
      cast: {
        heard: (_state, { from, number }: { from: string; number: number }, context) =>
          hear(context, from, number),
        watch: (_state, { peer }: { peer: Peer }, context) => {
          const monitor = context.monitor(peer as never);
          world.is?.monitors.set(`${context.self.path}@${context.self.incarnation} ${monitor}`, 0);
        },
        link: (_state, { peer }: { peer: Peer }, context) => context.link(peer as never),
        crash: () => {
          throw new Error('told to');
        },
      },
      info: (_state, info: Info, context) => {
        stage.reached(`info ${info.type}`);
        if (info.type !== 'down') return;
        const key = `${context.self.path}@${context.self.incarnation} ${info.monitor}`;
        const told = (world.is?.monitors.get(key) ?? 0) + 1;
        world.is?.monitors.set(key, told);
        if (told > 1) stage.violated('a monitor tells once', key);
      },
    }),
    { mailboxCapacity: CAPACITY, shutdownMs: 200 },
  ) as Spec<unknown>;
};

const setUp = async (stage: Stage): Promise<Company> => {
  const system = createSystem({ host: stage.host });
  const living = new Living();
  listen(system, stage, {
    'actor.started': ({ path, incarnation }) => living.started(path, incarnation, stage),
    'actor.ended': ({ path, incarnation }) => living.ended(path, incarnation),
    'mail.dropped': () => stage.reached('mail was dropped'),
  });
  const world: { is?: Company } = {};
  const specs = Array.from({ length: PEERS }, (_, index) => peerOf(`p${index}`, world, stage));
  await system.start(supervisor('root', { children: specs, backoff: false, giveUp: 'never' }));
  const peers = specs.map((spec) => system.get(spec) as Peer);
  world.is = {
    system,
    peers,
    asked: [],
    heard: new Map(),
    monitors: new Map(),
    killed: new Set(),
    answered: new Set(),
    living,
    sent: 0,
  };
  return world.is;
};

const pick = ({ peers }: Company, draw: Draw): Peer => peers[draw(PEERS)] as Peer;

const call =
  (type: 'ask' | 'slow' | 'last') =>
  (world: Company, draw: Draw, stage: Stage): void => {
    const number = world.sent++;
    const peer = pick(world, draw);
    const timeoutMs = [5_000, 20][draw(2)] ?? 5_000;
    const whenDown = (['reject', 'wait'] as const)[draw(2)] ?? 'reject';
    const promise = peer.call({ type, number, from: 'outside' }, { timeoutMs, whenDown });
    const outcome = follow(promise, ({ value, error }) => {
      if (error === undefined) {
        if (value !== number) stage.violated('the reply is to the call', `${number}: ${value}`);
        if (type === 'last') stage.reached('last words');
        return;
      }
      stage.reached(error.code ?? 'error');
      if (error.code !== 'ERR_CALL_TIMEOUT' && world.answered.has(number))
        stage.violated('a reply beats the death', `${number}: ${error.code}`);
    });
    world.asked.push(outcome);
  };

export const kernel: Scenario<Company> = {
  name: 'kernel',
  setUp,
  faults: {
    points: faultsAt('actor.before', 'actor.after', 'mailbox.delay', 'timer.late', 'host.stall'),
    only: (subject, point) => !point.startsWith('actor.') || subject !== 'root',
  },
  maxCommands: 24,
  weights: { tell: 5, ask: 4, slow: 2 },
  commands: {
    tell: (world, draw) => {
      const peer = pick(world, draw);
      for (let times = draw(3); times >= 0; times--)
        peer.tell({ type: 'heard', from: 'outside', number: world.sent++ });
    },
    ask: call('ask'),
    slow: call('slow'),
    last: call('last'),
    watch: (world, draw) => pick(world, draw).tell({ type: 'watch', peer: pick(world, draw) }),
    link: (world, draw) => pick(world, draw).tell({ type: 'link', peer: pick(world, draw) }),
    crash: (world, draw) => pick(world, draw).tell({ type: 'crash' }),
    kill: (world, draw) => {
      const peer = pick(world, draw);
      const incarnation = peer.ref()?.incarnation;
      world.system.exit(peer as never, 'kill');
      world.killed.add(`${peer.path}@${incarnation}`);
    },
    suspend: (world, draw, stage) => {
      const peer = pick(world, draw) as never;
      world.system.suspend(peer);
      stage.host.timer(50, 'resume', () => world.system.resume(peer));
    },
  },
  leans: [
    { commands: { tell: 4, kill: 1 }, paces: ['at_once', 1], faults: {} },
    { commands: { slow: 3, ask: 1, kill: 2 }, paces: ['at_once', 1, 7], faults: {} },
    { commands: { ask: 6, slow: 1, suspend: 1 }, paces: ['at_once'], faults: {} },
    { commands: { watch: 2, link: 2, crash: 2, kill: 1, last: 1 }, paces: ['settled', 1] },
  ],
  always: {
    'a handle follows its place': ({ peers, living, system }) => {
      for (const peer of peers) {
        const seen = peer.ref()?.incarnation;
        if (
          cellAt(system, peer.path)?.status === 'running' &&
          seen !== undefined &&
          seen !== living.at(peer.path)
        )
          return `${peer.path}: ${seen}, ${living.at(peer.path)} lives`;
      }
      return undefined;
    },
  },
  sometimes: [
    'last words',
    'info down',
    'info exit',
    'ERR_CALLEE_ENDED',
    'ERR_CALL_TIMEOUT',
    'ERR_MAILBOX_FULL',
    'ERR_RESTARTING',
    'ERR_FENCED',
    'mail was dropped',
  ],
  heal: async ({ system, asked, peers }, stage) => {
    await new Promise<void>((resolve) => stage.host.timer(30_000, 'rest', resolve));
    if (asked.some(({ status }) => status === 'pending'))
      stage.violated('every call settles', 'one does not');
    for (const peer of peers)
      if ((await peer.call({ type: 'ask', number: 1e9, from: 'healer' })) !== 1e9)
        stage.violated('liveness', peer.path);
    await system.shutdown();
  },
  converged: { 'nothing is left': ({ system }, stage) => leftOver(system, stage) },
};
