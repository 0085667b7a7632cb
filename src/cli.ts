#!/usr/bin/env node
/**
 * `npx troupe …`: the command line. It finds the subcommand and gives it the terminal; what each does is in `explorer/cli/`.
 */
import process from 'node:process';
import { draw } from './explorer/cli/draw.ts';
import { explore } from './explorer/cli/explore.ts';
import { DONE, MISUSED, type Subcommand, type Terminal } from './explorer/cli/subcommand.ts';

/** All there are, by name. */
const SUBCOMMANDS: Readonly<Record<string, Subcommand>> = { explore, draw };

const help = (): string =>
  [
    'usage: troupe <command> …',
    '',
    ...Object.values(SUBCOMMANDS).map(({ usage, summary }) => `  ${usage.padEnd(40)} ${summary}`),
  ].join('\n');

const terminal: Terminal = {
  print: (line) => void process.stdout.write(`${line}\n`),
  complain: (line) => void process.stderr.write(`${line}\n`),
  interrupted: new Promise((resolve) => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
  }),
};

const main = async ([name, ...args]: readonly string[]): Promise<number> => {
  if (name === undefined || name === '--help' || name === '-h') {
    terminal.print(help());
    return name === undefined ? MISUSED : DONE;
  }
  const subcommand = Object.hasOwn(SUBCOMMANDS, name) ? SUBCOMMANDS[name] : undefined;
  if (subcommand !== undefined) return subcommand.run(args, terminal);
  terminal.complain(`troupe: there is no command ${name}\n${help()}`);
  return MISUSED;
};

process.exitCode = await main(process.argv.slice(2));
