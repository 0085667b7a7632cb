/**
 * fast-check arbitraries for users: supervision trees as data, fault plans, schedules, and whole cases of a scenario.
 *
 * Invariant: the smallest value of each is the plainest: one child, no fault, first come, first served.
 */
import fc from 'fast-check';
import type { Spec } from '../kernel/spec.ts';
import { type SupervisorOptions, supervisor } from '../supervision/supervisor.ts';
import type { SupervisorHandle } from '../supervision/supervisor-handle.ts';
import { FAULT_POINTS, type FaultPoint, type FaultTable, faultsAt } from './faults.ts';
import { arbitraryCase } from './shrink.ts';
import { MAX_COMMANDS, type RunCase } from './simulation.ts';

/** A supervision tree as data; {@link growTree} makes specs of it. */
export interface TreeShape {
  readonly strategy: NonNullable<SupervisorOptions['strategy']>;
  readonly intensity: number;
  readonly children: readonly (TreeShape | 'worker')[];
}

/** Options of {@link supervisionTrees}. */
export interface TreeOptions {
  /** Supervisors below one another, the root included. Default 2. */
  readonly maxDepth?: number;
  /** Default 3. */
  readonly maxChildren?: number;
}

/** Trees of supervisors. */
export const supervisionTrees = ({
  maxDepth = 2,
  maxChildren = 3,
}: TreeOptions = {}): fc.Arbitrary<TreeShape> => {
  const worker = fc.constant('worker' as const);
  const at = (depth: number): fc.Arbitrary<TreeShape> =>
    fc.record({
      strategy: fc.constantFrom('one_for_one', 'one_for_all', 'rest_for_one'),
      intensity: fc.nat(5),
      children: fc.array(
        depth >= maxDepth ? worker : fc.oneof({ weight: 3, arbitrary: worker }, at(depth + 1)),
        {
          minLength: 1,
          maxLength: maxChildren,
        },
      ),
    });
  return at(1);
};

/**
 * Makes specs of a tree: `leaf` gives each worker, by its path of ids (`root/s1/w0`).
 *
 * @throws what `supervisor` throws
 */
export const growTree = (
  shape: TreeShape,
  leaf: (id: string, path: string) => Spec<unknown>,
  path = 'root',
): Spec<SupervisorHandle> => {
  const { strategy, intensity } = shape;
  const children = shape.children.map((child, index): Spec<unknown> => {
    if (child === 'worker') return leaf(`w${index}`, `${path}/w${index}`);
    return growTree(child, leaf, `${path}/s${index}`) as Spec<unknown>;
  });
  const id = path.slice(path.lastIndexOf('/') + 1);
  return supervisor(id, { strategy, intensity, children, backoff: false });
};

/** Tables of faults: some of the points, none at the smallest. */
export const faultTables = (
  points: readonly FaultPoint[] = Object.keys(FAULT_POINTS) as FaultPoint[],
): fc.Arbitrary<FaultTable> => fc.subarray([...points]).map((chosen) => ({ points: faultsAt(...chosen) }));

/** Decisions of a simulated host, mostly benign: `new SimulatedHost({ choices })`. */
export const schedules = ({
  maxLength = 200,
}: {
  readonly maxLength?: number;
} = {}): fc.Arbitrary<number[]> =>
  fc.array(fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.nat(255)), { maxLength });

/** Whole cases, for `runCase(scenario, case)` within a property of one's own. */
export const runCases = ({
  maxCommands = MAX_COMMANDS,
}: {
  readonly maxCommands?: number;
} = {}): fc.Arbitrary<RunCase> =>
  fc.tuple(arbitraryCase(maxCommands), schedules()).map(([run, choices]) => ({ ...run, choices }));
