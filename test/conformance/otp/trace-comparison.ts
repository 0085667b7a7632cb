/**
 * What two traces must agree in. Deaths, trees and notices are sets; OTP stops dynamic children in parallel, so a run of
 * such events has no order of its own, and neither has what it lists of them.
 */
import type { Trace, TraceStep } from './script-runner.ts';

type Event = readonly unknown[];

const byJson = (a: unknown, b: unknown): number => {
  const [x, y] = [JSON.stringify(a), JSON.stringify(b)];
  return x < y ? -1 : x > y ? 1 : 0;
};

const sorted = (items: readonly unknown[] | undefined): readonly unknown[] => [...(items ?? [])].sort(byJson);

/** The run without order that an event belongs to. */
const groupOf = ([kind, place, child, reason]: Event): string | undefined => {
  if (kind === 'terminate' && String(place).includes('#') && reason === 'shutdown')
    return `terminate:${String(place).split('#')[0]}`;
  return kind === 'shutdown_error' && child === 't' ? `shutdown_error:${String(place)}` : undefined;
};

const canonicalEvents = (events: readonly unknown[]): readonly unknown[] => {
  const out: unknown[] = [];
  let run: unknown[] = [];
  let group: string | undefined;
  for (const event of events) {
    const next = groupOf(event as Event);
    if (next === undefined || next !== group) {
      out.push(...run.sort(byJson));
      run = [];
    }
    group = next;
    (next === undefined ? out : run).push(event);
  }
  return [...out, ...run.sort(byJson)];
};

const canonicalReturn = (ret: unknown): unknown => {
  if (!Array.isArray(ret) || ret[0] !== 'children') return ret;
  const rows = ret[1] as readonly Event[];
  return rows.some(([id]) => id === 'undefined') ? ['children', sorted(rows)] : ret;
};

const canonical = (step: TraceStep): TraceStep => ({
  ret: canonicalReturn(step.ret),
  events: canonicalEvents(step.events),
  deaths: sorted(step.deaths),
  tree: sorted(step.tree),
  notices: sorted(step.notices),
});

/** Where two traces differ first. */
export interface Difference {
  readonly step: number;
  readonly field: string;
  readonly otp: unknown;
  readonly ours: unknown;
}

/** `undefined` where they agree. */
export const differenceOf = (otp: Trace, ours: Trace): Difference | undefined => {
  const steps = Math.max(otp.steps.length, ours.steps.length);
  for (let step = 0; step < steps; step++) {
    const [theirStep, ourStep] = [otp.steps[step], ours.steps[step]];
    if (theirStep === undefined || ourStep === undefined)
      return { step, field: 'steps', otp: otp.steps.length, ours: ours.steps.length };
    const [want, got] = [canonical(theirStep), canonical(ourStep)];
    for (const field of ['ret', 'events', 'deaths', 'tree', 'notices'] as const)
      if (JSON.stringify(want[field]) !== JSON.stringify(got[field]))
        return { step, field, otp: want[field], ours: got[field] };
  }
  return undefined;
};
