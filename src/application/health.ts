/**
 * Health as an orchestrator asks for it. Liveness: the loop turns (it answered) and the root lives; never upstreams, or one
 * sick dependency restarts every replica; and no check that was
 * said to be a matter of this process's own life is unhealthy. Readiness: everything ready and not ending.
 */
import type { ApplicationStanding } from '../../actors/application.machine.ts';
import type { CheckReport } from '../coordination/check-run.ts';
import type { HealthView } from '../coordination/health-monitor.ts';
import type { TreeNode } from '../kernel/tree.ts';

export interface Health {
  readonly live: boolean;
  readonly ready: boolean;
  readonly phase: ApplicationStanding['phase'];
  /** Paths of what is not ready, so that a probe's log says why. */
  readonly notReady: readonly string[];
  /** What the health monitors of the tree have last seen. */
  readonly checks: readonly CheckReport[];
}

/** `views`: of the monitors in the tree. What they say of readiness is the tree's already. */
export const healthOf = (
  tree: readonly TreeNode[],
  standing: ApplicationStanding,
  views: readonly HealthView[] = [],
): Health => {
  const notReady: string[] = [];
  const walk = (node: TreeNode) => {
    if (node.ready === false) notReady.push(node.path);
    node.children.forEach(walk);
  };
  tree.forEach(walk);
  const rootLives = tree.length > 0 && tree.every((root) => root.status !== 'ended');
  const live = rootLives && views.every((view) => view.live);
  const ready = live && standing.serving && notReady.length === 0;
  return { live, ready, phase: standing.phase, notReady, checks: views.flatMap(({ checks }) => checks) };
};
