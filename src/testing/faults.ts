/**
 * The fault points of troupe, and plans that draw faults from a simulated host's decisions.
 *
 * Invariant: the decision 0 is "no fault", so that shrinking removes faults; a plan that is switched off never draws.
 */
import type { Fault } from '../base/host.ts';

/** Which faults may happen at which points. `only`: the paths they may befall. */
export interface FaultTable {
  readonly points: Readonly<Record<string, readonly Fault[]>>;
  /** Default: everybody. */
  readonly only?: (subject: string | undefined, point: string) => boolean;
}

/** Every point at which troupe asks its host for faults, and what can happen there. */
export const FAULT_POINTS = Object.freeze({
  /** Crashes before, or after, it handles a message. */
  'actor.before': [{ kind: 'crash' }],
  'actor.after': [{ kind: 'crash' }],
  /** Its mail comes later, ms. */
  'mailbox.delay': [
    { kind: 'late', value: 3 },
    { kind: 'late', value: 60 },
  ],
  /** A timer fires later than it was asked to, ms. */
  'timer.late': [
    { kind: 'late', value: 2 },
    { kind: 'late', value: 40 },
  ],
  /** The loop is held when it should have fired a timer, ms: all that has become due meanwhile fires together. */
  'host.stall': [{ kind: 'held', value: 120 }],
  /** The command cannot be started. */
  'process.spawn': [{ kind: 'ENOENT' }],
  /** It exits before it has said anything, or never says anything. */
  'process.start': [{ kind: 'early_exit' }, { kind: 'hang' }],
  'process.output': [
    { kind: 'exit_mid_frame' },
    { kind: 'garbage' },
    { kind: 'oversize_frame' },
    { kind: 'hang' },
  ],
  /** SIGTERM and SIGINT do nothing. */
  'process.signal': [{ kind: 'ignored' }],
  /** What it had printed and nobody had read is lost. */
  'process.exit': [{ kind: 'stdout_lost' }],
  'transport.connect': [{ kind: 'refused' }],
  'transport.data': [
    { kind: 'delay', value: 100 },
    { kind: 'loss' },
    { kind: 'duplication' },
    { kind: 'cut' },
    { kind: 'half_open' },
  ],
  /** Scripted workers. */
  'worker.start': [
    { kind: 'ready', value: 30 },
    { kind: 'ENOENT' },
    { kind: 'exit' },
    { kind: 'exit', value: 20 },
    { kind: 'hang' },
  ],
  'worker.job': [
    { kind: 'crash' },
    { kind: 'crash', value: 7 },
    { kind: 'fail', value: 3 },
    { kind: 'garbage' },
    { kind: 'freeze' },
    { kind: 'hang' },
  ],
  /** Does not end when asked to. */
  'worker.close': [{ kind: 'ignored' }],
  /** The last of it is gone later, ms. */
  'worker.kill': [{ kind: 'late', value: 15 }],
} as const satisfies Readonly<Record<string, readonly Fault[]>>);

export type FaultPoint = keyof typeof FAULT_POINTS;

/** A table of some of troupe's own points, with all that can happen there. */
export const faultsAt = (...points: readonly FaultPoint[]): FaultTable['points'] =>
  Object.fromEntries(points.map((point) => [point, FAULT_POINTS[point]]));

/** The label of the decision about a point. Those who generate decisions make faults rare by it. */
export const FAULT_LABEL = 'fault ';

type Choose = (ready: number, label: string) => number;

/** A plan that draws from `choose` whether to have a fault, until `active` says that all is over. */
export const drawFaults = (
  { points, only }: FaultTable,
  choose: Choose,
  active: () => boolean,
): ((point: string, subject: string | undefined) => Fault | undefined) => {
  const plans = new Map(
    Object.entries(points).map(([point, faults]) => [point, { faults, label: `${FAULT_LABEL}${point}` }]),
  );
  return (point, subject) => {
    const plan = plans.get(point);
    if (plan === undefined || !active() || only?.(subject, point) === false) return undefined;
    return plan.faults[choose(plan.faults.length + 1, plan.label) - 1];
  };
};
