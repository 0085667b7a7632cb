/**
 * Connections at the end of a real process, as a real database sees them: the service that leaked 5 to 20 at each exit is run with 20
 * of them and 60 users at work, and ended in every way that lets it end anything.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const SERVICE = fileURLToPath(new URL('./fixtures/database-service.mjs', import.meta.url));
/** Generous: the machine may be busy. */
const PATIENCE_MS = 60_000;

const ENDINGS: readonly [string, NodeJS.Signals | string, number | null][] = [
  ['SIGTERM', 'SIGTERM', 0],
  ['SIGINT', 'SIGINT', 0],
  ['its own stop', 'stop', 0],
  ['its root giving up', 'gives up', 1],
  ['an error that nobody caught', 'stray error', 1],
];

describe('regressions: connections that leaked at exit, seen from the database', () => {
  let database: Server;
  let port = 0;
  const connections = new Map<Socket, { asked: number; quits: number; reset: boolean }>();
  const running = new Set<ReturnType<typeof spawn>>();

  beforeAll(async () => {
    database = createServer((socket) => {
      const seen = { asked: 0, quits: 0, reset: false };
      connections.set(socket, seen);
      createInterface({ input: socket }).on('line', (line) => {
        if (line === 'quit') seen.quits += 1;
        else {
          seen.asked += 1;
          socket.write(`rows for ${line}\n`);
        }
      });
      socket.on('error', () => {
        seen.reset = true;
      });
    }).listen(0, '127.0.0.1');
    await once(database, 'listening');
    port = (database.address() as { port: number }).port;
  });

  afterAll(() => {
    for (const child of running) child.kill('SIGKILL');
    database.close();
  });

  it.each(ENDINGS)(
    '%s closes all, with a goodbye each, once',
    async (_, ending, code) => {
      connections.clear();
      const bySignal = ending.startsWith('SIG');
      const child = spawn(process.execPath, [SERVICE, `${port}`, bySignal ? 'signal' : ending], {
        stdio: ['pipe', 'pipe', 'ignore'],
      });
      running.add(child);
      const ended = once(child, 'close');
      await Promise.race([once(child.stdout, 'data'), ended]);
      expect(child.exitCode, 'it serves').toBe(null);
      if (bySignal) child.kill(ending as NodeJS.Signals);
      else child.stdin.write('now\n');
      expect((await ended)[0]).toBe(code);
      running.delete(child);
      await expect.poll(() => [...connections.keys()].every(({ closed }) => closed)).toBe(true);
      const seen = [...connections.values()];
      expect(seen.length).toBeGreaterThanOrEqual(20);
      expect(seen.filter(({ quits }) => quits !== 1)).toEqual([]);
      expect(seen.filter(({ reset }) => reset)).toEqual([]);
      expect(seen.reduce((sum, { asked }) => sum + asked, 0)).toBeGreaterThanOrEqual(600);
    },
    PATIENCE_MS,
  );
});
