/** The decisions of a static supervisor against a small model of OTP's, for all strategies and any schedule. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Spec } from '../../src/kernel/spec.ts';
import { createSystem } from '../../src/kernel/system.ts';
import { supervisor } from '../../src/supervision/supervisor.ts';
import type { SupervisorHandle } from '../../src/supervision/supervisor-handle.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { part, type RawHandle, watch } from '../../test/kernel/rig.ts';
import { type ChildRule, type ModelRules, SupervisorModel } from './supervisor-model.ts';

const IDS = ['a', 'b', 'c', 'd'] as const;

const rules: fc.Arbitrary<ModelRules> = fc.record({
  strategy: fc.constantFrom('one_for_one', 'one_for_all', 'rest_for_one'),
  intensity: fc.nat(4),
  periodMs: fc.constantFrom(10, 1_000),
});
const restart = fc.constantFrom('permanent', 'permanent', 'transient', 'temporary');
const rule = (id: string): fc.Arbitrary<ChildRule> =>
  fc.record({
    id: fc.constant(id),
    restart,
    // The first start mostly succeeds, or there would be little to see.
    starts: fc
      .tuple(
        fc.nat(12).map((n) => n > 0),
        fc.array(
          fc.nat(3).map((n) => n > 0),
          { maxLength: 4 },
        ),
      )
      .map(([first, more]) => [first, ...more]),
  });

type Op =
  | { readonly kind: 'crash' | 'end' | 'shutdown' | 'kill'; readonly id: string }
  | { readonly kind: 'terminate' | 'restart' | 'delete'; readonly id: string }
  | { readonly kind: 'start'; readonly rule: ChildRule }
  | { readonly kind: 'advance'; readonly ms: number };

const id = fc.constantFrom(...IDS);
const op: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'crash' as const,
        'crash' as const,
        'end' as const,
        'shutdown' as const,
        'kill' as const,
      ),
      id,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('terminate' as const, 'restart' as const, 'delete' as const),
      id,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('start' as const), rule: id.chain(rule) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.constantFrom(1, 10, 11, 1_001) }),
  },
);

/** The real one, logging in the model's words. */
class Real {
  readonly host: SimulatedHost;
  readonly system;
  readonly #log: string[] = [];
  readonly #counts = new Map<string, number>();
  readonly #specs = new Map<string, Spec<RawHandle>>();
  handle!: SupervisorHandle;

  constructor(choices: number[]) {
    this.host = new SimulatedHost({ choices });
    this.system = createSystem({ host: this.host });
  }

  spec(rule: ChildRule): Spec<RawHandle> {
    const { id } = rule;
    const spec = part(
      id,
      (context) => {
        const n = (this.#counts.get(id) ?? 0) + 1;
        this.#counts.set(id, n);
        const ok = rule.starts[n - 1] ?? true;
        this.#log.push(`${ok ? '+' : '!'}${id}${n}`);
        if (!ok) throw new Error('no');
        return {
          tell: (m) => {
            if (m === 'crash') throw new Error('boom');
            context.stop(m === 'end' ? 'normal' : 'shutdown');
          },
          terminate: () => void this.#log.push(`-${id}${n}`),
        };
      },
      { restart: rule.restart },
    );
    return spec;
  }

  news(): string[] {
    return this.#log.splice(0);
  }

  async open(rules: ModelRules, children: readonly ChildRule[]): Promise<void> {
    for (const rule of children) this.#specs.set(rule.id, this.spec(rule));
    const tree = supervisor('root', { ...rules, backoff: false, children: [...this.#specs.values()] });
    void this.system.start(tree).catch(() => undefined);
    this.handle = this.system.get(tree);
    await this.host.settle();
  }

  async do(op: Op): Promise<unknown> {
    const at = (id: string) => ({ path: `root/${id}`, ref: () => undefined });
    switch (op.kind) {
      case 'advance':
        return void (await this.host.advance(op.ms));
      case 'kill':
        this.system.exit(at(op.id), 'kill');
        return void (await this.host.settle());
      case 'crash':
      case 'end':
      case 'shutdown':
        this.system.tell(at(op.id), op.kind);
        return void (await this.host.settle());
      default:
        return this.#ask(op);
    }
  }

  async #ask(op: Extract<Op, { kind: 'terminate' | 'restart' | 'delete' | 'start' }>): Promise<unknown> {
    const { handle } = this;
    const asked = watch(
      op.kind === 'start'
        ? handle.startChild(this.spec(op.rule))
        : op.kind === 'terminate'
          ? handle.terminateChild(op.id)
          : op.kind === 'restart'
            ? handle.restartChild(op.id)
            : handle.deleteChild(op.id),
    );
    await this.host.settle();
    return typeof asked.now === 'string' ? asked.now : 'ok';
  }
}

const perform = (model: SupervisorModel, op: Op): unknown => {
  switch (op.kind) {
    case 'advance':
      model.nowMs += op.ms;
      return undefined;
    case 'crash':
      return model.ended(op.id, { clean: false, logs: true });
    case 'kill':
      return model.ended(op.id, { clean: false, logs: false });
    case 'end':
    case 'shutdown':
      return model.ended(op.id, { clean: true, logs: true });
    case 'start':
      return model.startChild(op.rule);
    case 'terminate':
      return model.terminateChild(op.id);
    case 'restart':
      return model.restartChild(op.id);
    default:
      return model.deleteChild(op.id);
  }
};

const compare = async (model: SupervisorModel, real: Real): Promise<void> => {
  expect(real.news()).toEqual(model.news());
  expect(real.handle.ref() !== undefined).toBe(model.alive);
  if (!model.alive) return;
  const listed = await real.host.runUntil(real.handle.whichChildren());
  const status = (known: string) => ({ running: 'running', stopped: 'undefined' })[known] ?? known;
  expect(listed.map((row) => [row.id, row.status])).toEqual(
    [...model.children].reverse().map((child) => [child.rule.id, status(child.status)]),
  );
};

describe('a supervisor', () => {
  it('decides as OTP does, whatever happens to its children and whatever is asked of it', async () => {
    const children = fc.subarray([...IDS]).chain((ids) => fc.tuple(...ids.map(rule)));
    const schedule = fc.array(fc.nat(255), { maxLength: 30 });
    const ops = fc.array(op, { maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(schedule, rules, children, ops, async (choices, rules, children, ops) => {
        const [real, model] = [new Real(choices), new SupervisorModel(rules, children)];
        await real.open(rules, children);
        await compare(model, real);
        for (const op of ops) {
          if (!model.alive) break;
          expect(await real.do(op)).toEqual(perform(model, op));
          await compare(model, real);
        }
        if (model.alive) model.shutdown();
        await real.host.runUntil(real.system.shutdown());
        expect(real.news()).toEqual(model.news());
        expect(real.system.counters.started).toBe(real.system.counters.ended);
        expect(real.host.pendingTimers()).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});
