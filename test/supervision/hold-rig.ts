/** Supervised workers, as in rig.ts, and breakers on which some of them depend. */
import type { Spec } from '../../src/kernel/spec.ts';
import {
  type BreakerHandle,
  type BreakerSpecOptions,
  circuitBreaker,
} from '../../src/resilience/circuit-breaker-spec.ts';
import { type Company, createCompany, type WorkerOptions } from './rig.ts';

/** How long each breaker stays open. */
export const OPEN_MS = 1_000;

export interface HoldRig extends Company {
  breaker(id: string, options?: BreakerSpecOptions): Spec<BreakerHandle>;
  /** Opens a breaker. */
  trip(spec: Spec<BreakerHandle>): void;
  /** Why each child was released, in order: `worker closed`. */
  releases(): string[];
  /** The status of each place in the tree, by id. */
  statuses(): Readonly<Record<string, string>>;
}

export const createHoldRig = (): HoldRig => {
  const company = createCompany();
  const { system } = company;
  return {
    ...company,
    breaker: (id, options = {}) =>
      circuitBreaker(id, { window: { kind: 'consecutive', failures: 1 }, openMs: OPEN_MS, ...options }),
    trip: (spec) => system.get(spec).fail(new Error('upstream is down')),
    releases: () => company.told('supervisor.child.released').map(({ child, why }) => `${child} ${why}`),
    statuses: () => {
      const found: Record<string, string> = {};
      const walk = (nodes: ReturnType<typeof system.tree>): void => {
        for (const { id, status, children } of nodes) {
          found[id] = status;
          walk(children);
        }
      };
      walk(system.tree());
      return found;
    },
  };
};

/** A breaker, a worker `w` that depends on it, and a worker `x` that does not. */
export const needyOne = async (options: WorkerOptions = {}, ofSupervisor: Record<string, unknown> = {}) => {
  const rig = createHoldRig();
  const upstream = rig.breaker('upstream');
  const w = rig.worker('w', { dependsOn: upstream, ...options });
  const x = rig.worker('x');
  const handle = await rig.start(rig.supervise([upstream, w, x], ofSupervisor));
  rig.news();
  return { ...rig, upstream, w, x, handle, breaker: rig.system.get(upstream) };
};
