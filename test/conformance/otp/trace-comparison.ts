/**
 * What two traces must agree in. Deaths, trees and notices are sets; OTP stops dynamic children in parallel, so there is no
 * order between the events of several of them, and none in what it lists of them.
 */
import { type Event, FaultTracker } from './concurrent-faults.ts';
import type { Script } from './script-format.ts';
import type { Trace, TraceStep } from './script-runner.ts';

const byJson = (a: unknown, b: unknown): number => {
  const [x, y] = [JSON.stringify(a), JSON.stringify(b)];
  return x < y ? -1 : x > y ? 1 : 0;
};

const sorted = (items: readonly unknown[] | undefined): readonly unknown[] => [...(items ?? [])].sort(byJson);

/** The dynamic child, the first one beyond `from`, at or below which something happened. */
const subtreeOf = (place: string, from: number): string | undefined => {
  const key = place.indexOf('#', from);
  if (key < 0) return undefined;
  const end = place.indexOf('/', key);
  return end < 0 ? place : place.slice(0, end);
};

/**
 * Dynamic children stop in parallel: a run of what happens in several of them keeps the order that it has in each, and has
 * none between them. So on downwards, where those are supervisors that have dynamic children.
 */
const bySubtree = (events: readonly Event[], from = 0): readonly Event[] => {
  const runs = new Map<string, Event[]>();
  const out: Event[] = [];
  const flush = () => {
    for (const [subtree, run] of [...runs].sort(([a], [b]) => (a < b ? -1 : 1)))
      out.push(...bySubtree(run, subtree.length));
    runs.clear();
  };
  for (const event of events) {
    const subtree = subtreeOf(String(event[1]), from);
    if (subtree === undefined) {
      flush();
      out.push(event);
    } else if (runs.has(subtree)) runs.get(subtree)?.push(event);
    else runs.set(subtree, [event]);
  }
  flush();
  return out;
};

/** What OTP has to say of dynamic children that stopped badly comes in the order of a map. */
const isOfDynamicStop = ([kind, , child]: Event): boolean => kind === 'shutdown_error' && child === 't';

const canonicalEvents = (events: readonly unknown[]): readonly unknown[] => {
  const out: Event[] = [];
  let run: Event[] = [];
  for (const event of bySubtree(events as readonly Event[])) {
    if (!isOfDynamicStop(event) || event[1] !== run[0]?.[1]) {
      out.push(...run.sort(byJson));
      run = [];
    }
    (isOfDynamicStop(event) ? run : out).push(event);
  }
  return [...out, ...run.sort(byJson)];
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

/** Reads that are asked while an init is held answer like any other. */
const canonicalHeld = (held: readonly unknown[] = []): readonly unknown[] =>
  (held as readonly [unknown, readonly unknown[]][]).map(([places, answers]) => [
    places,
    answers.map(canonicalReturn),
  ]);

const canonical = (step: TraceStep, runs: readonly (readonly Event[])[]) => ({
  ret: canonicalReturn(step.ret),
  events: runs.length === 1 ? canonicalEvents(step.events) : runs.map(canonicalEvents).sort(byJson),
  deaths: sorted(step.deaths),
  tree: sorted(step.tree),
  notices: sorted(noticesOfSurvivors(step)),
  held: canonicalHeld(step.held),
});

const FIELDS = ['ret', 'events', 'deaths', 'tree', 'notices', 'held'] as const;

/** Where two traces differ first. */
export interface Difference {
  readonly step: number;
  readonly field: string;
  readonly otp: unknown;
  readonly ours: unknown;
}

export interface Verdict {
  readonly difference: Difference | undefined;
  /** The step from which on Erlang leaves the outcome to chance; nothing is compared from there. */
  readonly openFrom: number | undefined;
  /** Steps in which several faults happened and were compared. */
  readonly concurrent: number;
}

/** Compares what one script did on both, as far as it has one outcome. */
export const judge = (script: Script, otp: Trace, ours: Trace): Verdict => {
  const [theirFaults, ourFaults] = [new FaultTracker(script), new FaultTracker(script)];
  const verdict = { difference: undefined, openFrom: undefined };
  let concurrent = 0;
  const steps = Math.max(otp.steps.length, ours.steps.length);
  for (let step = 0; step < steps; step++) {
    const [theirStep, ourStep] = [otp.steps[step], ours.steps[step]];
    if (theirStep === undefined || ourStep === undefined) {
      const difference = { step, field: 'steps', otp: otp.steps.length, ours: ours.steps.length };
      return { ...verdict, difference, concurrent };
    }
    const faults = theirFaults.faultsOf(step, theirStep);
    const theirRuns = theirFaults.arrange(theirStep, faults);
    const ourRuns = ourFaults.arrange(ourStep, ourFaults.faultsOf(step, ourStep));
    if (theirRuns === 'open' && ourRuns === 'open') return { ...verdict, openFrom: step, concurrent };
    const want = canonical(theirStep, theirRuns === 'open' ? [theirStep.events as Event[]] : theirRuns);
    const got = canonical(ourStep, ourRuns === 'open' ? [ourStep.events as Event[]] : ourRuns);
    for (const field of FIELDS)
      if (JSON.stringify(want[field]) !== JSON.stringify(got[field]))
        return { ...verdict, difference: { step, field, otp: want[field], ours: got[field] }, concurrent };
    if (faults.size > 1) concurrent += 1;
  }
  return { ...verdict, concurrent };
};

/** `undefined` where they agree. */
export const differenceOf = (script: Script, otp: Trace, ours: Trace): Difference | undefined =>
  judge(script, otp, ours).difference;
