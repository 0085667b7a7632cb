/**
 * `troupe stately <url>`: a bridge from a running system to Stately's inspector, for people who have their tools. It tells machines and
 * their steps, never contexts: what is sent there leaves troupe.
 */
import { cwd } from 'node:process';
import { parseArgs } from 'node:util';
import { isTroupeError } from '../../base/errors.ts';
import { realHost } from '../../base/real-host.ts';
import { LIMITS } from '../protocol.ts';
import { StatelyEvents } from '../stately/stately-events.ts';
import { serveStately } from '../stately/stately-server.ts';
import { Line } from './line.ts';
import { DONE, FAILED, MISUSED, type Subcommand, type Terminal } from './subcommand.ts';
import { readTarget, type Target } from './target.ts';

/** Where Stately's own tools look for an inspector's events. */
const DEFAULT_PORT = 8_080;
const MOST_PORT = 65_535;
const INSPECTOR = 'https://stately.ai/inspect';

const USAGE = 'usage: troupe stately <url> [--port <number>] [--token]';

interface Asked {
  readonly target: Target;
  readonly port: number;
}

const readArguments = async (args: readonly string[], terminal: Terminal): Promise<Asked | string> => {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { port: { type: 'string' }, token: { type: 'boolean' } },
    });
    const [given, ...more] = positionals;
    if (given === undefined || more.length > 0) return 'name one address';
    const port = Number(values.port ?? DEFAULT_PORT);
    if (!Number.isInteger(port) || port < 0 || port > MOST_PORT) return '--port is a number up to 65535';
    const token = values.token === true ? await terminal.ask?.('token: ') : undefined;
    const target = readTarget(given, terminal.environment ?? {}, token?.trim() || undefined);
    return typeof target === 'string' ? target : { target, port };
  } catch (error) {
    return (error as Error).message;
  }
};

/** Tells until the user has seen enough; rejects where the service cannot be seen. */
const bridge = async ({ target, port }: Asked, terminal: Terminal): Promise<void> => {
  const events = new StatelyEvents();
  const server = await serveStately({ port, standing: () => events.standing(), from: `${cwd()}/` });
  terminal.print(`stately ${INSPECTOR}?ws=${encodeURIComponent(server.address)}`);
  try {
    await new Promise<void>((resolve, reject) => {
      const line = new Line({
        host: realHost(),
        target,
        watch: () => ({
          tree: { query: '', from: 0, count: LIMITS.windowRows },
          facts: false,
          steps: { below: '' },
          application: false,
          metrics: false,
        }),
        status: (status) => {
          if (status.kind === 'refused') reject(new Error(`${target.base}: ${status.why}`));
          else if (status.kind === 'lost')
            terminal.complain(`${target.base}: ${status.why}; tried again in ${status.retryInMs} ms`);
        },
        frame: (frame) => server.tell(events.take(frame)),
      });
      void terminal.interrupted.then(() => {
        line.close();
        resolve();
      });
      line.open();
    });
  } finally {
    server.close();
  }
};

export const stately: Subcommand = {
  usage: 'stately <url> [--port <number>]',
  summary: "shows a running service's machines in Stately's inspector",
  run: async (args, terminal) => {
    const asked = await readArguments(args, terminal);
    if (typeof asked === 'string') {
      terminal.complain(`troupe stately: ${asked}\n${USAGE}`);
      return MISUSED;
    }
    try {
      await bridge(asked, terminal);
      return DONE;
    } catch (error) {
      terminal.complain(isTroupeError(error) || error instanceof Error ? error.message : String(error));
      return FAILED;
    }
  },
};
