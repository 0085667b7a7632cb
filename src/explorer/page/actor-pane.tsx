/** One actor: what it is and how it does, and in tabs its chart, its past, its supervision, its mail and what it is made of. */
import { useMemo } from 'preact/hooks';
import type { ActorDetail } from '../protocol.ts';
import { amend, place, toActor, toView } from './address.ts';
import { BreakerCard } from './breaker-pane.tsx';
import { ChartPane } from './chart-pane.tsx';
import { CommandBar, Events, editEvent, sendBare } from './command-bar.tsx';
import { enabledCommands } from './commanding.ts';
import { JsonView } from './json-view.tsx';
import { PastPane } from './past-pane.tsx';
import { PoolCard } from './pool-pane.tsx';
import { RecoveryCard } from './recovery-pane.tsx';
import { Chip, Mark, toneOfRow } from './shapes.tsx';
import { Durations } from './sparkline.tsx';
import { definitions, details, facts, link, now } from './store.ts';
import { RestartList, SupervisorCard } from './supervision-pane.tsx';
import { FactLine } from './timeline-pane.tsx';
import { idOf, isBelow, plain, showAgo, showCount, showMs, showTime } from './words.ts';

const Crumbs = ({ path }: { readonly path: string }) => (
  <nav class="crumbs" aria-label="Above it">
    {path
      .split('/')
      .slice(0, -1)
      .map((id, i, ids) => (
        <a key={ids.slice(0, i + 1).join('/')} href={toActor(ids.slice(0, i + 1).join('/'))}>
          {id} ›{' '}
        </a>
      ))}
  </nav>
);

const Head = ({ detail }: { readonly detail: ActorDetail }) => {
  const { row, path, names, restarts } = detail;
  const [last] = restarts;
  return (
    <header class="actor-head">
      <Crumbs path={path} />
      <div class="actor-line">
        <Mark tone={toneOfRow(row)} title={row.status} />
        <h1>{idOf(path)}</h1>
        <span class="faint">
          {plain(row.kind)}
          {row.incarnation === undefined ? '' : ` · incarnation ${row.incarnation}`}
          {row.restart === undefined ? '' : ` · ${row.restart}`}
          {names.length === 0 ? '' : ` · also ${names.join(', ')}`}
        </span>
        {row.status === 'running' ? null : <Chip state={row.status} tone={toneOfRow(row)} />}
        {row.state === undefined ? null : <Chip state={row.state} />}
        <CommandBar detail={detail} />
      </div>
      {row.description === undefined ? null : <p class="faint">{row.description}</p>}
      {last === undefined || now.value - last.at > 60_000 ? null : (
        <p class="last-crash">
          <Mark tone="bad" /> crashed {showAgo(last.at, now.value)}:{' '}
          <span class="mono">{last.reason.error?.message ?? last.reason.text}</span>
        </p>
      )}
      {detail.fault === undefined ? null : (
        <p class="last-crash">
          <Mark tone="paused" /> a fault is set from here: {detail.fault.kind}, {detail.fault.messages}{' '}
          messages
        </p>
      )}
    </header>
  );
};

const Chart = ({ detail }: { readonly detail: ActorDetail }) => {
  const { chart } = detail;
  const definition = chart === undefined ? undefined : definitions.value.get(chart.machine);
  const standing = useMemo(
    () =>
      chart === undefined
        ? undefined
        : {
            active: new Set(chart.active),
            taken: new Set(chart.last?.taken ?? []),
            enabled: new Set(
              chart.enabled.filter(({ passes }) => passes !== 'no').flatMap(({ transitions }) => transitions),
            ),
            visits: chart.visits,
            step: chart.last?.n ?? 0,
          },
    [chart],
  );
  if (definition === undefined || chart === undefined || standing === undefined)
    return <p class="empty">{detail.unavailable['chart'] ?? 'Its chart has not come yet.'}</p>;
  const sendable = chart.enabled.filter((event) => event.sendable);
  const send = (transition: string) => {
    const event = sendable.find(({ transitions }) => transitions.includes(transition));
    if (event === undefined) return;
    if (event.passes === 'unknown') editEvent(detail, event.type);
    else sendBare(detail, event.type);
  };
  const maySend = enabledCommands.value.has('send') && sendable.length > 0;
  return (
    <div class="chart-tab">
      <Events detail={detail} />
      <ChartPane definition={definition} standing={standing} {...(maySend ? { send } : {})} />
      {detail.context === undefined ? null : (
        <details class="context" open>
          <summary>Context</summary>
          <JsonView value={detail.context} />
        </details>
      )}
    </div>
  );
};

const Mail = ({ detail: { mailbox, unavailable } }: { readonly detail: ActorDetail }) => (
  <div class="pane">
    <section class="card">
      <h2>Mailbox</h2>
      <p>
        <b>{showCount(mailbox.depth)}</b> wait of {showCount(mailbox.capacity)}
        <span class="faint"> · when full: {plain(mailbox.overflow)}</span>
        {mailbox.paused ? <span class="chip paused">paused</span> : null}
      </p>
      {mailbox.handling === undefined ? (
        <p class="faint">
          idle{mailbox.lastMessage === undefined ? '' : `; the last message was ${mailbox.lastMessage}`}
        </p>
      ) : (
        <p>
          handles <b>{mailbox.handling.message}</b> for{' '}
          {showMs(Math.max(0, now.value - mailbox.handling.since))}
        </p>
      )}
      {mailbox.next.length === 0 ? null : (
        <ol class="next">
          {mailbox.next.map((name, i) => (
            <li key={`${name} ${i * 1}`} class="mono">
              {name}
            </li>
          ))}
        </ol>
      )}
    </section>
    {mailbox.waited === undefined || mailbox.ran === undefined ? (
      <p class="empty">{unavailable['messages'] ?? 'Nothing has been handled since somebody looks.'}</p>
    ) : (
      <section class="card two">
        <Durations of={mailbox.waited} title="Waited in the mailbox" />
        <Durations of={mailbox.ran} title="Ran in its handlers" />
      </section>
    )}
    <p class="faint">
      {mailbox.since === undefined
        ? ''
        : `Messages are known since ${showTime(mailbox.since)}, when the first viewer came.`}
    </p>
  </div>
);

const FACTS_SHOWN = 80;

const Supervision = ({ detail }: { readonly detail: ActorDetail }) => {
  const list = facts.value.filter(
    ({ path, data }) => isBelow(path, detail.path) || `${path}/${String(data['child'])}` === detail.path,
  );
  return (
    <div class="pane">
      {detail.supervision === undefined ? null : <SupervisorCard of={detail.supervision} />}
      {detail.parent === undefined ? null : (
        <section class="card">
          <h2>
            Its own restarts, by <a href={toActor(detail.parent)}>{idOf(detail.parent)}</a>
          </h2>
          <RestartList restarts={detail.restarts} />
        </section>
      )}
      <section class="card latest">
        <h2>
          <a href={toView('timeline', detail.path)}>What happened to it and below it</a>
        </h2>
        {list.length === 0 ? <p class="faint">nothing that is remembered</p> : null}
        {list
          .slice(-FACTS_SHOWN)
          .reverse()
          .map((fact) => (
            <FactLine key={fact.n} fact={fact} />
          ))}
      </section>
    </div>
  );
};

const About = ({ detail }: { readonly detail: ActorDetail }) => (
  <div class="pane">
    <section class="card">
      <h2>Options</h2>
      <dl class="pairs">
        {Object.entries({ ...detail.options, ...detail.row.facts }).map(([name, value]) => (
          <FactPair key={name} name={name} value={String(value)} />
        ))}
      </dl>
    </section>
    {detail.inner === undefined || detail.inner.length === 0 ? null : (
      <section class="card">
        <h2>What it invoked or spawned</h2>
        {detail.inner.map(({ id, src, status }) => (
          <p class="line" key={id}>
            <b>{id}</b> <span class="faint">{src}</span> <span class="chip">{status}</span>
          </p>
        ))}
      </section>
    )}
    {Object.entries(detail.unavailable).map(([what, why]) => (
      <p class="faint" key={what}>
        No {what}: {why}.
      </p>
    ))}
  </div>
);

const FactPair = ({ name, value }: { readonly name: string; readonly value: string }) => (
  <>
    <dt>{name.replace(/([A-Z])/g, ' $1').toLowerCase()}</dt>
    <dd class="mono">{value}</dd>
  </>
);

interface Tab {
  readonly id: string;
  readonly word: string;
  readonly fits: (detail: ActorDetail) => boolean;
  readonly show: (detail: ActorDetail) => preact.JSX.Element;
}

const hasChart = ({ chart }: ActorDetail): boolean => chart !== undefined;

const Component = ({ detail }: { readonly detail: ActorDetail }) => (
  <div class="pane">
    {detail.breaker === undefined ? null : <BreakerCard of={detail.breaker} />}
    {detail.pool === undefined ? null : <PoolCard of={detail.pool} />}
    {detail.recovery === undefined ? null : <RecoveryCard of={detail.recovery} />}
  </div>
);

const TABS: readonly Tab[] = [
  { id: 'chart', word: 'Chart', fits: hasChart, show: (detail) => <Chart detail={detail} /> },
  {
    id: 'inside',
    word: 'Inside',
    fits: ({ breaker, pool, recovery }) => [breaker, pool, recovery].some((one) => one !== undefined),
    show: (detail) => <Component detail={detail} />,
  },
  {
    id: 'past',
    word: 'Past',
    fits: hasChart,
    show: (detail) => <PastPane path={detail.path} chart={detail.chart} />,
  },
  {
    id: 'supervision',
    word: 'Supervision',
    fits: () => true,
    show: (detail) => <Supervision detail={detail} />,
  },
  { id: 'mail', word: 'Mail', fits: () => true, show: (detail) => <Mail detail={detail} /> },
  { id: 'about', word: 'About', fits: () => true, show: (detail) => <About detail={detail} /> },
];

export const ActorPane = () => {
  const { path, more } = place.value;
  const detail = details.value.get(path);
  if (detail === undefined)
    return <p class="empty">{link.value.kind === 'live' ? `Reading ${path}…` : 'No connection.'}</p>;
  if (detail === 'gone')
    return (
      <div class="pane">
        <section class="card">
          <h2>Nothing lives at {path} now</h2>
          <p class="faint">It has ended, or never was. What is remembered of it:</p>
          {facts.value
            .filter(
              (fact) => isBelow(fact.path, path) || `${fact.path}/${String(fact.data['child'])}` === path,
            )
            .map((fact) => (
              <FactLine key={fact.n} fact={fact} />
            ))}
        </section>
      </div>
    );
  const tabs = TABS.filter(({ fits }) => fits(detail));
  const shown = tabs.find(({ id }) => id === more['tab']) ?? tabs[0];
  return (
    <div class="actor-pane">
      <Head detail={detail} />
      <div class="tabs" role="tablist">
        {tabs.map(({ id, word }) => (
          <button
            type="button"
            role="tab"
            key={id}
            aria-selected={id === shown?.id}
            onClick={() => amend({ tab: id, step: undefined })}
          >
            {word}
          </button>
        ))}
      </div>
      <div class="tab-body" role="tabpanel">
        {shown?.show(detail)}
      </div>
    </div>
  );
};
