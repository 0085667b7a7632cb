/** Stop as a latch: stop, kill, exit and crash in any order and interleaving are one end of one incarnation. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ActorContext } from '../../src/kernel/logic.ts';
import type { ExitReason } from '../../src/kernel/reason.ts';
import {
  createRig,
  type Gate,
  gate,
  part,
  type RawHandle,
  type Watched,
  watch,
} from '../../test/kernel/rig.ts';

/** How the actor is made: how each of its methods takes its time. */
interface Shape {
  readonly init: 'sync' | 'async';
  readonly terminate: 'sync' | 'async' | 'throws' | 'stops';
  readonly shutdown: 'none' | 'async' | 'rejects';
  readonly onShutdown: 'discard' | 'drain';
  readonly trap: boolean;
  readonly child: boolean;
}

type Op =
  | { readonly kind: 'stop'; readonly timeoutMs: number }
  | { readonly kind: 'advance'; readonly ms: number }
  | { readonly kind: 'open'; readonly nth: number }
  | {
      readonly kind:
        | 'kill'
        | 'exit'
        | 'end'
        | 'crash'
        | 'own stop'
        | 'work'
        | 'timer'
        | 'suspend'
        | 'resume'
        | 'settle'
        | 'shutdown';
    };

const shape: fc.Arbitrary<Shape> = fc.record({
  init: fc.constantFrom('sync', 'sync', 'async'),
  terminate: fc.constantFrom('sync', 'async', 'throws', 'stops'),
  shutdown: fc.constantFrom('none', 'none', 'async', 'rejects'),
  onShutdown: fc.constantFrom('discard', 'drain'),
  trap: fc.boolean(),
  child: fc.boolean(),
});
const ends = fc.constantFrom<Op>(
  ...(['kill', 'exit', 'end', 'crash', 'own stop', 'shutdown'] as const).map((kind) => ({ kind })),
);
const others = fc.constantFrom<Op>(
  ...(['work', 'timer', 'suspend', 'resume', 'settle'] as const).map((kind) => ({ kind })),
);
const op: fc.Arbitrary<Op> = fc.oneof(
  { weight: 3, arbitrary: ends },
  { weight: 4, arbitrary: others },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('stop' as const), timeoutMs: fc.constantFrom(0, 10, 100) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.constantFrom(1, 10) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('open' as const), nth: fc.nat(5) }) },
);

class World {
  readonly rig;
  readonly gates: Gate[] = [];
  readonly log: string[] = [];
  readonly stops: Watched[] = [];
  readonly #spec;
  #context: ActorContext | undefined;

  constructor(choices: number[], shape: Shape) {
    this.rig = createRig({ choices });
    this.#spec = part('a', (context) => this.#init(context, shape), {
      onShutdown: shape.onShutdown,
      shutdownMs: 50,
    });
  }

  #hold(): Promise<void> {
    const held = gate();
    this.gates.push(held);
    return held.passed;
  }

  #init(context: ActorContext, shape: Shape) {
    this.#context = context;
    context.trapExit = shape.trap;
    context.register('the name');
    const behaviour = {
      tell: (m: unknown) => {
        if (m === 'crash') throw new Error('crash');
        if (m === 'timer') context.after(5, 'x');
        if (m === 'own stop') context.stop({ shutdown: 'own' });
        return m === 'work' ? this.#hold() : undefined;
      },
      ...(shape.shutdown === 'none'
        ? {}
        : { shutdown: () => (shape.shutdown === 'async' ? this.#hold() : Promise.reject(new Error('x'))) }),
      terminate: () => {
        this.log.push('terminate');
        if (shape.terminate === 'throws') throw new Error('terminate');
        if (shape.terminate === 'stops') context.stop({ shutdown: 'changed' });
        return shape.terminate === 'async' ? this.#hold() : undefined;
      },
      reap: () => void this.log.push('reap'),
    };
    const grown = async () => {
      if (shape.init === 'async') await this.#hold();
      if (shape.child) await context.spawn(part('child', () => ({ terminate: () => this.#hold() })));
      return behaviour;
    };
    return shape.init === 'sync' && !shape.child ? behaviour : grown();
  }

  get handle(): RawHandle {
    return this.rig.system.get(this.#spec);
  }

  begin(): void {
    void this.rig.system.start(this.#spec).catch(() => undefined);
  }

  async do(op: Op): Promise<void> {
    const { host, system } = this.rig;
    switch (op.kind) {
      case 'stop':
        this.stops.push(watch(system.stop(this.handle, { timeoutMs: op.timeoutMs })));
        return;
      case 'shutdown':
        this.stops.push(watch(system.shutdown({ timeoutMs: 40 })));
        return;
      case 'advance':
        return host.advance(op.ms);
      case 'settle':
        return host.settle();
      case 'open':
        return this.gates[op.nth]?.open();
      case 'kill':
        return system.exit(this.handle, 'kill');
      case 'exit':
        return system.exit(this.handle, { error: 'signal' });
      case 'end':
        return system.end(this.handle, { error: 'ended' });
      case 'suspend':
        return system.suspend(this.handle);
      case 'resume':
        return system.resume(this.handle);
      default:
        return void this.handle.tell(op.kind);
    }
  }

  async finish(): Promise<void> {
    this.stops.push(watch(this.rig.system.shutdown({ timeoutMs: 100 })));
    await this.rig.host.advance(200);
    for (const held of this.gates) held.open();
    await this.rig.host.advance(20);
    for (const held of this.gates) held.open();
    await this.rig.host.settle();
  }

  check(): void {
    const { host, system, told } = this.rig;
    const ended = told('actor.ended').filter((event) => event.path === 'a');
    const failed = told('actor.start_failed').filter((event) => event.path === 'a');
    expect(ended.length + failed.length).toBe(1);
    expect(this.log.filter((line) => line === 'terminate').length).toBeLessThanOrEqual(1);
    const reaped = this.log.filter((line) => line === 'reap').length;
    // What never started is reaped only where its init came through after all.
    if (ended.length === 1) expect(reaped).toBe(1);
    else expect(reaped).toBe(this.log.includes('terminate') ? 1 : 0);
    expect(this.log.at(-1) ?? 'reap').toBe('reap');
    expect(this.stops.every((stop) => stop.settled)).toBe(true);
    const reasons = new Set(
      this.stops.map((stop) => stop.now).filter((now) => now !== undefined && now !== 'noproc'),
    );
    expect([...reasons].map((reason) => JSON.stringify(reason)).length).toBeLessThanOrEqual(1);
    for (const reason of reasons) expect(reason).toEqual((ended[0] ?? failed[0])?.reason as ExitReason);
    expect(system.whereis('the name')).toBeUndefined();
    expect(host.pendingTimers()).toEqual([]);
    expect(system.tree()).toEqual([]);
    expect(system.stragglers()).toEqual([]);
    expect(system.counters.started).toBe(system.counters.ended);
    expect(this.#context === undefined || this.#context.signal.aborted).toBe(true);
  }
}

describe('an incarnation', () => {
  it('ends once: terminated at most once, reaped once, with nothing of it left', async () => {
    const schedule = fc.array(fc.nat(255), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(schedule, shape, fc.array(op, { maxLength: 15 }), async (choices, shape, ops) => {
        const world = new World(choices, shape);
        world.begin();
        for (const op of ops) await world.do(op);
        await world.finish();
        world.check();
      }),
      { numRuns: 400 },
    );
  });
});
