/** Breakers: the window that decides, drawn against the limit that trips it; what tripped it last, and when it tries again. */
import type { BreakerView } from '../protocol.ts';
import { toActor } from './address.ts';
import { Chip, Mark, toneOfWord } from './shapes.tsx';
import { breakers, isRecording, now } from './store.ts';
import { ErrorView } from './supervision-pane.tsx';
import { idOf, parentOf, plain, plural, showAgo, showIn, showMs, showTime } from './words.ts';

const WIDTH = 420;

const OUTCOME_WORDS: Readonly<Record<string, string>> = { s: 'success', f: 'failure', l: 'slow' };

/** Calls one by one where they are known; otherwise how much of the window each kind fills, and the line that trips. */
const Window = ({ of }: { readonly of: NonNullable<BreakerView['window']> }) => {
  const { kind, size, minimumCalls, failureRate, calls, failures, slow, outcomes, slowMs } = of;
  const limit =
    kind === 'consecutive'
      ? `trips after ${size} failures in a row`
      : `trips at ${Math.round(failureRate * 100)} % of at least ${minimumCalls} calls`;
  const over =
    kind === 'count' ? `the last ${size} calls` : kind === 'time' ? `the last ${showMs(size)}` : 'in a row';
  const rate = kind === 'consecutive' ? failures / Math.max(1, size) : failures / Math.max(1, calls);
  const mark = kind === 'consecutive' ? 1 : failureRate;
  return (
    <div class="window-of">
      <p>
        <b>
          {kind === 'consecutive'
            ? `${failures} of ${size} failures`
            : `${failures} of ${calls} calls failed`}
        </b>
        {slow > 0 ? `, ${slow} slow${slowMs === undefined ? '' : ` (over ${showMs(slowMs)})`}` : ''}{' '}
        <span class="faint">
          {over} · {limit}
        </span>
      </p>
      {outcomes === undefined ? (
        <svg class="window-bar" viewBox={`0 0 ${WIDTH} 22`} role="img" aria-label="window">
          <title>{limit}</title>
          <rect class="room" x="0" y="5" width={WIDTH} height="12" rx="4" />
          <rect class="failed" x="0" y="5" width={Math.min(1, rate) * WIDTH} height="12" rx="4" />
          <line class="limit" x1={mark * WIDTH - 1} x2={mark * WIDTH - 1} y1="0" y2="22" />
          {kind !== 'consecutive' && calls < minimumCalls ? (
            <text x={WIDTH - 6} y="15">
              {calls} of the {minimumCalls} calls that count
            </text>
          ) : null}
        </svg>
      ) : (
        <svg
          class="outcome-cells"
          viewBox={`0 0 ${outcomes.length * 8} 16`}
          height="16"
          role="img"
          aria-label="calls"
        >
          <title>{`the last ${outcomes.length} calls, the newest at the right`}</title>
          {[...outcomes].map((one, i) => (
            <rect
              key={`${i * 8}`}
              class={OUTCOME_WORDS[one] ?? ''}
              x={i * 8}
              y={one === 's' ? 6 : 0}
              width="6"
              height={one === 's' ? 10 : 16}
              rx="1.5"
            />
          ))}
        </svg>
      )}
    </div>
  );
};

/** How much of the wait is over. */
const Wait = ({ of }: { readonly of: BreakerView }) => {
  const { since, retryAt } = of;
  if (retryAt === undefined) return null;
  const part = Math.max(0, Math.min(1, (now.value - since) / Math.max(1, retryAt - since)));
  return (
    <p class="wait">
      <progress value={part} max="1" aria-label="of the wait" />
      tries again {showIn(retryAt, now.value)}
    </p>
  );
};

/** States over time, the newest at the right. */
const Ribbon = ({ of }: { readonly of: BreakerView }) => {
  const changes = [...of.history].reverse();
  const [first] = changes;
  if (first === undefined) return null;
  const from = Math.max(first.at, now.value - 120_000);
  const span = Math.max(1, now.value - from);
  const x = (at: number) => Math.max(0, ((at - from) / span) * WIDTH);
  return (
    <svg
      class="ribbon"
      viewBox={`0 0 ${WIDTH} 18`}
      preserveAspectRatio="none"
      role="img"
      aria-label="states over time"
    >
      <title>{`states over the last ${showMs(span)}`}</title>
      {changes.map(({ n, at, to }, i) => {
        const end = changes[i + 1]?.at ?? now.value;
        if (end < from) return null;
        const tone = toneOfWord(to === 'half_opened' ? 'half_open' : to === 'opened' ? 'open' : to);
        const height = tone === 'good' ? 6 : tone === 'wait' ? 12 : 18;
        return (
          <rect
            key={n}
            class={tone}
            x={x(at)}
            y={18 - height}
            width={Math.max(1, x(end) - x(at))}
            height={height}
          >
            <title>{`${plain(to)} ${showTime(at)}`}</title>
          </rect>
        );
      })}
    </svg>
  );
};

export const BreakerCard = ({ of }: { readonly of: BreakerView }) => {
  const { path, state, since, counts, cause, history, critical, probes, verdict } = of;
  return (
    <section class="card breaker" data-breaker={path}>
      <header class="card-head">
        <a href={toActor(path)} title={path}>
          <b>{idOf(path)}</b>
        </a>
        <Chip state={state} tone={toneOfWord(state)} />
        <span class="faint">
          since {showTime(since)} · in {parentOf(path)}
          {critical ? ' · critical: the service is not ready without it' : ''}
        </span>
        <span class="push faint">
          {plural(counts.rejected, 'call')} refused · opened {counts.openings}×
          {counts.stale > 0 ? ` · ${counts.stale} stale` : ''}
        </span>
      </header>
      <div class="two">
        <div>
          {of.window === undefined ? null : <Window of={of.window} />}
          <Wait of={of} />
          {verdict === 'permits' ? (
            <p>
              <Mark tone="wait" /> {probes.out} probes out, {probes.successes} of {probes.needed ?? 1} went
              well
            </p>
          ) : null}
          <Ribbon of={of} />
          {cause === undefined ? null : (
            <>
              <p class="faint">tripped last by</p>
              <ErrorView
                error={{
                  name: cause.name,
                  message: cause.message,
                  ...(cause.code === undefined ? {} : { code: cause.code }),
                }}
              />
            </>
          )}
        </div>
        <ol class="transitions">
          {history.slice(0, 9).map(({ n, at, to, why }) => (
            <li key={n}>
              <span class="time">{showTime(at)}</span>
              <Mark tone={toneOfWord(to === 'half_opened' ? 'half_open' : to === 'opened' ? 'open' : to)} />
              <b>{plain(to)}</b> <span class="faint">{why ?? ''}</span>
            </li>
          ))}
          <li class="faint">{history.length === 0 ? 'has never changed' : showAgo(since, now.value)}</li>
        </ol>
      </div>
    </section>
  );
};

export const BreakersPane = () => (
  <div class="pane">
    {breakers.value.length === 0 ? (
      <p class="empty">
        {isRecording.value ? 'This recording has no breaker.' : 'This system has no breaker.'}
      </p>
    ) : null}
    {breakers.value.map((one) => (
      <BreakerCard key={one.path} of={one} />
    ))}
  </div>
);
