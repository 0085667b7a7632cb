#!/usr/bin/env node
/**
 * `npx troupe …`: the command line. It finds the subcommand and gives it the terminal; what each does is in `explorer/cli/`
 * and `execution/cli/`.
 */
import process from 'node:process';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import type { CodeCommand } from './execution/cli/console.ts';
import { processConsole } from './execution/cli/process-console.ts';
import { repl } from './execution/cli/repl.ts';
import { run } from './execution/cli/run.ts';
import { draw } from './explorer/cli/draw.ts';
import { explore } from './explorer/cli/explore.ts';
import { stately } from './explorer/cli/stately.ts';
import { DONE, MISUSED, type Screen, type Subcommand, type Terminal } from './explorer/cli/subcommand.ts';
import { top } from './explorer/cli/top.ts';

/** A command that runs code has the process's own streams and signals. */
const running = (command: CodeCommand): Subcommand => ({
  ...command,
  run: (args) => command.run(args, processConsole(process)),
});

/** All there are, by name. */
const SUBCOMMANDS: Readonly<Record<string, Subcommand>> = {
  explore,
  top,
  draw,
  stately,
  run: running(run),
  repl: running(repl),
};

const help = (): string =>
  [
    'usage: troupe <command> …',
    '',
    ...Object.values(SUBCOMMANDS).map(({ usage, summary }) => `  ${usage.padEnd(40)} ${summary}`),
  ].join('\n');

/** The other screen, no cursor, no wrapping; and all of it back. */
const ENTER = '\u001b[?1049h\u001b[?25l\u001b[?7l\u001b[2J';
const LEAVE = '\u001b[?7h\u001b[?25h\u001b[?1049l';

const { stdin, stdout, stderr, env } = process;

const hasColour = (): boolean =>
  (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb' && stdout.hasColors?.() !== false;

const screen: Screen = {
  get columns() {
    return stdout.columns || 80;
  },
  get rows() {
    return stdout.rows || 24;
  },
  hasColour: hasColour(),
  write: (text) => void stdout.write(text),
  enter: () => {
    let entered = true;
    const leave = (): void => {
      if (entered) stdout.write(LEAVE);
      entered = false;
      process.off('exit', leave);
    };
    stdout.write(ENTER);
    // Whatever ends the process, the terminal is usable afterwards.
    process.on('exit', leave);
    return leave;
  },
  onResize: (listener) => {
    stdout.on('resize', listener);
    return () => stdout.off('resize', listener);
  },
  onKeys: (listener) => {
    stdin.setRawMode(true).setEncoding('utf8').on('data', listener).resume();
    return () => stdin.off('data', listener).setRawMode(false).pause();
  },
};

const SILENT = new Writable({ write: (_chunk, _encoding, done) => done() });

/** What is typed is not shown: the question is, and the end of its line. */
const ask = (question: string): Promise<string | undefined> =>
  new Promise((resolve) => {
    const isShown = stdin.isTTY === true;
    if (isShown) stderr.write(question);
    const lines = createInterface({ input: stdin, output: SILENT, terminal: isShown });
    let answer: string | undefined;
    lines.once('line', (line) => {
      answer = line;
      lines.close();
    });
    lines.once('SIGINT', () => lines.close());
    lines.once('close', () => {
      if (isShown) stderr.write('\n');
      resolve(answer);
    });
  });

/** Made when first asked for: a command that asks for none ends at a signal as any program does. */
let interrupted: Promise<void> | undefined;

const terminal: Terminal = {
  print: (line) => void stdout.write(`${line}\n`),
  complain: (line) => void stderr.write(`${line}\n`),
  get interrupted() {
    interrupted ??= new Promise((resolve) => {
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
    });
    return interrupted;
  },
  environment: env,
  ask,
  ...(stdin.isTTY && stdout.isTTY && env['TERM'] !== 'dumb' ? { screen } : {}),
};

// Whoever reads no further, as `head` does, has seen enough.
stdout.on('error', () => process.exit());

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
