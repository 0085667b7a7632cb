/**
 * A machine as an actor of troupe does what it does in XState alone. Networks of machines send to each other, raise, delay,
 * cancel, stop, spawn and fail, by scripts that fast-check writes; both must do the same things in the same order. It does
 * not cover promises, whose settlement has no place in that order.
 */
import fc from 'fast-check';
import { describe, it } from 'vitest';
import {
  type AnyActorRef,
  type AnyStateMachine,
  assign,
  createActor,
  createMachine,
  enqueueActions,
} from 'xstate';
import { actor } from '../../src/kernel/actor.ts';
import { createSystem } from '../../src/kernel/system.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { fromMachine } from '../../src/xstate/xstate.ts';

const TYPES = ['A', 'B', 'C'] as const;
const CHILDREN = ['c0', 'c1', 'c2'] as const;
const NAMES = ['root', ...CHILDREN] as const;

type Op =
  | { readonly op: 'send'; readonly to: number; readonly type: number }
  | {
      readonly op: 'later';
      readonly to: number;
      readonly type: number;
      readonly delay: number;
      readonly id: number;
    }
  | { readonly op: 'raise' | 'stop' | 'spawn' | 'cancel' | 'toggle' | 'fail' | 'finish'; readonly n: number };
/** What each actor does for each type. */
type Script = readonly (readonly (readonly Op[])[])[];

const bounded = fc.nat(2);
const op: fc.Arbitrary<Op> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ op: fc.constant('send' as const), to: fc.nat(3), type: bounded }) },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant('later' as const),
      to: fc.nat(3),
      type: bounded,
      delay: fc.nat(6),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constantFrom('raise', 'stop', 'spawn', 'cancel', 'toggle', 'fail', 'finish'),
      n: bounded,
    }),
  },
) as fc.Arbitrary<Op>;
const script: fc.Arbitrary<Script> = fc.array(
  fc.array(fc.array(op, { maxLength: 3 }), { minLength: 3, maxLength: 3 }),
  { minLength: 4, maxLength: 4 },
);
/** Where each actor sends on whatever it hears, and none ends: so that much happens, whatever the seed. */
const sendOp: fc.Arbitrary<Op> = fc.record({
  op: fc.constant('send' as const),
  to: fc.nat(3),
  type: bounded,
});
const tameOp = fc.record({
  op: fc.constantFrom('raise', 'cancel', 'toggle', 'spawn'),
  n: bounded,
}) as fc.Arbitrary<Op>;
const lively: fc.Arbitrary<Script> = fc.noBias(
  fc.array(fc.array(fc.tuple(sendOp, tameOp, sendOp), { minLength: 3, maxLength: 3 }), {
    minLength: 4,
    maxLength: 4,
  }),
);
const steps = fc.array(
  fc.oneof(
    fc.record({ send: fc.nat(2), ttl: fc.integer({ min: 0, max: 3 }) }),
    fc.record({ advance: fc.integer({ min: 0, max: 8 }) }),
  ),
  { maxLength: 8 },
);
const livelySteps = fc.noBias(
  fc.array(fc.record({ send: fc.nat(2), ttl: fc.constant(3), advance: fc.integer({ min: 0, max: 8 }) }), {
    minLength: 3,
    maxLength: 5,
  }),
);
/** Three in four are of every kind. */
const play = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(script, steps) },
  { weight: 1, arbitrary: fc.tuple(lively, livelySteps) },
);
const RUNS = 600;
/** What counts as much, and how many networks must come to it: all lively ones do, and they are about 150. */
const MUCH = 30;
const WITH_MUCH = 60;

interface Registry {
  get(id: string): AnyActorRef | undefined;
}
/** XState's `enqueueActions` without its types, which know machines only as they are written, not as they are generated. */
type Enqueue = Record<string, (...args: unknown[]) => void> & ((action: () => void) => void);
interface Args {
  readonly context: { readonly n: number };
  readonly event: { readonly type: string; readonly ttl?: number; readonly actorId?: string };
  readonly enqueue: Enqueue;
  readonly system: Registry;
  readonly self: AnyActorRef;
}
const actions = enqueueActions as unknown as (run: (args: Args) => void) => unknown;
const count = assign({ n: ({ context }: never) => (context as { n: number }).n + 1 } as never);

/** Runs the script of one actor for one event. Each letter has fewer lives than the one it answers. */
const perform = (ops: Script, index: number, log: string[], ids: string[]) =>
  actions(({ event, enqueue, system, self }) => {
    const name = NAMES[index] as string;
    const { type, ttl = 0 } = event;
    log.push(`${name} ${type} ${ttl}`);
    if (ttl === 0) return;
    const next = (n: number) => ({ type: TYPES[n] as string, ttl: ttl - 1 });
    const to = (n: number) =>
      n === 0 ? (index === 0 ? self : self._parent) : (system.get(NAMES[n] as string) ?? self);
    for (const one of ops[index]?.[TYPES.indexOf(type as 'A')] ?? []) {
      if (one.op === 'send') enqueue['sendTo']?.(to(one.to), next(one.type));
      else if (one.op === 'later') {
        // A fresh id each: of two with one id XState cancels only the second, troupe both.
        const id = `d${ids.length}`;
        ids.push(id);
        enqueue['sendTo']?.(to(one.to), next(one.type), { delay: one.delay, id });
      } else if (one.op === 'raise') enqueue['raise']?.(next(one.n));
      else if (one.op === 'cancel') enqueue['cancel']?.(ids.at(-1 - one.n) ?? 'none');
      else if (one.op === 'toggle') enqueue['raise']?.({ type: 'TOGGLE' });
      else if (one.op === 'finish') enqueue['raise']?.({ type: 'FINISH' });
      else if (one.op === 'fail' && index > 0)
        enqueue(() => {
          throw new Error(name);
        });
      else if (one.op === 'stop' && index === 0) enqueue['stopChild']?.(CHILDREN[one.n]);
      else if (one.op === 'spawn' && index === 0) enqueue['raise']?.({ type: 'SPAWN', n: one.n });
    }
  });

const network = (ops: Script, log: string[]): AnyStateMachine => {
  const ids: string[] = [];
  const machineOf = (index: number, more: object): AnyStateMachine => {
    const act = { actions: [count, perform(ops, index, log, ids)] };
    const { on = {}, ...others } = more as { on?: object };
    return createMachine({
      context: { n: 0 },
      initial: 'x',
      states: {
        x: { on: { TOGGLE: 'y' }, after: { 4: 'y' } },
        y: {
          on: { TOGGLE: 'x' },
          after: { 5: 'x' },
          always: { guard: ({ context }: Args) => context.n % 7 === 6, target: 'x', actions: count },
        },
        z: { type: 'final' },
      },
      on: { A: act, B: act, C: act, FINISH: '.z', ...on },
      ...others,
    } as never);
  };
  const children = [1, 2, 3].map((index) => machineOf(index, {}));
  const spawn = actions(({ event, enqueue, system }) => {
    const { n } = event as { n?: number };
    const id = CHILDREN[n ?? 0] as string;
    if (system.get(id) === undefined) enqueue['spawnChild']?.(children[n ?? 0], { id, systemId: id });
  });
  const lose = actions(({ event, enqueue }) => {
    log.push(`root lost ${event.actorId}`);
    enqueue['stopChild']?.(event.actorId);
  });
  return machineOf(0, {
    on: {
      SPAWN: { actions: spawn },
      'xstate.error.actor.*': { actions: lose },
      'xstate.done.actor.*': { actions: lose },
    },
    invoke: CHILDREN.slice(0, 2).map((id, n) => ({ id, systemId: id, src: children[n] })),
  });
};

/** Time for XState alone; of equal instants, the first set fires first. */
const createClock = () => {
  const timers = new Map<number, { due: number; run: () => void }>();
  let now = 0;
  let last = 0;
  return {
    setTimeout: (run: () => void, ms: number) => {
      last += 1;
      timers.set(last, { due: now + ms, run });
      return last;
    },
    clearTimeout: (id: number) => void timers.delete(id),
    advance: (ms: number) => {
      const until = now + ms;
      for (;;) {
        let first: [number, { due: number; run: () => void }] | undefined;
        for (const entry of timers) if (first === undefined || entry[1].due < first[1].due) first = entry;
        if (first === undefined || first[1].due > until) break;
        timers.delete(first[0]);
        now = first[1].due;
        first[1].run();
      }
      now = until;
    },
  };
};

interface Shown {
  readonly status: string;
  readonly value: unknown;
  readonly context: unknown;
  readonly children: Readonly<Record<string, AnyActorRef>>;
}
const show = (snapshot: unknown): unknown => {
  const { status, value, context, children } = snapshot as Shown;
  return {
    status,
    value,
    context,
    children: Object.fromEntries(
      Object.entries(children).map(([id, child]) => [id, show(child.getSnapshot())]),
    ),
  };
};

describe('a machine as an actor', () => {
  it('does what XState alone does, in the same order', async () => {
    let busy = 0;
    await fc.assert(
      fc.asyncProperty(play, async ([ops, events]) => {
        const bareLog: string[] = [];
        const clock = createClock();
        const bare = createActor(network(ops, bareLog), { clock: clock as never });
        bare.subscribe({ error: () => undefined });
        bare.start();
        const log: string[] = [];
        const host = new SimulatedHost();
        const system = createSystem({ host });
        const handle = await host.runUntil(system.start(actor('root', fromMachine(network(ops, log)))));
        for (const step of events) {
          if ('send' in step) {
            const event = { type: TYPES[step.send] as string, ttl: step.ttl };
            bare.send(event);
            if (handle.ref() !== undefined) handle.send(event);
          }
          const ms = 'advance' in step ? step.advance : 0;
          clock.advance(ms);
          await host.advance(ms);
          const [expected, actual] = [show(bare.getSnapshot()), show(handle.snapshot())];
          if (JSON.stringify(expected) !== JSON.stringify(actual) || bareLog.join() !== log.join())
            throw new Error(
              `XState: ${JSON.stringify(expected)}\n${bareLog.join(', ')}\ntroupe: ${JSON.stringify(actual)}\n${log.join(', ')}`,
            );
        }
        if (log.length >= MUCH) busy += 1;
      }),
      { numRuns: RUNS },
    );
    if (busy < WITH_MUCH)
      throw new Error(`the networks hardly did anything: ${busy} of ${RUNS} came to ${MUCH} events`);
  });
});
