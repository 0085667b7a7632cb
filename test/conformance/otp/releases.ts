/**
 * Where releases of OTP differ from each other in what scripts can show, and what the live comparison makes of each. Only the
 * release that is installed is compared; docs/OTP.md has the list for readers (a test holds the two together).
 */
import type { Script } from './script-format.ts';
import type { Trace, TraceStep } from './script-runner.ts';
import { judge, type Verdict } from './trace-comparison.ts';

export interface ReleaseDivergence {
  /** As docs/OTP.md names it. */
  readonly what: string;
  /** The first release in which it may show, and the last; without a last one, all since. */
  readonly from: number;
  readonly to?: number;
  /** Our trace as such a release may have it; without this, scripts that would show it are not made. */
  readonly alternative?: (script: Script, ours: Trace) => Trace;
}

/** Releases that the list is meant for. */
export const RELEASES = { first: 25, last: 28 } as const;

const STARTS: readonly unknown[] = ['start_child', 'restart_child'];

/** A child started through the API is no longer reported as progress. */
const withoutProgressOfStarts = (script: Script, ours: Trace): Trace => {
  const quiet = (step: TraceStep, i: number): TraceStep => {
    const op = script.ops[i - 1];
    if (op === undefined || !STARTS.includes(op.op)) return step;
    const child = op.child ?? op.spec?.id;
    const isOfStart = ([kind, place, id]: readonly unknown[]) =>
      kind === 'progress' && place === op.sup && id === child;
    const events = step.events as readonly (readonly unknown[])[];
    return { ...step, events: events.filter((event) => !isOfStart(event)) };
  };
  return { ...ours, steps: ours.steps.map(quiet) };
};

export const RELEASE_DIVERGENCES: readonly ReleaseDivergence[] = [
  { what: 'a template whose restart ignores', from: 25, to: 25 },
  { what: 'progress of a child started by the API', from: 26, alternative: withoutProgressOfStarts },
];

/** What stands in the list for one release. */
export const divergencesOf = (release: string): readonly ReleaseDivergence[] =>
  RELEASE_DIVERGENCES.filter(({ from, to = Number.POSITIVE_INFINITY }) => {
    const number = Number.parseInt(release, 10);
    return from <= number && number <= to;
  });

/** Compares with a trace of that release: it may agree with ours as it is, or with what the list makes of it. */
export const judgeAgainst = (release: string, script: Script, traces: readonly [Trace, Trace]): Verdict => {
  const [otp, ours] = traces;
  const verdict = judge(script, otp, ours);
  if (verdict.difference === undefined) return verdict;
  const alternatives = divergencesOf(release).flatMap(({ alternative }) => alternative ?? []);
  const others = alternatives.map((alternative) => judge(script, otp, alternative(script, ours)));
  return others.find(({ difference }) => difference === undefined) ?? verdict;
};
