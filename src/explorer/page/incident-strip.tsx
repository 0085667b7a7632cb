/** What is wrong now, always in sight: one line for the worst, with its cause and who has it in hand; and the count of the rest. */
import { computed } from '@preact/signals';
import { place, toActor, toView } from './address.ts';
import { type Incident, incidentsOf, type Weight } from './incidents.ts';
import { Mark, type Tone } from './shapes.tsx';
import {
  application,
  breakers,
  hello,
  isRecording,
  metrics,
  now,
  pools,
  recoveries,
  supervisors,
} from './store.ts';
import { idOf, plural, showAgo } from './words.ts';

export const incidents = computed(() =>
  incidentsOf({
    supervisors: supervisors.value,
    breakers: breakers.value,
    pools: pools.value,
    recoveries: recoveries.value,
    application: application.value,
    metrics: metrics.value,
    now: now.value,
  }),
);

/** Those that are not over. */
export const troubles = computed(() => incidents.value.filter(({ weight }) => weight !== 'past'));

export const WEIGHT_TONES: Readonly<Record<Weight, Tone>> = {
  down: 'bad',
  degraded: 'bad',
  mending: 'wait',
  past: 'none',
};
export const WEIGHT_WORDS: Readonly<Record<Weight, string>> = {
  down: 'Down',
  degraded: 'Degraded',
  mending: 'Mending',
  past: 'Was wrong',
};

export const nameOfIncident = ({ path, kind }: Incident): string => (path === '' ? kind : idOf(path));

const Owner = ({ path }: { readonly path: string }) =>
  path === '' ? null : <a href={toActor(path)}>{idOf(path)} </a>;

export const Strip = () => {
  const list = troubles.value;
  const [worst] = list;
  if (hello.value === undefined) return null;
  if (worst === undefined) {
    const recent = incidents.value.length;
    return (
      <a class="strip good" href={toView('now')}>
        <Mark tone={isRecording.value ? 'none' : 'good'} />
        <b>{isRecording.value ? 'A recording.' : 'All is well.'}</b>
        <span>
          {recent === 0
            ? `Nothing ${isRecording.value ? 'was' : 'is'} down, degraded or being mended.`
            : `${plural(recent, 'part')} crashed within the last half minute; none is down now.`}
        </span>
      </a>
    );
  }
  if (place.value.view === 'now')
    return (
      <p class={`strip ${worst.weight}`}>
        <Mark tone={WEIGHT_TONES[worst.weight]} />
        <b>{list.length === 1 ? 'One thing is wrong.' : `${list.length} things are wrong.`}</b>
        <span>The worst comes first, with its cause and who has it in hand.</span>
      </p>
    );
  return (
    <div class={`strip ${worst.weight}`}>
      <Mark tone={WEIGHT_TONES[worst.weight]} />
      <a class="sick" href={worst.path === '' ? toView('now') : toActor(worst.path)} title={worst.path}>
        {nameOfIncident(worst)}
      </a>
      <span class="what">{worst.what}</span>
      {worst.why === undefined ? null : <span class="why">{worst.why}</span>}
      <span class="owner">
        <Owner path={worst.owner.path} />
        {worst.owner.does}
      </span>
      <span class="faint">{showAgo(worst.since, now.value)}</span>
      {list.length > 1 ? (
        <a class="more" href={toView('now')}>
          and {list.length - 1} more
        </a>
      ) : null}
    </div>
  );
};
