/**
 * `troupe explore <url|file>`: opens a recording in the views of a running system; of a running one it says where it is looked at.
 * With `--trace` it prints what either tells, as JSON lines.
 */
import { readFileSync, statSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { isTroupeError } from '../../base/errors.ts';
import { realHost } from '../../base/real-host.ts';
import { LIMITS } from '../protocol.ts';
import { readRecording } from '../recording-source.ts';
import { serveRecording } from '../serve-recording.ts';
import { DONE, FAILED, MISUSED, type Subcommand, type Terminal } from './subcommand.ts';
import { readTarget } from './target.ts';
import { follow, traceOfRecording } from './trace.ts';

/** The largest file that is taken for a recording, bytes; one of a thousand facts and ten thousand actors is a few MB. */
const LARGEST_FILE = 256 * 1_024 * 1_024;

const USAGE = 'usage: troupe explore <url|file> [--trace [--actor <path>]…] [--token]';

const isAddress = (target: string): boolean => /^https?:\/\//.test(target);

const read = (file: string): string => {
  if (statSync(file).size > LARGEST_FILE) throw new RangeError(`${file} is too large for a recording`);
  return readFileSync(file, 'utf8');
};

interface Asked {
  readonly target: string;
  readonly trace: boolean;
  readonly actors: readonly string[];
  readonly asksToken: boolean;
}

const readArguments = (args: readonly string[]): Asked | string => {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        trace: { type: 'boolean' },
        actor: { type: 'string', multiple: true },
        token: { type: 'boolean' },
      },
    });
    const [target, ...more] = positionals;
    const { trace = false, actor: actors = [], token: asksToken = false } = values;
    if (target === undefined || more.length > 0) return 'name one address or file';
    if (actors.length > LIMITS.watchedActors) return `at most ${LIMITS.watchedActors} --actor`;
    return { target, trace, actors, asksToken };
  } catch (error) {
    return (error as Error).message;
  }
};

const exploreFile = async ({ target, trace }: Asked, { print, interrupted }: Terminal): Promise<void> => {
  if (trace) {
    for (const line of traceOfRecording(readRecording(read(target), target))) print(line);
    return;
  }
  const served = await serveRecording(read(target), target);
  print(`explorer ${served.address}`);
  await interrupted;
  served.close();
};

const exploreAddress = async (
  { target, trace, actors, asksToken }: Asked,
  terminal: Terminal,
): Promise<void> => {
  if (!trace) {
    terminal.print(`explorer ${target}`);
    return;
  }
  const token = asksToken ? await terminal.ask?.('token: ') : undefined;
  const address = readTarget(target, terminal.environment ?? {}, token?.trim() || undefined);
  if (typeof address === 'string') throw new Error(address);
  await follow({ host: realHost(), target: address, actors }, terminal);
};

export const explore: Subcommand = {
  usage: 'explore <url|file> [--trace]',
  summary: 'opens what a flight recorder wrote, or prints what happens as JSON lines',
  run: async (args, terminal) => {
    const asked = readArguments(args);
    if (typeof asked === 'string') {
      terminal.complain(`troupe explore: ${asked}\n${USAGE}`);
      return MISUSED;
    }
    try {
      await (isAddress(asked.target) ? exploreAddress : exploreFile)(asked, terminal);
      return DONE;
    } catch (error) {
      terminal.complain(isTroupeError(error) || error instanceof Error ? error.message : String(error));
      return FAILED;
    }
  },
};
