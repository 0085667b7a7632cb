/** Messages as a sequence: an actor a column, a message an arrow, a fact a mark; what led to the chosen one, and what it led to. */
import { useEffect, useRef } from 'preact/hooks';
import type { Fact, Message } from '../protocol.ts';
import { amend, place, toActor, toView } from './address.ts';
import { toneOfFact } from './now-pane.tsx';
import { chainOf, OUTSIDE, placeOf, sequenceOf } from './timeline-model.ts';
import { idOf, showMs, showTime } from './words.ts';

const ROW_HEIGHT = 22;
const TIME_WIDTH = 92;
const COLUMN_WIDTH = 122;
const HEAD_HEIGHT = 34;
const ROWS_SHOWN = 120;
const COLUMNS_SHOWN = 6;

const Arrow = ({
  message,
  x,
  y,
  look,
}: {
  readonly message: Message;
  readonly x: (path: string) => number;
  readonly y: number;
  readonly look: string;
}) => {
  const [from, to] = [x(message.from?.path ?? OUTSIDE), x(message.to.path)];
  const isSelf = from === to;
  const middle = isSelf ? from + 34 : (from + to) / 2;
  const { waitedMs, ranMs, outcome, kind, name, id } = message;
  const took = [
    waitedMs === undefined ? '' : `waited ${showMs(waitedMs)}`,
    ranMs === undefined ? '' : `ran ${showMs(ranMs)}`,
  ]
    .filter((part) => part !== '')
    .join(', ');
  const choose = () =>
    amend({ message: place.value.more['message'] === String(id) ? undefined : String(id) });
  return (
    <g
      class={`arrow ${outcome} ${kind} ${look}`}
      role="button"
      tabindex={0}
      aria-label={`${name} ${outcome}`}
      onClick={choose}
      onKeyDown={(event) => {
        if (event.key === 'Enter') choose();
      }}
    >
      <title>{`${kind} ${name}: ${outcome}${took === '' ? '' : `, ${took}`}`}</title>
      <rect
        class="hit"
        x={Math.min(from, to) - 4}
        y={y - 11}
        width={Math.abs(to - from) + 90}
        height={ROW_HEIGHT}
      />
      <path
        d={isSelf ? `M${from} ${y - 5}h22v9h-20` : `M${from} ${y}H${to > from ? to - 2 : to + 2}`}
        marker-end="url(#sequence-tip)"
      />
      <text x={middle} y={y - 4} class={isSelf ? 'self' : ''}>
        {name}
        {outcome === 'handled' ? '' : ` ✕ ${outcome}`}
      </text>
    </g>
  );
};

const Event = ({ fact, x, y }: { fact: Fact; x: number; y: number }) => {
  const tone = toneOfFact(fact.type, fact.weight);
  return (
    <a href={toView('timeline', '', { fact: String(fact.n) })} class={`sequence-fact ${tone}`}>
      <title>{fact.text}</title>
      <circle cx={x} cy={y} r="4" />
      <text x={x + 9} y={y + 4}>
        {fact.text.length > 60 ? `${fact.text.slice(0, 59)}…` : fact.text}
      </text>
    </a>
  );
};

interface ColumnsProps {
  readonly columns: readonly string[];
  readonly x: (path: string) => number;
  readonly height: number;
}

const Columns = ({ columns, x, height }: ColumnsProps) => (
  <>
    {columns.map((path) => (
      <g key={path} class="column">
        <line x1={x(path)} x2={x(path)} y1="0" y2={height} />
      </g>
    ))}
  </>
);

/** The names of the columns, which stay in sight. */
const Heads = ({ columns, x, width }: Omit<ColumnsProps, 'height'> & { readonly width: number }) => (
  <svg class="heads" width={width} height={HEAD_HEIGHT} role="group" aria-label="Actors">
    {columns.map((path) => (
      <g key={path} class="column">
        <a href={path === OUTSIDE ? toView('timeline') : toActor(path)}>
          <text x={x(path)} y="21">
            <title>{path}</title>
            {idOf(path)}
          </text>
        </a>
      </g>
    ))}
  </svg>
);

/** Keeps the newest in sight, unless somebody has scrolled away from it. */
const useNewest = (newest: string | undefined) => {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const frame = box.current?.parentElement;
    if (frame === null || frame === undefined) return;
    const isAway = frame.scrollHeight - frame.scrollTop - frame.clientHeight > AWAY;
    if (!isAway || frame.scrollTop === 0) frame.scrollTop = frame.scrollHeight;
  }, [newest]);
  return box;
};

/** Pixels from the end at which somebody reads something else. */
const AWAY = 260;

export const SequenceView = ({
  facts,
  messages,
  below,
}: {
  readonly facts: readonly Fact[];
  readonly messages: readonly Message[];
  readonly below: string;
}) => {
  const limits = { below, rows: ROWS_SHOWN, columns: COLUMNS_SHOWN };
  const { columns, rows } = sequenceOf(facts, messages, limits);
  const box = useNewest(rows.at(-1)?.key);
  const wanted = Number(place.value.more['message'] ?? Number.NaN);
  const chain = Number.isNaN(wanted) ? undefined : chainOf(wanted, messages);
  if (rows.length === 0)
    return <p class="empty">No message has been seen yet: they are known from the first viewer on.</p>;
  const x = (path: string) => TIME_WIDTH + columns.indexOf(path) * COLUMN_WIDTH + COLUMN_WIDTH / 2;
  const y = (i: number) => 18 + i * ROW_HEIGHT;
  const width = TIME_WIDTH + columns.length * COLUMN_WIDTH + 60;
  const height = y(rows.length) + 10;
  return (
    <div class="sequence" ref={box}>
      <Heads columns={columns} x={x} width={width} />
      <svg width={width} height={height} role="group" aria-label="Sequence">
        <defs>
          <marker
            id="sequence-tip"
            viewBox="0 0 10 10"
            refX="9"
            refY="5"
            markerWidth="8"
            markerHeight="8"
            orient="auto"
            markerUnits="userSpaceOnUse"
          >
            <path d="M0 1 9 5 0 9Z" />
          </marker>
        </defs>
        <Columns columns={columns} x={x} height={height} />
        {rows.map((row, i) => (
          <g key={row.key}>
            <text class="row-time" x="6" y={y(i) + 3}>
              {showTime(row.at, true)}
            </text>
            {'fact' in row ? (
              <Event fact={row.fact} x={x(placeOf(row.fact))} y={y(i)} />
            ) : (
              <Arrow
                message={row.message}
                x={x}
                y={y(i)}
                look={chain === undefined ? '' : chain.has(row.message.id) ? 'in-chain' : 'aside'}
              />
            )}
          </g>
        ))}
      </svg>
    </div>
  );
};
