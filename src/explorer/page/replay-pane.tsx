/** A recording, step by step: what happened at each instant, and the charts as they stood then. */
import { useEffect, useMemo, useState } from 'preact/hooks';
import type { Fact, Recording, Step } from '../protocol.ts';
import { amend, place, toActor } from './address.ts';
import { ChartPane } from './chart-pane.tsx';
import { ask } from './commanding.ts';
import { FactMark } from './now-pane.tsx';
import { Chip } from './shapes.tsx';
import { definitions } from './store.ts';
import { FactLine } from './timeline-pane.tsx';
import { idOf, showMs, showState, showTime } from './words.ts';

type Moment =
  | { readonly at: number; readonly fact: Fact; readonly step?: undefined }
  | { readonly at: number; readonly step: Step; readonly fact?: undefined };

/** A step stands behind the fact that tells of it. */
const rankOf = ({ fact, step }: Moment): number => fact?.n ?? (step?.fact ?? Number.POSITIVE_INFINITY) + 0.5;

const momentsOf = ({ facts, steps = [] }: Recording): readonly Moment[] =>
  [...facts.map((fact) => ({ at: fact.at, fact })), ...steps.map((step) => ({ at: step.at, step }))].sort(
    (a, b) => a.at - b.at || Math.sign(rankOf(a) - rankOf(b)) || 0,
  );

const PLAY_MS = 350;

const useRecording = (): Recording | string => {
  const [known, set] = useState<Recording | string>('Reading the recording…');
  useEffect(() => {
    ask<Recording>('recording', {}).then(set, (error: Error) => set(error.message));
  }, []);
  return known;
};

/** Where each chart stood at a moment. */
const standingAt = (moments: readonly Moment[], index: number): ReadonlyMap<string, Step> => {
  const standing = new Map<string, Step>();
  for (const { step } of moments.slice(0, index + 1)) if (step !== undefined) standing.set(step.path, step);
  return standing;
};

const Player = ({ length, index }: { readonly length: number; readonly index: number }) => {
  const [isPlaying, play] = useState(false);
  const to = (i: number) => amend({ moment: String(Math.max(0, Math.min(length - 1, i))) });
  useEffect(() => {
    if (!isPlaying) return undefined;
    if (index >= length - 1) {
      play(false);
      return undefined;
    }
    const timer = setTimeout(() => to(index + 1), PLAY_MS);
    return () => clearTimeout(timer);
  }, [isPlaying, index, length]);
  return (
    <div class="scrubber">
      <button type="button" onClick={() => to(0)} aria-label="To the beginning">
        |◂
      </button>
      <button type="button" onClick={() => to(index - 1)} aria-label="One back">
        ◂
      </button>
      <button type="button" onClick={() => play(!isPlaying)} aria-pressed={isPlaying}>
        {isPlaying ? '❚❚' : '▶'}
      </button>
      <button type="button" onClick={() => to(index + 1)} aria-label="One on">
        ▸
      </button>
      <input
        type="range"
        min="0"
        max={Math.max(0, length - 1)}
        value={index}
        aria-label="Moment"
        onInput={({ currentTarget }) => to(Number(currentTarget.value))}
      />
      <span class="faint">
        {index + 1} of {length}
      </span>
    </div>
  );
};

const Stage = ({
  standing,
  path,
}: {
  readonly standing: ReadonlyMap<string, Step>;
  readonly path: string | undefined;
}) => {
  const step = path === undefined ? undefined : standing.get(path);
  const definition = step === undefined ? undefined : definitions.value.get(step.machine);
  if (standing.size === 0) return null;
  if (step === undefined || definition === undefined)
    return <p class="empty">The chart of {path} is not in this recording.</p>;
  return (
    <ChartPane
      definition={definition}
      standing={{
        active: new Set(step.active),
        taken: new Set(step.taken),
        enabled: new Set(),
        visits: {},
        step: step.n,
      }}
    />
  );
};

export const ReplayPane = () => {
  const recording = useRecording();
  const moments = useMemo(() => (typeof recording === 'string' ? [] : momentsOf(recording)), [recording]);
  if (typeof recording === 'string') return <p class="empty">{recording}</p>;
  const { simulation, why, writtenAt, forgotten } = recording;
  const index = Math.min(moments.length - 1, Number(place.value.more['moment'] ?? moments.length - 1));
  const here = moments[index];
  const standing = standingAt(moments, index);
  const latest = [...standing.values()].sort((a, b) => b.n - a.n)[0];
  return (
    <div class="replay">
      {simulation === undefined ? (
        <p class="line">
          <FactMark type={why} weight={why === 'gave_up' ? 'trouble' : 'note'} />
          Written {showTime(writtenAt)} because: {why.replaceAll('_', ' ')}
          {forgotten > 0 ? `; ${forgotten} older facts were forgotten` : ''}
        </p>
      ) : (
        <p class="line trouble">
          <FactMark type="simulation" weight="trouble" />
          <b>{simulation.scenario}</b> broke <b>{simulation.property}</b>: {simulation.error}
        </p>
      )}
      <Player length={moments.length} index={index} />
      {here === undefined ? null : (
        <p class="line">
          <span class="time">{showTime(here.at, true)}</span>
          <span class="faint">+{showMs(here.at - (moments[0]?.at ?? here.at))}</span>
          {here.fact === undefined ? (
            <>
              <a href={toActor(here.step.path)}>{idOf(here.step.path)}</a>
              <span class="mono">{here.step.event}</span> {showState(here.step.from)} →{' '}
              {showState(here.step.to)}
            </>
          ) : (
            <>
              <FactMark type={here.fact.type} weight={here.fact.weight} />
              <a href={toActor(here.fact.path)}>{idOf(here.fact.path)}</a> {here.fact.text}
            </>
          )}
        </p>
      )}
      <div class={standing.size === 0 ? 'replay-body facts-only' : 'replay-body'}>
        <Stage standing={standing} path={here?.step?.path ?? latest?.path} />
        <aside class="moment">
          {standing.size === 0 ? null : <h3>Charts then</h3>}
          {[...standing.values()].map(({ path, to }) => (
            <p class="line" key={path}>
              <a href={toActor(path)}>{idOf(path)}</a> <Chip state={to} />
            </p>
          ))}
          <h3>Before it</h3>
          {moments
            .slice(Math.max(0, index - 14), index + 1)
            .reverse()
            .map(({ fact }) => (fact === undefined ? null : <FactLine key={fact.n} fact={fact} />))}
        </aside>
      </div>
    </div>
  );
};
