/** The phases of the application from boot to its end, and while it ends, what holds it up. */
import { toActor } from './address.ts';
import { ChartPane } from './chart-pane.tsx';
import { Mark } from './shapes.tsx';
import { application, definitions, now } from './store.ts';
import { plain, showIn, showMs, showTime } from './words.ts';

const Phases = () => {
  const { phases = [], phase } = application.value ?? {};
  return (
    <ol class="phases">
      {phases.map(({ phase: name, at }, i) => {
        const until = phases[i + 1]?.at;
        const isHere = name === phase && until === undefined;
        return (
          <li key={`${name} ${at}`} class={isHere ? 'here' : ''}>
            <b>{plain(name)}</b>
            <span class="faint">{showTime(at)}</span>
            <span>
              {until === undefined ? `for ${showMs(Math.max(0, now.value - at))}` : showMs(until - at)}
            </span>
          </li>
        );
      })}
    </ol>
  );
};

const HoldingUp = () => {
  const { holdingUp = [], deadlineAt, stopped } = application.value ?? {};
  if (stopped !== undefined)
    return (
      <section class="card">
        <h2>It has ended</h2>
        <p>
          {showTime(stopped.at)}: {stopped.reason.text}
        </p>
        {stopped.survivors.length === 0 ? (
          <p class="faint">Nothing was left behind.</p>
        ) : (
          <p class="misread">Left behind: {stopped.survivors.join(', ')}</p>
        )}
      </section>
    );
  return (
    <section class="card">
      <h2>
        What holds it up{' '}
        {deadlineAt === undefined ? '' : `(ends ${showIn(deadlineAt, now.value)} at the latest)`}
      </h2>
      {holdingUp.length === 0 ? (
        <p class="faint">Nothing: it is not ending, or nothing is in its way.</p>
      ) : null}
      {holdingUp.map(({ what, path, since }) => (
        <p class="line" key={`${what} ${path ?? ''}`}>
          <Mark tone="ending" />
          {path === undefined ? what : <a href={toActor(path)}>{path}</a>}
          <span class="faint">{path === undefined ? '' : what}</span>
          <b>{showMs(Math.max(0, now.value - since))}</b>
        </p>
      ))}
    </section>
  );
};

export const ShutdownPane = () => {
  const view = application.value;
  if (view === undefined) return <p class="empty">Nothing is known of the application yet.</p>;
  const { chart, live, ready, notReady } = view;
  const definition = chart === undefined ? undefined : definitions.value.get(chart.machine);
  return (
    <div class="pane">
      <section class="card">
        <p class="counts">
          <Mark tone={live ? 'good' : 'bad'} /> {live ? 'alive' : 'not alive'}
          <Mark tone={ready ? 'good' : 'wait'} /> {ready ? 'ready' : 'not ready'}
          {notReady.slice(0, 8).map((path) => (
            <a key={path} href={toActor(path)}>
              {path}
            </a>
          ))}
        </p>
        {view.phases.length === 0 ? (
          <p class="faint">This system runs without an application around it: it has no phases.</p>
        ) : (
          <Phases />
        )}
      </section>
      <HoldingUp />
      {definition === undefined || chart === undefined ? null : (
        <section class="card chart-card">
          <ChartPane
            definition={definition}
            standing={{
              active: new Set(chart.active),
              taken: new Set(chart.last?.taken ?? []),
              enabled: new Set(chart.enabled.flatMap(({ transitions }) => transitions)),
              visits: chart.visits,
              step: chart.last?.n ?? 0,
            }}
          />
        </section>
      )}
    </div>
  );
};
