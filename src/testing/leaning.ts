/**
 * Draws the cases of a campaign. Where every run draws from all that may happen, rare things stay rare: a mailbox overflows
 * only where somebody does hardly anything but send. So most runs lean: they leave out some commands, paces and faults,
 * chosen anew each time ("swarm testing", Groce et al. 2012), and do the others the more.
 *
 * Invariant: what is drawn depends on the random source alone, and one case is as easy to read as any other.
 */
import type { Random } from '../base/random.ts';
import { FAULT_LABEL } from './faults.ts';
import { commandNames, type Lean, MAX_COMMANDS, PACES, type RunCase } from './simulation.ts';

/** What a run leans to. */
export interface Leaning {
  /** The numbers of the commands that it draws from; each as often as it weighs. */
  readonly commands: readonly number[];
  /** The numbers of how the time goes on after them. */
  readonly paces: readonly number[];
  /** Of so many chances of this fault it takes one; `undefined`: none. */
  readonly rarity: (label: string) => number | undefined;
  /** At least so much of the most commands that a run may have. */
  readonly leastPart: number;
}

interface Drawable {
  readonly commands: object;
  readonly weights?: Readonly<Record<string, number>>;
  readonly maxCommands?: number;
  readonly leans?: readonly Lean[];
}

const CONFIG_SIZE = 32;
const BYTE = 256;
const ARGUMENTS = 65_536;
/** Of four runs, two lean to what the scenario says, one to nothing, and one to whatever it draws. */
const TURNS = 4;
const LEVEL_TURN = 1;
const MOST_PACES = 3;
const FAULT_RARITIES = [3, 6, 25, 100, 400];

const numbersOf = (list: readonly unknown[]): readonly number[] => list.map((_, number) => number);

const some = <T>(all: readonly T[], random: Random): readonly T[] => {
  const kept = all.filter(() => random.below(2) === 0);
  return kept.length > 0 ? kept : all;
};

/** Each label's own answer, drawn when it is first asked for. */
const drawnOnce = (draw: () => number | undefined): Leaning['rarity'] => {
  const drawn = new Map<string, number | undefined>();
  return (label) => {
    if (!drawn.has(label)) drawn.set(label, draw());
    return drawn.get(label);
  };
};

const drawn = (scenario: Drawable, random: Random): Leaning => {
  const names = commandNames(scenario);
  const kept = new Set(some([...new Set(names)], random));
  const count = 1 + random.below(MOST_PACES);
  const rarity = FAULT_RARITIES[random.below(FAULT_RARITIES.length + 1)];
  return {
    commands: numbersOf(names).filter((number) => kept.has(names[number] ?? '')),
    paces: Array.from({ length: count }, () => random.below(PACES.length)),
    leastPart: 0,
    rarity: drawnOnce(() => (random.below(2) === 0 ? rarity : undefined)),
  };
};

const told = (scenario: Drawable, { commands, paces, faults }: Lean, level: Leaning): Leaning => {
  const names = commandNames(scenario);
  return {
    commands:
      commands === undefined
        ? level.commands
        : Object.entries(commands).flatMap(([name, weight]) =>
            Array.from({ length: weight }, () => names.indexOf(name)),
          ),
    leastPart: 0.5,
    paces: paces?.map((pace) => PACES.indexOf(pace)) ?? level.paces,
    rarity: faults === undefined ? level.rarity : (label) => faults[label.slice(FAULT_LABEL.length)],
  };
};

/** What run `number` leans to. */
export const drawLeaning = (scenario: Drawable, random: Random, number: number): Leaning => {
  const rarity = FAULT_RARITIES[random.below(FAULT_RARITIES.length + 1)];
  const level = {
    commands: numbersOf(commandNames(scenario)),
    paces: numbersOf(PACES),
    rarity: () => rarity,
    leastPart: 0,
  };
  const { leans = [] } = scenario;
  if (number % TURNS === LEVEL_TURN) return level;
  const lean = leans[(number >> 1) % leans.length];
  return number % 2 === 0 && lean !== undefined ? told(scenario, lean, level) : drawn(scenario, random);
};

/** The case of a run; its choices are taken while it runs.  */
export const drawCase = (
  { maxCommands = MAX_COMMANDS }: Drawable,
  { commands, paces, leastPart }: Leaning,
  random: Random,
): RunCase => {
  const one = (of: readonly number[]): number => of[random.below(of.length)] ?? 0;
  const least = Math.ceil(maxCommands * leastPart);
  return {
    seed: random.below(ARGUMENTS),
    config: Array.from({ length: CONFIG_SIZE }, () => random.below(BYTE)),
    commands: Array.from(
      { length: least + random.below(maxCommands - least + 1) },
      () => [one(commands), random.below(ARGUMENTS), one(paces)] as const,
    ),
    choices: [],
  };
};
