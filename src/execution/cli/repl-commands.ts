/** What can be said to a REPL beside code: lines that begin with a colon. */
import { readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { readCheckpoint } from '../chunks.ts';
import type { Session } from '../session.ts';
import { describe } from './code-session.ts';
import type { Console } from './console.ts';

/** What a command may use. */
export interface ReplContext {
  readonly session: Session;
  readonly console: Console;
}

interface ReplCommand {
  readonly usage: string;
  readonly summary: string;
  /** What it tells. */
  do(context: ReplContext, argument: string): Promise<string>;
}

const tableOf = (rows: readonly (readonly string[])[]): string => {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
};

const LONGEST_REPR = 60;
const cut = (text: string): string =>
  text.length > LONGEST_REPR ? `${text.slice(0, LONGEST_REPR - 1)}…` : text;

const lossesOf = (lost: readonly { readonly name: string; readonly why: string }[]): string =>
  lost.map(({ name, why }) => `\nnot ${name}: ${why}`).join('');

const COMMANDS: Readonly<Record<string, ReplCommand>> = {
  cancel: {
    usage: ':cancel',
    summary: 'ends what runs, as Ctrl-C does; at the prompt, drops the lines typed so far',
    do: async () => 'nothing runs',
  },
  restart: {
    usage: ':restart',
    summary: 'another process, with an empty namespace',
    do: async ({ session }) => {
      await session.restart();
      return `process ${session.inspect().pid}`;
    },
  },
  namespace: {
    usage: ':namespace',
    summary: 'the names that there are, with type and size',
    do: async ({ session }) => {
      const names = await session.namespace.list();
      return tableOf(names.map(({ name, type, size, repr }) => [name, type, String(size), cut(repr)]));
    },
  },
  history: {
    usage: ':history',
    summary: 'the numbered results',
    do: async ({ session }) => {
      const entries = await session.history();
      return tableOf(entries.map(({ index, code, repr }) => [`[${index}]`, cut(code), cut(repr ?? '')]));
    },
  },
  checkpoint: {
    usage: ':checkpoint [file]',
    summary: 'what of the namespace can be kept; with a file, keeps it there',
    do: async ({ session, console }, file) => {
      const checkpoint = await session.checkpoint();
      if (file !== '') await writeFile(resolve(console.cwd, file), JSON.stringify(checkpoint));
      return `kept ${checkpoint.kept.join(', ') || 'nothing'}${lossesOf(checkpoint.lost)}`;
    },
  },
  restore: {
    usage: ':restore <file>',
    summary: 'puts back what a checkpoint kept',
    do: async ({ session, console }, file) => {
      const kept = readCheckpoint(JSON.parse(await readFile(resolve(console.cwd, file), 'utf8')));
      const { restored, lost } = await session.restore(kept);
      return `restored ${restored.join(', ') || 'nothing'}${lossesOf(lost)}`;
    },
  },
};

const HELP: readonly (readonly string[])[] = [
  ...Object.values(COMMANDS).map(({ usage, summary }) => [usage, summary]),
  [':help', 'this'],
  [':quit', 'ends the session, as Ctrl-D does'],
];

/** `undefined`: it is no command, but code. */
export const commandIn = (line: string): { readonly name: string; readonly argument: string } | undefined => {
  const [, name, argument = ''] = /^:([a-z]\w*)(?:\s+(.*?))?\s*$/.exec(line) ?? [];
  return name === undefined ? undefined : { name, argument };
};

/** Does it and tells what came of it; nothing that it fails with ends the REPL. */
export const command = async (context: ReplContext, name: string, argument: string): Promise<void> => {
  const { console } = context;
  const known = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  try {
    if (name === 'help') await console.write(`${tableOf(HELP)}\n`);
    else if (known === undefined) await console.complain(`there is no :${name}; :help tells what there is\n`);
    else {
      const told = await known.do(context, argument);
      if (told !== '') await console.write(`${told}\n`);
    }
  } catch (error) {
    await console.complain(`${describe(error)}\n`);
  }
};
