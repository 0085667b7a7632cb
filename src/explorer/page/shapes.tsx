/**
 * The marks of the page: a shape for every way of doing, so that nothing is told by colour alone.
 *
 * Invariant: a tone has one shape and one word, wherever it stands.
 */
import type { StateValue, TreeRow } from '../protocol.ts';
import { plain, showState } from './words.ts';

/** How something does, in one of eight ways. */
export type Tone = 'good' | 'busy' | 'wait' | 'bad' | 'ending' | 'ended' | 'paused' | 'none';

const TONE_WORDS: Readonly<Record<Tone, string>> = {
  good: 'well',
  busy: 'at work',
  wait: 'waits',
  bad: 'in trouble',
  ending: 'is ending',
  ended: 'has ended',
  paused: 'is held still',
  none: 'nothing known',
};

const TONES: Readonly<Record<string, Tone>> = {
  running: 'good',
  ready: 'good',
  closed: 'good',
  healthy: 'good',
  recovered: 'good',
  restarted: 'good',
  open: 'bad',
  degraded: 'bad',
  unhealthy: 'bad',
  gave_up: 'bad',
  parked: 'bad',
  straggling: 'bad',
  failed: 'bad',
  refusing: 'bad',
  busy: 'busy',
  half_open: 'wait',
  backing_off: 'wait',
  waiting: 'wait',
  held: 'wait',
  starting: 'wait',
  restarting: 'wait',
  initializing: 'wait',
  probing: 'wait',
  suspended: 'paused',
  isolated: 'paused',
  disabled: 'paused',
  paused: 'paused',
  stopping: 'ending',
  terminating: 'ending',
  draining: 'ending',
  shutting_down: 'ending',
  cancelled: 'ending',
  ended: 'ended',
  stopped: 'ended',
  terminated: 'ended',
  vacant: 'ended',
  not_wanted: 'ended',
};

export const toneOfWord = (word: string): Tone => TONES[word] ?? 'none';

/** The worst that a state value says, of the words that are known. */
export const toneOfState = (state: StateValue | undefined): Tone => {
  if (state === undefined) return 'none';
  const words =
    typeof state === 'string' ? state.split(', ') : Object.values(state).map((part) => showState(part));
  const tones = words.map((word) => toneOfWord(word.replaceAll(' ', '_')));
  const worst: readonly Tone[] = ['bad', 'ending', 'wait', 'paused', 'busy', 'good'];
  return worst.find((tone) => tones.includes(tone)) ?? 'none';
};

/** A row does as its status says; a breaker, a pool and a worker as their chart says. */
export const toneOfRow = ({ type, status, kind, state, ready }: TreeRow): Tone => {
  if (type === 'tombstone') return 'ended';
  if (status !== 'running') return toneOfWord(status);
  if (['breaker', 'pool', 'worker'].includes(kind)) {
    const tone = toneOfState(state);
    if (tone !== 'none') return tone;
  }
  return ready === false ? 'wait' : 'good';
};

const SHAPES: Readonly<Record<Tone, preact.JSX.Element>> = {
  good: <circle cx="8" cy="8" r="5" />,
  busy: (
    <>
      <circle cx="8" cy="8" r="5.2" class="hollow" />
      <circle cx="8" cy="8" r="2.6" />
    </>
  ),
  wait: <path d="M8 1.8 14.2 8 8 14.2 1.8 8Z" />,
  bad: <path d="M8 1.6 15.2 14.2H.8Z M7.3 6v4.2h1.4V6Z M7.3 11.3v1.5h1.4v-1.5Z" fill-rule="evenodd" />,
  ending: <rect x="3.2" y="3.2" width="9.6" height="9.6" rx="1" class="hollow" />,
  ended: <path d="M3.5 3.5 12.5 12.5M12.5 3.5 3.5 12.5" class="hollow" />,
  paused: <path d="M4 3h3v10H4zM9 3h3v10H9z" />,
  none: <circle cx="8" cy="8" r="4.6" class="hollow" />,
};

export const Mark = ({ tone, title }: { readonly tone: Tone; readonly title?: string }) => (
  <svg class={`mark ${tone}`} viewBox="0 0 16 16" role="img" aria-label={title ?? TONE_WORDS[tone]}>
    <title>{title ?? TONE_WORDS[tone]}</title>
    {SHAPES[tone]}
  </svg>
);

/** A state in a frame, with the mark of its tone where it has one. */
export const Chip = ({ state, tone }: { readonly state: StateValue; readonly tone?: Tone }) => {
  const shown = tone ?? toneOfState(state);
  return (
    <span class={`chip ${shown}`} title={`state: ${showState(state)}`}>
      {shown === 'none' ? null : <Mark tone={shown} />}
      {showState(state)}
    </span>
  );
};

const STRATEGIES: Readonly<Record<string, readonly [boolean, boolean, boolean]>> = {
  one_for_one: [false, true, false],
  one_for_all: [true, true, true],
  rest_for_one: [false, true, true],
};

/** Three children; those that are started again when the middle one falls are filled. */
export const Strategy = ({ name }: { readonly name: string }) => {
  const restarted = STRATEGIES[name];
  if (restarted === undefined) return <span class="faint">{plain(name)}</span>;
  return (
    <svg class="strategy" viewBox="0 0 26 10" role="img" aria-label={name}>
      <title>{`${name}: of its children, the filled ones are started again when the middle one falls`}</title>
      {restarted.map((isFilled, i) => (
        <circle key={`${i * 9}`} cx={4 + i * 9} cy="5" r="3" class={isFilled ? 'filled' : ''} />
      ))}
    </svg>
  );
};
