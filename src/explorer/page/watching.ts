/**
 * What the stream is asked to show, derived from where one is: the tree's window, the selected actor, and the journals of the view.
 *
 * Invariant: what makes the summary of what is wrong is always watched; messages only while a view shows them: they cost the
 * observed process something.
 */
import { computed, effect, signal } from '@preact/signals';
import { DEFAULT_WINDOW_ROWS, LIMITS, type TreeQuery, type Watch } from '../protocol.ts';
import { place } from './address.ts';
import type { Connection } from './connection.ts';
import { forgetDetails, isRecording } from './store.ts';

/** The window on the tree that is looked at. */
export const treeQuery = signal<TreeQuery>({ query: '', from: 0, count: DEFAULT_WINDOW_ROWS });
/** Rows that are closed, and groups that are opened, by key. */
export const collapsed = signal<ReadonlySet<string>>(new Set());
export const opened = signal<ReadonlySet<string>>(new Set());

const toggled = (set: ReadonlySet<string>, key: string): ReadonlySet<string> => {
  const next = new Set(set);
  if (!next.delete(key)) next.add(key);
  return next;
};

export const toggleRow = (key: string, isGroup: boolean): void => {
  if (isGroup) opened.value = toggled(opened.value, key);
  else collapsed.value = toggled(collapsed.value, key);
};

/** Another actor whose detail a view needs: the one whose replayed chart is shown, say. */
export const alsoWatched = signal<readonly string[]>([]);

const watchedActors = computed((): readonly string[] => {
  const { view, path } = place.value;
  const selected = view === 'actor' && path !== '' ? [path] : [];
  return [...new Set([...selected, ...alsoWatched.value])].slice(0, LIMITS.watchedActors);
});

const wantsMessages = computed(() => {
  const { view, path, more } = place.value;
  if (view === 'timeline' || view === 'metrics') return { below: view === 'timeline' ? path : '' };
  return view === 'actor' && more['tab'] === 'messages' ? { below: path } : false;
});

const sameTree = (a: TreeQuery, b: TreeQuery): boolean => JSON.stringify(a) === JSON.stringify(b);

const wanted = computed((): Watch => {
  const tree: TreeQuery = {
    ...treeQuery.value,
    collapsed: [...collapsed.value],
    opened: [...opened.value],
  };
  return {
    tree,
    actors: watchedActors.value,
    facts: { below: '' },
    messages: wantsMessages.value,
    steps: watchedActors.value.length > 0,
    supervision: true,
    breakers: true,
    pools: true,
    recoveries: true,
    application: true,
    metrics: !isRecording.value,
  };
});

/** The parts of a watch that changed. */
const changedParts = (next: Watch, before: Watch | undefined): Watch => {
  if (before === undefined) return next;
  const parts = Object.entries(next).filter(([key, value]) => {
    const known = before[key as keyof Watch];
    if (key === 'tree') return !sameTree(value as TreeQuery, known as TreeQuery);
    return JSON.stringify(value) !== JSON.stringify(known);
  });
  return Object.fromEntries(parts) as Watch;
};

/** Changes follow each other at least so far apart: a scroll is many. */
const SPACING_MS = 40;

/** Keeps a connection's stream at what is wanted; returns what to call when a new stream has begun. */
export const keepWatching = (connection: Connection): (() => void) => {
  let told: Watch | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let busy = false;
  let toldAt = Number.NEGATIVE_INFINITY;
  const tell = async (): Promise<void> => {
    timer = undefined;
    const next = wanted.peek();
    const parts = changedParts(next, told);
    if (busy || Object.keys(parts).length === 0) return;
    busy = true;
    told = next;
    toldAt = performance.now();
    await connection.watch(parts);
    busy = false;
    if (wanted.peek() !== told) schedule();
  };
  const schedule = (): void => {
    if (timer !== undefined) return;
    // The first of many goes at once.
    const delay = Math.max(0, toldAt + SPACING_MS - performance.now());
    timer = setTimeout(() => void tell(), delay);
  };
  effect(() => {
    forgetDetails(watchedActors.value);
    if (wanted.value !== told) schedule();
  });
  return () => {
    told = undefined;
    schedule();
  };
};
