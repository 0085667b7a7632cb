/**
 * Deadlocks among owners of locks, against an oracle that keeps lines of its own and plays them to their end: everyone who
 * waits for nothing lets go of all that they hold, until nothing moves. Who waits then would wait for ever.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isTroupeError } from '../../src/base/errors.ts';
import type { LockLease } from '../../src/coordination/lock-lease.ts';
import { createLocks } from '../../src/coordination/locks.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { untilReached } from '../until-reached.ts';

interface Claim {
  readonly line: string;
  readonly key: string;
  readonly mode: 'exclusive' | 'shared';
  readonly units: number;
  readonly stop: AbortController;
  lease: LockLease | undefined;
  refusal: unknown;
}

/** The lines of all keys, as simple as can be. */
class Oracle {
  readonly permits: number;
  readonly held: Claim[] = [];
  readonly waiting: Claim[] = [];

  constructor(permits: number) {
    this.permits = permits;
  }

  fits({ key, mode, units }: Claim): boolean {
    const there = this.held.filter((other) => other.key === key);
    const used = there
      .filter((other) => other.mode === 'exclusive')
      .reduce((sum, other) => sum + other.units, 0);
    if (mode === 'shared') return used === 0;
    return used + units <= this.permits && there.every((other) => other.mode === 'exclusive');
  }

  /** Grants whatever is first in its line and fits. */
  serve(): void {
    for (let served = true; served; ) {
      served = false;
      const firsts = new Map<string, Claim>();
      for (const claim of this.waiting) if (!firsts.has(claim.key)) firsts.set(claim.key, claim);
      for (const first of firsts.values()) {
        if (!this.fits(first)) continue;
        this.waiting.splice(this.waiting.indexOf(first), 1);
        this.held.push(first);
        served = true;
      }
    }
  }

  leave(gone: (claim: Claim) => boolean): void {
    for (const claims of [this.held, this.waiting])
      for (let at = claims.length - 1; at >= 0; at--) if (gone(claims[at] as Claim)) claims.splice(at, 1);
    this.serve();
  }

  /** The lines of work that can never go on. */
  stuck(): ReadonlySet<string> {
    const future = new Oracle(this.permits);
    future.held.push(...this.held);
    future.waiting.push(...this.waiting);
    for (let before = -1; before !== future.held.length + future.waiting.length; ) {
      before = future.held.length + future.waiting.length;
      future.serve();
      const waits = new Set(future.waiting.map(({ line }) => line));
      future.leave(({ line }) => !waits.has(line));
    }
    return new Set(future.waiting.map(({ line }) => line));
  }
}

type Step =
  | {
      readonly do: 'claim';
      readonly owner: number;
      readonly key: number;
      readonly shared: boolean;
      readonly units: number;
    }
  | { readonly do: 'release' | 'abort' | 'end'; readonly which: number };

const OWNERS = ['anna', 'ben', 'carl', 'dora', undefined] as const;
const KEYS = ['x', 'y', 'z'] as const;

const stepsOf = (readers: boolean, permits: number): fc.Arbitrary<Step[]> => {
  const claim = fc.record({
    do: fc.constant('claim' as const),
    owner: fc.nat(OWNERS.length - 1),
    key: fc.nat(KEYS.length - 1),
    shared: readers ? fc.boolean() : fc.constant(false),
    units: fc.integer({ min: 1, max: permits }),
  });
  const other = fc.record({
    do: fc.constantFrom('release' as const, 'release' as const, 'abort' as const, 'end' as const),
    which: fc.nat(20),
  });
  const step: fc.Arbitrary<Step> = fc.oneof({ arbitrary: claim, weight: 5 }, { arbitrary: other, weight: 1 });
  return fc.array(step, { minLength: 4, maxLength: 30, size: 'max' });
};

const codeOf = (error: unknown): string | undefined => (isTroupeError(error) ? error.code : undefined);

class Play {
  readonly host = new SimulatedHost();
  readonly oracle: Oracle;
  readonly locks;
  readonly seen = { cycles: 0, longest: 0, behindOthers: 0 };
  #nobody = 0;

  constructor(permits: number) {
    this.oracle = new Oracle(permits);
    this.locks = createLocks({ host: this.host, permits, maxWaitMs: Number.POSITIVE_INFINITY });
  }

  async step(step: Step): Promise<void> {
    const { held, waiting } = this.oracle;
    if (step.do === 'claim') await this.#claim(step);
    else if (step.do === 'release') await this.#release(held[step.which % Math.max(1, held.length)]);
    else if (step.do === 'abort') {
      const claim = waiting[step.which % Math.max(1, waiting.length)];
      claim?.stop.abort(new Error('no longer wanted'));
      this.oracle.leave((each) => each === claim);
    } else {
      const owner = OWNERS[step.which % OWNERS.length];
      if (owner !== undefined) this.locks.releaseAll(owner);
      this.oracle.leave(({ line }) => line === owner);
    }
    await this.#compare();
  }

  /** Whoever waits for nothing lets go of everything: then nobody may be left. */
  async end(): Promise<void> {
    for (let left = -1; left !== this.oracle.held.length + this.oracle.waiting.length; ) {
      const { held, waiting } = this.oracle;
      left = held.length + waiting.length;
      const waits = new Set(waiting.map(({ line }) => line));
      for (const claim of held.filter(({ line }) => !waits.has(line))) await this.#release(claim);
      await this.#compare();
    }
    expect(this.locks.inspect().keys).toEqual([]);
  }

  async #claim({ owner: number, key: keyAt, shared, units }: Step & { do: 'claim' }): Promise<void> {
    const owner = OWNERS[number];
    const key = KEYS[keyAt] as string;
    this.#nobody += 1;
    const claim: Claim = {
      line: owner ?? `nobody ${this.#nobody}`,
      key,
      mode: shared ? 'shared' : 'exclusive',
      units: shared ? 1 : units,
      stop: new AbortController(),
      lease: undefined,
      refusal: undefined,
    };
    const { mode, stop } = claim;
    const options = { mode, units: claim.units, signal: stop.signal };
    const asked = this.locks.acquire(key, owner === undefined ? options : { ...options, owner });
    asked.then(
      (lease) => {
        claim.lease = lease;
      },
      (error: unknown) => {
        claim.refusal = error;
      },
    );
    await this.host.settle();
    const again = this.oracle.held.some((other) => other.line === claim.line && other.key === key);
    if (again) {
      expect(codeOf(claim.refusal)).toBe('ERR_LOCK_REENTRANT');
      return;
    }
    this.oracle.waiting.push(claim);
    this.oracle.serve();
    if (!this.oracle.stuck().has(claim.line)) return;
    expect(codeOf(claim.refusal)).toBe('ERR_LOCK_CYCLE');
    this.#judge(claim);
    this.oracle.leave((each) => each === claim);
  }

  /** Whether what an error says of a circle is so. */
  #judge(last: Claim): void {
    const { cycle } = (last.refusal as { data: { cycle: string } }).data;
    const steps = [...cycle.matchAll(/(\w+) waits for (\w+), (held|asked for before) by (?=(\w+))/g)];
    expect(steps.map(([text]) => text).join('') + last.line).toBe(cycle);
    expect(steps[0]?.[1]).toBe(last.line);
    for (const [, waiter, key, how, blocker] of steps) {
      const wait = this.oracle.waiting.findIndex((each) => each.line === waiter && each.key === key);
      expect(wait).toBeGreaterThanOrEqual(0);
      const those = how === 'held' ? this.oracle.held : this.oracle.waiting;
      expect(those.some((each) => each.line === blocker && each.key === key)).toBe(true);
      if (how !== 'held') this.seen.behindOthers += 1;
    }
    this.seen.cycles += 1;
    this.seen.longest = Math.max(this.seen.longest, steps.length);
  }

  async #release(claim: Claim | undefined): Promise<void> {
    claim?.lease?.release();
    this.oracle.leave((each) => each === claim);
    await this.host.settle();
  }

  async #compare(): Promise<void> {
    await this.host.settle();
    for (const { lease } of this.oracle.held) expect(lease?.held).toBe(true);
    for (const { lease, refusal } of this.oracle.waiting)
      expect([lease, refusal]).toEqual([undefined, undefined]);
  }
}

const VARIANTS = [
  { name: 'of plain locks', permits: 1, readers: false },
  { name: 'of readers and writers', permits: 1, readers: true },
  { name: 'of counting locks', permits: 3, readers: false },
  { name: 'of counting locks with readers', permits: 2, readers: true },
];

describe.each(VARIANTS)('a wait $name', ({ permits, readers }) => {
  it('is refused exactly where it would never end, and the error tells a circle that is there', async () => {
    const all = { cycles: 0, longest: 0, behindOthers: 0 };
    const run = async (steps: readonly Step[]): Promise<void> => {
      const play = new Play(permits);
      for (const step of steps) await play.step(step);
      await play.end();
      all.cycles += play.seen.cycles;
      all.behindOthers += play.seen.behindOthers;
      all.longest = Math.max(all.longest, play.seen.longest);
    };
    const property = fc.asyncProperty(stepsOf(readers, permits), run);
    const missing = () =>
      Object.entries({
        cycles: all.cycles > 20,
        longest: all.longest > 2,
        behindOthers: all.behindOthers > 0,
      })
        .filter(([, met]) => !met)
        .map(([what]) => what);
    await untilReached(() => fc.assert(property, { numRuns: 200 }), missing);
  });
});
