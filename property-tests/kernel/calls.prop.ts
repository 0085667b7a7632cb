/** Every call settles exactly once, and what it says of itself is true, whatever befalls caller, callee and schedule. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ActorContext, Request } from '../../src/kernel/logic.ts';
import { supervisor } from '../../src/supervision/supervisor.ts';
import { createRig, type Gate, gate, part, type RawHandle } from '../../test/kernel/rig.ts';

type Way = 'return' | 'later' | 'hold' | 'throw' | 'refuse';

interface Asked {
  readonly way: Way;
  readonly timeoutMs: number;
  readonly whenDown: 'wait' | 'reject';
  readonly by: 'actor' | 'outside';
  readonly abortable: boolean;
}

type Op =
  | { readonly kind: 'ask'; readonly asked: Asked }
  | { readonly kind: 'settle' | 'kill' | 'kill caller' | 'stop' | 'suspend' | 'resume' }
  | { readonly kind: 'advance'; readonly ms: number }
  | { readonly kind: 'abort' | 'answer'; readonly nth: number };

const asked: fc.Arbitrary<Asked> = fc.record({
  way: fc.constantFrom<Way>('return', 'later', 'hold', 'throw', 'refuse'),
  timeoutMs: fc.constantFrom(0, 5, 20, 1_000),
  whenDown: fc.constantFrom('wait', 'reject'),
  by: fc.constantFrom('actor', 'outside'),
  abortable: fc.boolean(),
});
const simple = fc.constantFrom<Op>(
  { kind: 'settle' },
  { kind: 'settle' },
  { kind: 'kill' },
  { kind: 'kill caller' },
  { kind: 'stop' },
  { kind: 'suspend' },
  { kind: 'resume' },
);
const op: fc.Arbitrary<Op> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('ask' as const), asked }) },
  { weight: 3, arbitrary: simple },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.constantFrom(1, 5, 30) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constantFrom('abort' as const, 'answer' as const), nth: fc.nat(12) }),
  },
);

interface Call {
  readonly asked: Asked;
  readonly controller: AbortController;
  began: number;
  readonly outcomes: { readonly value?: unknown; readonly error?: { code?: string; outcome?: string } }[];
}

class World {
  readonly rig;
  readonly calls: Call[] = [];
  readonly #requests = new Map<number, Request>();
  readonly #held = new Map<number, Gate<unknown>>();
  readonly #callee;
  readonly #caller;
  #asker: ActorContext | undefined;

  constructor(choices: number[]) {
    this.rig = createRig({ choices });
    this.#callee = part('callee', (context) => ({ call: (m) => this.#take(context, m as number) }), {
      mailboxCapacity: 4,
    });
    this.#caller = part('caller', (context) => {
      this.#asker = context;
      return {};
    });
  }

  get callee(): RawHandle {
    return this.rig.system.get(this.#callee);
  }

  async open(): Promise<void> {
    const options = { giveUp: 'never', backoff: { delayFirst: true, baseMs: 10, jitter: 'none' } } as const;
    await this.rig.start(supervisor('root', { ...options, children: [this.#callee, this.#caller] }));
  }

  #take(context: ActorContext, n: number): unknown {
    const call = this.calls[n];
    if (call === undefined) throw new Error('unasked');
    call.began += 1;
    switch (call.asked.way) {
      case 'return':
        return `answer ${n}`;
      case 'throw':
        throw new Error('callee');
      case 'refuse':
        context.later().refuse({ code: 'REFUSED' });
        return undefined;
      case 'later':
        this.#requests.set(n, context.later());
        return undefined;
      default: {
        const held = gate<unknown>();
        this.#held.set(n, held);
        return held.passed;
      }
    }
  }

  ask(asked: Asked): void {
    const n = this.calls.length;
    const call: Call = { asked, controller: new AbortController(), began: 0, outcomes: [] };
    this.calls.push(call);
    const { timeoutMs, whenDown } = asked;
    const options = { timeoutMs, whenDown, ...(asked.abortable ? { signal: call.controller.signal } : {}) };
    const note = (promise: Promise<unknown>) =>
      void promise.then(
        (value) => call.outcomes.push({ value }),
        (error) => call.outcomes.push({ error }),
      );
    if (asked.by === 'outside' || this.#asker === undefined) note(this.callee.call(n, options));
    else
      try {
        note(this.#asker.call(this.callee, n, options));
      } catch (error) {
        // Its incarnation has ended; the next one has not begun.
        call.outcomes.push({ error: error as { code: string } });
      }
  }

  async do(op: Op): Promise<void> {
    const { host, system } = this.rig;
    switch (op.kind) {
      case 'ask':
        return this.ask(op.asked);
      case 'settle':
        return host.settle();
      case 'advance':
        return host.advance(op.ms);
      case 'kill':
        return system.exit(this.callee, 'kill');
      case 'kill caller':
        return system.exit(system.get(this.#caller), 'kill');
      case 'stop':
        return void system.stop(this.callee, { timeoutMs: 15 });
      case 'suspend':
        return system.suspend(this.callee);
      case 'resume':
        return system.resume(this.callee);
      case 'abort':
        return this.calls[op.nth]?.controller.abort();
      default:
        this.#requests.get(op.nth)?.reply('replied');
        return this.#held.get(op.nth)?.open('held');
    }
  }
}

const truth = (call: Call): void => {
  expect(call.outcomes).toHaveLength(1);
  const { error } = call.outcomes[0] ?? {};
  expect(call.began).toBeLessThanOrEqual(1);
  if (error === undefined) expect(call.began).toBe(1);
  else if (error.code === 'REFUSED') expect(call.began).toBe(1);
  // Never begun if and only if it says so: nobody need guess.
  else
    expect([error.code, error.outcome]).toEqual([error.code, call.began === 0 ? 'not_started' : 'unknown']);
};

describe('calls', () => {
  it('settle exactly once, with a truthful outcome, and leave nothing behind', async () => {
    const schedule = fc.array(fc.nat(255), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(schedule, fc.array(op, { minLength: 1, maxLength: 25 }), async (choices, ops) => {
        const world = new World(choices);
        await world.open();
        for (const op of ops) await world.do(op);
        world.rig.system.resume(world.callee);
        await world.rig.host.advance(2_000);
        for (const call of world.calls) truth(call);
        const { host, system } = world.rig;
        await host.runUntil(system.shutdown());
        expect(host.pendingTimers()).toEqual([]);
        expect(system.counters.started).toBe(system.counters.ended);
      }),
      { numRuns: 300 },
    );
  });
});
