/** Figures over the last two minutes, and who is busiest and slowest. */
import { toActor } from './address.ts';
import { Durations, Sparkline } from './sparkline.tsx';
import { isRecording, metrics, type Sample, samples } from './store.ts';
import { idOf, parentOf, showBytes, showCount, showMs, showRate } from './words.ts';

interface Figure {
  readonly name: string;
  readonly of: (sample: Sample) => number | undefined;
  readonly show: (value: number) => string;
  readonly kind?: 'bars';
}

const FIGURES: readonly Figure[] = [
  { name: 'messages a second', of: ({ handled }) => handled, show: showRate },
  { name: 'waiting in mailboxes', of: ({ mailboxes }) => mailboxes, show: showCount },
  { name: 'time in mailbox, 99 %', of: ({ waitedP99 }) => waitedP99, show: (ms) => `≤ ${showMs(ms)}` },
  { name: 'restarts a second', of: ({ restarts }) => restarts, show: showRate, kind: 'bars' },
  { name: 'crashes a second', of: ({ crashes }) => crashes, show: showRate, kind: 'bars' },
  { name: 'event loop lag, worst', of: ({ loopLagMs }) => loopLagMs, show: showMs },
  { name: 'actors', of: ({ actors }) => actors, show: showCount },
  { name: 'heap', of: ({ heapBytes }) => heapBytes, show: showBytes },
];

const Tile = ({ figure }: { readonly figure: Figure }) => {
  const values = samples.value.map((sample) => figure.of(sample));
  const last = values.at(-1);
  return (
    <section class="card figure">
      <h2>{figure.name}</h2>
      <b class="value">{last === undefined ? '–' : figure.show(last)}</b>
      <Sparkline values={values} width={190} height={44} kind={figure.kind ?? 'line'} label={figure.name} />
    </section>
  );
};

const Actor = ({ path }: { readonly path: string }) => (
  <td>
    <a href={toActor(path)} title={path}>
      {idOf(path)}
    </a>{' '}
    <span class="faint">{parentOf(path)}</span>
  </td>
);

const Tops = () => {
  const { busiest = [], slowest = [] } = metrics.value ?? {};
  const top = Math.max(1, ...busiest.map(({ handled }) => handled));
  return (
    <div class="two">
      <section class="card">
        <h2>Busiest in the last second</h2>
        <table class="table">
          <tbody>
            {busiest.map(({ path, handled, ranMs }) => (
              <tr key={path}>
                <Actor path={path} />
                <td class="number">{showCount(handled)}</td>
                <td>
                  <progress value={handled} max={top} aria-label="of the busiest" />
                </td>
                <td class="number faint">{showMs(ranMs)}</td>
              </tr>
            ))}
          </tbody>
        </table>
        {busiest.length === 0 ? <p class="faint">nobody handled anything</p> : null}
      </section>
      <section class="card">
        <h2>Slowest, 99 % of their messages</h2>
        <table class="table">
          <tbody>
            {slowest.map(({ path, p99Ms, handled }) => (
              <tr key={path}>
                <Actor path={path} />
                <td class="number">≤ {showMs(p99Ms)}</td>
                <td class="number faint">{showCount(handled)}</td>
              </tr>
            ))}
          </tbody>
        </table>
        {slowest.length === 0 ? <p class="faint">nobody handled anything</p> : null}
      </section>
    </div>
  );
};

export const MetricsPane = () => {
  const known = metrics.value;
  if (isRecording.value || known === undefined)
    return (
      <p class="empty">
        {isRecording.value
          ? 'A recording holds counters, not their past.'
          : 'The first figures come within a second.'}
      </p>
    );
  return (
    <div class="pane">
      <div class="figures-grid">
        {FIGURES.map((figure) => (
          <Tile key={figure.name} figure={figure} />
        ))}
      </div>
      <Tops />
      {known.messages === undefined ? null : (
        <section class="card two">
          <Durations of={known.messages.waited} title="Time in mailboxes" />
          <Durations of={known.messages.ran} title="Time in handlers" />
        </section>
      )}
      <section class="card">
        <h2>Since the start</h2>
        <p class="counts">
          {Object.entries(known.counters)
            .filter(([, n]) => n > 0)
            .map(([name, n]) => (
              <span key={name}>
                {name.replace(/([A-Z])/g, ' $1').toLowerCase()} <b>{showCount(n)}</b>
              </span>
            ))}
          <span>
            viewers <b>{known.explorer.viewers}</b>
          </span>
        </p>
      </section>
    </div>
  );
};
