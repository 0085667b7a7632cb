/**
 * How a failed run is had again from a shell: the command that says so, and the variable that it sets.
 *
 * Invariant: a file is replayed by its own scenario alone; its numbers would mean something else to another.
 */

import { relative } from 'node:path';
import { argv, cwd, env } from 'node:process';
import { fileURLToPath } from 'node:url';
import { refuseWith } from '../base/options.ts';
import { readCase } from './failure-file.ts';
import type { RunCase } from './simulation.ts';

/** Names the file of a failed run, which its scenario replays in place of its campaign; other scenarios do not heed it. */
export const REPLAY_VARIABLE = 'TROUPE_REPLAY';

/** Runners that say so in the environment of what they run, and how one file is given to them. */
const RUNNERS = [
  { variable: 'VITEST', command: 'npx vitest run' },
  { variable: 'JEST_WORKER_ID', command: 'npx jest' },
] as const;

const FRAME = /(?:\(|at )(?:async )?((?:file:\/\/)?\/[^():]+|file:\/\/\/[^()]+?):\d+:\d+\)?$/;

/** The file that called `called`, as a path from here; `undefined` where its stack does not tell. */
const callerOf = (called: Function): string | undefined => {
  const at: { stack?: string } = {};
  Error.captureStackTrace(at, called);
  const [, path] = FRAME.exec(at.stack?.split('\n')[1] ?? '') ?? [];
  if (path === undefined) return undefined;
  return relative(cwd(), path.startsWith('file:') ? fileURLToPath(path) : path);
};

const quoted = (path: string): string =>
  /^[\w./@+-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;

/** What writes the line that replays a file, for who called `called` from a test or a script. */
export const replayCommand = (called: Function): ((file: string) => string) => {
  const runner = RUNNERS.find(({ variable }) => env[variable] !== undefined);
  const script = argv[1] === undefined ? undefined : relative(cwd(), argv[1]);
  const path = runner === undefined ? script : callerOf(called);
  const command = [runner?.command ?? 'node', ...(path === undefined ? [] : [quoted(path)])].join(' ');
  return (file) =>
    `${REPLAY_VARIABLE}=${quoted(file)} ${command}\n  or in code: simulate(scenario, { replay: '${file}' })`;
};

/** The case in a file, for the scenario that it is of. @throws ERR_OPTION_INVALID */
export const readCaseOf = (scenario: string, file: string): RunCase => {
  const { scenario: named, ...run } = readCase(file);
  if (named === scenario) return run;
  return refuseWith(
    `simulate ${scenario}`,
    'replay',
    `the file of a failed run of ${scenario}`,
    `one of ${named} (${file})`,
  );
};

/** The file that the environment wants this scenario to replay. @throws ERR_OPTION_INVALID for a file that is none */
export const replayWanted = (scenario: string): string | undefined => {
  const file = env[REPLAY_VARIABLE];
  return file === undefined || file === '' || readCase(file).scenario !== scenario ? undefined : file;
};
