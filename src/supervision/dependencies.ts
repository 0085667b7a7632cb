/**
 * Where a breaker may stand on which a child depends (`dependsOn`): in the same application, before the child in the order of
 * starting, and so after it in that of stopping. Checked as soon as it can be told: by `supervisor(…)` for what it holds, by
 * `application(…)` for the whole, and once more where the child is placed.
 */
import { createError } from '../base/errors.ts';
import type { Spec } from '../kernel/spec.ts';
import type { SystemOfActors } from '../kernel/system.ts';

const BELOW = 'stands below it';
const AFTER = 'starts after it, and would stop before it';

/** The same questions wherever they are asked. */
interface Dependency {
  readonly where: string;
  readonly child: Spec<unknown>;
  readonly breaker: Spec<unknown>;
}

const misplaced = ({ where, child, breaker }: Dependency, how: string): Error =>
  createError('ERR_DEPENDENCY_ORDER', { where, child: child.id, breaker: breaker.id, how });

const unknown = ({ where, child, breaker }: Dependency): Error =>
  createError('ERR_DEPENDENCY_UNKNOWN', { where, child: child.id, breaker: breaker.id });

/** A spec and all below it. */
function* allOf(spec: Spec<unknown>): Generator<Spec<unknown>> {
  yield spec;
  for (const child of spec.children) yield* allOf(child);
}

/**
 * Whether those who depend on a breaker below one supervisor start after it. What stands elsewhere is not its business.
 *
 * @throws ERR_DEPENDENCY_ORDER
 */
export const checkOrder = (where: string, children: readonly Spec<unknown>[]): void => {
  const branches = new Map<Spec<unknown>, number>();
  for (const [index, child] of children.entries()) for (const spec of allOf(child)) branches.set(spec, index);
  for (const [index, branch] of children.entries()) {
    for (const child of allOf(branch)) {
      for (const breaker of child.dependsOn) {
        const at = branches.get(breaker) ?? -1;
        if (at > index) throw misplaced({ where, child, breaker }, AFTER);
        // Below a nested supervisor it is that one's to judge.
        if (at === index && child === branch) throw misplaced({ where, child, breaker }, BELOW);
      }
    }
  }
};

/**
 * Whether all that is depended on in a tree stands in it, and nothing that the root would have to wait for.
 *
 * @throws ERR_DEPENDENCY_UNKNOWN, ERR_DEPENDENCY_ORDER
 */
export const checkTree = (where: string, tree: Spec<unknown>): void => {
  const all = new Set(allOf(tree));
  for (const child of all)
    for (const breaker of child.dependsOn) if (!all.has(breaker)) throw unknown({ where, child, breaker });
  checkOrder(where, [tree]);
};

const orderFault = (system: SystemOfActors, path: string, breakerPath: string): string | undefined => {
  const own = path.split('/');
  const its = breakerPath.split('/');
  const depth = own.findIndex((id, index) => id !== its[index]);
  if (depth === -1) return BELOW;
  const above = system.placeAt(own.slice(0, depth).join('/'))?.spec;
  if (above?.logic.kind !== 'supervisor') return undefined;
  // What came at run time stands last.
  const indexOf = (id: string | undefined): number => {
    const index = above.children.findIndex((child) => child.id === id);
    return index === -1 ? Number.POSITIVE_INFINITY : index;
  };
  return indexOf(its[depth]) > indexOf(own[depth]) ? AFTER : undefined;
};

/**
 * Whether all that a child depends on stands where it may, now that the child is to be placed.
 *
 * @throws ERR_DEPENDENCY_UNKNOWN, ERR_DEPENDENCY_ORDER
 */
export const checkPlaced = (
  where: string,
  child: Spec<unknown>,
  { system, path }: { readonly system: SystemOfActors; readonly path: string },
): void => {
  for (const breaker of child.dependsOn) {
    const place = system.findPlace(breaker);
    const below = place === undefined && [...allOf(child)].includes(breaker);
    if (below) throw misplaced({ where, child, breaker }, BELOW);
    if (place === undefined) throw unknown({ where, child, breaker });
    const fault = orderFault(system, path, place.path);
    if (fault !== undefined) throw misplaced({ where, child, breaker }, fault);
  }
};
