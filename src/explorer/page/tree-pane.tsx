/**
 * The tree: the server flattens and filters it, and the page shows the rows that are in sight.
 *
 * Invariant: of a tree of any size it holds one window; a row that has not come yet is drawn as a place to be filled. The whole is
 * worked with the keyboard as a tree is.
 */
import { computed, effect, signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { LIMITS, type TreeRow } from '../protocol.ts';
import { go, place, toActor } from './address.ts';
import { now, tree } from './store.ts';
import { choose, cursor } from './tree-choice.ts';
import { Row } from './tree-row.tsx';
import { toggleRow, treeQuery } from './watching.ts';
import { plural, showCount } from './words.ts';

export const ROW_HEIGHT = 28;
/** Rows asked for beyond those in sight, above and below. */
const OVERSCAN = 40;
const TYPING_MS = 50;

const query = signal('');
const height = signal(600);
const scrolled = signal(0);

const firstInSight = computed(() => Math.floor(scrolled.value / ROW_HEIGHT));
const rowsInSight = computed(() => Math.ceil(height.value / ROW_HEIGHT) + 1);

const bounds = computed(() => {
  // In coarse steps, so that not every pixel is a question.
  const from = Math.max(0, Math.floor((firstInSight.value - OVERSCAN) / 20) * 20);
  return { from, count: Math.min(LIMITS.windowRows, rowsInSight.value + 2 * OVERSCAN + 20) };
});

effect(() => {
  const { from, count } = bounds.value;
  treeQuery.value = { query: query.value, from, count };
});

export const searchFor = (words: string): void => {
  query.value = words;
};

const EXAMPLES = ['status:backing_off', 'kind:breaker', 'state:open', 'mailbox>10', 'restarts>0'];

export const Search = () => {
  const input = useRef<HTMLInputElement>(null);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const words = query.value;
  const { misread } = tree.value ?? {};
  useEffect(() => {
    const field = input.current;
    if (field !== null && document.activeElement !== field) field.value = words;
  }, [words]);
  const type = (text: string) => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => searchFor(text), TYPING_MS);
  };
  return (
    <div class="search">
      <input
        id="search"
        ref={input}
        type="search"
        placeholder="Search: path:jobs state:open mailbox>10"
        aria-label="Search the tree"
        spellcheck={false}
        autocomplete="off"
        onInput={({ currentTarget }) => type(currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Escape') return;
          event.currentTarget.value = '';
          searchFor('');
          event.currentTarget.blur();
        }}
      />
      <kbd>/</kbd>
      {misread === undefined ? null : <p class="misread">{misread}</p>}
      {words === '' ? null : <Found />}
    </div>
  );
};

const Found = () => {
  const shown = tree.value;
  if (shown === undefined || shown.query.query !== query.value) return null;
  return (
    <p class="found">
      {shown.matches === 0 ? (
        <>
          Nothing matches. Try{' '}
          {EXAMPLES.map((example) => (
            <button type="button" class="link" key={example} onClick={() => searchFor(example)}>
              {example}
            </button>
          ))}
        </>
      ) : (
        `${showCount(shown.matches)} of ${plural(shown.actors, 'actor')} match`
      )}
    </p>
  );
};

const rowAt = (index: number): TreeRow | undefined => {
  const shown = tree.value;
  return shown?.window[index - shown.query.from];
};

const indexOfCursor = (): number => {
  const shown = tree.value;
  if (shown === undefined) return -1;
  const { path, view } = place.value;
  const isOn = (row: TreeRow) =>
    cursor.value === undefined ? view === 'actor' && row.path === path : row.key === cursor.value;
  const found = shown.window.findIndex(isOn);
  return found < 0 ? -1 : found + shown.query.from;
};

const STRIDES: Readonly<Record<string, number>> = { ArrowDown: 1, ArrowUp: -1, PageDown: 12, PageUp: -12 };

const keyed = (event: KeyboardEvent, body: HTMLElement): void => {
  const at = indexOfCursor();
  const row = rowAt(at);
  const stride = STRIDES[event.key];
  const move = (to: number) => {
    const next = rowAt(Math.max(0, Math.min((tree.value?.rows ?? 1) - 1, to)));
    if (next === undefined) return;
    cursor.value = next.key;
    if (next.type !== 'group') go(toActor(next.path));
    const top = Math.max(0, to) * ROW_HEIGHT;
    if (top < body.scrollTop) body.scrollTop = top;
    else if (top + ROW_HEIGHT > body.scrollTop + body.clientHeight)
      body.scrollTop = top + ROW_HEIGHT - body.clientHeight;
  };
  if (stride !== undefined) move(at + stride);
  else if (event.key === 'Home') move(0);
  else if (event.key === 'ArrowRight' && row?.open === false) toggleRow(row.key, row.type === 'group');
  else if (event.key === 'ArrowLeft' && row?.open === true) toggleRow(row.key, row.type === 'group');
  else if (event.key === 'ArrowLeft' && row !== undefined) {
    let up = at - 1;
    while (up > 0 && (rowAt(up)?.depth ?? 0) >= row.depth) up -= 1;
    move(up);
  } else if (event.key === 'Enter' && row !== undefined) choose(row);
  else return;
  event.preventDefault();
};

export const TreePane = () => {
  const body = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = body.current;
    if (element === null) return undefined;
    const observer = new ResizeObserver(() => {
      height.value = element.clientHeight;
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const shown = tree.value;
  const rows = shown?.rows ?? 0;
  const first = firstInSight.value;
  const { path, view } = place.value;
  const inSight = Array.from({ length: Math.max(0, Math.min(rowsInSight.value, rows - first)) }, (_, i) => {
    const index = first + i;
    return { index, row: rowAt(index) };
  });
  return (
    <section class="tree" aria-label="Tree">
      <Search />
      <div
        class="rows"
        ref={body}
        role="tree"
        aria-label="Supervision tree"
        tabIndex={0}
        onScroll={({ currentTarget }) => {
          scrolled.value = currentTarget.scrollTop;
        }}
        onKeyDown={(event) => keyed(event, event.currentTarget)}
      >
        <div class="length" style={{ height: `${rows * ROW_HEIGHT}px` }}>
          {inSight.map(({ index, row }) =>
            row === undefined ? (
              <div class="row blank" key={`blank ${index}`} style={{ top: `${index * ROW_HEIGHT}px` }} />
            ) : (
              <Row
                key={row.key}
                row={row}
                top={index * ROW_HEIGHT}
                isSelected={view === 'actor' ? row.path === path && row.type !== 'group' : false}
                now={now.value}
              />
            ),
          )}
        </div>
        {shown === undefined ? <p class="empty">Waiting for the tree…</p> : null}
      </div>
      <Legend />
    </section>
  );
};

const Legend = () => (
  <p class="tree-foot">
    {plural(tree.value?.actors ?? 0, 'actor')}
    <span class="faint"> · ↑ ↓ move · ← → fold · / search · ? keys</span>
  </p>
);
