/**
 * A failed run as a file: everything that is needed to have it again, and its labelled trace for people.
 *
 * Invariant: what counts is the case, not a seed: seeds die with any change of code. A file read back is checked.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { versions } from 'node:process';
import { fits, integer, listOf, refuse, refuseWith, resolveOptions, text } from '../base/options.ts';
import type { RunCase, RunOutcome } from './simulation.ts';

/** The kit's own version: it changes where cases no longer mean the same. */
export const KIT = 2;

/** Where failures are written, unless a campaign says otherwise. */
export const FAILURE_DIRECTORY = '.sim-failures';

/** A run that failed. */
export interface FailureFile extends RunCase {
  readonly kit: number;
  readonly node: string;
  readonly scenario: string;
  readonly property: string;
  readonly error: string;
  readonly hash: string;
  /** The names of the commands, for people. */
  readonly commandNames: readonly string[];
  readonly trace: readonly string[];
}

const isTriple = (value: unknown): boolean =>
  Array.isArray(value) && value.length === 3 && value.every((part) => Number.isSafeInteger(part));

const FIELDS = {
  scenario: text,
  seed: integer(),
  config: listOf(integer()),
  commands: fits<RunCase['commands']>(
    'an array of [which, argument, pace]',
    (value) => Array.isArray(value) && value.every(isTriple),
  ),
  choices: listOf(integer()),
};

/** What is told of a failed run. */
export const describeFailure = (scenario: string, run: RunCase, outcome: RunOutcome): FailureFile => {
  const { failure, hash, trace, commands } = outcome;
  return {
    kit: KIT,
    node: versions.node,
    scenario,
    property: failure?.property ?? 'none',
    error: failure?.error.stack ?? failure?.error.message ?? 'none',
    hash,
    seed: run.seed,
    config: run.config,
    commands: run.commands,
    commandNames: commands,
    choices: run.choices,
    trace,
  };
};

/** Writes it as `<hash>.json`; returns the path. */
export const writeFailure = (directory: string, failure: FailureFile): string => {
  mkdirSync(directory, { recursive: true });
  const path = join(directory, `${failure.scenario.replace(/\W+/g, '-')}-${failure.hash}.json`);
  writeFileSync(path, `${JSON.stringify(failure, null, 1)}\n`);
  return path;
};

const contentOf = (path: string): Readonly<Record<string, unknown>> => {
  let why = 'no object';
  try {
    const content: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof content === 'object' && content !== null) return content as Record<string, unknown>;
  } catch (error) {
    why = (error as Error).message;
  }
  return refuseWith('simulate()', 'replay', 'the file of a failed run', `${path} (${why})`);
};

/** The case in a file, and the name of its scenario. @throws ERR_OPTION_INVALID */
export const readCase = (path: string): RunCase & { readonly scenario: string } => {
  const content = contentOf(path);
  const { kit } = content;
  // Its numbers would stand for other commands and decisions now.
  if (kit !== KIT) refuse(path, 'kit', `${KIT}, the version of this simulation kit`, kit);
  const wanted = Object.fromEntries(Object.keys(FIELDS).map((key) => [key, content[key] ?? null]));
  return resolveOptions(path, wanted, FIELDS, {}) as unknown as RunCase & { readonly scenario: string };
};
