/**
 * Resources: what an application opens and closes around its tree (a database, an HTTP server).
 *
 * Invariant: what was opened, also too late, is closed exactly once, dependants before what they depend on. A resource
 * is a value; what it opened belongs to the application that opened it.
 */
import { createError } from '../base/errors.ts';
import {
  check,
  fits,
  fn,
  identifier,
  listOf,
  msOrInfinity,
  refuse,
  refuseWith,
  resolveOptions,
} from '../base/options.ts';
import { isSpec, type Spec } from '../kernel/spec.ts';
import type { Application } from './application.ts';

const BRAND = Symbol.for('troupe/resource');

/** What a resource is given while it opens. */
export interface OpenContext {
  readonly app: Application;
  /** Aborts when the application is told to stop, or the time to open is over. */
  readonly signal: AbortSignal;
}

/** What a resource is given while it drains and closes. */
export interface EndContext {
  /** Aborts when the time for it is over. */
  readonly signal: AbortSignal;
  /** Milliseconds left when it was called. */
  readonly remainingMs: number;
}

/** Options of {@link resource}. */
export interface ResourceOptions<T> {
  /** Opens it. Bounded by `openTimeoutMs`; what it opens later than that is closed at once. */
  readonly open: (context: OpenContext) => T | PromiseLike<T>;
  /** Stops intake and resolves when the work in flight has ended; everything it depends on lives meanwhile. */
  readonly drain?: (value: T, context: EndContext) => unknown;
  /** Closes it. Called exactly once for each opening. */
  readonly close: (value: T, context: EndContext) => unknown;
  /** Other resources, and specs of the tree: it opens after them and closes before them. */
  readonly dependsOn?: readonly (Resource | Spec<unknown>)[];
  /** Default 10,000. */
  readonly openTimeoutMs?: number;
}

/** A frozen description of something to open and close. */
export interface Resource<T = unknown> {
  readonly id: string;
  // Methods, not properties: a list holds resources of any T, each only ever given what it opened itself.
  open(context: OpenContext): T | PromiseLike<T>;
  drain?(value: T, context: EndContext): unknown;
  close(value: T, context: EndContext): unknown;
  readonly dependsOn: readonly (Resource<unknown> | Spec<unknown>)[];
  readonly openTimeoutMs: number;
}

export const isResource = (value: unknown): value is Resource =>
  typeof value === 'object' && value !== null && (value as { [BRAND]?: unknown })[BRAND] === true;

const FIELDS = {
  open: fn<Function>(),
  drain: fn<Function>(),
  close: fn<Function>(),
  dependsOn: listOf(
    fits<Resource | Spec<unknown>>(
      'a resource or a spec',
      (v) => isResource(v) || isSpec(v),
      'resources and specs',
    ),
  ),
  openTimeoutMs: msOrInfinity(1),
};

/**
 * Describes a resource.
 *
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN
 */
export const resource = <T>(id: string, options: ResourceOptions<T>): Resource<T> => {
  const where = `resource ${String(id)}`;
  check(where, 'id', identifier, id);
  const resolved = resolveOptions(where, options, FIELDS, { dependsOn: [], openTimeoutMs: 10_000 });
  if (resolved.open === undefined) refuse(where, 'open', 'a function', undefined);
  if (resolved.close === undefined) refuse(where, 'close', 'a function', undefined);
  const made = { id, ...resolved };
  Object.defineProperty(made, BRAND, { value: true });
  return Object.freeze(made) as unknown as Resource<T>;
};

/** Resources before the tree and after it, each in the order in which they open. */
export interface Order {
  readonly beforeTree: readonly Resource[];
  readonly afterTree: readonly Resource[];
}

/**
 * Sorts resources so that each opens after what it depends on; those that depend on the tree come after it.
 *
 * @throws ERR_OPTION_INVALID on a cycle, a stranger, or two with one id
 */
export const orderOf = (
  where: string,
  resources: readonly Resource[],
  inTree: (spec: Spec<unknown>) => boolean,
): Order => {
  const ids = new Set<string>();
  const ordered: Resource[] = [];
  const onTree = new Set<Resource>();
  const path: Resource[] = [];
  const visit = (item: Resource) => {
    if (ordered.includes(item)) return;
    if (path.includes(item))
      refuseWith(where, 'resources', 'free of cycles', [...path, item].map((r) => r.id).join(' → '));
    path.push(item);
    for (const need of item.dependsOn) {
      if (isResource(need)) {
        if (!resources.includes(need))
          refuseWith(
            where,
            'resources',
            `a list with ${need.id}, on which ${item.id} depends`,
            'one without it',
          );
        visit(need);
        if (onTree.has(need)) onTree.add(item);
      } else if (inTree(need)) onTree.add(item);
      else throw createError('ERR_SPEC_UNKNOWN', { id: need.id });
    }
    path.pop();
    ordered.push(item);
  };
  for (const item of resources) {
    if (ids.has(item.id))
      refuseWith(where, 'resources', 'resources with different ids', `two with the id ${item.id}`);
    ids.add(item.id);
    visit(item);
  }
  return {
    beforeTree: ordered.filter((item) => !onTree.has(item)),
    afterTree: ordered.filter((item) => onTree.has(item)),
  };
};
