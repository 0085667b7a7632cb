/**
 * The hold for any order of crashes, openings and waits: nobody is held longer than it may be, nobody starts while held,
 * those who were held leave in the order in which they came and one at a time, and nothing of it spends intensity.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { circuitBreaker } from '../../src/resilience/circuit-breaker-spec.ts';
import { dynamicSupervisor } from '../../src/supervision/dynamic-supervisor.ts';
import { supervisor } from '../../src/supervision/supervisor.ts';
import { createRig, part, type RawHandle } from '../../test/kernel/rig.ts';

const IDS = ['a', 'b', 'c', 'd', 'e'] as const;
const OPEN_MS = 100;
const INIT_MS = 10;

type Op =
  | { readonly kind: 'crash' | 'add' | 'terminate'; readonly nth: number }
  | { readonly kind: 'trip' | 'succeed' | 'isolate' | 'release' | 'crashBreaker' }
  | { readonly kind: 'advance'; readonly ms: number };

const op: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom('crash' as const, 'crash' as const, 'add' as const, 'terminate' as const),
      nth: fc.nat(IDS.length - 1),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'trip' as const,
        'trip' as const,
        'succeed' as const,
        'isolate' as const,
        'release' as const,
        'crashBreaker' as const,
      ),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('advance' as const),
      ms: fc.constantFrom(1, INIT_MS, OPEN_MS, 300),
    }),
  },
);

class World {
  readonly rig;
  readonly faults: string[] = [];
  readonly seen = new Set<string>();
  readonly holdMaxMs: number;
  readonly #upstream = circuitBreaker('upstream', {
    window: { kind: 'consecutive', failures: 1 },
    openMs: OPEN_MS,
  });
  readonly #crew = dynamicSupervisor('crew', { backoff: false, intensity: 0 });
  readonly #isolations: (() => void)[] = [];
  /** In the order in which they came. */
  readonly #held = new Map<string, number>();
  readonly #released = new Set<string>();
  #starting = 0;

  constructor(choices: number[], holdMaxMs: number) {
    this.rig = createRig({ choices });
    this.holdMaxMs = holdMaxMs;
    const { events } = this.rig.system;
    events.on('supervisor.child.held', ({ child }) => {
      if (this.#held.has(child)) this.faults.push(`${child} is held twice`);
      this.#held.set(child, this.#now);
    });
    events.on('supervisor.child.released', ({ child, why, heldMs }) => {
      this.seen.add(why);
      const sinceMs = this.#held.get(child);
      if (sinceMs === undefined) this.faults.push(`${child} is released, and was not held`);
      else if (heldMs > this.holdMaxMs || heldMs !== this.#now - sinceMs)
        this.faults.push(`${child} was held for ${this.#now - sinceMs} ms, told ${heldMs}`);
      const [first] = this.#held.keys();
      if (why !== 'cancelled' && why !== 'expired') {
        if (first !== child) this.faults.push(`${child} overtakes ${first}`);
        this.#released.add(child);
      }
      this.#held.delete(child);
    });
    events.on('supervisor.gave_up', ({ child }) => this.faults.push(`gave up on ${child}`));
  }

  get #now(): number {
    return this.rig.host.monotonic();
  }

  get #breaker() {
    return this.rig.system.get(this.#upstream);
  }

  async begin(): Promise<void> {
    await this.rig.start(supervisor('root', { children: [this.#upstream, this.#crew], giveUp: 'never' }));
  }

  #worker(id: string) {
    const live = {
      tell: () => {
        throw new Error('told to crash');
      },
    };
    return part(
      id,
      async () => {
        if (this.#held.has(id)) this.faults.push(`${id} starts while it is held`);
        if (!this.#released.delete(id)) return live;
        this.#starting += 1;
        if (this.#starting > 1) this.faults.push(`${this.#starting} start at a time`);
        await new Promise<void>((resolve) => this.rig.host.timer(INIT_MS, 'slow init', resolve));
        this.#starting -= 1;
        return live;
      },
      { dependsOn: this.#upstream, holdMaxMs: this.holdMaxMs },
    );
  }

  async do(op: Op): Promise<void> {
    const { host, system } = this.rig;
    const crew = system.get(this.#crew);
    if (op.kind === 'advance') return host.advance(op.ms);
    if ('nth' in op) {
      const id = IDS[op.nth] ?? 'a';
      if (op.kind === 'add') crew.startChild(this.#worker(id)).catch(() => undefined);
      else if (op.kind === 'terminate') await this.#terminate(id);
      // While calls pass, a crash is its own: here none shall count. What starts hears of it only later.
      else if (this.#breaker.inspect().verdict === 'refuse' && this.#starting === 0)
        (crew.child(id) as RawHandle | undefined)?.tell('crash');
      return host.settle();
    }
    if (op.kind === 'trip') this.#breaker.fail(new Error('down'));
    else if (op.kind === 'succeed') this.#breaker.succeed();
    else if (op.kind === 'isolate') this.#isolations.push(this.#breaker.isolate());
    else if (op.kind === 'release') this.#isolations.pop()?.();
    else system.exit(this.#breaker, 'kill');
    return host.settle();
  }

  /** Not of one that starts: it would go on here, though it is not waited for any more. */
  async #terminate(id: string): Promise<void> {
    const crew = this.rig.system.get(this.#crew);
    if (this.#starting > 0) return;
    await this.rig.host.runUntil(crew.terminateChild(id).catch(() => undefined));
    this.#released.delete(id);
  }

  async finish(): Promise<void> {
    const { host, system } = this.rig;
    await host.advance(this.holdMaxMs + IDS.length * INIT_MS);
    expect([...this.#held.keys()]).toEqual([]);
    await host.runUntil(system.shutdown());
    await host.settle();
    expect(this.faults).toEqual([]);
    expect(host.pendingTimers()).toEqual([]);
  }
}

describe('a hold', () => {
  it('ends in time, in order, one at a time, and spends nothing, whatever the breaker does', async () => {
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(255), { maxLength: 60 }),
        fc.constantFrom(60_000, 250, 50),
        fc.array(op, { minLength: 8, maxLength: 50 }),
        async (choices, holdMaxMs, ops) => {
          const world = new World(choices, holdMaxMs);
          await world.begin();
          for (const id of [0, 1, 2]) await world.do({ kind: 'add', nth: id });
          for (const each of ops) await world.do(each);
          await world.finish();
          for (const why of world.seen) seen.add(why);
        },
      ),
      { numRuns: 400 },
    );
    expect([...seen].sort()).toEqual(['cancelled', 'closed', 'expired', 'half_opened']);
  });
});
