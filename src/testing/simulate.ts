/**
 * A campaign: many runs of one scenario, generated from a seed, a share of them twice; the first that fails is shrunk,
 * written down and told with the line that replays it.
 *
 * Invariant: run `n` of a seed is the same whoever runs it and whatever ran before, so that campaigns can be parted among
 * processes. What a single run does is simulation.ts.
 */
import { createError } from '../base/errors.ts';
import { fits, flag, fn, integer, oneOf, resolveOptions, text } from '../base/options.ts';
import { createRandom } from '../base/random.ts';
import { describeFailure, FAILURE_DIRECTORY, type FailureFile, writeFailure } from './failure-file.ts';
import { placeDoors } from './leak-guard.ts';
import { drawCase, drawLeaning } from './leaning.ts';
import { readCaseOf, replayCommand, replayWanted } from './replay.ts';
import { shrinkCase } from './shrink.ts';
import { type RunCase, type RunOutcome, runCase, type Scenario } from './simulation.ts';
import { decideBy, nextCombination, STRATEGIES, type StrategyName } from './strategies.ts';

/** Options of {@link simulate}. */
export interface CampaignOptions {
  /** Default 200. */
  readonly runs?: number;
  /** Default 1. */
  readonly seed?: number;
  /** The number of the first run. Default 0. */
  readonly from?: number;
  /** Default: each in turn. */
  readonly strategy?: StrategyName;
  /** One run in so many is run twice, and must have the same hash. 0: none. Default 50. */
  readonly repeatOneIn?: number;
  /** Runs that shrinking may take. Default 2,000. */
  readonly shrinkRuns?: number;
  /** Where failures are written; `false`: nowhere. Default `.sim-failures`. */
  readonly directory?: string | false;
  /** The line that replays a failure. Default: a command for the shell, with `TROUPE_REPLAY`. */
  readonly replayLine?: (file: string) => string;
  /** Replays this file in place of a campaign. Default: that in `TROUPE_REPLAY`, where it is of this scenario. */
  readonly replay?: string;
  /** Whether it goes on after a failure and reports them all. Default `false`: it throws. */
  readonly collects?: boolean;
}

/** What a campaign found. */
export interface CampaignReport {
  readonly scenario: string;
  readonly runs: number;
  /** Runs in which each *sometimes* property was reached. */
  readonly sometimes: Readonly<Record<string, number>>;
  readonly failures: readonly FailedRun[];
}

export interface FailedRun extends FailureFile {
  /** Where it was written. */
  readonly file: string | undefined;
}

/** From so many runs on, a *sometimes* that was never reached is a failure. */
export const SOMETIMES_FROM_RUNS = 1_000;
/** Failures of one campaign that are shrunk and written; more are counted only. */
const FAILURES_SHRUNK = 3;
/** Spreads the numbers of runs over the seeds of their randomness. */
const SPREAD = 0x9e3779b1;

const FIELDS = {
  runs: integer(1),
  seed: integer(),
  from: integer(0),
  strategy: oneOf('uniform', 'pct', 'mostly_fifo'),
  repeatOneIn: integer(0),
  shrinkRuns: integer(0),
  directory: fits<string | false>('a path or false', (v) => v === false || text.accepts(v)),
  replayLine: fn<(file: string) => string>(),
  replay: text,
  collects: flag,
};

const DEFAULTS = {
  runs: 200,
  seed: 1,
  from: 0,
  repeatOneIn: 50,
  shrinkRuns: 2_000,
  directory: FAILURE_DIRECTORY as string | false,
  collects: false,
};

/** Without the zeros at its end, which mean nothing. */
const trimmed = (choices: readonly number[]): readonly number[] => {
  let length = choices.length;
  while (length > 0 && choices[length - 1] === 0) length -= 1;
  return choices.slice(0, length);
};

type Resolved = typeof DEFAULTS &
  Pick<CampaignOptions, 'strategy' | 'replay'> &
  Required<Pick<CampaignOptions, 'replayLine'>>;

class Campaign<W> {
  readonly #scenario: Scenario<W>;
  readonly #options: Resolved;
  readonly #reached = new Map<string, number>();
  readonly #failures: FailedRun[] = [];

  constructor(scenario: Scenario<W>, options: Resolved) {
    this.#scenario = scenario;
    this.#options = options;
    for (const name of scenario.sometimes ?? []) this.#reached.set(name, 0);
  }

  async perform(): Promise<CampaignReport> {
    const { runs, from, replay } = this.#options;
    if (replay === undefined) for (let run = from; run < from + runs; run++) await this.#one(run);
    else await this.#replay(readCaseOf(this.#scenario.name, replay));
    const sometimes = Object.fromEntries(this.#reached);
    return {
      scenario: this.#scenario.name,
      runs: replay === undefined ? runs : 1,
      sometimes,
      failures: this.#failures,
    };
  }

  async #one(number: number): Promise<void> {
    const { seed, repeatOneIn } = this.#options;
    const random = createRandom(Math.imul(number + 1, SPREAD) ^ seed);
    const leaning = drawLeaning(this.#scenario, random, number);
    const generated = drawCase(this.#scenario, leaning, random);
    const strategy = this.#options.strategy ?? STRATEGIES[number % STRATEGIES.length] ?? 'uniform';
    const decide = decideBy(strategy, random, leaning);
    const outcome = await runCase(this.#scenario, generated, { decide });
    for (const name of outcome.reached) this.#reached.set(name, (this.#reached.get(name) ?? 0) + 1);
    const repeats = repeatOneIn > 0 && number % repeatOneIn === 0;
    if (outcome.failure === undefined && !repeats) return;
    const run = { ...generated, choices: trimmed(outcome.taken) };
    const again = await runCase(this.#scenario, run);
    if (again.hash !== outcome.hash) await this.#fail(run, withFailure(again, outcome), false);
    else if (again.failure !== undefined) await this.#fail(run, again, true);
  }

  async #replay(run: RunCase): Promise<void> {
    const outcome = await runCase(this.#scenario, run);
    if (outcome.failure !== undefined) await this.#fail(run, outcome, false);
  }

  async #fail(run: RunCase, outcome: RunOutcome, shrinks: boolean): Promise<void> {
    const { shrinkRuns, directory, collects } = this.#options;
    const { name } = this.#scenario;
    const small =
      shrinks && this.#failures.length < FAILURES_SHRUNK
        ? await shrinkCase(this.#scenario, run, outcome, shrinkRuns)
        : run;
    const traced = await runCase(this.#scenario, small, { traced: true });
    const described = describeFailure(
      name,
      small,
      traced.failure === undefined ? { ...traced, failure: outcome.failure } : traced,
    );
    const writes = directory !== false && this.#failures.length < FAILURES_SHRUNK;
    const failed = { ...described, file: writes ? writeFailure(directory, described) : undefined };
    this.#failures.push(failed);
    if (!collects) throw this.#errorOf(failed);
  }

  #errorOf(failed: FailedRun): Error {
    const { property, error, file, scenario } = failed;
    const hint = file === undefined ? '' : `\nreplay: ${this.#options.replayLine(file)}`;
    return createError('ERR_SIMULATION_FAILED', { ...failed, scenario, property, why: error, hint });
  }
}

/** A run that differed from itself. */
const withFailure = (again: RunOutcome, first: RunOutcome): RunOutcome => {
  const error = new Error(`the same case ran differently: ${first.hash}, then ${again.hash}`, {
    cause: first.failure?.error ?? again.failure?.error,
  });
  return { ...again, failure: { property: 'no nondeterminism', error } };
};

/**
 * Runs a scenario many times, under generated commands, schedules and faults.
 *
 * @throws ERR_SIMULATION_FAILED at the first failure, unless it `collects`; and where a *sometimes* property was never
 *   reached in 1,000 runs and more. ERR_OPTION_INVALID, also for a file to replay that is of another scenario;
 *   ERR_OPTION_UNKNOWN
 */
export const simulate = async <W>(
  scenario: Scenario<W>,
  options: CampaignOptions = {},
): Promise<CampaignReport> => {
  const given = resolveOptions(`simulate ${scenario.name}`, options, FIELDS, DEFAULTS);
  const resolved = {
    replayLine: replayCommand(simulate),
    ...given,
    replay: given.replay ?? replayWanted(scenario.name),
  } as unknown as Resolved;
  const removeDoors = placeDoors();
  try {
    const report = await new Campaign(scenario, resolved).perform();
    const missed = neverReached(report);
    if (resolved.collects || missed.length === 0) return report;
    const why = `never reached in ${report.runs} runs: ${missed.join(', ')}`;
    throw createError('ERR_SIMULATION_FAILED', {
      scenario: scenario.name,
      property: 'sometimes',
      why,
      hint: '',
    });
  } finally {
    removeDoors();
  }
};

/** The *sometimes* properties that so many runs should have reached and did not. */
export const neverReached = ({
  runs,
  sometimes,
}: Pick<CampaignReport, 'runs' | 'sometimes'>): readonly string[] =>
  runs < SOMETIMES_FROM_RUNS ? [] : Object.keys(sometimes).filter((name) => sometimes[name] === 0);

/** What {@link explore} found. */
export interface Exploration {
  readonly runs: number;
  /** Whether every combination of decisions was tried. */
  readonly complete: boolean;
}

/**
 * Tries every combination of decisions for one list of commands: for tiny scenarios only, the runs grow exponentially.
 *
 * @throws ERR_SIMULATION_FAILED
 */
export const explore = async <W>(
  scenario: Scenario<W>,
  tiny: Partial<Omit<RunCase, 'choices'>> = {},
  { maxRuns = 10_000 }: { readonly maxRuns?: number } = {},
): Promise<Exploration> => {
  const removeDoors = placeDoors();
  let choices: readonly number[] | undefined = [];
  let runs = 0;
  try {
    for (; choices !== undefined && runs < maxRuns; runs++) {
      const run: RunCase = { seed: 1, config: [], commands: [], ...tiny, choices };
      let index = 0;
      const outcome = await runCase(scenario, run, { decide: () => run.choices[index++] ?? 0 });
      const { failure } = outcome;
      if (failure !== undefined) {
        const data = { scenario: scenario.name, property: failure.property, choices: outcome.taken };
        throw createError('ERR_SIMULATION_FAILED', { ...data, why: failure.error.stack, hint: '' });
      }
      choices = nextCombination(outcome.taken, outcome.among);
    }
  } finally {
    removeDoors();
  }
  return { runs, complete: choices === undefined };
};
