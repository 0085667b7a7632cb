/**
 * What a lock, a pool of leases and a register do when nobody else is there: models for `checkLinearizable`.
 *
 * Invariant: they say what may happen, not what should: a refusal is always allowed where only its caller's patience can have
 * run out. States are plain data.
 */
import { integer, resolveOptions } from '../base/options.ts';
import type { Operation } from './history.ts';
import type { SequentialModel } from './linearizability.ts';

/** What is done to a lock. */
export type LockInput =
  | { readonly do: 'acquire'; readonly mode?: 'exclusive' | 'shared'; readonly units?: number }
  /** The same without waiting. */
  | { readonly do: 'try'; readonly mode?: 'exclusive' | 'shared'; readonly units?: number }
  | { readonly do: 'release'; readonly token: number }
  /** It is taken from its holder: it expired, or its owner ended. */
  | { readonly do: 'lose'; readonly token: number };

/** A token, `'refused'`, or whether a release freed it. */
export type LockOutput = number | 'refused' | boolean;

interface Held {
  /** 0: nobody heard it. */
  readonly token: number;
  readonly shared: boolean;
  readonly units: number;
}

export interface LockState {
  readonly held: readonly Held[];
  /** The greatest token so far. */
  readonly last: number;
}

const fitsInto = ({ held }: LockState, { shared, units }: Held, permits: number): boolean => {
  if (shared) return held.every((other) => other.shared);
  return (
    held.every((other) => !other.shared) && held.reduce((sum, each) => sum + each.units, units) <= permits
  );
};

/**
 * A lock of one key: exclusive, shared, with `permits` units, with fencing tokens that only grow.
 *
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const lockModel = (
  options: { readonly permits?: number } = {},
): SequentialModel<LockState, LockInput, LockOutput> => {
  const { permits } = resolveOptions('lockModel', options, { permits: integer(1) }, { permits: 1 });
  const take = (state: LockState, claim: Held): readonly LockState[] => {
    if (!fitsInto(state, claim, permits) || (claim.token !== 0 && claim.token <= state.last)) return [];
    // In one order, so that equal states are equal.
    const held = [...state.held, claim].sort((a, b) => a.token - b.token);
    return [{ held, last: Math.max(state.last, claim.token) }];
  };
  const free = (state: LockState, token: number): readonly LockState[] =>
    state.held.some((each) => each.token === token)
      ? [{ ...state, held: state.held.filter((each) => each.token !== token) }]
      : [];
  return {
    name: 'lock',
    initial: { held: [], last: 0 },
    step: (state, { input, output, outcome }) => {
      if (input.do === 'release' || input.do === 'lose') {
        const freed = free(state, input.token);
        if (outcome === 'unknown') return freed;
        return output === true ? freed : freed.length === 0 ? [state] : [];
      }
      const { mode = 'exclusive', units = 1 } = input;
      const claim = { token: typeof output === 'number' ? output : 0, shared: mode === 'shared', units };
      if (output !== 'refused') return take(state, claim);
      // Readers may be refused a lock that readers hold, where a writer waits.
      return input.do === 'try' && !claim.shared && fitsInto(state, claim, permits) ? [] : [state];
    },
    describe: ({ input, output }) => {
      const { do: what, ...rest } = input;
      const given = Object.values(rest).join(' ');
      return {
        call: `${what} ${given}`.trim(),
        answer: typeof output === 'number' ? `token ${output}` : `${output}`,
      };
    },
  };
};

/** What is done to a pool. */
export type LeasePoolInput =
  | { readonly do: 'lease' }
  | { readonly do: 'release'; readonly worker: string }
  /** The worker died: whoever leases it has lost it, and it never comes back under that name. */
  | { readonly do: 'lose'; readonly worker: string };

/** The name of the worker, `'refused'`, or whether a release gave it back. */
export type LeasePoolOutput = string | boolean;

export interface LeasePoolState {
  readonly leased: readonly string[];
  readonly dead: readonly string[];
  /** Leases of which nobody heard which worker they got. */
  readonly unheard: number;
}

/**
 * A pool of `size` workers, each leased to at most one.
 *
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const leasePoolModel = (options: {
  readonly size: number;
}): SequentialModel<LeasePoolState, LeasePoolInput, LeasePoolOutput> => {
  const { size = 1 } = resolveOptions('leasePoolModel', options, { size: integer(1) }, {});
  const lease = (state: LeasePoolState, { output, outcome }: Operation): readonly LeasePoolState[] => {
    const { leased, dead, unheard } = state;
    if (output === 'refused') return [state];
    if (leased.length + unheard >= size) return [];
    if (outcome === 'unknown') return [{ ...state, unheard: unheard + 1 }];
    const worker = output as string;
    if (leased.includes(worker) || dead.includes(worker)) return [];
    return [{ ...state, leased: [...leased, worker].sort() }];
  };
  return {
    name: 'pool',
    initial: { leased: [], dead: [], unheard: 0 },
    step: (state, operation) => {
      const { input, output, outcome } = operation;
      if (input.do === 'lease') return lease(state, operation as Operation);
      const { worker } = input;
      const { leased, dead } = state;
      const without = { ...state, leased: leased.filter((each) => each !== worker) };
      if (input.do === 'lose') return [{ ...without, dead: [...new Set([...dead, worker])].sort() }];
      const had = leased.includes(worker);
      if (outcome === 'unknown') return had ? [without] : [];
      return output === had ? [without] : [];
    },
    describe: ({ input, output }) => ({
      call: input.do === 'lease' ? 'lease' : `${input.do} ${input.worker}`,
      answer: `${output}`,
    }),
  };
};

/** What is done to a register. */
export type RegisterInput<V = unknown> =
  | { readonly do: 'read' }
  | { readonly do: 'write'; readonly value: V }
  /** Writes `value` where `expected` stands. */
  | { readonly do: 'swap'; readonly expected: V; readonly value: V };

/** What was read; `true` for a write; whether a swap wrote. */
export type RegisterOutput<V = unknown> = V | boolean;

/** A value that is read, written, and compared and swapped. Values are compared as JSON. */
export const registerModel = <V>(initial: V): SequentialModel<V, RegisterInput<V>, RegisterOutput<V>> => {
  const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
  return {
    name: 'register',
    initial,
    step: (state, { input, output, outcome }) => {
      const unknown = outcome === 'unknown';
      if (input.do === 'read') return unknown || same(output, state) ? [state] : [];
      if (input.do === 'write') return [input.value];
      const fits = same(state, input.expected);
      if (unknown || output === fits) return [fits ? input.value : state];
      return [];
    },
    describe: ({ input, output }) => {
      const call = { read: 'read', write: 'write', swap: 'swap' }[input.do];
      const given = input.do === 'read' ? '' : ` ${JSON.stringify(input.value)}`;
      const over = input.do === 'swap' ? ` for ${JSON.stringify(input.expected)}` : '';
      return { call: `${call}${given}${over}`, answer: JSON.stringify(output) ?? 'nothing' };
    },
  };
};
