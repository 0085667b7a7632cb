/**
 * A breaker alone, beside a fold of the same admissions and settlements that is kept by hand: windows of every kind; closed, open
 * and half-open, with probes by token and by call that succeed, fail, throw at once, hang, are aborted and come too late.
 */

import type { BreakerToken } from '../../../src/resilience/admission.ts';
import {
  type CircuitBreaker,
  createCircuitBreaker,
  type StandaloneBreaker,
} from '../../../src/resilience/circuit-breaker.ts';
import { faultsAt } from '../../../src/testing/faults.ts';
import type { Draw, Scenario, Stage } from '../../../src/testing/simulation.ts';
import { follow, type Outcome } from './ledger.ts';

interface Out {
  readonly token: BreakerToken;
  /** Of the breaker when it was let through. */
  readonly generation: number;
}

/** A call that hangs until somebody aborts it. */
interface Hanging {
  readonly abort: AbortController;
  readonly generation: number;
}

type WindowOf =
  | { readonly kind: 'consecutive'; readonly failures: number }
  | {
      readonly kind: 'count';
      readonly size: number;
      readonly minimumCalls: number;
      readonly failureRate: number;
    }
  | {
      readonly kind: 'time';
      readonly windowMs: number;
      readonly minimumCalls: number;
      readonly failureRate: number;
    };

/** A window by time forgets in tenths. */
const TENTHS = 10;

/** What a breaker must be, computed from what it was told. */
class Fold {
  state: 'closed' | 'open' | 'half' = 'closed';
  successes = 0;
  openedAt = 0;
  generation = 1;
  probes = 0;
  readonly #window: WindowOf;
  /** What has ended since it closed, oldest first. */
  #ended: { readonly failed: boolean; readonly at: number }[] = [];

  constructor(window: WindowOf) {
    this.#window = window;
  }

  next(state: Fold['state'], now: number): void {
    this.state = state;
    this.generation += 1;
    this.#ended = [];
    this.successes = 0;
    this.probes = 0;
    if (state === 'open') this.openedAt = now;
  }

  /** What the window holds now. */
  counts(now: number): { readonly calls: number; readonly failures: number } {
    const live = this.#live(now);
    return { calls: live.length, failures: live.filter(({ failed }) => failed).length };
  }

  /** Takes an outcome while closed; whether it trips. */
  ends(failed: boolean, now: number): boolean {
    const window = this.#window;
    if (window.kind === 'consecutive' && !failed) this.#ended = [];
    else this.#ended.push({ failed, at: now });
    const { calls, failures } = this.counts(now);
    if (!failed) return false;
    if (window.kind === 'consecutive') return failures >= window.failures;
    return calls >= window.minimumCalls && failures / calls >= window.failureRate;
  }

  #live(now: number) {
    const window = this.#window;
    if (window.kind === 'consecutive') return this.#ended;
    if (window.kind === 'count') return this.#ended.slice(-window.size);
    const tenth = (at: number): number => Math.floor(at / (window.windowMs / TENTHS));
    return this.#ended.filter(({ at }) => tenth(at) > tenth(now) - TENTHS);
  }
}

export interface Guarded {
  readonly breaker: CircuitBreaker & StandaloneBreaker;
  readonly fold: Fold;
  readonly limits: {
    readonly openMs: number;
    readonly permits: number;
    readonly successes: number;
  };
  readonly out: Out[];
  readonly hanging: Hanging[];
  readonly outcomes: Outcome[];
  readonly offset: number;
  /** Calls that have failed and of which the breaker may not have heard yet. */
  unheard: number;
}

const WATCHDOG_MS = 3_000;

const windowOf = (stage: Stage, failures: number): WindowOf => {
  const kind = stage.option(3);
  if (kind === 0) return { kind: 'consecutive', failures };
  const rates = { minimumCalls: 1 + stage.option(3), failureRate: [0.5, 0.34, 1][stage.option(3)] ?? 0.5 };
  if (kind === 1) return { kind: 'count', size: 3 + stage.option(3), ...rates };
  return { kind: 'time', windowMs: [1_000, 200][stage.option(2)] ?? 1_000, ...rates };
};

const setUp = (stage: Stage): Guarded => {
  const failures = 1 + stage.option(4);
  const limits = {
    openMs: [1_000, 200, 5_000][stage.option(3)] ?? 1_000,
    permits: 1 + stage.option(3),
    successes: 1 + stage.option(3),
  };
  const watched = stage.option(2) === 1;
  const window = windowOf(stage, failures);
  const breaker = createCircuitBreaker({
    host: stage.host,
    window,
    openMs: limits.openMs,
    halfOpenPermits: limits.permits,
    successThreshold: limits.successes,
    watchdogMs: WATCHDOG_MS,
  });
  const fold = new Fold(window);
  const offset = breaker.inspect().generation;
  const world: Guarded = {
    breaker,
    fold,
    limits,
    out: [],
    hanging: [],
    outcomes: [],
    offset,
    unheard: 0,
  };
  if (watched)
    breaker.onChange(({ verdict, generation }) => {
      stage.note(`${verdict} ${generation}`);
      if (verdict === 'permits') elapsed(world, stage);
    });
  return world;
};

/** The fold hears that the wait is over: never before it is. */
const elapsed = ({ fold, limits }: Guarded, stage: Stage): void => {
  if (fold.state !== 'open') return;
  const now = stage.host.monotonic();
  if (now < fold.openedAt + limits.openMs)
    stage.violated('half-open only after the wait', `at ${now}, opened at ${fold.openedAt}`);
  fold.next('half', now);
  stage.reached('half-open');
};

/** A result of this generation as the fold takes it. */
const foldIn = ({ fold, limits }: Guarded, judgement: 'success' | 'failure', stage: Stage): void => {
  const now = stage.host.monotonic();
  if (fold.state === 'closed') {
    if (fold.ends(judgement === 'failure', now)) fold.next('open', now);
  } else if (fold.state === 'half') {
    if (judgement === 'failure') {
      fold.next('open', now);
      stage.reached('a probe failed');
    } else {
      fold.successes += 1;
      if (fold.successes >= limits.successes) {
        fold.next('closed', now);
        stage.reached('closed again');
      }
    }
  }
};

/** Something that was let through ends: it gives its permit back, and counts unless it is neutral or stale. */
const endsAs = (
  world: Guarded,
  generation: number,
  judgement: 'success' | 'failure' | 'neutral',
  stage: Stage,
): void => {
  const { fold } = world;
  if (generation !== fold.generation) {
    stage.reached('a stale result');
    return;
  }
  if (fold.state === 'half') fold.probes -= 1;
  if (judgement !== 'neutral') foldIn(world, judgement, stage);
};

const generationOf = ({ breaker, offset }: Guarded): number => breaker.inspect().generation - offset + 1;

const admit = (world: Guarded, stage: Stage): BreakerToken | undefined => {
  const { breaker, fold, limits, out } = world;
  const now = stage.host.monotonic();
  const waits = fold.state === 'open' && now < fold.openedAt + limits.openMs;
  const admission = breaker.admit();
  if (fold.state === 'open' && !waits) elapsed(world, stage);
  judgeEntry(world, admission.admitted, waits, stage);
  if (!admission.admitted) return undefined;
  out.push({ token: admission, generation: fold.generation });
  return admission;
};

/** Whether something was let through, by whichever door, against what should have been. */
const judgeEntry = ({ fold, limits }: Guarded, entered: boolean, waits: boolean, stage: Stage): void => {
  if (!entered) {
    if (fold.state === 'closed') stage.violated('closed lets through', 'refused');
    if (fold.state === 'half' && fold.probes < limits.permits)
      stage.violated('permits are given', `${fold.probes} out`);
    stage.reached('refused');
    return;
  }
  if (waits) stage.violated('no call enters while open', `at ${stage.host.monotonic()}`);
  if (fold.state !== 'half') return;
  fold.probes += 1;
  if (fold.probes > limits.permits)
    stage.violated('at most so many probes', `${fold.probes} of ${limits.permits}`);
  if (fold.probes === limits.permits) stage.reached('all permits out');
};

const settle = (world: Guarded, draw: Draw, stage: Stage): void => {
  const { out, fold } = world;
  const [taken] = out.splice(draw(Math.max(out.length, 1)), 1);
  if (taken === undefined) return;
  const judgement = (['success', 'failure', 'neutral', 'success'] as const)[draw(4)] ?? 'neutral';
  const current = taken.generation === fold.generation;
  const counted = taken.token.settle(judgement);
  if (counted !== current) stage.violated('stale results move nothing', `counted: ${counted}`);
  if (taken.token.settle(judgement)) stage.violated('a token settles once', judgement);
  endsAs(world, taken.generation, judgement, stage);
};

const HOWS = ['well', 'throws', 'rejects', 'hangs'] as const;

/** Calls, which are probes where it is half-open: they end at once, soon, or when they are aborted. */
const execute = (world: Guarded, how: (typeof HOWS)[number], stage: Stage): void => {
  const { fold, limits, breaker } = world;
  const waits = fold.state === 'open' && stage.host.monotonic() < fold.openedAt + limits.openMs;
  const abort = new AbortController();
  let entered = false;
  let generation = fold.generation;
  const work = (): unknown => {
    entered = true;
    if (fold.state === 'open' && !waits) elapsed(world, stage);
    generation = fold.generation;
    if (how === 'well') return 'well';
    if (how === 'throws') throw new Error('at once');
    if (how === 'hangs') return new Promise(() => undefined);
    const soon = Promise.reject(new Error('soon'));
    world.unheard += 1;
    // Heard before the breaker hears it: it listens only when this returns.
    soon.catch(() => endsAs(world, generation, 'failure', stage));
    return soon;
  };
  const { signal } = abort;
  const outcome = follow(breaker.execute(work, { signal }), () => {
    if (how === 'rejects' && entered) world.unheard -= 1;
  });
  world.outcomes.push(outcome);
  if (fold.state === 'open' && !waits) elapsed(world, stage);
  judgeEntry(world, entered, waits, stage);
  if (!entered) return;
  if (fold.state === 'half') stage.reached('a call was a probe');
  if (how === 'well') endsAs(world, generation, 'success', stage);
  else if (how === 'throws') endsAs(world, generation, 'failure', stage);
  else if (how === 'hangs') world.hanging.push({ abort, generation });
};

const abort = (world: Guarded, draw: Draw, stage: Stage): void => {
  const [taken] = world.hanging.splice(draw(Math.max(world.hanging.length, 1)), 1);
  if (taken === undefined) return;
  taken.abort.abort(new Error('enough'));
  if (taken.generation === world.fold.generation && world.fold.state === 'half')
    stage.reached('a probe was aborted');
  endsAs(world, taken.generation, 'neutral', stage);
};

/** The watchdog settles probes that nobody does: as a failure, at its time. */
const bark = (world: Guarded, stage: Stage): void => {
  const { breaker, fold } = world;
  if (fold.state !== 'half' || breaker.inspect().verdict !== 'refuse') return;
  stage.reached('the watchdog barked');
  fold.next('open', stage.host.monotonic());
};

export const breaker: Scenario<Guarded> = {
  name: 'breaker',
  setUp,
  faults: { points: faultsAt('timer.late', 'host.stall') },
  maxCommands: 24,
  weights: { admit: 4, settle: 4, execute: 3 },
  commands: {
    admit: (world, _draw, stage) => void admit(world, stage),
    settle,
    execute: (world, draw, stage) => execute(world, HOWS[draw(HOWS.length)] ?? 'well', stage),
    well: (world, _draw, stage) => execute(world, 'well', stage),
    hang: (world, _draw, stage) => execute(world, 'hangs', stage),
    abort,
    fail: (world, _draw, stage) => {
      world.breaker.fail(new Error('seen elsewhere'));
      foldIn(world, 'failure', stage);
    },
    reset: (world, draw, stage) => {
      if (draw(4) !== 0) return;
      world.breaker.reset();
      if (generationOf(world) !== world.fold.generation) world.fold.next('closed', stage.host.monotonic());
    },
  },
  always: {
    'the watchdog is heard': (world, stage) => void bark(world, stage),
    'at most so many probes': ({ breaker: it, limits }) => {
      const { probes } = it.inspect();
      return probes > limits.permits ? `${probes} of ${limits.permits}` : undefined;
    },
    'permits are conserved': (world, { healing }) => {
      const { breaker: it, fold, unheard } = world;
      if (healing) return undefined;
      if (fold.state !== 'half' || unheard > 0 || generationOf(world) !== fold.generation) return undefined;
      const { probes } = it.inspect();
      return probes === fold.probes
        ? undefined
        : `${probes} are out, of ${fold.probes} that were let through`;
    },
    'counts are a fold of the endings': (world, { host, healing }) => {
      const { breaker: it, fold, unheard } = world;
      if (healing) return undefined;
      if (fold.state !== 'closed' || unheard > 0 || generationOf(world) !== fold.generation) return undefined;
      const wanted = fold.counts(host.monotonic());
      const { calls, failures } = it.inspect();
      return calls === wanted.calls && failures === wanted.failures
        ? undefined
        : `${failures} of ${calls}, in place of ${wanted.failures} of ${wanted.calls}`;
    },
  },
  leans: [
    { commands: { fail: 2, well: 3 }, paces: ['at_once', 300, 2_500], faults: {} },
    { commands: { admit: 3, settle: 4, fail: 1 }, paces: ['at_once', 300, 2_500], faults: {} },
    { commands: { execute: 3, fail: 1, admit: 1, settle: 1 }, paces: ['settled', 300, 2_500], faults: {} },
    { commands: { fail: 3, hang: 2, abort: 2 }, paces: ['at_once', 300, 2_500], faults: {} },
    { commands: { admit: 3, fail: 1 }, paces: ['at_once', 2_500, 12_000], faults: {} },
  ],
  sometimes: [
    'a call was a probe',
    'a probe was aborted',
    'half-open',
    'a probe failed',
    'closed again',
    'refused',
    'all permits out',
    'a stale result',
    'the watchdog barked',
  ],
  heal: async (world, stage) => {
    const { host } = stage;
    for (const hanging of world.hanging) hanging.abort.abort(new Error('over'));
    for (const { token } of world.out) token.settle('neutral');
    const { breaker: it, limits } = world;
    const rest = (ms: number) => new Promise<void>((resolve) => host.timer(ms, 'rest', resolve));
    for (let round = 0; round < 60 && it.inspect().verdict !== 'admit'; round++) {
      await rest(limits.openMs + WATCHDOG_MS + 100);
      follow(it.execute(() => 'well'));
    }
    await rest(1);
    if (it.inspect().verdict !== 'admit') stage.violated('liveness', 'it does not close any more');
    it.dispose();
  },
  converged: {
    'every call settles': ({ outcomes }) =>
      outcomes.some(({ status }) => status === 'pending') ? 'one is pending' : undefined,
    'nothing is left': (_world, { host }) =>
      host.pendingTimers().length > 0 ? host.pendingTimers()[0]?.label : undefined,
  },
};
