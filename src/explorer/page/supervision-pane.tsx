/** Supervision: how near each supervisor is to giving up, what it has restarted and why, and how long it waits before the next. */
import { useState } from 'preact/hooks';
import type { ErrorShown, Restart, SupervisorView } from '../protocol.ts';
import { place, toActor } from './address.ts';
import { Mark, Strategy, toneOfWord } from './shapes.tsx';
import { isRecording, now, supervisors } from './store.ts';
import { idOf, isBelow, plain, plural, showAgo, showIn, showMs, showTime } from './words.ts';

/** The restarts that count now, each a mark that leaves at the left; and the limit. */
export const Gauge = ({ of }: { readonly of: SupervisorView }) => {
  const { used, intensity, periodMs, window } = of;
  if (intensity === 0 && periodMs === 0) return <span class="faint">its limit is not known</span>;
  const isNear = used >= intensity;
  const seats = Math.min(12, Math.max(intensity, used));
  return (
    <div class={`gauge ${isNear ? 'bad' : used > 0 ? 'wait' : ''}`}>
      <svg
        viewBox={`0 0 ${seats * 16 + 2} 16`}
        width={seats * 16 + 2}
        height="16"
        role="img"
        aria-label="limit"
      >
        <title>{`It gives up when there are more than ${intensity} restarts in ${showMs(periodMs)}`}</title>
        {Array.from({ length: seats }, (_, i) => (
          <rect
            key={`${i * 16}`}
            x={1 + i * 16}
            y="2"
            width="13"
            height="12"
            rx="3"
            class={i < used ? 'used' : ''}
          />
        ))}
      </svg>
      <b>
        {used} of {intensity}
      </b>
      in {showMs(periodMs)}
      <svg class="window" viewBox="0 0 120 16" width="120" height="16" role="img" aria-label="window">
        <title>When each of them was; at the left they stop to count</title>
        <line x1="0" x2="120" y1="8" y2="8" />
        {window.map((at) => (
          <circle
            key={at}
            cx={Math.max(2, 118 - ((now.value - at) / Math.max(1, periodMs)) * 118)}
            cy="8"
            r="3"
          />
        ))}
      </svg>
      {isNear ? <span class="chip bad">the next failure ends it</span> : null}
    </div>
  );
};

/** Delays before each further start; where it stands now is marked. */
export const BackoffCurve = ({
  delays,
  failures,
}: {
  readonly delays: readonly number[];
  readonly failures: number;
}) => {
  const top = Math.max(1, ...delays);
  const here = Math.min(failures, delays.length) - 1;
  return (
    <svg class="curve" viewBox="0 0 132 34" width="132" height="34" role="img" aria-label="backoff">
      <title>{`Waits before each start: ${delays.map((ms) => showMs(ms)).join(', ')}`}</title>
      {delays.map((ms, i) => {
        const height = 2 + (Math.log1p(ms) / Math.log1p(top)) * 28;
        return (
          <rect
            key={`${i * 16}`}
            x={2 + i * 16}
            y={32 - height}
            width="12"
            height={height}
            rx="2"
            class={i === here ? 'here' : i < here ? 'before' : ''}
          />
        );
      })}
    </svg>
  );
};

export const ErrorView = ({ error }: { readonly error: ErrorShown }) => (
  <div class="error">
    <p class="mono">
      {error.code === undefined ? null : <b>{error.code} </b>}
      {error.name}: {error.message}
    </p>
    {error.stack === undefined ? null : (
      <pre>{error.stack.split('\n').slice(1, 12).join('\n') || error.stack}</pre>
    )}
    {error.cause === undefined ? null : (
      <>
        <p class="faint">caused by</p>
        <ErrorView error={error.cause} />
      </>
    )}
  </div>
);

const OUTCOMES: Readonly<Record<Restart['outcome'], string>> = {
  restarted: 'started again',
  waiting: 'waits',
  gave_up: 'gave up',
  parked: 'parked',
  not_wanted: 'not started again',
};

export const RestartRow = ({ restart }: { readonly restart: Restart }) => {
  const [isOpen, open] = useState(false);
  const { at, child, reason, outcome, delayMs, failures, restartedAt } = restart;
  return (
    <li class="restart">
      <button type="button" class="restart-head" aria-expanded={isOpen} onClick={() => open(!isOpen)}>
        <span class="time">{showTime(at)}</span>
        <Mark tone={toneOfWord(outcome)} />
        <b>{child}</b>
        <span class="text">{reason.error?.message ?? reason.text}</span>
        <span class="faint">
          {OUTCOMES[outcome]}
          {restartedAt === undefined ? '' : ` after ${showMs(Math.max(0, restartedAt - at))}`}
          {delayMs === undefined ? '' : `, backoff ${showMs(delayMs)}`}
          {failures === undefined || failures < 2 ? '' : `, failure ${failures}`}
        </span>
      </button>
      {isOpen ? (
        reason.error === undefined ? (
          <p class="error mono">{reason.text}</p>
        ) : (
          <ErrorView error={reason.error} />
        )
      ) : null}
    </li>
  );
};

export const RestartList = ({ restarts }: { readonly restarts: readonly Restart[] }) =>
  restarts.length === 0 ? (
    <p class="faint">No failure is known.</p>
  ) : (
    <ul class="restart-list">
      {restarts.map((restart) => (
        <RestartRow key={`${restart.n} ${restart.child}`} restart={restart} />
      ))}
    </ul>
  );

export const SupervisorCard = ({ of }: { readonly of: SupervisorView }) => {
  const { path, strategy, children, history, gaveUp, more } = of;
  const uneasy = children.filter(({ status, restarts, failures }) => {
    const tone = toneOfWord(status);
    return restarts > 0 || failures > 0 || tone === 'bad' || tone === 'wait';
  });
  return (
    <section class="card supervisor">
      <header class="card-head">
        <a href={toActor(path)} title={path}>
          <b>{idOf(path)}</b>
        </a>
        <Strategy name={strategy} />
        <span class="faint">
          {plain(strategy)} · {plural(children.length + more, 'child', 'children')}
        </span>
        <Gauge of={of} />
      </header>
      {gaveUp === undefined ? null : (
        <p class="gave-up">
          <Mark tone="bad" /> gave up on <b>{gaveUp.child}</b> {showAgo(gaveUp.at, now.value)}:{' '}
          {gaveUp.last.error?.message ?? gaveUp.last.text}
        </p>
      )}
      {uneasy.length === 0 ? null : (
        <table class="table">
          <thead>
            <tr>
              <th>child</th>
              <th>status</th>
              <th>restarts</th>
              <th>in a row</th>
              <th>waits before each start</th>
              <th>next start</th>
            </tr>
          </thead>
          <tbody>
            {uneasy.slice(0, 30).map(({ id, status, restarts, failures, backoff, nextStartAt }) => (
              <tr key={id}>
                <td>
                  <a href={toActor(`${path}/${id}`)}>{id}</a>
                </td>
                <td>
                  <Mark tone={toneOfWord(status)} /> {plain(status)}
                </td>
                <td>{restarts}</td>
                <td>{failures}</td>
                <td>
                  {backoff === undefined ? (
                    <span class="faint">at once</span>
                  ) : (
                    <BackoffCurve delays={backoff} failures={failures} />
                  )}
                </td>
                <td>{nextStartAt === undefined ? '' : showIn(nextStartAt, now.value)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <RestartList restarts={history.slice(0, 12)} />
    </section>
  );
};

export const SupervisionPane = () => {
  const below = place.value.path;
  const list = supervisors.value.filter(({ path }) => isBelow(path, below));
  const uneasy = (one: SupervisorView) => one.used * 1_000 + one.history.length;
  return (
    <div class="pane">
      {list.length === 0 ? (
        <p class="empty">
          {isRecording.value ? 'The recording knows of no supervisor.' : 'No supervisor here.'}
        </p>
      ) : null}
      {[...list]
        .sort((a, b) => uneasy(b) - uneasy(a))
        .map((one) => (
          <SupervisorCard key={one.path} of={one} />
        ))}
    </div>
  );
};
