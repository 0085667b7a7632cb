/** The keys that work everywhere, and the words that tell of them. */
import { signal } from '@preact/signals';
import { go, toView, type View } from './address.ts';
import { nextTheme } from './theme.ts';

export const isHelpOpen = signal(false);

/** After `g`, one of these goes to a view. */
export const VIEW_KEYS: Readonly<Record<string, View>> = {
  n: 'now',
  t: 'timeline',
  s: 'supervision',
  b: 'breakers',
  p: 'pools',
  r: 'recoveries',
  m: 'metrics',
  d: 'shutdown',
};

export const KEY_WORDS: readonly (readonly [keys: string, what: string])[] = [
  ['/', 'search the tree'],
  ['↑ ↓ ← →', 'move in the tree, fold and unfold'],
  [
    'g then n t s b p r m d',
    'go to Now, Timeline, Supervision, Breakers, Pools, Recoveries, Metrics, Shutdown',
  ],
  ['Tab', 'go through what can be pressed; Enter presses it'],
  ['← → in Past', 'one step back, one step on'],
  ['+ − 0 f in a chart', 'larger, smaller, whole chart, follow the active state'],
  ['Space in the timeline', 'hold it still, let it go on'],
  ['l', 'light, dark, as the system says'],
  ['?', 'these words'],
];

const LONGEST_CHORD_MS = 1_500;

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && /^(?:INPUT|TEXTAREA|SELECT)$/.test(target.tagName);

export const listenToKeys = (): void => {
  let chordAt = Number.NEGATIVE_INFINITY;
  addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'Escape') isHelpOpen.value = false;
    if (isTyping(event.target)) return;
    const view = event.timeStamp - chordAt < LONGEST_CHORD_MS ? VIEW_KEYS[event.key] : undefined;
    chordAt = Number.NEGATIVE_INFINITY;
    if (view !== undefined) go(toView(view));
    else if (event.key === 'g') chordAt = event.timeStamp;
    else if (event.key === '/') {
      document.getElementById('search')?.focus();
      event.preventDefault();
    } else if (event.key === '?') isHelpOpen.value = !isHelpOpen.value;
    else if (event.key === 'l') nextTheme();
  });
};
