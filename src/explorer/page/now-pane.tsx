/** The first view: everything that is wrong now, worst first, as cards that name the part, its cause and its keeper. */
import { toActor, toView } from './address.ts';
import { incidents, nameOfIncident, WEIGHT_TONES, WEIGHT_WORDS } from './incident-strip.tsx';
import type { Incident } from './incidents.ts';
import { Chip, Mark, Strategy, toneOfWord } from './shapes.tsx';
import { breakers, facts, isRecording, now, pools, supervisors } from './store.ts';
import { idOf, parentOf, plain, plural, showAgo, showMs, showTime } from './words.ts';

const Where = ({ path }: { readonly path: string }) => (
  <span class="where">
    {path
      .split('/')
      .slice(0, -1)
      .map((id, i, ids) => (
        <span key={ids.slice(0, i + 1).join('/')}>
          <a href={toActor(ids.slice(0, i + 1).join('/'))}>{id}</a> ›{' '}
        </span>
      ))}
  </span>
);

const Card = ({ incident }: { readonly incident: Incident }) => {
  const { weight, path, what, why, error, owner, helper, since, affects, key } = incident;
  return (
    <article class={`card incident ${weight}`} data-incident={key}>
      <header>
        <Mark tone={WEIGHT_TONES[weight]} title={WEIGHT_WORDS[weight]} />
        <div class="title">
          <Where path={path} />
          <a class="sick" href={path === '' ? toView('metrics') : toActor(path)}>
            {nameOfIncident(incident)}
          </a>
          <span class="what">{what}</span>
        </div>
        <span class="faint">{showAgo(since, now.value)}</span>
      </header>
      <dl>
        {why === undefined ? null : (
          <div>
            <dt>Cause</dt>
            <dd class="why">
              {error?.code === undefined ? null : <code>{error.code}</code>} {why}
              {error?.cause === undefined ? null : <span class="faint"> ← {error.cause.message}</span>}
            </dd>
          </div>
        )}
        <div>
          <dt>{owner.path === path ? 'Next' : 'Keeper'}</dt>
          <dd>
            {owner.path === path || owner.path === '' ? null : (
              <a href={toActor(owner.path)}>{idOf(owner.path)}</a>
            )}{' '}
            {owner.does}
            {owner.path === path && parentOf(path) !== '' ? (
              <span class="faint">
                {' '}
                · supervised by <a href={toActor(parentOf(path))}>{idOf(parentOf(path))}</a>
              </span>
            ) : null}
          </dd>
        </div>
        {helper === undefined ? null : (
          <div>
            <dt>Helper</dt>
            <dd>
              <a href={toActor(helper.path)}>{idOf(helper.path)}</a> {helper.does}
            </dd>
          </div>
        )}
        {affects.length === 0 ? null : (
          <div>
            <dt>Affects</dt>
            <dd>
              {affects.slice(0, 6).map((one) => (
                <a key={one} href={toActor(one)}>
                  {idOf(one)}{' '}
                </a>
              ))}
              {affects.length > 6 ? `and ${affects.length - 6} more` : ''}
            </dd>
          </div>
        )}
      </dl>
    </article>
  );
};

const CLEAR_SHOWN = 12;

const Standing = () => (
  <div class="standing">
    <section class="card">
      <h2>
        <a href={toView('breakers')}>Breakers</a>
      </h2>
      {breakers.value.length === 0 ? <p class="faint">none</p> : null}
      {breakers.value.slice(0, CLEAR_SHOWN).map(({ path, state, counts }) => (
        <a class="line" key={path} href={toActor(path)}>
          <span class="name">{idOf(path)}</span>
          <span class="faint">{counts.openings > 0 ? `opened ${counts.openings}×` : ''}</span>
          <Chip state={state} tone={toneOfWord(state)} />
        </a>
      ))}
    </section>
    <section class="card">
      <h2>
        <a href={toView('pools')}>Pools</a>
      </h2>
      {pools.value.length === 0 ? <p class="faint">none</p> : null}
      {pools.value.slice(0, CLEAR_SHOWN).map(({ path, workers, queue, vacant, size }) => (
        <a class="line" key={path} href={toActor(path)}>
          <span class="name">{idOf(path)}</span>
          <span class="marks">
            {workers.slice(0, 16).map(({ id, state }) => (
              <Mark key={id} tone={toneOfWord(state)} title={`${id}: ${plain(state)}`} />
            ))}
            {vacant.slice(0, 8).map(({ seat, why }) => (
              <Mark key={seat} tone="ended" title={`place ${seat}: ${why}`} />
            ))}
            {workers.length > 16 ? <span class="faint">of {size}</span> : null}
          </span>
          <span class="faint">{queue.waiting > 0 ? `${queue.waiting} wait` : ''}</span>
        </a>
      ))}
    </section>
    <section class="card">
      <h2>
        <a href={toView('supervision')}>Supervisors</a>
      </h2>
      {[...supervisors.value]
        .sort((a, b) => b.used - a.used)
        .slice(0, CLEAR_SHOWN)
        .map(({ path, strategy, used, intensity, periodMs, children, more }) => (
          <a class="line" key={path} href={toActor(path)}>
            <span class="name">{idOf(path)}</span>
            <Strategy name={strategy} />
            <span class="faint">{plural(children.length + more, 'child', 'children')}</span>
            <span class={used > 0 ? 'used' : 'faint'}>
              {intensity === 0 && periodMs === 0 ? '' : `${used}/${intensity} in ${showMs(periodMs)}`}
            </span>
          </a>
        ))}
    </section>
  </div>
);

/** Why this recording was written, as its last fact tells. */
const recordedWhy = (): string => {
  const failed = facts.value.filter(({ type }) => type === 'simulation.failed').at(-1);
  return failed === undefined
    ? 'This is a recording. Its facts are in the timeline, its last moments in the tree.'
    : `This simulation failed: ${failed.text}. Replay goes through it step by step.`;
};

const LATEST_SHOWN = 14;

const Latest = () => {
  const list = facts.value.filter(({ weight }) => weight !== 'note').slice(-LATEST_SHOWN);
  return (
    <section class="card latest">
      <h2>
        <a href={toView('timeline')}>Latest</a>
      </h2>
      {list.length === 0 ? <p class="faint">nothing has happened since this system began</p> : null}
      {[...list].reverse().map(({ n, at, path, text, weight, type }) => (
        <a class={`line ${weight}`} key={n} href={toView('timeline', '', { fact: String(n) })}>
          <span class="time">{showTime(at)}</span>
          <FactMark type={type} weight={weight} />
          <span class="name">{idOf(path)}</span>
          <span class="text">{text}</span>
        </a>
      ))}
    </section>
  );
};

export const FactMark = ({ type, weight }: { readonly type: string; readonly weight: string }) => (
  <Mark tone={toneOfFact(type, weight)} title={type} />
);

export const toneOfFact = (type: string, weight: string) => {
  if (weight === 'trouble') return 'bad' as const;
  if (/backing_off|half_opened|held|recovery\.started/.test(type)) return 'wait' as const;
  if (/restarted|closed|restored|recovery\.ended|released/.test(type)) return 'good' as const;
  if (/stopp|phase/.test(type)) return 'ending' as const;
  return 'none' as const;
};

export const NowPane = () => {
  const list = incidents.value;
  return (
    <div class="now-pane">
      {list.length === 0 ? (
        <div class="calm">
          <Mark tone={isRecording.value ? 'none' : 'good'} />
          <p>
            {isRecording.value
              ? recordedWhy()
              : 'Nothing is wrong. Choose an actor in the tree to see how it lives.'}
          </p>
        </div>
      ) : (
        list.map((incident) => <Card key={incident.key} incident={incident} />)
      )}
      <Standing />
      <Latest />
    </div>
  );
};
