/**
 * `npm run -s sim -- --runs N --seed S --json`: every scenario, parted among processes, one for each core. Ends with one line of
 * what was found; exits with 1 for any failure, and from 1,000 runs up for any *sometimes* that was never reached.
 *
 * `--scenario NAME` runs one alone; `--replay FILE` has a failure again, with its trace.
 */
import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { exit } from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { readCase } from '../src/testing/failure-file.ts';
import { type CampaignReport, type FailedRun, neverReached, simulate } from '../src/testing/simulate.ts';
import { runCase } from '../src/testing/simulation.ts';
import { type AnyScenario, SCENARIOS } from '../test/simulation/scenarios/index.ts';

/** Some of the runs of one scenario, as a process is given them. */
interface Portion {
  readonly scenario: string;
  readonly from: number;
  readonly runs: number;
  readonly seed: number;
}

/** Runs handed out at a time: few enough that the processes end together. */
const PORTION_RUNS = 500;
const MOST_PROCESSES = 8;
const LINES_SHOWN = 30;

const { values: options } = parseArgs({
  options: {
    runs: { type: 'string', default: '3000' },
    seed: { type: 'string', default: '1' },
    scenario: { type: 'string' },
    processes: { type: 'string', default: String(Math.min(availableParallelism(), MOST_PROCESSES)) },
    replay: { type: 'string' },
    json: { type: 'boolean', default: false },
    portions: { type: 'boolean', default: false },
  },
});

const numberOf = (name: 'runs' | 'seed' | 'processes'): number => {
  const value = Number(options[name]);
  if (Number.isSafeInteger(value) && (value >= 1 || name === 'seed')) return value;
  console.error(`sim: --${name} must be a whole number, got ${options[name]}`);
  return exit(2);
};

const scenarioNamed = (name: string): AnyScenario => {
  const found = SCENARIOS.find(({ scenario }) => scenario.name === name);
  if (found !== undefined) return found.scenario;
  console.error(
    `sim: no scenario ${name}; known are ${SCENARIOS.map(({ scenario }) => scenario.name).join(', ')}`,
  );
  return exit(2);
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

const replay = async (file: string): Promise<never> => {
  const run = readCase(file);
  const outcome = await runCase(scenarioNamed(run.scenario), run, { traced: true });
  console.log(outcome.trace.join('\n'));
  const { failure } = outcome;
  console.log(failure === undefined ? '✓ it holds' : `✗ ${failure.property}: ${failure.error.stack}`);
  return exit(failure === undefined ? 0 : 1);
};

const main = async (): Promise<never> => {
  const startedAt = performance.now();
  const runs = numberOf('runs');
  const reports = await share(portionsOf(runs, numberOf('seed')), numberOf('processes'));
  const sometimes: Record<string, number> = {};
  const missing: string[] = [];
  for (const { scenario } of SCENARIOS) {
    const own = reports.filter((report) => report.scenario === scenario.name);
    const reached: Record<string, number> = {};
    for (const report of own)
      for (const [name, count] of Object.entries(report.sometimes))
        reached[name] = (reached[name] ?? 0) + count;
    for (const [name, count] of Object.entries(reached)) sometimes[`${scenario.name}: ${name}`] = count;
    if (own.length > 0)
      missing.push(...neverReached({ runs, sometimes: reached }).map((name) => `${scenario.name}: ${name}`));
  }
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
