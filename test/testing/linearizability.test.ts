import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Operation, recordHistory } from '../../src/testing/history.ts';
import { checkLinearizable, type SequentialModel } from '../../src/testing/linearizability.ts';
import {
  type LeasePoolInput,
  type LeasePoolOutput,
  type LockInput,
  type LockOutput,
  leasePoolModel,
  lockModel,
  type RegisterInput,
  registerModel,
} from '../../src/testing/linearizable-models.ts';

const registers = () => recordHistory<RegisterInput<number>, number | boolean>();
const locks = () => recordHistory<LockInput, LockOutput>();
const pools = () => recordHistory<LeasePoolInput, LeasePoolOutput>();

describe('a register', () => {
  it('may be read old or new while it is written', () => {
    for (const seen of [0, 1]) {
      const history = registers();
      const write = history.call('a', 'x', { do: 'write', value: 1 });
      const read = history.call('b', 'x', { do: 'read' });
      read.returned(seen);
      write.returned(true);
      expect(checkLinearizable(registerModel(0), history.operations)).toMatchObject({
        verdict: 'linearizable',
      });
    }
  });

  it('may not be read old once it was read new, though the write is not over', () => {
    const history = registers();
    history.call('a', 'x', { do: 'write', value: 1 });
    history.happened('b', 'x', { do: 'read' }, 1);
    history.happened('c', 'x', { do: 'read' }, 0);
    expect(checkLinearizable(registerModel(0), history.operations)).toMatchObject({
      verdict: 'violated',
      key: 'x',
    });
  });

  it('is one for each key', () => {
    const history = registers();
    history.happened('a', 'x', { do: 'write', value: 1 }, true);
    history.happened('b', 'y', { do: 'read' }, 0);
    expect(checkLinearizable(registerModel(0), history.operations).verdict).toBe('linearizable');
  });

  it('may have taken a write of which nobody heard, at once, late, or never; but not twice', () => {
    const reads = (...seen: number[]) => {
      const history = registers();
      history.call('a', 'x', { do: 'write', value: 1 }).lost();
      for (const [index, value] of seen.entries()) {
        if (index === 2) history.happened('c', 'x', { do: 'write', value: 0 }, true);
        history.happened('b', 'x', { do: 'read' }, value);
      }
      return checkLinearizable(registerModel(0), history.operations).verdict;
    };
    expect([reads(0, 0), reads(0, 1), reads(1, 1), reads(1, 1, 1), reads(1, 0)]).toEqual([
      'linearizable',
      'linearizable',
      'linearizable',
      'violated',
      'violated',
    ]);
  });
});

describe('a lock', () => {
  it('is held by one; its tokens grow', () => {
    const two = locks();
    two.happened('a', 'k', { do: 'acquire' }, 1);
    two.happened('b', 'k', { do: 'acquire' }, 2);
    expect(checkLinearizable(lockModel(), two.operations).verdict).toBe('violated');
    const back = locks();
    back.happened('a', 'k', { do: 'acquire' }, 5);
    back.happened('a', 'k', { do: 'release', token: 5 }, true);
    back.happened('b', 'k', { do: 'acquire' }, 4);
    expect(checkLinearizable(lockModel(), back.operations).verdict).toBe('violated');
    const twice = locks();
    twice.happened('a', 'k', { do: 'acquire' }, 5);
    twice.happened('a', 'k', { do: 'release', token: 5 }, true);
    twice.happened('a', 'k', { do: 'release', token: 5 }, true);
    expect(checkLinearizable(lockModel(), twice.operations).verdict).toBe('violated');
  });

  it('may be granted while the release of another is under way', () => {
    const history = locks();
    history.happened('a', 'k', { do: 'acquire' }, 1);
    const release = history.call('a', 'k', { do: 'release', token: 1 });
    history.happened('b', 'k', { do: 'acquire' }, 2);
    release.returned(true);
    expect(checkLinearizable(lockModel(), history.operations).verdict).toBe('linearizable');
  });

  it('has readers together and units up to its permits; free, it refuses nobody who does not wait', () => {
    const history = locks();
    history.happened('a', 'k', { do: 'acquire', mode: 'shared' }, 1);
    history.happened('b', 'k', { do: 'acquire', mode: 'shared' }, 2);
    history.happened('c', 'k', { do: 'try' }, 'refused');
    history.happened('a', 'k', { do: 'release', token: 1 }, true);
    history.happened('b', 'k', { do: 'lose', token: 2 }, true);
    history.happened('b', 'k', { do: 'release', token: 2 }, false);
    history.happened('c', 'k', { do: 'acquire', units: 2 }, 3);
    history.happened('d', 'k', { do: 'acquire' }, 4);
    expect(checkLinearizable(lockModel({ permits: 3 }), history.operations).verdict).toBe('linearizable');
    expect(checkLinearizable(lockModel({ permits: 2 }), history.operations).verdict).toBe('violated');
    const free = locks();
    free.happened('a', 'k', { do: 'try' }, 'refused');
    expect(checkLinearizable(lockModel(), free.operations).verdict).toBe('violated');
  });
});

describe('a pool', () => {
  it('leases a worker to one at a time, no more than it has, and none that died', () => {
    const verdict = (size: number, note: (history: ReturnType<typeof pools>) => void) => {
      const history = pools();
      note(history);
      return checkLinearizable(leasePoolModel({ size }), history.operations).verdict;
    };
    const lease = (history: ReturnType<typeof pools>, worker: string) =>
      history.happened(worker, '', { do: 'lease' }, worker);
    const twice = (history: ReturnType<typeof pools>) => {
      lease(history, 'w1');
      lease(history, 'w1');
    };
    const both = (history: ReturnType<typeof pools>) => {
      lease(history, 'w1');
      lease(history, 'w2');
    };
    const undead = (history: ReturnType<typeof pools>) => {
      lease(history, 'w1');
      history.happened('', '', { do: 'lose', worker: 'w1' }, true);
      lease(history, 'w1');
    };
    const unheard = (history: ReturnType<typeof pools>) => {
      history.call('a', '', { do: 'lease' }).lost();
      both(history);
    };
    expect([
      verdict(2, twice),
      verdict(2, both),
      verdict(1, both),
      verdict(2, undead),
      verdict(2, unheard),
    ]).toEqual(['violated', 'linearizable', 'violated', 'violated', 'linearizable']);
  });
});

describe('a violation', () => {
  it('is shown as the shortest run that fails, from where it began, in words and as a diagram', () => {
    const history = locks();
    for (let token = 1; token <= 20; token++) {
      history.happened('anna', 'doc', { do: 'acquire' }, token);
      history.happened('anna', 'doc', { do: 'release', token }, true);
    }
    const release = history.call('carl', 'doc', { do: 'release', token: 3 });
    const anna = history.call('anna', 'doc', { do: 'acquire' });
    const ben = history.call('ben', 'doc', { do: 'acquire' });
    anna.returned(21);
    ben.returned(22);
    release.returned(false);
    history.happened('anna', 'doc', { do: 'release', token: 21 }, true);
    const report = checkLinearizable(lockModel(), history.operations);
    expect(report.verdict).toBe('violated');
    expect(report.operations?.map(({ client }) => client)).toEqual(['anna', 'ben']);
    expect(report.from).toEqual([{ held: [], last: 20 }]);
    expect(report.diagram).toBe(
      [
        'sequenceDiagram',
        '  participant C0 as anna',
        '  participant C1 as ben',
        '  participant S as lock doc',
        '  Note over S: at first {"held":[],"last":20}',
        '  C0->>S: acquire',
        '  C1->>S: acquire',
        '  S-->>C0: token 21',
        '  S-->>C1: token 22',
        '  Note over S: no order of these explains this answer',
      ].join('\n'),
    );
  });

  it('is not claimed where the search was given up', () => {
    const history = registers();
    const open = Array.from({ length: 12 }, (_, value) =>
      history.call(`${value}`, 'x', { do: 'write', value }),
    );
    for (const call of open) call.returned(true);
    history.happened('r', 'x', { do: 'read' }, 99);
    expect(checkLinearizable(registerModel(0), history.operations, { maxSteps: 100 })).toMatchObject({
      verdict: 'inconclusive',
      key: 'x',
    });
    expect(checkLinearizable(registerModel(0), history.operations).verdict).toBe('violated');
  });
});

/** All orders of all choices of what is unknown: too slow for more than a few operations, and too simple to be wrong. */
const oracle = <S>(model: SequentialModel<S>, operations: readonly Operation[]): boolean => {
  const search = (left: readonly Operation[], state: S): boolean => {
    if (left.every(({ outcome }) => outcome === 'unknown')) return true;
    return left.some((next) => {
      if (left.some((other) => other !== next && other.returnedAt < next.calledAt)) return false;
      const rest = left.filter((other) => other !== next);
      return model.step(state, next).some((after) => search(rest, after));
    });
  };
  return search(operations, model.initial);
};

/** Some operations that overlap at random, with inputs and outputs drawn from few. */
const histories = <I, O>(inputs: fc.Arbitrary<{ input: I; output: O }>): fc.Arbitrary<Operation<I, O>[]> =>
  fc
    .array(fc.record({ what: inputs, at: fc.nat(1_000), longMs: fc.nat(500), unknown: fc.nat(3) }), {
      minLength: 1,
      maxLength: 7,
    })
    .map((drawn) =>
      drawn.map(({ what: { input, output }, at, longMs, unknown }, index) => ({
        client: `c${index}`,
        key: 'k',
        input,
        output: unknown === 0 ? undefined : output,
        outcome: unknown === 0 ? ('unknown' as const) : ('known' as const),
        // No two moments are the same.
        calledAt: at * 16 + index * 2,
        returnedAt: unknown === 0 ? Number.POSITIVE_INFINITY : (at + longMs) * 16 + index * 2 + 1,
      })),
    );

const small = fc.nat(2);
const OF_REGISTERS = fc.oneof(
  small.map((value) => ({ input: { do: 'write' as const, value }, output: true })),
  small.map((output) => ({ input: { do: 'read' as const }, output })),
  fc
    .tuple(small, small, fc.boolean())
    .map(([expected, value, output]) => ({ input: { do: 'swap' as const, expected, value }, output })),
);
const OF_LOCKS = fc.oneof(
  fc
    .tuple(fc.constantFrom('acquire' as const, 'try' as const), fc.integer({ min: 1, max: 4 }))
    .map(([what, token]) => ({
      input: { do: what } as LockInput,
      output: (token === 4 ? 'refused' : token) as LockOutput,
    })),
  fc
    .tuple(fc.constantFrom('release' as const, 'lose' as const), fc.integer({ min: 1, max: 3 }), fc.boolean())
    .map(([what, token, output]) => ({
      input: { do: what, token } as LockInput,
      output: output as LockOutput,
    })),
);

describe('beside all orders tried out', () => {
  const agrees = (model: SequentialModel, drawn: fc.Arbitrary<Operation[]>): Record<string, number> => {
    const seen: Record<string, number> = { linearizable: 0, violated: 0 };
    fc.assert(
      fc.property(drawn, (operations) => {
        const report = checkLinearizable(model, operations);
        seen[report.verdict] = (seen[report.verdict] ?? 0) + 1;
        expect(report.verdict).toBe(oracle(model, operations) ? 'linearizable' : 'violated');
        if (report.operations === undefined) return;
        // What is shown of a violation is one itself.
        const fails = (report.from ?? []).every(
          (initial) => !oracle({ ...model, initial }, report.operations ?? []),
        );
        expect(fails).toBe(true);
      }),
      { numRuns: 800, seed: 11 },
    );
    return seen;
  };

  it('histories of registers are judged alike', () => {
    const seen = agrees(
      registerModel(0) as SequentialModel,
      histories<unknown, unknown>(OF_REGISTERS) as fc.Arbitrary<Operation[]>,
    );
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(100);
  });

  it('histories of locks are judged alike', () => {
    const seen = agrees(
      lockModel({ permits: 2 }) as SequentialModel,
      histories(OF_LOCKS) as fc.Arbitrary<Operation[]>,
    );
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(50);
  });
});
