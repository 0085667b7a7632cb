/**
 * One simulated run of a scenario: set up, commands in the midst of faults, then healing, after which everything must have
 * converged. All of it follows from a {@link RunCase}, a handful of integers.
 *
 * Invariant: equal cases give equal runs, to the hash. A run ends with the first property that does not hold. The
 * campaign of many runs is simulate.ts.
 */
import { createError } from '../base/errors.ts';
import type { Awaitable } from '../kernel/logic.ts';
import { drawFaults, type FaultTable } from './faults.ts';
import { guardGlobals, type LeakGuard } from './leak-guard.ts';
import { type Decide, SimulatedHost } from './simulated-host.ts';

/** A run, as data: zeros, and whatever lies past an end, are benign. */
export interface RunCase {
  /** Seed of `host.random`. */
  readonly seed: number;
  /** What `stage.option` draws from. */
  readonly config: readonly number[];
  /** Which command, with which argument, and how the time goes on after it. */
  readonly commands: readonly (readonly [which: number, argument: number, pace: number])[];
  /** What the host decides by. */
  readonly choices: readonly number[];
}

/** What a scenario acts through. */
export interface Stage {
  readonly host: SimulatedHost;
  /** One of `n` variants of the scenario, 0 the plainest: drawn from the case's config. */
  option(n: number): number;
  /** One of `n` things that may happen now, 0 the benign one: drawn from the host's decisions. */
  choose(n: number, label: string): number;
  /** A *sometimes* property has been reached. */
  reached(name: string): void;
  /** An *always* property does not hold: the run ends here. Safe to call from listeners and handlers. */
  violated(property: string, why: string): void;
  /** Adds a fact to the trace and its hash: what is observed must be the same when the run is repeated. */
  note(fact: string): void;
  /** Whether faults have stopped. */
  readonly healing: boolean;
}

/** A number of a command's own, below `n`: successive ones come from its argument. */
export type Draw = (n: number) => number;

/**
 * Starts something and does not wait for it; a rejection of what it returns is nobody's business (look at outcomes
 * yourself), a throw fails the run.
 */
export type Command<W> = (world: W, draw: Draw, stage: Stage) => unknown;

/** A property: what is wrong, or nothing. */
export type Check<W> = (world: W, stage: Stage) => string | undefined;

/** How the time goes on after a command: until all is settled, not at all, by so many ms, or by a stall of 120 ms. */
export type Pace = 'settled' | 'at_once' | 'stall' | 1 | 7 | 45 | 300 | 2_500 | 12_000;

/** Towards what some runs lean, so that they get where others hardly ever do. What is left out is drawn as ever. */
export interface Lean {
  /** The only commands, and how often each is drawn. */
  readonly commands?: Readonly<Record<string, number>>;
  readonly paces?: readonly Pace[];
  /** The only faults, by point: of so many chances of it one is taken. */
  readonly faults?: Readonly<Record<string, number>>;
}

/** What is simulated. */
export interface Scenario<W> {
  readonly name: string;
  /** Builds and starts the world. It is driven while it is awaited. */
  readonly setUp: (stage: Stage) => Awaitable<W>;
  readonly commands: Readonly<Record<string, Command<W>>>;
  /** How often a command is drawn, beside 1 for each other. */
  readonly weights?: Readonly<Record<string, number>>;
  /** One run in two leans to one of these, in turn, and is not short. Default: none does. */
  readonly leans?: readonly Lean[];
  /** Default: none. */
  readonly faults?: FaultTable;
  /** Hold after every step. */
  readonly always?: Readonly<Record<string, Check<W>>>;
  /** Must have been reached by some run of a campaign of 1,000 runs and more. */
  readonly sometimes?: readonly string[];
  /** Faults have stopped: brings the world to its end, and awaits what must come about. It is driven meanwhile. */
  readonly heal?: (world: W, stage: Stage) => Awaitable<void>;
  /** Hold when it has healed. */
  readonly converged?: Readonly<Record<string, Check<W>>>;
  /** Commands of one run. Default 12. */
  readonly maxCommands?: number;
  /** Simulated ms that healing may take. Default 300,000. */
  readonly healMs?: number;
  /** Steps of one run, all told. Default 20,000: more is a livelock. */
  readonly stepLimit?: number;
}

/** How a run came out. */
export interface RunOutcome {
  /** The first property that did not hold. */
  readonly failure: { readonly property: string; readonly error: Error } | undefined;
  readonly hash: string;
  readonly reached: ReadonlySet<string>;
  /** What was decided, and among how many; kept where `decide` was given. */
  readonly taken: readonly number[];
  readonly among: readonly number[];
  /** Labels, where asked for. */
  readonly trace: readonly string[];
  /** The names of the commands that were run, in order. */
  readonly commands: readonly string[];
}

export interface RunOptions {
  /** Takes the decisions in place of the case's choices. */
  readonly decide?: Decide | undefined;
  readonly traced?: boolean;
}

export const MAX_COMMANDS = 12;
const HEAL_MS = 300_000;
const STEP_LIMIT = 20_000;
/** How long a world may take to be set up, simulated ms. */
const SET_UP_MS = 120_000;

/** The first is the plainest; that time stands still is as likely as two others. */
export const PACES: readonly Pace[] = [
  'settled',
  'at_once',
  'at_once',
  1,
  7,
  45,
  300,
  2_500,
  12_000,
  'stall',
];
const STALL_MS = 120;

const goOn = (host: SimulatedHost, pace: Pace | undefined): Promise<void> | undefined => {
  if (pace === undefined || pace === 'at_once') return undefined;
  if (pace === 'settled') return host.settle();
  return pace === 'stall' ? host.stall(STALL_MS) : host.advance(pace);
};

/** Ends a run from within. */
class Violation extends Error {
  readonly property: string;

  constructor(property: string, why: string) {
    super(why);
    this.property = property;
  }
}

class StageOfRun implements Stage {
  readonly host: SimulatedHost;
  readonly #config: readonly number[];
  readonly reachedNames = new Set<string>();
  violation: Violation | undefined;
  healing = false;
  #options = 0;

  constructor(host: SimulatedHost, config: readonly number[]) {
    this.host = host;
    this.#config = config;
  }

  option(n: number): number {
    return (this.#config[this.#options++] ?? 0) % n;
  }

  choose(n: number, label: string): number {
    return this.healing ? 0 : this.host.choose(n, label);
  }

  reached(name: string): void {
    this.reachedNames.add(name);
  }

  violated(property: string, why: string): void {
    this.violation ??= new Violation(property, why);
  }

  note(fact: string): void {
    this.host.trace.note('note', fact, this.host.monotonic());
  }
}

const drawFrom = (argument: number): Draw => {
  let rest = argument;
  return (n) => {
    const drawn = rest % n;
    rest = Math.floor(rest / n);
    return drawn;
  };
};

/** The names of the commands by the numbers that stand for them: each as often as it weighs. */
export const commandNames = ({
  commands,
  weights,
}: {
  readonly commands: object;
  readonly weights?: Readonly<Record<string, number>>;
}): readonly string[] =>
  Object.keys(commands).flatMap((name) => Array.from({ length: weights?.[name] ?? 1 }, () => name));

class Run<W> {
  readonly #scenario: Scenario<W>;
  readonly #case: RunCase;
  readonly #stage: StageOfRun;
  readonly #host: SimulatedHost;
  readonly #guard: LeakGuard;
  readonly #always: readonly (readonly [string, Check<W>])[];
  readonly #commands: string[] = [];
  #world: { readonly is: W } | undefined;

  constructor(scenario: Scenario<W>, run: RunCase, { decide, traced = false }: RunOptions) {
    this.#scenario = scenario;
    this.#case = run;
    this.#always = Object.entries(scenario.always ?? {});
    const decides = decide === undefined ? {} : { decide };
    this.#host = new SimulatedHost({ choices: run.choices, seed: run.seed, traced, ...decides });
    this.#stage = new StageOfRun(this.#host, run.config);
    this.#host.afterStep = () => this.#afterStep();
    this.#guard = guardGlobals(this.#host);
  }

  async perform(): Promise<RunOutcome> {
    let failure: RunOutcome['failure'];
    try {
      await this.#setUp();
      await this.#command();
      await this.#heal();
    } catch (error) {
      failure = failureOf(this.#stage.violation ?? error);
    } finally {
      this.#guard.end();
    }
    const { trace, taken, among } = this.#host;
    return {
      failure,
      hash: trace.hash,
      reached: this.#stage.reachedNames,
      taken,
      among,
      trace: trace.lines,
      commands: this.#commands,
    };
  }

  async #setUp(): Promise<void> {
    const { setUp, faults } = this.#scenario;
    const is = await this.#host.runUntil(settled(setUp(this.#stage)), SET_UP_MS);
    this.#world = { is };
    if (faults !== undefined)
      this.#host.faults = drawFaults(faults, this.#host.choose, () => !this.#stage.healing);
    this.#check();
  }

  async #command(): Promise<void> {
    const names = commandNames(this.#scenario);
    for (const [which, argument, pace] of this.#case.commands) {
      const name = names[which % names.length];
      const command = this.#scenario.commands[name ?? ''];
      if (name === undefined || command === undefined) return;
      this.#commands.push(name);
      this.#host.trace.note('command', name, argument);
      const result = command(this.#theWorld, drawFrom(argument), this.#stage);
      settled(result).catch(() => undefined);
      await goOn(this.#host, PACES[pace % PACES.length]);
      this.#check();
    }
  }

  async #heal(): Promise<void> {
    await this.#host.settle();
    this.#stage.healing = true;
    this.#host.faults = {};
    const { heal, healMs = HEAL_MS, converged = {} } = this.#scenario;
    try {
      if (heal !== undefined) await this.#host.runUntil(settled(heal(this.#theWorld, this.#stage)), healMs);
      await this.#host.settle();
    } catch (error) {
      throw this.#stage.violation ?? (error instanceof Violation ? error : livenessOf(error));
    }
    this.#check();
    for (const [name, check] of Object.entries(converged)) this.#judge(name, check);
    const [stray] = this.#guard.strays;
    if (stray !== undefined) throw new Violation('no unhandled rejection', show(stray));
  }

  get #theWorld(): W {
    if (this.#world === undefined) throw new Error('the world is not set up');
    return this.#world.is;
  }

  #afterStep(): void {
    const { stepLimit = STEP_LIMIT } = this.#scenario;
    if (this.#host.steps > stepLimit)
      throw new Violation('no livelock', `more than ${stepLimit} steps, at ${this.#host.monotonic()} ms`);
    this.#check();
  }

  #check(): void {
    const [leak] = this.#guard.leaks;
    if (leak !== undefined) throw leak;
    if (this.#stage.violation !== undefined) throw this.#stage.violation;
    if (this.#world !== undefined) for (const [name, check] of this.#always) this.#judge(name, check);
  }

  #judge(name: string, check: Check<W>): void {
    const why = check(this.#theWorld, this.#stage);
    if (why !== undefined) throw new Violation(name, why);
  }
}

const settled = async <T>(value: Awaitable<T>): Promise<T> => value;

const show = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : `${error}`;

const livenessOf = (error: unknown): Error => {
  const violation = new Violation('liveness', show(error));
  violation.cause = error;
  return violation;
};

const failureOf = (error: unknown): { readonly property: string; readonly error: Error } => {
  if (error instanceof Violation) return { property: error.property, error };
  const known =
    error instanceof Error ? error : createError('ERR_SIMULATION_FAULT', { point: 'run', kind: `${error}` });
  const code = (known as { code?: unknown }).code;
  return {
    property: code === 'ERR_SIMULATION_LEAK' ? 'no leak' : `no error (${String(code ?? known.name)})`,
    error: known,
  };
};

/** Runs a case of a scenario. Never rejects for what the scenario does. */
export const runCase = <W>(
  scenario: Scenario<W>,
  run: RunCase,
  options: RunOptions = {},
): Promise<RunOutcome> => new Run(scenario, run, options).perform();
