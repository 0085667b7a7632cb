/**
 * A breaker alone, beside a fold of the same admissions and settlements that is kept by hand: closed, open and half-open, with
 * probes that succeed, fail, hang, are aborted and come too late.
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

/** What a breaker must be, computed from what it was told. */
class Fold {
  state: 'closed' | 'open' | 'half' = 'closed';
  inRow = 0;
  successes = 0;
  openedAt = 0;
  generation = 1;
  probes = 0;

  next(state: Fold['state'], now: number): void {
    this.state = state;
    this.generation += 1;
    this.inRow = 0;
    this.successes = 0;
    this.probes = 0;
    if (state === 'open') this.openedAt = now;
  }
}

export interface Guarded {
  readonly breaker: CircuitBreaker & StandaloneBreaker;
  readonly fold: Fold;
  readonly limits: {
    readonly failures: number;
    readonly openMs: number;
    readonly permits: number;
    readonly successes: number;
  };
  readonly out: Out[];
  readonly outcomes: Outcome[];
  readonly offset: number;
}

const WATCHDOG_MS = 3_000;

const setUp = (stage: Stage): Guarded => {
  const limits = {
    failures: 1 + stage.option(4),
    openMs: [1_000, 200, 5_000][stage.option(3)] ?? 1_000,
    permits: 1 + stage.option(3),
    successes: 1 + stage.option(3),
  };
  const breaker = createCircuitBreaker({
    host: stage.host,
    window: { kind: 'consecutive', failures: limits.failures },
    openMs: limits.openMs,
    halfOpenPermits: limits.permits,
    successThreshold: limits.successes,
    watchdogMs: WATCHDOG_MS,
  });
  const fold = new Fold();
  const watched = stage.option(2) === 1;
  const world: Guarded = {
    breaker,
    fold,
    limits,
    out: [],
    outcomes: [],
    offset: breaker.inspect().generation,
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

/** A result as the fold takes it. */
const foldIn = ({ fold, limits }: Guarded, judgement: 'success' | 'failure', stage: Stage): void => {
  const now = stage.host.monotonic();
  if (fold.state === 'closed') {
    fold.inRow = judgement === 'failure' ? fold.inRow + 1 : 0;
    if (fold.inRow >= limits.failures) fold.next('open', now);
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

const generationOf = ({ breaker, offset }: Guarded): number => breaker.inspect().generation - offset + 1;

const admit = (world: Guarded, stage: Stage): BreakerToken | undefined => {
  const { breaker, fold, limits, out } = world;
  const now = stage.host.monotonic();
  const waits = fold.state === 'open' && now < fold.openedAt + limits.openMs;
  const admission = breaker.admit();
  if (fold.state === 'open' && !waits) elapsed(world, stage);
  if (!admission.admitted) {
    if (fold.state === 'closed') stage.violated('closed lets through', 'refused');
    if (fold.state === 'half' && fold.probes < limits.permits)
      stage.violated('permits are given', `${fold.probes} out`);
    stage.reached('refused');
    return undefined;
  }
  if (waits) stage.violated('no call enters while open', `at ${now}`);
  if (fold.state === 'half') {
    fold.probes += 1;
    if (fold.probes > limits.permits)
      stage.violated('at most so many probes', `${fold.probes} of ${limits.permits}`);
    if (fold.probes === limits.permits) stage.reached('all permits out');
  }
  out.push({ token: admission, generation: fold.generation });
  return admission;
};

const settle = (world: Guarded, draw: Draw, stage: Stage): void => {
  const { out, fold } = world;
  const [taken] = out.splice(draw(Math.max(out.length, 1)), 1);
  if (taken === undefined) return;
  const judgement = (['success', 'failure', 'neutral'] as const)[draw(3)] ?? 'neutral';
  const current = taken.generation === fold.generation;
  if (!current) stage.reached('a stale result');
  const counted = taken.token.settle(judgement);
  if (counted !== current) stage.violated('stale results move nothing', `counted: ${counted}`);
  if (taken.token.settle(judgement)) stage.violated('a token settles once', judgement);
  if (!current) return;
  if (fold.state === 'half') fold.probes -= 1;
  if (judgement !== 'neutral') foldIn(world, judgement, stage);
};

/** Calls of a closed or open breaker; those of a half-open one are probes, which `admit` plays. */
const execute = (world: Guarded, draw: Draw, stage: Stage): void => {
  const { fold, limits } = world;
  const waits = fold.state === 'open' && stage.host.monotonic() < fold.openedAt + limits.openMs;
  if (fold.state !== 'closed' && !waits) return;
  const how = draw(3);
  const generation = fold.generation;
  const count = (judgement: 'success' | 'failure'): void => {
    if (generation === fold.generation) foldIn(world, judgement, stage);
  };
  let entered = false;
  const promise = world.breaker.execute(() => {
    entered = true;
    if (how === 1) throw new Error('at once');
    if (how === 0) return 'well';
    const soon = Promise.reject(new Error('soon'));
    // Heard before the breaker hears it: it listens only when this returns.
    soon.catch(() => count('failure'));
    return soon;
  });
  world.outcomes.push(follow(promise));
  if (entered && waits) stage.violated('no call enters while open', 'execute');
  if (!entered && !waits) stage.violated('closed lets through', 'execute was refused');
  if (entered && how < 2) count(how === 1 ? 'failure' : 'success');
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
  faults: { points: faultsAt('timer.late') },
  maxCommands: 24,
  weights: { admit: 4, settle: 4, execute: 3 },
  commands: {
    admit: (world, _draw, stage) => void admit(world, stage),
    settle,
    execute,
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
  },
  sometimes: [
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
    const { breaker: it, limits } = world;
    for (let round = 0; round < 60; round++) {
      await new Promise<void>((resolve) => host.timer(limits.openMs + WATCHDOG_MS + 100, 'round', resolve));
      if (it.inspect().verdict === 'admit') break;
      follow(it.execute(() => 'well'));
    }
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
