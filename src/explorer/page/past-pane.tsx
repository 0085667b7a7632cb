/** Time travel: an actor's steps on a line to be scrubbed; its chart and context as they were, what changed, and what caused it. */
import { useEffect, useState } from 'preact/hooks';
import type { ChartStanding, History } from '../protocol.ts';
import { amend, place, toView } from './address.ts';
import { ChartPane } from './chart-pane.tsx';
import { ask } from './commanding.ts';
import { Changes, JsonView } from './json-view.tsx';
import { contextAfter, visitsUntil } from './past.ts';
import { definitions, isRecording, now, steps } from './store.ts';
import { showAgo, showState, showTime } from './words.ts';

/** The history, with the steps that have come since it was read. */
const useHistory = (path: string): { readonly history: History | undefined; readonly why: string } => {
  const [known, set] = useState<{ path: string; history: History | undefined; why: string }>({
    path: '',
    history: undefined,
    why: 'reading…',
  });
  const last = steps.value.filter((step) => step.path === path).at(-1)?.n ?? -1;
  useEffect(() => {
    let isStale = false;
    ask<History>('history', { path }).then(
      (history) => {
        if (!isStale) set({ path, history, why: '' });
      },
      (error: Error) => {
        if (!isStale) set({ path, history: undefined, why: error.message });
      },
    );
    return () => {
      isStale = true;
    };
  }, [path, last]);
  return known.path === path ? known : { history: undefined, why: 'reading…' };
};

const Track = ({ history, index }: { readonly history: History; readonly index: number }) => {
  const { steps: list } = history;
  const first = list[0]?.at ?? 0;
  const span = Math.max(1, (list.at(-1)?.at ?? 0) - first);
  return (
    <svg
      class="track"
      viewBox="0 0 1000 30"
      preserveAspectRatio="none"
      role="img"
      aria-label="steps over time"
    >
      <title>Steps over time</title>
      <line x1="0" x2="1000" y1="15" y2="15" />
      {list.map((step, i) => (
        // biome-ignore lint/a11y/noStaticElementInteractions: the slider beside it has the keys
        <rect
          key={step.n}
          x={4 + ((step.at - first) / span) * 988}
          y={i === index ? 2 : 8}
          width={i === index ? 5 : 3}
          height={i === index ? 26 : 14}
          class={i === index ? 'here' : i < index ? 'before' : 'after'}
          onClick={() => amend({ step: String(step.n) })}
        >
          <title>{`${step.event} → ${showState(step.to)}`}</title>
        </rect>
      ))}
    </svg>
  );
};

const Moment = ({ history, index }: { readonly history: History; readonly index: number }) => {
  const step = history.steps[index];
  const context = contextAfter(history, index);
  if (step === undefined) return null;
  return (
    <aside class="moment">
      <h3>
        {showState(step.from) || '·'} → {showState(step.to)}
      </h3>
      <dl class="pairs">
        <dt>event</dt>
        <dd class="mono">{step.event}</dd>
        <dt>when</dt>
        <dd>
          {showTime(step.at, true)}{' '}
          <span class="faint">{isRecording.value ? '' : showAgo(step.at, now.value)}</span>
        </dd>
        <dt>incarnation</dt>
        <dd>{step.incarnation}</dd>
        {step.cause === undefined ? null : (
          <>
            <dt>cause</dt>
            <dd>
              <a href={toView('timeline', '', { as: 'sequence', message: String(step.cause) })}>
                message {step.cause}
              </a>
            </dd>
          </>
        )}
        {step.actions.length === 0 ? null : (
          <>
            <dt>did</dt>
            <dd class="mono">{step.actions.join(', ')}</dd>
          </>
        )}
      </dl>
      {step.changes === undefined ? null : (
        <>
          <h3>What it changed</h3>
          <Changes changes={step.changes} />
        </>
      )}
      {context === undefined ? null : (
        <>
          <h3>Context then</h3>
          <JsonView value={context} />
        </>
      )}
    </aside>
  );
};

interface ScrubberProps {
  readonly history: History;
  readonly index: number;
  /** It goes along with what happens. */
  readonly isLast: boolean;
  readonly to: (index: number) => void;
}

const Scrubber = ({ history: { steps: list, forgotten }, index, isLast, to }: ScrubberProps) => (
  <div class="scrubber">
    <button type="button" onClick={() => to(index - 1)} disabled={index === 0} aria-label="One step back">
      ◂
    </button>
    <input
      type="range"
      min="0"
      max={list.length - 1}
      value={index}
      aria-label="Step"
      aria-valuetext={`step ${index + 1} of ${list.length}: ${list[index]?.event ?? ''}`}
      onInput={({ currentTarget }) => to(Number(currentTarget.value))}
    />
    <button
      type="button"
      onClick={() => to(index + 1)}
      disabled={index === list.length - 1}
      aria-label="One step on"
    >
      ▸
    </button>
    <span class={isLast ? 'chip good' : 'chip wait'}>
      {isLast ? (isRecording.value ? 'last' : 'now') : 'the past'}
    </span>
    <span class="faint">
      {index + 1} of {list.length}
      {forgotten > 0 ? `, ${forgotten} older ones forgotten` : ''}
    </span>
  </div>
);

export const PastPane = ({
  path,
  chart,
}: {
  readonly path: string;
  readonly chart: ChartStanding | undefined;
}) => {
  const { history, why } = useHistory(path);
  if (history === undefined || history.steps.length === 0)
    return (
      <p class="empty">
        {why === '' || why === 'reading…'
          ? 'No step of it is known yet. Steps are kept from the first viewer on.'
          : `There is no past to show: ${why}.`}
      </p>
    );
  const list = history.steps;
  const wanted = Number(place.value.more['step'] ?? Number.NaN);
  const found = list.findIndex(({ n }) => n === wanted);
  const index = found < 0 ? list.length - 1 : found;
  const step = list[index];
  const definition = definitions.value.get(step?.machine ?? chart?.machine ?? '');
  const to = (i: number) => {
    const next = list[Math.max(0, Math.min(list.length - 1, i))];
    if (next !== undefined) amend({ step: next === list.at(-1) ? undefined : String(next.n) });
  };
  return (
    <div class="past">
      <Scrubber history={history} index={index} isLast={found < 0} to={to} />
      <Track history={history} index={index} />
      <div class="past-body">
        {definition === undefined || step === undefined ? (
          <p class="empty">Its chart is not known; the steps are on the right.</p>
        ) : (
          <ChartPane
            definition={definition}
            standing={{
              active: new Set(step.active),
              taken: new Set(step.taken),
              enabled: new Set(),
              visits: visitsUntil(list, index),
              step: step.n,
            }}
          />
        )}
        <Moment history={history} index={index} />
      </div>
    </div>
  );
};
