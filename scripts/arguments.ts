/**
 * Reads the arguments of the project's commands. What is wrong with them is told on one line, with its code, and ends the
 * command with 2: no stack helps whoever mistyped.
 *
 * Invariant: nothing was started before a refusal.
 */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { createError, isTroupeError } from '../src/base/errors.ts';
import { check, type Field, hintFor, integer } from '../src/base/options.ts';

/** How a command ends that was called wrongly. */
export const MISUSED = 2;

/** A flag of a command: with a value, or without. */
type Flags = Readonly<Record<string, { readonly type: 'string' | 'boolean' }>>;

type Values<F extends Flags> = {
  readonly [K in keyof F]?: F[K]['type'] extends 'string' ? string : boolean;
};

/** Prints the refusal and ends the process; anything but a refusal is thrown on, with its stack. */
export const refuseOn = (error: unknown): never => {
  if (!isTroupeError(error) || !error.code.startsWith('ERR_OPTION_')) throw error;
  process.stderr.write(`${error.message}\n`);
  return process.exit(MISUSED);
};

/** The flags among the arguments. @throws ERR_OPTION_UNKNOWN, ERR_OPTION_INVALID */
export const readArguments = <const F extends Flags>(
  command: string,
  flags: F,
  given: readonly string[],
): Values<F> => {
  const known = Object.keys(flags).map((name) => `--${name}`);
  const expected = known.length === 0 ? 'none' : known.join(', ');
  const { tokens = [] } = parseArgs({ args: [...given], options: flags, strict: false, tokens: true });
  const values: Record<string, string | boolean> = {};
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue;
    const written = token.kind === 'positional' ? token.value : token.rawName;
    const name = token.kind === 'option' && token.rawName.startsWith('--') ? token.name : '';
    const type = Object.hasOwn(flags, name) ? flags[name]?.type : undefined;
    if (type === undefined || token.kind === 'positional')
      throw createError('ERR_OPTION_UNKNOWN', {
        where: command,
        field: written,
        hint: hintFor(written, known),
        expected,
      });
    const isGiven = token.value !== undefined;
    if (isGiven !== (type === 'string') || token.value === '')
      throw createError('ERR_OPTION_INVALID', {
        where: command,
        field: written,
        expected: type === 'string' ? 'followed by its value' : 'given without a value',
        got: isGiven ? `'${token.value}'` : 'none',
      });
    values[name] = token.value ?? true;
  }
  return values as Values<F>;
};

/** The flags that a command was given; ends it where there are others. */
export const argumentsOf = <const F extends Flags>(command: string, flags: F): Values<F> => {
  try {
    return readArguments(command, flags, process.argv.slice(2));
  } catch (error) {
    return refuseOn(error);
  }
};

/** Reads one flag by a rule; ends the command where it does not fit. */
export const checked = <T>(command: string, flag: string, rule: Field<T>, value: unknown): T => {
  try {
    return check(command, `--${flag}`, rule, value);
  } catch (error) {
    return refuseOn(error);
  }
};

/** A whole number of at least `min`, as it is typed. */
export const wholeNumber = (
  command: string,
  flag: string,
  { value, min }: { readonly value: string | number; readonly min: number },
): number => {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return checked(command, flag, integer(min), Number.isNaN(number) ? value : number);
};
