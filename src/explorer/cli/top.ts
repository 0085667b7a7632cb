/**
 * `troupe top <url>`: the explorer in a terminal: what is sick, the tree, what happened last. Where stdout is no terminal it prints
 * what there is to see once.
 */
import { parseArgs } from 'node:util';
import type { Host } from '../../base/host.ts';
import { realHost } from '../../base/real-host.ts';
import { LIMITS } from '../protocol.ts';
import { written } from '../top/styled-text.ts';
import { topLines } from '../top/top-lines.ts';
import { TopModel } from '../top/top-model.ts';
import { TopScreen, WATCHED } from '../top/top-screen.ts';
import { Line } from './line.ts';
import { DONE, FAILED, MISUSED, type Subcommand, type Terminal } from './subcommand.ts';
import { readTarget, type Target } from './target.ts';

/** How long a picture may take to come, ms. */
const SNAPSHOT_MS = 10_000;
const PRINTED_COLUMNS = 160;

const USAGE = 'usage: troupe top <url> [--filter <query>] [--once] [--token]';

interface Asked {
  readonly target: Target;
  readonly query: string;
  readonly once: boolean;
}

/** What is asked for, or in words what is wrong with it. */
const readArguments = async (args: readonly string[], terminal: Terminal): Promise<Asked | string> => {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { filter: { type: 'string' }, once: { type: 'boolean' }, token: { type: 'boolean' } },
    });
    const [given, ...more] = positionals;
    if (given === undefined || more.length > 0) return 'name one address';
    const token = values.token === true ? await terminal.ask?.('token: ') : undefined;
    const target = readTarget(given, terminal.environment ?? {}, token?.trim() || undefined);
    if (typeof target === 'string') return target;
    return { target, query: values.filter ?? '', once: values.once === true };
  } catch (error) {
    return (error as Error).message;
  }
};

/** One picture, as soon as all of it is there. */
const snapshot = (host: Host, { target, query }: Asked, columns: number): Promise<readonly string[]> =>
  new Promise((resolve, reject) => {
    const model = new TopModel();
    const settle = (finish: () => void): void => {
      deadline.cancel();
      line.close();
      finish();
    };
    const line = new Line({
      host,
      target,
      watch: () => ({ ...WATCHED, tree: { query, from: 0, count: LIMITS.windowRows } }),
      status: (status) => {
        if (status.kind === 'lost' || status.kind === 'refused')
          settle(() => reject(new Error(`${target.base}: ${status.why}`)));
      },
      frame: (frame) => {
        model.take(frame);
        if (!model.isWhole || model.tree?.query.count !== LIMITS.windowRows) return;
        const now = model.hello?.at ?? 0;
        const view = { model, columns, rows: undefined, now, trouble: '', query, typing: undefined };
        settle(() => resolve(topLines(view).map((one) => written(one, columns, false).trimEnd())));
      },
    });
    const deadline = host.timer(SNAPSHOT_MS, 'top snapshot', () =>
      settle(() => reject(new Error(`${target.base} did not show all within ${SNAPSHOT_MS / 1_000} s`))),
    );
    line.open();
  });

const follow = async (asked: Asked, terminal: Terminal, screen: NonNullable<Terminal['screen']>) => {
  const top = new TopScreen({ host: realHost(), screen, ...asked });
  void terminal.interrupted.then(() => top.end());
  top.start();
  return top.ended;
};

export const top: Subcommand = {
  usage: 'top <url> [--filter <query>] [--once]',
  summary: 'shows a running system in this terminal: what is sick, the tree, what happened last',
  run: async (args, terminal) => {
    const { print, complain, screen } = terminal;
    const asked = await readArguments(args, terminal);
    if (typeof asked === 'string') {
      complain(`troupe top: ${asked}\n${USAGE}`);
      return MISUSED;
    }
    try {
      if (screen !== undefined && !asked.once) {
        const why = await follow(asked, terminal, screen);
        if (why !== undefined) throw new Error(why);
        return DONE;
      }
      for (const line of await snapshot(realHost(), asked, screen?.columns ?? PRINTED_COLUMNS)) print(line);
      return DONE;
    } catch (error) {
      complain(`troupe top: ${(error as Error).message}`);
      return FAILED;
    }
  },
};
