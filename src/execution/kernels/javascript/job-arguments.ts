/** Reads the arguments of jobs. Invariant: what is not of the wanted kind counts as not given, or is refused by name. */
import type { Arguments } from './messages.ts';

/** A job that cannot be done: told to the service as it is. */
export class Refused extends Error {
  readonly type: string;

  constructor(type: string, message: string) {
    super(message);
    this.type = type;
  }
}

export const numberIn = (args: Arguments, name: string): number | undefined => {
  const value = args[name];
  return typeof value === 'number' ? value : undefined;
};

export const namesIn = (args: Arguments): readonly string[] | undefined => {
  const { names } = args;
  return Array.isArray(names) ? names.map(String) : undefined;
};
