/** A chart in its frame: fitted, moved, followed; with words about the state that is chosen, and the same in text for who cannot see it. */
import { useEffect, useMemo, useState } from 'preact/hooks';
import type { ChartDefinition, ChartState } from '../protocol.ts';
import { Drawing, type Standing } from './chart-drawing.tsx';
import { type Box, type ChartLayout, type Font, layOut } from './chart-layout.ts';
import { type Look, readable, usePanZoom, wholeOf } from './pan-zoom.ts';

const FONTS: Readonly<Record<Font, string>> = {
  state: '600 13px Inter, system-ui, "DejaVu Sans", sans-serif',
  label: '600 12px Inter, system-ui, "DejaVu Sans", sans-serif',
  small: '11px Inter, system-ui, "DejaVu Sans", sans-serif',
};

let canvas: CanvasRenderingContext2D | null | undefined;
const measure = (text: string, font: Font): number => {
  canvas ??= document.createElement('canvas').getContext('2d');
  if (canvas === null || canvas === undefined) return text.length * 7;
  canvas.font = FONTS[font];
  return canvas.measureText(text).width;
};

/** Laid out once for each definition. */
const layouts = new Map<string, ChartLayout>();
const LAYOUTS_KEPT = 50;

export const layoutOf = (definition: ChartDefinition): ChartLayout => {
  const known = layouts.get(definition.machine);
  if (known !== undefined) return known;
  const layout = layOut(definition, measure);
  layouts.set(definition.machine, layout);
  for (const oldest of layouts.keys()) if (layouts.size > LAYOUTS_KEPT) layouts.delete(oldest);
  return layout;
};

/** The innermost of the active states. */
const deepestOf = (layout: ChartLayout, active: ReadonlySet<string>): Box | undefined =>
  layout.boxes
    .filter(({ id }) => active.has(id))
    .reduce<Box | undefined>(
      (deepest, box) => (deepest === undefined || box.depth > deepest.depth ? box : deepest),
      undefined,
    );

const stateIn = (root: ChartState, id: string): ChartState | undefined => {
  if (root.id === id) return root;
  for (const child of root.states) {
    const found = stateIn(child, id);
    if (found !== undefined) return found;
  }
  return undefined;
};

const Words = ({ state, close }: { readonly state: ChartState; readonly close: () => void }) => (
  <aside class="state-words">
    <h3>
      {state.key} <span class="faint">{state.type}</span>
      <button type="button" class="plain" onClick={close} aria-label="Close">
        ×
      </button>
    </h3>
    {state.description === undefined ? null : <p>{state.description}</p>}
    {state.tags.length === 0 ? null : <p class="faint">tags: {state.tags.join(', ')}</p>}
    {state.entry.length === 0 ? null : <p class="faint">on entry: {state.entry.join(', ')}</p>}
    {state.exit.length === 0 ? null : <p class="faint">on exit: {state.exit.join(', ')}</p>}
    <ul>
      {state.transitions.map(({ id, label, guard, targets, actions, description }) => (
        <li key={id}>
          <b>{label}</b>
          {guard === undefined ? '' : ` [${guard}]`}
          {targets.length === 0
            ? ' stays'
            : ` → ${targets.map((target) => target.split('.').at(-1)).join(', ')}`}
          {actions.length === 0 ? null : <span class="faint"> / {actions.join(', ')}</span>}
          {description === undefined ? null : <div class="faint">{description}</div>}
        </li>
      ))}
    </ul>
  </aside>
);

/** The chart in words. */
const Told = ({ definition, active }: { definition: ChartDefinition; active: ReadonlySet<string> }) => (
  <p class="unseen" aria-live="polite">
    Statechart {definition.id}. Active: {[...active].join(', ')}.
  </p>
);

interface ToolsProps {
  readonly zoom: (factor: number) => void;
  readonly whole: () => void;
  readonly follows: boolean;
  readonly follow: () => void;
}

const Tools = ({ zoom, whole, follows, follow }: ToolsProps) => (
  <div class="chart-tools">
    <button type="button" onClick={() => zoom(1.25)} title="larger (+)">
      +
    </button>
    <button type="button" onClick={() => zoom(0.8)} title="smaller (−)">
      −
    </button>
    <button type="button" onClick={whole} title="the whole chart (0)">
      Whole
    </button>
    <button type="button" aria-pressed={follows} onClick={follow} title="keep what is active in sight (f)">
      Follow
    </button>
  </div>
);

export interface ChartPaneProps {
  readonly definition: ChartDefinition;
  readonly standing: Omit<Standing, 'selected'>;
  readonly send?: (transition: string) => void;
}

export const ChartPane = ({ definition, standing, send }: ChartPaneProps) => {
  const layout = useMemo(() => layoutOf(definition), [definition]);
  const [selected, select] = useState<string | undefined>(undefined);
  const [follows, follow] = useState(true);
  const { look, frame, attach, zoom } = usePanZoom(() => follow(false));
  const { width, height } = frame.value;
  const deepest = deepestOf(layout, standing.active);
  const at = deepest === undefined ? undefined : `${deepest.id} ${definition.machine}`;
  useEffect(() => {
    if (!follows || width === 0) return;
    const middle =
      deepest === undefined
        ? { x: 0, y: 0 }
        : { x: deepest.x + deepest.width / 2, y: deepest.y + deepest.height / 2 };
    look.value = readable(layout, { width, height }, middle);
  }, [layout, width, height, follows, at]);
  const whole = () => {
    follow(false);
    look.value = wholeOf(layout, frame.value);
  };
  const keys: Readonly<Record<string, () => void>> = {
    '+': () => zoom(1.25),
    '-': () => zoom(0.8),
    '0': whole,
    f: () => follow(true),
  };
  const chosen = selected === undefined ? undefined : stateIn(definition.root, selected);
  const { x, y, scale }: Look = look.value;
  return (
    <div class="chart-pane">
      <svg
        ref={attach}
        class="chart"
        role="group"
        aria-label={`Statechart ${definition.id}`}
        tabindex={0}
        data-machine={definition.machine}
        onKeyDown={(event) => keys[event.key]?.()}
      >
        <g transform={`translate(${x.toFixed(2)} ${y.toFixed(2)}) scale(${scale.toFixed(4)})`}>
          <Drawing
            layout={layout}
            standing={{ ...standing, selected }}
            select={(id) => select(id === selected ? undefined : id)}
            {...(send === undefined ? {} : { send })}
          />
        </g>
      </svg>
      <Tools zoom={zoom} whole={whole} follows={follows} follow={() => follow(true)} />
      <p class="chart-legend">
        <i class="here" /> active <i class="taken" /> taken last <i class="enabled" /> may be taken now{' '}
        <i class="heat" /> entered often
      </p>
      {chosen === undefined ? null : <Words state={chosen} close={() => select(undefined)} />}
      <Told definition={definition} active={standing.active} />
    </div>
  );
};
