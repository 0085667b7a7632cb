/**
 * A window on the tree: flattened depth first, filtered, groups folded, and only the rows that are looked at made in full.
 *
 * Invariant: linear in the number of actors, whatever the query; what is made for the wire is bounded by the window.
 */
import type { Reason } from '../kernel/fact.ts';
import { LIMITS } from './protocol.ts';
import { type Matcher, readQuery } from './tree-query.ts';
import type { StateValue, TreeQuery, TreeRow, TreeWindow } from './tree-view.ts';

/** One place, as the tree or a recording has it. */
export interface Standing {
  readonly id: string;
  readonly path: string;
  readonly kind: string;
  readonly status: string;
  readonly incarnation?: number;
  readonly restart?: string;
  readonly state?: unknown;
  readonly ready?: boolean;
  readonly facts: Readonly<Record<string, string | number | boolean>>;
  readonly mailbox: number;
  readonly children: readonly Standing[];
}

/** What else is known of a place; asked for matching, and for the rows of the window. */
export interface Surroundings {
  restarts(path: string): { readonly count: number; readonly at: number } | undefined;
  description(path: string): string | undefined;
  extras(standing: Standing): Partial<Pick<TreeRow, 'machine' | 'nextStartAt' | 'meddled'>>;
  /** Those who ended a moment ago, by the path of their parent (`''`: of nobody). */
  readonly tombstones: ReadonlyMap<string, readonly Tombstone[]>;
}

export interface Tombstone {
  readonly path: string;
  readonly id: string;
  readonly kind: string;
  readonly incarnation: number;
  readonly endedAt: number;
  readonly reason: Reason;
}

/** A row before it is known whether anybody looks at it. */
interface Draft {
  readonly key: string;
  readonly depth: number;
  readonly matched: boolean;
  readonly standing?: Standing;
  readonly tombstone?: Tombstone;
  readonly group?: {
    readonly parent: Standing;
    readonly kind: string;
    readonly members: readonly Standing[];
  };
  /** Of what can be opened. */
  readonly open?: boolean;
  readonly below?: number;
}

export const showState = (state: unknown): string => {
  if (state === undefined) return '';
  if (typeof state === 'string') return state;
  if (typeof state !== 'object' || state === null) return String(state);
  return Object.entries(state)
    .map(([region, value]) => `${region}:${showState(value)}`)
    .join(' ');
};

const isStateValue = (state: unknown): state is StateValue =>
  typeof state === 'string' ||
  (typeof state === 'object' && state !== null && Object.values(state).every(isStateValue));

export const keyOf = ({ path, incarnation }: Standing): string =>
  incarnation === undefined ? path : `${path}@${incarnation}`;

class Flattening {
  readonly rows: Draft[] = [];
  matches = 0;
  actors = 0;
  readonly #collapsed: ReadonlySet<string>;
  readonly #opened: ReadonlySet<string>;
  readonly #matcher: Matcher | undefined;
  readonly #around: Surroundings;
  /** How many of each branch match, itself included; only where there is a query. */
  readonly #counts = new Map<Standing, number>();
  readonly #matched = new Set<Standing>();
  readonly #sizes = new Map<Standing, number>();

  constructor(query: TreeQuery, matcher: Matcher | undefined, around: Surroundings) {
    this.#collapsed = new Set(query.collapsed);
    this.#opened = new Set(query.opened);
    this.#matcher = matcher;
    this.#around = around;
  }

  flatten(roots: readonly Standing[]): void {
    for (const root of roots) this.#count(root);
    for (const root of roots) this.#add(root, 0);
    for (const tombstone of this.#around.tombstones.get('') ?? []) this.#addTombstone(tombstone, 0);
  }

  /** Bottom-up, so that whether a branch holds a match is known before it is opened. */
  #count(standing: Standing): { readonly matches: number; readonly size: number } {
    let matches = this.#isMatch(standing) ? 1 : 0;
    if (matches === 1) this.#matched.add(standing);
    let size = 0;
    if (standing.incarnation !== undefined) this.actors += 1;
    this.matches += matches;
    for (const child of standing.children) {
      const below = this.#count(child);
      matches += below.matches;
      size += below.size;
    }
    if (this.#matcher !== undefined) this.#counts.set(standing, matches);
    this.#sizes.set(standing, size);
    return { matches, size: size + 1 };
  }

  #isMatch(standing: Standing): boolean {
    if (this.#matcher === undefined) return true;
    return this.#matcher({
      path: standing.path,
      kind: standing.kind,
      status: standing.status,
      state: showState(standing.state),
      description: this.#around.description(standing.path),
      mailbox: standing.mailbox,
      restarts: this.#around.restarts(standing.path)?.count ?? 0,
      children: standing.children.length,
    });
  }

  #isShown(standing: Standing): boolean {
    return this.#matcher === undefined || (this.#counts.get(standing) ?? 0) > 0;
  }

  #add(standing: Standing, depth: number): void {
    if (!this.#isShown(standing)) return;
    const key = keyOf(standing);
    const tombstones = this.#around.tombstones.get(standing.path) ?? [];
    const matched = this.#matched.has(standing);
    const isLeaf = standing.children.length === 0 && tombstones.length === 0;
    const open = this.#matcher !== undefined || !this.#collapsed.has(key);
    const below = this.#sizes.get(standing) ?? 0;
    this.rows.push({ key, depth, matched, standing, ...(isLeaf ? {} : { open, below }) });
    if (isLeaf || !open) return;
    this.#addChildren(standing, depth + 1);
    for (const tombstone of tombstones) this.#addTombstone(tombstone, depth + 1);
  }

  #addChildren(parent: Standing, depth: number): void {
    const { children } = parent;
    // Matches are few, or wanted one by one.
    if (children.length <= LIMITS.groupOver || this.#matcher !== undefined) {
      for (const child of children) this.#add(child, depth);
      return;
    }
    const kinds = new Map<string, Standing[]>();
    for (const child of children) {
      const alike = kinds.get(child.kind);
      if (alike === undefined) kinds.set(child.kind, [child]);
      else alike.push(child);
    }
    for (const [kind, members] of kinds) {
      if (members.length <= LIMITS.groupOver) {
        for (const member of members) this.#add(member, depth);
        continue;
      }
      const key = `${parent.path}#${kind}`;
      const open = this.#opened.has(key);
      this.rows.push({
        key,
        depth,
        matched: true,
        group: { parent, kind, members },
        open,
        below: members.length,
      });
      if (open) for (const member of members) this.#add(member, depth + 1);
    }
  }

  #addTombstone(tombstone: Tombstone, depth: number): void {
    const { path, kind, incarnation } = tombstone;
    const asked = { path, kind, status: 'ended', state: '', mailbox: 0, restarts: 0, children: 0 };
    if (this.#matcher?.({ ...asked, description: undefined }) === false) return;
    this.rows.push({ key: `${path}@${incarnation}`, depth, matched: true, tombstone });
  }
}

const STATES_SHOWN = 20;

const histogramOf = (members: readonly Standing[]): readonly (readonly [string, number])[] => {
  const counts = new Map<string, number>();
  for (const { state, status } of members) {
    const word = state === undefined || status !== 'running' ? status : showState(state);
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1]).slice(0, STATES_SHOWN);
};

const groupRow = (draft: Draft, group: NonNullable<Draft['group']>): TreeRow => ({
  key: draft.key,
  type: 'group',
  path: group.parent.path,
  id: `${group.kind} × ${group.members.length.toLocaleString('en')}`,
  depth: draft.depth,
  matched: draft.matched,
  open: draft.open === true,
  below: group.members.length,
  kind: group.kind,
  status: 'running',
  group: { size: group.members.length, states: histogramOf(group.members) },
  facts: {},
});

const tombstoneRow = (draft: Draft, tombstone: Tombstone): TreeRow => ({
  key: draft.key,
  type: 'tombstone',
  path: tombstone.path,
  id: tombstone.id,
  depth: draft.depth,
  matched: draft.matched,
  kind: tombstone.kind,
  status: 'ended',
  incarnation: tombstone.incarnation,
  endedAt: tombstone.endedAt,
  reason: tombstone.reason,
  facts: {},
});

/** The row of one place, in full. */
export const rowOf = (
  standing: Standing,
  around: Surroundings,
  draft: Pick<Draft, 'key' | 'depth' | 'matched' | 'open' | 'below'>,
): TreeRow => {
  const { path, id, kind, status, incarnation, restart, state, ready, facts, mailbox } = standing;
  const restarts = around.restarts(path);
  const description = around.description(path);
  const { strategy } = facts;
  return {
    key: draft.key,
    type: incarnation === undefined ? 'absent' : 'actor',
    path,
    id,
    depth: draft.depth,
    matched: draft.matched,
    ...(draft.open === undefined ? {} : { open: draft.open, below: draft.below ?? 0 }),
    kind,
    status,
    ...(incarnation === undefined ? {} : { incarnation }),
    ...(typeof strategy === 'string' ? { strategy } : {}),
    ...(restart === undefined ? {} : { restart: restart as 'permanent' }),
    ...(isStateValue(state) ? { state } : {}),
    ...(ready === undefined ? {} : { ready }),
    ...(mailbox === 0 ? {} : { mailbox }),
    ...(restarts === undefined ? {} : { restarts: restarts.count, restartedAt: restarts.at }),
    ...(description === undefined ? {} : { description }),
    ...around.extras(standing),
    facts,
  };
};

const fullRow = (draft: Draft, around: Surroundings): TreeRow => {
  if (draft.group !== undefined) return groupRow(draft, draft.group);
  if (draft.tombstone !== undefined) return tombstoneRow(draft, draft.tombstone);
  return rowOf(draft.standing as Standing, around, draft);
};

/** The window that a query asks for. */
export const windowOn = (roots: readonly Standing[], query: TreeQuery, around: Surroundings): TreeWindow => {
  const { matches: matcher, misread } = readQuery(query.query);
  const flattening = new Flattening(query, matcher, around);
  flattening.flatten(roots);
  const { rows, matches, actors } = flattening;
  const from = Math.max(0, Math.min(query.from, rows.length));
  const count = Math.min(query.count, LIMITS.windowRows);
  return {
    query,
    rows: rows.length,
    matches,
    actors,
    ...(misread === undefined ? {} : { misread }),
    window: rows.slice(from, from + count).map((draft) => fullRow(draft, around)),
  };
};
