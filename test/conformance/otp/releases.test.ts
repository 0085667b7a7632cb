/** The list of what releases of OTP do differently is consulted, and stands in docs/OTP.md. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { divergencesOf, judgeAgainst, RELEASE_DIVERGENCES, RELEASES } from './releases.ts';
import { parseScript } from './script-format.ts';
import { runScript, type Trace } from './script-runner.ts';

const page = readFileSync(new URL('../../../docs/OTP.md', import.meta.url), 'utf8');

const script = parseScript(
  JSON.stringify({
    id: 1,
    tree: { id: 'root', type: 'supervisor', children: [{ id: 'a' }] },
    ops: [
      { op: 'start_child', sup: 'root', spec: { id: 'b' } },
      { op: 'kill', path: 'root/a' },
    ],
  }),
);
/** Without the progress reports of one step. */
const quietIn = (trace: Trace, at: number): Trace => ({
  ...trace,
  steps: trace.steps.map((step, i) =>
    i === at ? { ...step, events: step.events.filter((e) => (e as string[])[0] !== 'progress') } : step,
  ),
});
const differs = (release: string, otp: Trace, ours: Trace): boolean =>
  judgeAgainst(release, script, [otp, ours]).difference !== undefined;

describe('releases of OTP', () => {
  it.each(RELEASE_DIVERGENCES)('$what: docs/OTP.md says so', ({ what }) => {
    expect(page).toMatch(new RegExp(`^\\| ${what} \\|`, 'm'));
  });

  it('25 has the template whose restart ignores, later ones the start without progress', () => {
    const named = (release: number) => divergencesOf(String(release)).map(({ what }) => what);
    expect(named(RELEASES.first)).toEqual(['a template whose restart ignores']);
    expect(named(RELEASES.last)).toEqual(['progress of a child started by the API']);
  });

  it('after 25 may leave out the progress of a start by the API, and nothing else', async () => {
    const ours = await runScript(script);
    expect(differs('25', ours, ours)).toBe(false);
    expect(differs('28', ours, ours)).toBe(false);
    expect(differs('28', quietIn(ours, 1), ours)).toBe(false);
    expect(differs('25', quietIn(ours, 1), ours)).toBe(true);
    expect(differs('28', quietIn(ours, 2), ours)).toBe(true);
  });
});
