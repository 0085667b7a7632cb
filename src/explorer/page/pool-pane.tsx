/** Pools: every place a tile that stands still while its workers come and go; the queue, and how long jobs wait and run. */
import type { PoolView } from '../protocol.ts';
import { toActor } from './address.ts';
import { Chip, Mark, toneOfWord } from './shapes.tsx';
import { Durations } from './sparkline.tsx';
import { isRecording, now, pools } from './store.ts';
import { idOf, parentOf, plain, plural, showCount, showMs } from './words.ts';

type Worker = PoolView['workers'][number];

const Tile = ({ worker }: { readonly worker: Worker }) => {
  const { id, path, state, health, since, job, jobsDone, pid, kind, history } = worker;
  const tone = toneOfWord(health) === 'bad' ? 'bad' : toneOfWord(state);
  const past = history.map(({ from, to, reason }) => `${from} → ${to}: ${reason}`).join('\n');
  return (
    <a class={`tile ${tone}`} href={toActor(path)} title={past} data-worker={id}>
      <span class="tile-head">
        <Mark tone={tone} />
        <b>{id}</b>
        <span class="faint">{showMs(Math.max(0, now.value - since))}</span>
      </span>
      <span class="tile-state">
        {plain(state)}
        {health === 'healthy' ? '' : `, ${plain(health)}`}
        {job === undefined ? '' : ` · ${job}`}
      </span>
      <span class="faint">
        {kind}
        {pid === undefined ? '' : ` ${pid}`} · {plural(jobsDone, 'job')}
      </span>
    </a>
  );
};

const Queue = ({ of: { queue } }: { readonly of: PoolView }) => {
  const part = queue.limit > 0 ? Math.min(1, queue.waiting / queue.limit) : 0;
  return (
    <div class="queue">
      <b>{showCount(queue.waiting)}</b> wait
      {queue.limit > 0 ? (
        <>
          <progress value={part} max="1" aria-label="queue" class={part > 0.8 ? 'bad' : ''} />
          <span class="faint">of {showCount(queue.limit)}</span>
        </>
      ) : null}
    </div>
  );
};

const TILES_SHOWN = 400;

export const PoolCard = ({ of }: { readonly of: PoolView }) => {
  const { path, state, size, workers, vacant, counts, crashesInRow, idle, leases, waited, ran } = of;
  const seats = [
    ...workers.map((worker) => ({ seat: worker.seat, worker, why: '' })),
    ...vacant.map(({ seat, why }) => ({ seat, worker: undefined, why })),
  ].sort((a, b) => a.seat - b.seat);
  return (
    <section class="card pool">
      <header class="card-head">
        <a href={toActor(path)} title={path}>
          <b>{idOf(path)}</b>
        </a>
        <Chip state={state} tone={toneOfWord(state)} />
        <span class="faint">
          {workers.length} of {size} workers · {idle} idle · {plural(leases, 'lease')} · in {parentOf(path)}
        </span>
        {crashesInRow > 0 ? (
          <span class="chip bad">{plural(crashesInRow, 'crash', 'crashes')} in a row</span>
        ) : null}
        <span class="push">
          <Queue of={of} />
        </span>
      </header>
      <div class="tiles">
        {seats.slice(0, TILES_SHOWN).map(({ seat, worker, why }) =>
          worker === undefined ? (
            <div class="tile vacant" key={`seat ${seat}`}>
              <span class="tile-head">
                <Mark tone="ended" /> <b>place {seat}</b>
              </span>
              <span class="faint">{plain(why)}</span>
            </div>
          ) : (
            <Tile key={`seat ${seat}`} worker={worker} />
          ),
        )}
      </div>
      <div class="two">
        <Durations of={waited} title="Jobs waited" />
        <Durations of={ran} title="Jobs ran" />
      </div>
      <p class="counts">
        {Object.entries(counts)
          .filter(([, n]) => n > 0)
          .map(([name, n]) => (
            <span key={name}>
              {name.replace(/([A-Z])/g, ' $1').toLowerCase()} <b>{showCount(n)}</b>
            </span>
          ))}
      </p>
    </section>
  );
};

export const PoolsPane = () => (
  <div class="pane">
    {pools.value.length === 0 ? (
      <p class="empty">{isRecording.value ? 'This recording has no pool.' : 'This system has no pool.'}</p>
    ) : null}
    {pools.value.map((one) => (
      <PoolCard key={one.path} of={one} />
    ))}
  </div>
);
