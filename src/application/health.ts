/**
 * Health as an orchestrator asks for it. Liveness: the loop turns (it answered) and the root lives; never upstreams, or one
 * sick dependency restarts every replica. Readiness: everything ready and not ending.
 */
import type { ApplicationStanding } from '../../actors/application.machine.ts';
import type { TreeNode } from '../kernel/tree.ts';

export interface Health {
  readonly live: boolean;
  readonly ready: boolean;
  readonly phase: ApplicationStanding['phase'];
  /** Paths of what is not ready, so that a probe's log says why. */
  readonly notReady: readonly string[];
}

export const healthOf = (tree: readonly TreeNode[], standing: ApplicationStanding): Health => {
  const notReady: string[] = [];
  const walk = (node: TreeNode) => {
    if (node.ready === false) notReady.push(node.path);
    node.children.forEach(walk);
  };
  tree.forEach(walk);
  const live = tree.length > 0 && tree.every((root) => root.status !== 'ended');
  return { live, ready: live && standing.serving && notReady.length === 0, phase: standing.phase, notReady };
};
