/**
 * Draws a laid-out chart, and on it where an actor stands: what is active, what was taken last, what it would take, how often each
 * state was entered. A change of state changes classes and figures, never a place.
 */
import type { Beginning, Box, ChartLayout, Drawn, Point } from './chart-layout.ts';
import { cutNote, innerWords, SIZES } from './chart-layout.ts';
import { showCount } from './words.ts';

export interface Standing {
  readonly active: ReadonlySet<string>;
  /** Ids of transitions taken last. */
  readonly taken: ReadonlySet<string>;
  /** Ids of transitions that an enabled event could take. */
  readonly enabled: ReadonlySet<string>;
  readonly visits: Readonly<Record<string, number>>;
  readonly selected: string | undefined;
  /** Changes with every step: restarts what is animated. */
  readonly step: number;
}

export interface DrawingProps {
  readonly layout: ChartLayout;
  readonly standing: Standing;
  readonly select: (state: string) => void;
  /** Absent where nothing can be sent. */
  readonly send?: (transition: string) => void;
}

/** A way through points, its corners rounded. */
const wayOf = (points: readonly Point[]): string => {
  const [first, ...rest] = points;
  if (first === undefined) return '';
  const parts = [`M${first.x.toFixed(1)} ${first.y.toFixed(1)}`];
  rest.forEach((point, i) => {
    const next = rest[i + 1];
    if (next === undefined) parts.push(`L${point.x.toFixed(1)} ${point.y.toFixed(1)}`);
    else {
      const [mx, my] = [(point.x + next.x) / 2, (point.y + next.y) / 2];
      parts.push(`Q${point.x.toFixed(1)} ${point.y.toFixed(1)} ${mx.toFixed(1)} ${my.toFixed(1)}`);
    }
  });
  return parts.join('');
};

const joined = (...words: readonly (string | false)[]): string => words.filter(Boolean).join(' ');

const heatOf = (visits: Readonly<Record<string, number>>): ((id: string) => number) => {
  const top = Math.max(1, ...Object.values(visits));
  return (id) => Math.log1p(visits[id] ?? 0) / Math.log1p(top);
};

const State = ({ box, props, heat }: { box: Box; props: DrawingProps; heat: number }) => {
  const { standing, select } = props;
  const { id, x, y, width, height, state, words, inner, notes, depth, isRegion } = box;
  const isActive = standing.active.has(id);
  const visits = standing.visits[id] ?? 0;
  const isLeaf = state.states.length === 0;
  const rows = [
    ...words.map((text) => ({ text, look: 'words', id: '' })),
    ...notes.map((text) => ({ text, look: 'note', id: '' })),
    ...inner.map((line) => ({
      text: cutNote(innerWords(line)),
      look: joined(
        'inner',
        standing.taken.has(line.transition.id) && 'taken',
        isActive && standing.enabled.has(line.transition.id) && 'enabled',
      ),
      id: line.transition.id,
    })),
  ];
  return (
    <g
      class={joined(
        'state',
        state.type,
        isActive && 'active',
        isRegion && 'region',
        depth === 0 && 'root',
        standing.selected === id && 'selected',
      )}
      transform={`translate(${x} ${y})`}
      data-state={id}
    >
      <g
        role="button"
        // As SVG spells it: no other spelling can be reached with the keyboard.
        tabindex={0}
        aria-label={`state ${state.key}${isActive ? ', active' : ''}`}
        onClick={() => select(id)}
        onKeyDown={(event) => {
          if (event.key === 'Enter') select(id);
        }}
      >
        <rect class="body" width={width} height={height} rx={isLeaf ? 8 : 10} />
        {state.type === 'final' ? (
          <rect class="rim" x="3" y="3" width={width - 6} height={height - 6} rx="6" />
        ) : null}
        {isLeaf && visits > 0 ? (
          <rect class="heat" x="1.5" y={height - 4.5} width={(width - 3) * heat} height="3" rx="1.5" />
        ) : null}
        {isActive ? <circle class="here" cx="13" cy="13.5" r="4" /> : null}
        <text class="key" x={isActive ? 23 : 11} y="18">
          {state.type === 'history' ? `H${state.history === 'deep' ? '*' : ''} ${state.key}` : state.key}
        </text>
        {visits > 0 && depth > 0 ? (
          <text class="visits" x={width - 9} y="17">
            {showCount(visits)}×
          </text>
        ) : null}
      </g>
      {rows.map(({ text, look, id: transition }, i) => (
        <text key={`${transition}${text}`} class={look} x="12" y={SIZES.header + 11 + i * SIZES.line}>
          {text}
        </text>
      ))}
    </g>
  );
};

const Label = ({ drawn, props }: { drawn: Drawn; props: DrawingProps }) => {
  const { standing, send } = props;
  const { label, labelWidth, labelHeight, lines, isDoor, from } = drawn;
  return (
    <g
      class={joined('label', isDoor && 'door')}
      transform={`translate(${label.x - labelWidth / 2} ${label.y - labelHeight / 2})`}
    >
      {lines.map(({ transition, words, guard }, i) => {
        const isOpen = standing.enabled.has(transition.id) && standing.active.has(from);
        const canSend = isOpen && send !== undefined && transition.kind === 'event';
        const look = joined(
          'edge-line',
          `kind-${transition.kind}`,
          standing.taken.has(transition.id) && 'taken',
          isOpen && 'enabled',
          canSend && 'sends',
        );
        const content = (
          <>
            <title>{wordsOf(transition)}</title>
            <rect y={i * SIZES.labelLine + 1} width={labelWidth} height={SIZES.labelLine} rx="8" />
            <text x={labelWidth / 2} y={i * SIZES.labelLine + 13.5}>
              {words}
              {guard === '' ? null : <tspan class="guard"> {guard}</tspan>}
            </text>
          </>
        );
        return canSend ? (
          <g
            key={transition.id}
            class={look}
            role="button"
            tabindex={0}
            aria-label={`send ${transition.event}`}
            onClick={() => send(transition.id)}
            onKeyDown={(event) => {
              if (event.key === 'Enter') send(transition.id);
            }}
          >
            {content}
          </g>
        ) : (
          <g key={transition.id} class={look}>
            {content}
          </g>
        );
      })}
    </g>
  );
};

const wordsOf = (transition: Drawn['lines'][number]['transition']): string =>
  [
    transition.label,
    transition.description ?? '',
    transition.guard === undefined ? '' : `if ${transition.guard}`,
    transition.actions.length === 0 ? '' : `does ${transition.actions.join(', ')}`,
  ]
    .filter((part) => part !== '')
    .join('\n');

const Way = ({ drawn, standing }: { drawn: Drawn; standing: Standing }) => {
  const isTaken = drawn.lines.some(({ transition }) => standing.taken.has(transition.id));
  const isOpen =
    standing.active.has(drawn.from) &&
    drawn.lines.some(({ transition }) => standing.enabled.has(transition.id));
  return (
    <path
      key={isTaken ? `taken ${standing.step}` : 'way'}
      class={joined('way', isTaken && 'taken', isOpen && 'enabled')}
      d={wayOf(drawn.points)}
      marker-end={`url(#${isTaken ? 'tip-taken' : isOpen ? 'tip-enabled' : 'tip'})`}
    />
  );
};

const Start = ({ beginning }: { beginning: Beginning }) => (
  <g class="beginning">
    <circle cx={beginning.at.x} cy={beginning.at.y} r="4.5" />
    <path class="way" d={wayOf(beginning.points)} marker-end="url(#tip)" />
  </g>
);

const Tip = ({ id }: { readonly id: string }) => (
  <marker
    id={id}
    class={id}
    viewBox="0 0 10 10"
    refX="9"
    refY="5"
    markerWidth="9"
    markerHeight="9"
    orient="auto-start-reverse"
    markerUnits="userSpaceOnUse"
  >
    <path d="M0 .8 10 5 0 9.2Z" />
  </marker>
);

export const Drawing = (props: DrawingProps) => {
  const { layout, standing } = props;
  const heat = heatOf(standing.visits);
  const isTaken = ({ lines }: Drawn) => lines.some(({ transition }) => standing.taken.has(transition.id));
  // What was taken last lies on top.
  const arrows = [...layout.arrows].sort((a, b) => Number(isTaken(a)) - Number(isTaken(b)));
  return (
    <>
      <defs>
        <Tip id="tip" />
        <Tip id="tip-enabled" />
        <Tip id="tip-taken" />
      </defs>
      {layout.boxes.map((box) => (
        <State key={box.id} box={box} props={props} heat={heat(box.id)} />
      ))}
      {layout.beginnings.map((beginning) => (
        <Start key={beginning.key} beginning={beginning} />
      ))}
      {arrows.map((drawn) => (
        <Way key={drawn.key} drawn={drawn} standing={standing} />
      ))}
      {arrows.map((drawn) => (
        <Label key={drawn.key} drawn={drawn} props={props} />
      ))}
    </>
  );
};
