/**
 * `npm run -s sim -- --runs N --seed S --json`: every scenario, parted among processes, one for each core. Ends with one line of
 * what was found; exits with 1 for any failure, and from 1,000 runs up for any *sometimes* that was never reached, also not in more
 * runs of its scenario; with 2 for arguments that it does not know.
 *
 * `--scenario NAME` runs one alone; `--replay FILE` has a failure again, with its trace.
 */
import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { exit } from 'node:process';
import { fileURLToPath } from 'node:url';
import { fits } from '../src/base/options.ts';
import { readCase } from '../src/testing/failure-file.ts';
import { type CampaignReport, type FailedRun, neverReached, simulate } from '../src/testing/simulate.ts';
import { runCase } from '../src/testing/simulation.ts';
import { type AnyScenario, SCENARIOS } from '../test/simulation/scenarios/index.ts';
import { argumentsOf, checked, refuseOn, wholeNumber } from './arguments.ts';

/** Some of the runs of one scenario, as a process is given them. */
interface Portion {
  readonly scenario: string;
  readonly from: number;
  readonly runs: number;
  readonly seed: number;
}

/** Runs handed out at a time: few enough that the processes end together. */
const PORTION_RUNS = 500;
const PROCESSES = Math.min(availableParallelism(), 8);
const RUNS = 3_000;
/** In so many runs more, what is rare shows; what does not is out of reach. */
const SEARCH_RUNS = 5_000;
const LINES_SHOWN = 30;

const TEXT = { type: 'string' } as const;
const FLAG = { type: 'boolean' } as const;
const options = argumentsOf('sim', {
  runs: TEXT,
  seed: TEXT,
  scenario: TEXT,
  processes: TEXT,
  replay: TEXT,
  json: FLAG,
  portions: FLAG,
});

const numberOf = (name: 'runs' | 'seed' | 'processes', min: number, otherwise: number): number =>
  wholeNumber('sim', name, { value: options[name] ?? otherwise, min });

const scenarioNamed = (name: string): AnyScenario => {
  const found = SCENARIOS.find(({ scenario }) => scenario.name === name);
  if (found !== undefined) return found.scenario;
  const known = SCENARIOS.map(({ scenario }) => `'${scenario.name}'`);
  return checked(
    'sim',
    'scenario',
    fits<never>(`one of ${known.join(', ')}`, () => false),
    name,
  );
};

const perform = ({ scenario, ...range }: Portion): Promise<CampaignReport> =>
  simulate(scenarioNamed(scenario), { ...range, collects: true });

/** What a process of its own does: portion after portion, until it is let go. */
const serve = (): void => {
  process.on('message', (portion: Portion) => {
    perform(portion).then(
      (report) => process.send?.(report),
      (error: unknown) => {
        console.error(error);
        exit(1);
      },
    );
  });
};

const portionsOf = (runs: number, seed: number): Portion[] => {
  const wanted = SCENARIOS.filter(
    ({ scenario }) => options.scenario === undefined || scenario.name === options.scenario,
  );
  if (options.scenario !== undefined) scenarioNamed(options.scenario);
  const shares = wanted.reduce((sum, { share }) => sum + share, 0);
  const portions: Portion[] = [];
  let left = runs;
  for (const [index, { scenario, share }] of wanted.entries()) {
    const own = index === wanted.length - 1 ? left : Math.min(left, Math.round((runs * share) / shares));
    left -= own;
    for (let from = 0; from < own; from += PORTION_RUNS)
      portions.push({ scenario: scenario.name, from, runs: Math.min(PORTION_RUNS, own - from), seed });
  }
  return portions;
};

/** Hands the portions to processes; each takes the next when it is done with one. */
const share = (portions: Portion[], processes: number): Promise<CampaignReport[]> =>
  new Promise((resolve, reject) => {
    const reports: CampaignReport[] = [];
    let working = 0;
    const engage = (): void => {
      const child = fork(fileURLToPath(import.meta.url), ['--portions'], { stdio: 'inherit' });
      working += 1;
      const next = (): void => {
        const portion = portions.shift();
        if (portion === undefined) child.disconnect();
        else child.send(portion);
      };
      child.on('message', (report: CampaignReport) => {
        reports.push(report);
        next();
      });
      child.on('exit', (code) => {
        working -= 1;
        if (code !== 0) reject(new Error(`a process of the simulation exited with ${code}`));
        else if (working === 0) resolve(reports);
      });
      next();
    };
    for (let count = Math.min(processes, portions.length); count > 0; count--) engage();
  });

const showFailure = ({ scenario, property, error, file, trace }: FailedRun): void => {
  console.error(`\n✗ ${scenario}: ${property}\n${error}`);
  if (file === undefined) return;
  console.error(`  ${trace.slice(-LINES_SHOWN).join('\n  ')}`);
  console.error(`replay: npm run -s sim -- --replay ${file}`);
};

const caseIn = (file: string): ReturnType<typeof readCase> => {
  try {
    return readCase(file);
  } catch (error) {
    return refuseOn(error);
  }
};

const replay = async (file: string): Promise<never> => {
  const run = caseIn(file);
  const outcome = await runCase(scenarioNamed(run.scenario), run, { traced: true });
  console.log(outcome.trace.join('\n'));
  const { failure } = outcome;
  console.log(failure === undefined ? '✓ it holds' : `✗ ${failure.property}: ${failure.error.stack}`);
  return exit(failure === undefined ? 0 : 1);
};

/** How often each *sometimes* of a scenario was reached, in all its runs. */
const reachedIn = (reports: readonly CampaignReport[], name: string): Record<string, number> => {
  const reached: Record<string, number> = {};
  for (const { scenario, sometimes } of reports) {
    if (scenario !== name) continue;
    for (const [what, count] of Object.entries(sometimes)) reached[what] = (reached[what] ?? 0) + count;
  }
  return reached;
};

interface Unreached {
  readonly scenario: string;
  readonly what: readonly string[];
}

const unreachedIn = (reports: readonly CampaignReport[], runs: number): readonly Unreached[] =>
  [...new Set(reports.map(({ scenario }) => scenario))]
    .map((scenario) => ({ scenario, what: neverReached({ runs, sometimes: reachedIn(reports, scenario) }) }))
    .filter(({ what }) => what.length > 0);

/**
 * A scenario's share of the runs may be some dozens, in which what is rare need not be. What they did not reach is looked for
 * in more runs of that scenario, before it counts as never reached.
 */
const search = async (reports: CampaignReport[], runs: number, seed: number): Promise<void> => {
  const processes = numberOf('processes', 1, PROCESSES);
  let unreached = unreachedIn(reports, runs);
  for (let searched = 0; unreached.length > 0 && searched < SEARCH_RUNS; searched += PORTION_RUNS) {
    const portions = unreached.map(({ scenario }) => {
      const own = reports.filter((report) => report.scenario === scenario);
      const from = own.reduce((sum, report) => sum + report.runs, 0);
      return { scenario, from, runs: PORTION_RUNS, seed };
    });
    for (const { scenario, what } of unreached)
      console.error(`… ${PORTION_RUNS} more runs of ${scenario}, looking for: ${what.join(', ')}`);
    reports.push(...(await share(portions, processes)));
    unreached = unreachedIn(reports, runs);
  }
};

const main = async (): Promise<never> => {
  const startedAt = performance.now();
  const runs = numberOf('runs', 1, RUNS);
  const seed = numberOf('seed', Number.MIN_SAFE_INTEGER, 1);
  const reports = await share(portionsOf(runs, seed), numberOf('processes', 1, PROCESSES));
  await search(reports, runs, seed);
  const sometimes: Record<string, number> = {};
  for (const { scenario } of SCENARIOS)
    for (const [name, count] of Object.entries(reachedIn(reports, scenario.name)))
      sometimes[`${scenario.name}: ${name}`] = count;
  const missing = unreachedIn(reports, runs).flatMap(({ scenario, what }) =>
    what.map((name) => `${scenario}: ${name}`),
  );
  const failures = reports.flatMap((report) => report.failures);
  for (const failure of failures.slice(0, 5)) showFailure(failure);
  for (const name of missing) console.error(`✗ never reached: ${name}`);
  const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
  const found = { runs, failures: failures.length, sometimes, seconds };
  if (options.json) console.log(JSON.stringify(found));
  else console.log(`${runs} runs, ${failures.length} failures, ${seconds} s`, sometimes);
  return exit(failures.length > 0 || missing.length > 0 ? 1 : 0);
};

if (options.portions) serve();
else if (options.replay !== undefined) await replay(options.replay);
else await main();
