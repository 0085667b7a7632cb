/**
 * The cases of OTP's supervisor_SUITE that are scripts: `supervisor-suite.jsonl` holds each with what Erlang/OTP 25 did, by
 * the driver of the conformance suite. `describeGroup` makes the tests of one group, each named after its case.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseScript, type Script } from '../conformance/otp/script-format.ts';
import { runScript, type TraceStep } from '../conformance/otp/script-runner.ts';
import { differenceOf } from '../conformance/otp/trace-comparison.ts';

export interface SuiteCase {
  readonly group: string;
  readonly case: string;
  readonly script: Script;
  readonly steps: readonly TraceStep[];
}

export const suiteCases: readonly SuiteCase[] = readFileSync(
  new URL('supervisor-suite.jsonl', import.meta.url),
  'utf8',
)
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as SuiteCase);

export const describeGroup = (group: string): void => {
  const cases = suiteCases.filter((one) => one.group === group);
  describe(`supervisor_SUITE, ${group}: as Erlang does`, () => {
    it.each(cases.map((one) => [String(one.script.id), one] as const))('%s', async (_, { script, steps }) => {
      const ours = await runScript(parseScript(JSON.stringify(script)));
      expect(differenceOf(script, { id: script.id, steps }, ours)).toBeUndefined();
    });
  });
};
