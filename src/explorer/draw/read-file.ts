/**
 * What can be drawn of a file: it is loaded in an OS process of its own, within a deadline, so that nothing it does (serve, wait,
 * loop, exit) befalls whoever draws it.
 *
 * Invariant: it resolves or rejects once, and then the process, and what it had started, is gone.
 */
import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { env, execPath } from 'node:process';
import { fileURLToPath } from 'node:url';
import { createError } from '../../base/errors.ts';
import type { Host } from '../../base/host.ts';
import { importable } from './bundle.ts';
import type { Subject } from './subjects.ts';

/** How long a file may take to load, ms. */
export const LOAD_TIMEOUT_MS = 20_000;
/** What is read of a process: beyond it, it says no more that helps. Bytes. */
const MOST_RESULT = 64 * 1_024 * 1_024;
const MOST_PRINTED = 4_000;

/** The program of that process, as it lies beside this in the built package, and as seen from the sources. */
const PROGRAMS = ['./inspect-file.js', '../../../dist/inspect-file.js'];

const program = (): string => {
  const url = PROGRAMS.map((path) => new URL(path, import.meta.url)).find((one) => existsSync(one));
  if (url === undefined)
    throw createError('ERR_DRAWING_FAILED', {
      file: 'troupe',
      why: 'inspect-file.js is missing: reinstall it',
    });
  return fileURLToPath(url);
};

interface Asked {
  readonly host: Host;
  readonly file: string;
  readonly url: string;
  readonly timeoutMs: number;
}

const environment = (): Record<string, string> =>
  Object.fromEntries(Object.entries(env).filter((pair): pair is [string, string] => pair[1] !== undefined));

/** The last lines that say what went wrong; the stack of a bundle helps nobody. */
const reasonIn = (printed: string): string => {
  const lines = printed.split('\n').filter((line) => line.trim() !== '' && !/^\s+at |^Node\.js v/.test(line));
  const told = lines.filter((line) => /\b\w*(Error|Exception)\b/.test(line));
  return (told.at(-1) ?? lines.at(-1) ?? '').trim();
};

const runProgram = ({ host, file, url, timeoutMs }: Asked): Promise<string> =>
  new Promise((settle, reject) => {
    const text = new TextDecoder();
    let [result, printed, late] = ['', '', false];
    const spec = {
      command: execPath,
      args: ['--enable-source-maps', program(), url],
      env: environment(),
      cwd: dirname(file),
      protocolFds: true,
    };
    const child = host.spawn(spec, {
      stdout: (chunk) => {
        result += text.decode(chunk, { stream: true });
        if (result.length > MOST_RESULT) child.kill('SIGKILL', true);
      },
      stderr: (chunk) => {
        printed = (printed + new TextDecoder().decode(chunk)).slice(-MOST_PRINTED);
      },
      ended: ({ code, signal, error }) => {
        deadline.cancel();
        if (code === 0 && result.endsWith('\n')) return settle(result);
        const how = error?.message ?? (signal === null ? `it exited with ${code}` : `it died of ${signal}`);
        const why = late ? `it did not load within ${timeoutMs} ms` : reasonIn(printed) || how;
        return reject(createError('ERR_DRAWING_FAILED', { file, why }));
      },
    });
    const deadline = host.timer(timeoutMs, 'draw.load', () => {
      late = true;
      child.kill('SIGKILL', true);
    });
  });

/** All that can be drawn of a file. @throws ERR_PEER_MISSING, ERR_DRAWING_FAILED */
export const subjectsInFile = async (
  host: Host,
  path: string,
  options: { readonly timeoutMs?: number } = {},
): Promise<readonly Subject[]> => {
  const file = resolve(path);
  const { timeoutMs = LOAD_TIMEOUT_MS } = options;
  const { url, release } = await importable(file);
  try {
    return JSON.parse(await runProgram({ host, file, url, timeoutMs })) as readonly Subject[];
  } finally {
    release();
  }
};
