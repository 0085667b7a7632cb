/**
 * Whole trees under fire, with faults, operations and stops falling between any two steps: at every moment at most one
 * incarnation stands in a place, below a living parent; after the shutdown nothing is left.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Spec } from '../../src/kernel/spec.ts';
import { type DynamicSupervisorHandle, dynamicSupervisor } from '../../src/supervision/dynamic-supervisor.ts';
import type { Strategy } from '../../src/supervision/static-supervisor.ts';
import { supervisor } from '../../src/supervision/supervisor.ts';
import type { SupervisorHandle } from '../../src/supervision/supervisor-handle.ts';
import { createRig, type Gate, gate, part, type Rig } from '../../test/kernel/rig.ts';

type Slow = 'no' | 'init' | 'terminate' | 'hangs';

interface Leaf {
  readonly kind: 'leaf';
  readonly restart: 'permanent' | 'transient' | 'temporary';
  readonly slow: Slow;
  readonly shutdownMs: number | 'brutal_kill';
  readonly overlap: 'allow' | 'forbid';
}
interface Branch {
  readonly kind: 'branch';
  readonly strategy: Strategy | 'dynamic';
  readonly restart: 'permanent' | 'transient' | 'temporary';
  readonly backoff: boolean;
  readonly intensity: number;
  readonly children: readonly (Leaf | Branch)[];
}

const restart = fc.constantFrom('permanent', 'permanent', 'transient', 'temporary');
const leaf: fc.Arbitrary<Leaf> = fc.record({
  kind: fc.constant('leaf' as const),
  restart,
  slow: fc.constantFrom<Slow>('no', 'no', 'no', 'init', 'terminate', 'hangs'),
  shutdownMs: fc.constantFrom<number | 'brutal_kill'>(0, 20, 'brutal_kill'),
  overlap: fc.constantFrom('allow', 'allow', 'forbid'),
});
const branch = (depth: number): fc.Arbitrary<Branch> =>
  fc.record({
    kind: fc.constant('branch' as const),
    strategy: fc.constantFrom('one_for_one', 'one_for_all', 'rest_for_one', 'dynamic'),
    restart,
    backoff: fc.boolean(),
    intensity: fc.constantFrom(0, 1, 2, 20),
    children: fc.array(depth > 0 ? fc.oneof(leaf, leaf, branch(depth - 1)) : leaf, {
      minLength: 1,
      maxLength: 3,
    }),
  });

type Op =
  | { readonly kind: 'crash' | 'end' | 'kill' | 'work' | 'suspend' | 'resume'; readonly nth: number }
  | {
      readonly kind: 'terminate' | 'restart' | 'delete' | 'recycle' | 'stop' | 'start';
      readonly nth: number;
      readonly child: number;
    }
  | { readonly kind: 'advance'; readonly ms: number }
  | { readonly kind: 'open' | 'settle' };

const nth = fc.nat(12);

/** What must have been seen in the whole of the runs, or they prove little. */
const SOMETIMES = [
  'supervisor.child.restarted',
  'supervisor.child.backing_off',
  'supervisor.child.start_failed',
  'supervisor.child.shutdown_failed',
  'supervisor.gave_up',
  'actor.straggled',
  'mail.dead_lettered',
];
const op: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record({
      kind: fc.constantFrom('crash' as const, 'end' as const, 'kill' as const, 'work' as const),
      nth,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'terminate' as const,
        'restart' as const,
        'delete' as const,
        'recycle' as const,
        'start' as const,
      ),
      nth,
      child: fc.nat(3),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('suspend' as const, 'resume' as const), nth }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.constantFrom(1, 10, 60) }),
  },
  { weight: 3, arbitrary: fc.constantFrom<Op>({ kind: 'open' }, { kind: 'settle' }) },
);

class World {
  readonly rig: Rig;
  readonly gates: Gate[] = [];
  /** Every place, living or not. */
  readonly paths: string[] = [];
  readonly #supervisors = new Map<string, Spec<SupervisorHandle | DynamicSupervisorHandle>>();
  readonly #living = new Map<string, number>();
  readonly faults: string[] = [];
  #added = 0;

  constructor(choices: number[]) {
    this.rig = createRig({ choices });
    this.rig.system.events.on('actor.started', ({ path, incarnation }) => {
      if (this.#living.has(path)) this.faults.push(`${path} lives twice`);
      const parent = path.slice(0, path.lastIndexOf('/'));
      // A supervisor has started only after its children: what must not be is a parent that has ended.
      if (path !== 'root' && this.#ended.has(parent)) this.faults.push(`${path} starts below the dead`);
      this.#living.set(path, incarnation);
      this.#ended.delete(path);
    });
    this.rig.system.events.on('actor.ended', ({ path }) => {
      for (const living of this.#living.keys())
        if (living.startsWith(`${path}/`)) this.faults.push(`${path} ends before ${living}`);
      this.#living.delete(path);
    });
  }

  readonly #ended = new Set<string>();

  #hold(): Promise<void> {
    const held = gate();
    this.gates.push(held);
    return held.passed;
  }

  #leaf(id: string, { slow, restart, shutdownMs, overlap }: Leaf): Spec<unknown> {
    const behaviour = () => ({
      tell: (m: unknown) => {
        if (m === 'crash') throw new Error('boom');
        return m === 'work' ? this.#hold() : undefined;
      },
      terminate: () =>
        slow === 'terminate' ? this.#hold() : slow === 'hangs' ? new Promise<void>(() => {}) : undefined,
    });
    const init = slow === 'init' ? () => this.#hold().then(behaviour) : behaviour;
    return part(id, init, { restart, shutdownMs, overlap, initTimeoutMs: 40 });
  }

  spec(id: string, path: string, node: Leaf | Branch): Spec<unknown> {
    this.paths.push(path);
    if (node.kind === 'leaf') return this.#leaf(id, node);
    const { strategy, restart, intensity } = node;
    const options = {
      restart,
      intensity,
      periodMs: 1_000,
      backoff: node.backoff
        ? ({ delayFirst: true, baseMs: 20, factor: 1, jitter: 'none' } as const)
        : (false as const),
    };
    const spec =
      strategy === 'dynamic'
        ? dynamicSupervisor(id, options)
        : supervisor(id, {
            ...options,
            strategy,
            children: node.children.map((child, i) => this.spec(`c${i}`, `${path}/c${i}`, child)),
          });
    this.#supervisors.set(path, spec as never);
    return spec;
  }

  /** Begins; quietly: goes on once all has started, as far as it does. */
  async begin(tree: Branch, quietly: boolean): Promise<void> {
    void this.rig.system.start(this.spec('root', 'root', tree)).catch(() => undefined);
    for (let round = 0; quietly && round < 10; round++) {
      await this.rig.host.settle();
      for (const held of this.gates.splice(0)) held.open();
    }
  }

  async do(op: Op): Promise<void> {
    const { host, system } = this.rig;
    if ('ms' in op) return host.advance(op.ms);
    if (!('nth' in op)) return op.kind === 'open' ? this.gates.shift()?.open() : host.settle();
    if ('child' in op) return this.#operate(op);
    // Seldom the root: with it the play is over.
    const path = this.paths[op.nth === 12 ? 0 : 1 + (op.nth % (this.paths.length - 1))] ?? 'root';
    const at = { path, ref: () => undefined };
    switch (op.kind) {
      case 'kill':
        return system.exit(at, 'kill');
      case 'end':
        return system.end(at, 'normal');
      case 'suspend':
        return system.suspend(at);
      case 'resume':
        return system.resume(at);
      default:
        return void system.tell(at, op.kind);
    }
  }

  #operate(op: Extract<Op, { child: number }>): void {
    const supervisors = [...this.#supervisors];
    const [path, spec] = supervisors[op.nth % supervisors.length] ?? [];
    if (path === undefined || spec === undefined) return;
    const known = this.rig.system as unknown as { placeAt(path: string): unknown };
    if (known.placeAt(path) === undefined) return;
    const handle = this.rig.system.get(spec) as SupervisorHandle;
    const id = `c${op.child}`;
    const node: Leaf = {
      kind: 'leaf',
      restart: 'permanent',
      slow: op.nth % 2 === 0 ? 'init' : 'no',
      shutdownMs: 20,
      overlap: 'allow',
    };
    this.#added += 1;
    const asked = {
      terminate: () => handle.terminateChild(id),
      restart: () => handle.restartChild?.(id),
      delete: () => handle.deleteChild?.(id),
      recycle: () => handle.recycleChild?.(id),
      stop: () => this.rig.system.stop(handle),
      start: () => handle.startChild(this.spec(`x${this.#added % 4}`, `${path}/x${this.#added % 4}`, node)),
    }[op.kind]();
    asked?.catch(() => undefined);
  }

  /** Stops everything within a deadline, then lets go of every handler that still hangs by a test's gate. */
  async finish(timeoutMs: number): Promise<void> {
    const { host, system } = this.rig;
    let over = false;
    void system.shutdown({ timeoutMs }).then(() => {
      over = true;
    });
    await host.advance(timeoutMs + 1);
    expect([over, system.tree()]).toEqual([true, []]);
    for (const held of this.gates.splice(0)) held.open();
    await host.settle();
    for (const held of this.gates.splice(0)) held.open();
    await host.settle();
  }
}

describe('a tree of supervisors', () => {
  it('never holds two incarnations in one place, and is gone by its deadline, whatever befalls it', async () => {
    const schedule = fc.array(fc.nat(255), { maxLength: 80 });
    const ops = fc.array(op, { minLength: 5, maxLength: 40 });
    const ending = fc.record({ timeoutMs: fc.constantFrom(0, 5, 50, 1_000), quietly: fc.nat(4) });
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(
        schedule,
        branch(2),
        ops,
        ending,
        async (choices, tree, ops, { timeoutMs, quietly }) => {
          const world = new World(choices);
          await world.begin(tree, quietly > 0);
          for (const op of ops) await world.do(op);
          await world.finish(timeoutMs);
          const { host, system } = world.rig;
          expect(world.faults).toEqual([]);
          expect(host.pendingTimers().filter((timer) => timer.label !== 'late close')).toEqual([]);
          expect(system.counters.started).toBe(system.counters.ended);
          expect(system.counters.fenced).toBe(0);
          await host.advance(10_000);
          expect(system.tree()).toEqual([]);
          for (const event of world.rig.events) seen.add(event.type);
        },
      ),
      { numRuns: 400 },
    );
    expect(SOMETIMES.filter((type) => !seen.has(type))).toEqual([]);
  });
});
