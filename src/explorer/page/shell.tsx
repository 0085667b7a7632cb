/** The frame of the page: who is shown and how it does, the views, what is wrong, and how the line to the server stands. */
import { place, toView, type View } from './address.ts';
import { Dialogs } from './command-bar.tsx';
import { outcomes, reconnect } from './commanding.ts';
import { Strip, troubles } from './incident-strip.tsx';
import { isHelpOpen, KEY_WORDS } from './keys.ts';
import { Mark, type Tone } from './shapes.tsx';
import { Sparkline } from './sparkline.tsx';
import {
  application,
  breakers,
  hello,
  link,
  metrics,
  missed,
  now,
  pools,
  recoveries,
  samples,
} from './store.ts';
import { nextTheme, theme } from './theme.ts';
import { TreePane } from './tree-pane.tsx';
import { ViewPane } from './view-pane.tsx';
import { plain, showCount, showIn, showMs, showRate, showTime } from './words.ts';

interface Tab {
  readonly view: View;
  readonly word: string;
  readonly count?: () => number;
}

const TABS: readonly Tab[] = [
  { view: 'now', word: 'Now', count: () => troubles.value.length },
  { view: 'timeline', word: 'Timeline' },
  { view: 'supervision', word: 'Supervision' },
  {
    view: 'breakers',
    word: 'Breakers',
    count: () => breakers.value.filter(({ verdict }) => verdict !== 'admit').length,
  },
  {
    view: 'pools',
    word: 'Pools',
    count: () => pools.value.filter(({ vacant }) => vacant.length > 0).length,
  },
  {
    view: 'recoveries',
    word: 'Recoveries',
    count: () => recoveries.value.reduce((sum, { active }) => sum + active.length, 0),
  },
  { view: 'metrics', word: 'Metrics' },
  { view: 'shutdown', word: 'Phases' },
];

const REPLAY: Tab = { view: 'replay', word: 'Replay' };

const Health = () => {
  const view = application.value;
  if (view === undefined) return null;
  const { live, ready, phase, notReady } = view;
  const isRecorded = hello.value?.source === 'recording';
  const tone: Tone = isRecorded ? 'none' : !live ? 'bad' : ready ? 'good' : 'wait';
  const words = isRecorded ? 'recording' : !live ? 'not alive' : ready ? 'ready' : 'not ready';
  return (
    <a
      class={`health ${tone}`}
      href={toView('shutdown')}
      title={notReady.length > 0 ? `not ready: ${notReady.join(', ')}` : 'phases and health'}
    >
      <Mark tone={tone} />
      {words}
      {phase === undefined ? null : <span class="faint">{plain(phase)}</span>}
    </a>
  );
};

const Figures = () => {
  const list = samples.value;
  const last = list.at(-1);
  if (last === undefined) return null;
  return (
    <a class="figures" href={toView('metrics')} title="metrics">
      <span>
        <b>{showCount(last.actors)}</b> actors
      </span>
      {last.handled === undefined ? null : (
        <span>
          <b>{showRate(last.handled)}</b> msg/s
        </span>
      )}
      <span class="figure-restarts">
        <Sparkline values={list.map(({ restarts }) => restarts)} width={64} height={18} kind="bars" />
        restarts
      </span>
      {hello.value?.source === 'recording' ? null : (
        <span>
          <b>{showMs(last.loopLagMs)}</b> loop lag
        </span>
      )}
    </a>
  );
};

const missedWords = (): string => {
  const { facts, messages, steps, slow } = missed.value;
  const why = slow ? 'It read too slowly.' : 'The rings had moved on before it came.';
  return `This page never saw ${facts} facts, ${messages} messages, ${steps} steps. ${why}`;
};

const LinkState = () => {
  const status = link.value;
  const gone = missed.value.facts + missed.value.messages + missed.value.steps;
  const tone: Tone = status.kind === 'live' ? 'good' : status.kind === 'connecting' ? 'wait' : 'bad';
  const words = hello.value?.source === 'recording' && status.kind === 'live' ? 'file' : status.kind;
  return (
    <span class={`link-state ${tone}`} role="status">
      <Mark tone={tone} />
      {words}
      {gone === 0 ? null : (
        <span class="missed" title={missedWords()}>
          {showCount(gone)} missed
        </span>
      )}
      {(metrics.value?.explorer.sampledOneIn ?? 1) > 1 ? (
        <span class="missed">1 in {metrics.value?.explorer.sampledOneIn} sampled</span>
      ) : null}
    </span>
  );
};

const Veil = () => {
  const status = link.value;
  if (status.kind === 'live' || status.kind === 'connecting') return null;
  return (
    <div class="veil" role="alert">
      <Mark tone="bad" />
      <div>
        <b>{status.kind === 'lost' ? 'The connection is lost.' : 'There is no way in like this.'}</b>{' '}
        {status.why}.
        {status.kind === 'lost' ? (
          <span class="faint"> What is shown is {showMs(Math.max(0, Date.now() - status.since))} old.</span>
        ) : null}
      </div>
      {status.kind === 'lost' ? (
        <button type="button" onClick={reconnect}>
          Try now ({showIn(status.retryAt, Math.max(now.value, Date.now()))})
        </button>
      ) : null}
    </div>
  );
};

const Help = () =>
  isHelpOpen.value ? (
    <div class="help" role="dialog" aria-label="Keys">
      <h2>Keys</h2>
      <dl>
        {KEY_WORDS.map(([keys, what]) => (
          <div key={keys}>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <button
        type="button"
        onClick={() => {
          isHelpOpen.value = false;
        }}
      >
        Close
      </button>
    </div>
  ) : null;

const Outcomes = () => (
  <div class="outcomes" role="log" aria-live="polite">
    {outcomes.value.map(({ n, what, good, words }) => (
      <p key={n} class={good ? 'good' : 'bad'}>
        <Mark tone={good ? 'good' : 'bad'} />
        <span>
          <b>{what}</b> {words}
        </span>
      </p>
    ))}
  </div>
);

const aboutWords = (): string => {
  const told = hello.value;
  if (told === undefined) return '';
  const process = told.pid === undefined ? '' : `pid ${told.pid}, `;
  return `${process}Node ${told.node}, troupe ${told.troupe}, since ${showTime(told.startedAt)}`;
};

const Bar = () => {
  const told = hello.value;
  const tabs = told?.source === 'recording' ? [...TABS, REPLAY] : TABS;
  return (
    <header class="top-bar">
      <a class="brand" href={toView('now')} title={aboutWords()}>
        <img src="icon.svg" alt="" width="22" height="22" />
        <b>{told?.name ?? 'troupe'}</b>
      </a>
      <Health />
      <nav aria-label="Views">
        {tabs.map(({ view, word, count }) => {
          const n = count?.() ?? 0;
          const isHere = place.value.view === view;
          return (
            <a key={view} href={toView(view)} {...(isHere ? { 'aria-current': 'page' as const } : {})}>
              {word}
              {n === 0 ? null : <span class="count">{n}</span>}
            </a>
          );
        })}
      </nav>
      <Figures />
      <LinkState />
      <button type="button" class="plain" onClick={nextTheme} title={`theme: ${theme.value} (l)`}>
        <svg class="icon" viewBox="0 0 16 16" role="img" aria-label={`theme: ${theme.value}`}>
          <path d="M8 2a6 6 0 1 0 0 12z" class="solid" />
          <circle cx="8" cy="8" r="6" />
        </svg>
      </button>
    </header>
  );
};

export const Shell = () => (
  <div class={`shell ${link.value.kind}`}>
    <Bar />
    <Veil />
    <Strip />
    <main>
      <TreePane />
      <section class="view" aria-label="View">
        <ViewPane />
      </section>
    </main>
    <Outcomes />
    <Dialogs />
    <Help />
  </div>
);
