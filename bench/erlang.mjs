/**
 * Erlang as a contestant: one BEAM beside this process for as long as a suite runs, told round by round what to do. It times
 * itself, so that no pipe is in its figures.
 *
 * Where `erl` or `erlc` is missing nothing fails: the reason is given, and cases go without this peer.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const SOURCE = fileURLToPath(new URL('./erlang/rounds.erl', import.meta.url));
/** Compiling takes a second; a machine that is busy, a few. */
const COMPILE_MS = 60_000;

const missing = (reason) => ({ reason, contestant: () => undefined, close: () => {} });

/** Compiles the rounds and starts the machine; `contestant(name)` is one of its rounds. */
export const startErlang = () => {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-bench-'));
  const forget = () => rmSync(folder, { recursive: true, force: true });
  const compiled = spawnSync('erlc', ['-o', folder, SOURCE], { encoding: 'utf8', timeout: COMPILE_MS });
  if (compiled.status !== 0) {
    forget();
    const why = compiled.error?.code === 'ENOENT' ? 'erlc is not on this machine' : compiled.stdout.trim();
    return missing(why || String(compiled.error));
  }
  const arguments_ = ['-noshell', '-kernel', 'logger_level', 'none', '-pa', folder, '-s', 'rounds'];
  const beam = spawn('erl', arguments_, { stdio: ['pipe', 'pipe', 'inherit'] });
  const answers = createInterface({ input: beam.stdout })[Symbol.asyncIterator]();
  const ask = async (question) => {
    beam.stdin.write(`${question}\n`);
    const { value } = await answers.next();
    const figure = Number(value);
    // Also when it has ended: then there is no line.
    if (!Number.isFinite(figure)) throw new Error(`erlang answered "${question}" with ${value}`);
    return figure;
  };
  return {
    reason: undefined,
    contestant: (name) => (count) => ask(`${name} ${count}`),
    close: () => {
      beam.stdin.end();
      beam.kill();
      forget();
    },
  };
};
