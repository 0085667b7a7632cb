/**
 * How a case is measured: its contestants take turns, round after round, in one process; each is warmed first, and its figure
 * is the median of its rounds.
 *
 * Invariants: every contestant of a case runs in every round, in an order that rotates, so that what else the machine does
 * falls on all of them. Before a round the young generation is collected, if the process was started with `--expose-gc`:
 * nobody pays for another's garbage. Never the old one: forced, V8 forgets optimised code with it, and every figure after
 * that is one of a cold start. It knows nothing of troupe: what runs, and how often, is the case's business.
 *
 * A suite file exports `suite`, an array of cases. A case is
 *
 *   { case, open, per?, unit?, count?, rounds?, warmMs?, aims?, limit? }
 *
 * `open({ erlang })` gives `{ contestants, close? }`: the contestant `troupe` and its peers by npm name, or `erlang`. A
 * contestant is `async (count) => …`: it does the thing `count` times. It is timed from outside, unless it gives a number:
 * then that is the whole figure of the round, in the case's unit. A peer that is `undefined` is left out. Without `count`
 * a round is as many as take `ROUND_MS`. `aims` are ratios by peer, `limit` an absolute figure; a report compares them.
 */

/**
 * What a round of a contestant takes about, where its case names no count: less than the slice that a busy system gives a process,
 * so that most rounds are whole in one, and the median is of those.
 */
const ROUND_MS = 4;
const ROUNDS = 101;
/** A contestant is run this long before it counts, unless its case says longer: enough for one optimising compiler. */
const WARM_MS = 500;

export const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

/** Three digits are more than such a machine can mean; four spare the reader of ratios a rounding. */
export const rounded = (value) => Number(value.toPrecision(4));

const letGo = () => new Promise((resolve) => setImmediate(resolve));

const settle = async () => {
  await letGo();
  globalThis.gc?.({ type: 'minor' });
};

/** The figure of one round: nanoseconds, or what the contestant itself says. */
const round = async (contestant, count) => {
  const began = process.hrtime.bigint();
  const own = await contestant(count);
  return (own ?? Number(process.hrtime.bigint() - began)) / count;
};

/** Warms a contestant up, and finds how many fit into a round. */
const warmUp = async (contestant, { roundMs, warmMs, fixed }) => {
  const until = performance.now() + warmMs;
  let count = fixed ?? 1;
  let ns = 0;
  do {
    ns = await round(contestant, count);
    if (fixed === undefined && ns * count < roundMs * 1e6)
      count = Math.ceil(Math.min(count * 4, (roundMs * 1e6) / ns));
    await letGo();
  } while (performance.now() < until);
  return fixed ?? Math.max(1, Math.round((roundMs * 1e6) / ns));
};

/** Runs one case. Gives the median of each contestant, by name. */
export const contest = async (plan, ground, pace = {}) => {
  const { roundMs = ROUND_MS, warmMs = plan.warmMs ?? WARM_MS, rounds = plan.rounds ?? ROUNDS } = pace;
  const { contestants, close } = await plan.open(ground);
  const running = Object.entries(contestants).filter(([, contestant]) => contestant !== undefined);
  const figures = new Map();
  const counts = new Map();
  try {
    for (const [name, contestant] of running) {
      figures.set(name, []);
      counts.set(name, await warmUp(contestant, { roundMs, warmMs, fixed: plan.count }));
    }
    for (let i = 0; i < rounds; i++)
      for (let j = 0; j < running.length; j++) {
        const [name, contestant] = running[(i + j) % running.length];
        await settle();
        figures.get(name).push(await round(contestant, counts.get(name)));
      }
  } finally {
    await close?.();
  }
  return Object.fromEntries([...figures].map(([name, values]) => [name, median(values)]));
};

/** The lines of one case: one a peer, or one without. */
export const linesOf = (suite, plan, medians) => {
  const { troupe, ...peers } = medians;
  const ns = rounded(troupe);
  const base = { suite, case: plan.case, ns };
  const extra = {
    per: plan.per ?? 'call',
    unit: plan.unit ?? 'ns',
    ...(plan.limit === undefined ? {} : { limit: plan.limit }),
  };
  const names = Object.keys(peers);
  if (names.length === 0) return [{ ...base, peer: null, peerNs: null, ratio: null, ...extra }];
  return names.map((peer) => {
    const peerNs = rounded(peers[peer]);
    const aim = plan.aims?.[peer];
    return {
      ...base,
      peer,
      peerNs,
      ratio: rounded(ns / peerNs),
      ...extra,
      ...(aim === undefined ? {} : { aim }),
    };
  });
};
