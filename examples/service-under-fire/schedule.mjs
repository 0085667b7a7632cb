/**
 * When which fault strikes: a pure function of the seed and the length of the run.
 *
 * Invariant: every kind strikes at least once, nothing strikes in the calm at the end, and each strike leaves its
 * kind the time to recover before the calm begins. Two kinds that would blur each other's evidence never overlap: a
 * blocked loop stands alone (no worker may die of it), a burst stands apart from the faults of workers (its refusals
 * would hit their documents), and the upstream has one fault at a time. Faults of different workers do overlap.
 */
import { createRandom } from './random.mjs';

/** The end of every run, free of faults. */
export const CALM_MS = 4_000;
/** The shortest run in which every kind can strike and recover before the calm. */
export const SECONDS_MIN = 12;
export const SECONDS_DEFAULT = 20;
/** A run of more than an hour shows nothing that a shorter one would not. */
export const SECONDS_MAX = 3_600;

export const WORKER_KINDS = Object.freeze([
  'worker_killed',
  'worker_stopped',
  'worker_garbage',
  'poison_document',
  'slow_document',
  'client_disconnect',
]);
export const UPSTREAM_KINDS = Object.freeze(['upstream_killed', 'upstream_hanging', 'upstream_500']);
/** Every kind of fault, in the order of reports. */
export const KINDS = Object.freeze([...WORKER_KINDS, ...UPSTREAM_KINDS, 'burst', 'loop_blocked']);

/** Load alone comes first, so that there is something to disturb. */
const START_MS = 200;
/** How long a kind has its strand to itself, from strike to expected recovery. */
const SPAN_MS = {
  upstream_killed: 1_500,
  upstream_hanging: 2_000,
  upstream_500: 1_200,
  burst: 1_300,
  loop_blocked: 2_200,
};
/** Between two faults of workers; they may overlap, but not start as one. */
const WORKER_STAGGER_MS = 450;
/** From the last fault of a worker to the time when all workers should be back. */
const WORKER_TAIL_MS = 1_900;
/** How long before the calm a kind should strike at the latest. */
export const roomMs = (kind) => SPAN_MS[kind] ?? WORKER_TAIL_MS;

/** The strand of workers in a round, the longest: a burst, six kinds, and the tail. */
const STRAND_MS = SPAN_MS.burst + (WORKER_KINDS.length - 1) * WORKER_STAGGER_MS + WORKER_TAIL_MS;
const ROUND_MS = SPAN_MS.loop_blocked + STRAND_MS;

/** Lays items one after the other into a window; the time to spare is scattered between them. */
const layOut = (items, fromMs, lengthMs, random) => {
  const spareMs = lengthMs - items.reduce((sum, item) => sum + item.spanMs, 0);
  const cuts = items.map(() => random.between(0, spareMs)).sort((a, b) => a - b);
  let usedMs = 0;
  return items.map((item, index) => {
    const atMs = Math.round(fromMs + usedMs + (cuts[index] ?? 0));
    usedMs += item.spanMs;
    return { atMs, kind: item.kind };
  });
};

/** In any order, except that `slowest` is not the last: what comes last has the least time before the calm. */
const shuffleButLast = (kinds, slowest, random) => {
  const shuffled = random.shuffle(kinds);
  if (shuffled.at(-1) === slowest) shuffled.unshift(shuffled.pop());
  return shuffled;
};

const workerItems = (random) => {
  // A stopped worker is found out only by its document's deadline.
  const kinds = shuffleButLast(WORKER_KINDS, 'worker_stopped', random);
  return kinds.map((kind, index) => ({
    kind,
    spanMs: index === kinds.length - 1 ? WORKER_TAIL_MS : WORKER_STAGGER_MS,
  }));
};

const layOutRound = (fromMs, lengthMs, random) => {
  const span = (kind) => ({ kind, spanMs: SPAN_MS[kind] });
  const blockFirst = random.next() < 0.5;
  const strandMs = lengthMs - SPAN_MS.loop_blocked;
  const strandFromMs = blockFirst ? fromMs + SPAN_MS.loop_blocked : fromMs;
  const workers = workerItems(random);
  const ofWorkers = random.next() < 0.5 ? [span('burst'), ...workers] : [...workers, span('burst')];
  // A hanging upstream is found out only by the deadlines of several requests.
  const ofUpstream = shuffleButLast(UPSTREAM_KINDS, 'upstream_hanging', random).map(span);
  return [
    { atMs: Math.round(blockFirst ? fromMs : fromMs + strandMs), kind: 'loop_blocked' },
    ...layOut(ofWorkers, strandFromMs, strandMs, random),
    ...layOut(ofUpstream, strandFromMs, strandMs, random),
  ];
};

/**
 * The strikes of a run, by time.
 *
 * @param {number} seed
 * @param {number} seconds the whole run, calm included; at least {@link SECONDS_MIN}
 * @returns {{ atMs: number, kind: string }[]}
 */
export const createSchedule = (seed, seconds) => {
  const random = createRandom(seed, 'schedule');
  const fireMs = seconds * 1_000 - CALM_MS - START_MS;
  const rounds = Math.max(1, Math.floor(fireMs / ROUND_MS));
  const roundMs = fireMs / rounds;
  const strikes = Array.from({ length: rounds }, (_, round) =>
    layOutRound(START_MS + round * roundMs, roundMs, random),
  );
  return strikes.flat().sort((a, b) => a.atMs - b.atMs);
};
