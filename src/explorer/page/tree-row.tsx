/** One row of the tree: a place, its actor or what is left of it, or a group of many alike. */
import { Fragment } from 'preact';
import type { TreeRow } from '../protocol.ts';
import { Chip, Mark, Strategy, type Tone, toneOfRow, toneOfWord } from './shapes.tsx';
import { choose } from './tree-choice.ts';
import { toggleRow } from './watching.ts';
import { plain, showAgo, showCount, showIn, withoutName } from './words.ts';

/** How long a restart, or an end, is shown by a flash, ms. */
const FLASH_MS = 4_000;
const INDENT = 16;
/** Deeper than this the indent stops growing: the name must stay in sight. */
const DEEPEST_INDENT = 12;

const RESTARTS: Readonly<Record<string, readonly [string, string]>> = {
  permanent: ['perm', 'permanent: always started again'],
  transient: ['trans', 'transient: started again after a crash only'],
  temporary: ['temp', 'temporary: never started again'],
};

const GroupBar = ({ group }: { readonly group: NonNullable<TreeRow['group']> }) => {
  let from = 0;
  return (
    <span class="group-bar" title={group.states.map(([state, n]) => `${state}: ${showCount(n)}`).join('\n')}>
      <svg viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label="states of the group">
        <title>States of the group</title>
        {group.states.map(([state, n], i) => {
          const width = (n / group.size) * 100;
          const x = from;
          from += width;
          return <rect key={state} x={x} y="0" width={Math.max(0.6, width)} height="8" class={`s${i % 6}`} />;
        })}
      </svg>
      {group.states.slice(0, 2).map(([state, n], i) => (
        <Fragment key={state}>
          <i class={`s${i % 6}`} />
          {plain(state)} {showCount(n)}
        </Fragment>
      ))}
    </span>
  );
};

const endOf = ({ path, reason }: TreeRow): string =>
  withoutName(path, reason?.error?.message ?? reason?.text ?? '');

const Tail = ({ row, now }: { readonly row: TreeRow; readonly now: number }) => {
  const { state, mailbox, restarts, restart, status, nextStartAt, meddled, endedAt, reason, type } = row;
  if (type === 'tombstone')
    return (
      <span class="tail ended faint" title={reason?.text}>
        {endOf(row)} · {showAgo(endedAt ?? now, now)}
      </span>
    );
  const isOdd = status !== 'running' && status !== 'vacant';
  const [short, long] = RESTARTS[restart ?? ''] ?? [];
  return (
    <span class="tail">
      {meddled === undefined ? null : <span class="chip paused">{meddled}</span>}
      {mailbox === undefined ? null : (
        <span
          class={`badge ${mailbox > 100 ? 'bad' : mailbox > 10 ? 'wait' : ''}`}
          title={`${mailbox} wait in the mailbox`}
        >
          ✉ {showCount(mailbox)}
        </span>
      )}
      {restarts === undefined ? null : (
        <span class="restarts" title={`started again ${restarts} times`}>
          ↻{showCount(restarts)}
        </span>
      )}
      {isOdd ? (
        <span class={`chip ${toneOfWord(status)}`}>
          {plain(status)}
          {nextStartAt === undefined ? '' : ` · ${showIn(nextStartAt, now)}`}
        </span>
      ) : null}
      {state === undefined || isOdd ? null : <Chip state={state} tone={chipTone(row)} />}
      {short === undefined ? null : (
        <span class="restart-type" title={long}>
          {short}
        </span>
      )}
    </span>
  );
};

const chipTone = (row: TreeRow): Tone =>
  ['breaker', 'pool', 'worker'].includes(row.kind) ? toneOfRow(row) : 'none';

export interface RowProps {
  readonly row: TreeRow;
  readonly top: number;
  readonly isSelected: boolean;
  readonly now: number;
}

export const Row = ({ row, top, isSelected, now }: RowProps) => {
  const { type, id, depth, open, strategy, kind, restartedAt, endedAt, matched, key, description } = row;
  const changedAt = endedAt ?? restartedAt;
  const isFresh = changedAt !== undefined && now - changedAt < FLASH_MS;
  const tone = toneOfRow(row);
  const words = ['row', type, isSelected ? 'selected' : '', matched ? '' : 'context'].join(' ');
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the tree around it has the keys
    // biome-ignore lint/a11y/useFocusableInteractive: the tree around it has the focus
    <div
      class={words}
      role="treeitem"
      aria-level={depth + 1}
      aria-selected={isSelected}
      {...(open === undefined ? {} : { 'aria-expanded': open })}
      data-path={row.path}
      data-status={row.status}
      style={{ top: `${top}px`, paddingLeft: `${8 + Math.min(depth, DEEPEST_INDENT) * INDENT}px` }}
      onClick={() => choose(row)}
    >
      {isFresh ? <i class="flash" key={changedAt} /> : null}
      {open === undefined ? (
        <span class="twist" />
      ) : (
        <button
          type="button"
          class={`twist ${open ? 'open' : ''}`}
          tabIndex={-1}
          aria-label={open ? 'Close' : 'Open'}
          onClick={(event) => {
            event.stopPropagation();
            toggleRow(key, type === 'group');
          }}
        >
          <svg viewBox="0 0 10 10" aria-hidden="true">
            <path d="M3 2l4 3-4 3" />
          </svg>
        </button>
      )}
      <Mark tone={tone} title={`${row.status}${row.ready === false ? ', not ready' : ''}`} />
      <span class={`name ${type}`} title={description ?? `${kind} ${row.path}`}>
        {id}
      </span>
      {strategy === undefined ? (
        <span class="kind">{type === 'group' || type === 'tombstone' ? '' : plain(kind)}</span>
      ) : (
        <Strategy name={strategy} />
      )}
      {row.group === undefined ? <Tail row={row} now={now} /> : <GroupBar group={row.group} />}
    </div>
  );
};
