/** Fresh random scripts on Erlang and on troupe; CI runs more of them (`npm run -s conform:live`). */
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { requires } from '../../requirements.ts';
import { runOnErlang } from './erlang.ts';
import { compareFresh, compareScripts, describeMismatch } from './live-comparison.ts';
import { parseScript, type Script } from './script-format.ts';
import type { Trace } from './script-runner.ts';
import { differenceOf } from './trace-comparison.ts';

const { skip, reason } = requires('erl');
const lines = (name: string): string[] =>
  readFileSync(new URL(name, import.meta.url), 'utf8')
    .trim()
    .split('\n');
/** Boots of Erlang on a busy machine. */
const TIMEOUT_MS = 60_000;
const RUNS = 120;

describe.skipIf(skip)(`against the Erlang of this machine${skip ? ` (${reason})` : ''}`, () => {
  it('the driver reproduces the recorded traces', { timeout: TIMEOUT_MS }, () => {
    const scripts = lines('scripts.jsonl').map(parseScript);
    const { release, traces } = runOnErlang(scripts);
    const differences = lines('traces.jsonl')
      .map((line, i) => differenceOf(scripts[i] as Script, JSON.parse(line) as Trace, traces[i] as Trace))
      .filter((difference) => difference !== undefined);
    expect({ release, differences }).toEqual({ release: expect.stringMatching(/^\d+$/), differences: [] });
  });

  it(`${RUNS} fresh scripts have the same traces`, { timeout: TIMEOUT_MS }, async () => {
    const seed = Number(process.env['CONFORM_SEED'] || randomInt(1_000_000_000));
    const { release, mismatches } = await compareFresh({ runs: RUNS, seed });
    expect(mismatches.map(describeMismatch), `OTP ${release}, seed ${seed}`).toEqual([]);
  });

  it('beyond the recorded format too', { timeout: TIMEOUT_MS }, async () => {
    const { release, mismatches } = await compareScripts(lines('beyond.jsonl').map(parseScript));
    expect(mismatches.map(describeMismatch), `OTP ${release}`).toEqual([]);
  });
});
