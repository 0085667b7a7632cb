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

/** The dynamic child below which something happened, where that child is a whole supervisor. */
const subtreeOf = (place: string): string | undefined => /^(.*#[^/]+)\//.exec(`${place}/`)?.[1];

/** The run without order that an event belongs to. */
const groupOf = ([kind, place, child, reason]: Event): string | undefined => {
  if (kind === 'terminate' && String(place).includes('#') && reason === 'shutdown')
    return `terminate:${String(place).split('#')[0]}`;
  return kind === 'shutdown_error' && child === 't' ? `shutdown_error:${String(place)}` : undefined;
};

/** Subtrees that stop in parallel: each keeps its order, and has none towards the others. */
const bySubtree = (events: readonly unknown[]): readonly unknown[] => {
  const runs = new Map<string, unknown[]>();
  const out: unknown[] = [];
  const flush = () => {
    for (const [, run] of [...runs].sort(([a], [b]) => (a < b ? -1 : 1))) out.push(...run);
    runs.clear();
  };
  for (const event of events) {
    const subtree = subtreeOf(String((event as Event)[1]));
    if (subtree === undefined) {
      flush();
      out.push(event);
    } else if (runs.has(subtree)) runs.get(subtree)?.push(event);
    else runs.set(subtree, [event]);
  }
  flush();
  return out;
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
  return bySubtree([...out, ...run.sort(byJson)]);
};

const canonicalReturn = (ret: unknown): unknown => {
  if (!Array.isArray(ret) || ret[0] !== 'children') return ret;
  const rows = ret[1] as readonly Event[];
  return rows.some(([id]) => id === 'undefined') ? ['children', sorted(rows)] : ret;
};

/** Whether one that ends in this very step still reads its mail is chance. */
const noticesOfSurvivors = ({ notices = [], deaths }: TraceStep): readonly unknown[] => {
  const dead = new Set((deaths as readonly Event[]).map(([place, n]) => `${place} ${n}`));
  return (notices as readonly Event[]).filter(([place, n]) => !dead.has(`${place} ${n}`));
};

const canonical = (step: TraceStep): TraceStep => ({
  ret: canonicalReturn(step.ret),
  events: canonicalEvents(step.events),
  deaths: sorted(step.deaths),
  tree: sorted(step.tree),
  notices: sorted(noticesOfSurvivors(step)),
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
