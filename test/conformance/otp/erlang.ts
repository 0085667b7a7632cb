/**
 * Runs scripts on the Erlang of this machine, all in one virtual machine with one scheduler, by `driver.erl` beside this file.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Script } from './script-format.ts';
import type { Trace } from './script-runner.ts';

const DRIVER = fileURLToPath(new URL('driver.erl', import.meta.url));
/** A script takes about a millisecond; one whose allowances run out, some dozens. */
const TIMEOUT_MS = 240_000;

const evaluation = (scripts: string, traces: string): string =>
  `{ok, driver, Beam} = compile:file(${JSON.stringify(DRIVER)}, [binary, report]),
   {module, driver} = code:load_binary(driver, "driver", Beam),
   driver:main(${JSON.stringify(scripts)}, ${JSON.stringify(traces)}).`;

/** The traces of scripts, in order, and the OTP release that made them. */
export const runOnErlang = (
  scripts: readonly Script[],
): { readonly release: string; readonly traces: readonly Trace[] } => {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-otp-'));
  const [input, output] = [join(folder, 'scripts.jsonl'), join(folder, 'traces.jsonl')];
  try {
    writeFileSync(input, `${scripts.map((script) => JSON.stringify(script)).join('\n')}\n`);
    const { status, stdout, stderr } = spawnSync(
      'erl',
      ['+S', '1:1', '-noshell', '-noinput', '-eval', evaluation(input, output)],
      { encoding: 'utf8', timeout: TIMEOUT_MS },
    );
    if (status !== 0) throw new Error(`erl ended with ${status}\n${stdout}\n${stderr}`);
    const lines = readFileSync(output, 'utf8').trim().split('\n');
    return { release: stdout.trim(), traces: lines.map((line) => JSON.parse(line) as Trace) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};
