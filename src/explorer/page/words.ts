/** How figures are put for people: durations, counts, instants. Pure; whatever is shown twice is worded here once. */
import type { Histogram, StateValue } from '../protocol.ts';

export const showMs = (ms: number): string => {
  if (!Number.isFinite(ms)) return '∞';
  const size = Math.abs(ms);
  if (size < 1) return size === 0 ? '0 ms' : `${ms.toFixed(1)} ms`;
  if (size < 1_000) return `${Math.round(ms)} ms`;
  if (size < 10_000) return `${Number((ms / 1_000).toFixed(1))} s`;
  if (size < 120_000) return `${Math.round(ms / 1_000)} s`;
  if (size < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  return `${Math.round(ms / 3_600_000)} h`;
};

export const showCount = (count: number): string => {
  if (count < 10_000) return count.toLocaleString('en');
  return Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 }).format(count);
};

export const showRate = (rate: number): string =>
  rate < 10 && rate > 0 ? rate.toFixed(1) : showCount(Math.round(rate));

export const showBytes = (bytes: number): string => `${showCount(Math.round(bytes / 1_048_576))} MB`;

const two = (n: number): string => String(n).padStart(2, '0');

/** `14:03:07`; with `millis`, `14:03:07.250`. */
export const showTime = (at: number, millis = false): string => {
  const date = new Date(at);
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return millis ? `${time}.${String(date.getMilliseconds()).padStart(3, '0')}` : time;
};

export const showAgo = (at: number, now: number): string =>
  now - at < 1_000 ? 'just now' : `${showMs(now - at)} ago`;

export const showIn = (at: number, now: number): string => (at <= now ? 'now' : `in ${showMs(at - now)}`);

/** `closed`, `ready · healthy`, `open › half`. */
export const showState = (state: StateValue | undefined): string => {
  if (state === undefined) return '';
  if (typeof state === 'string') return state.replaceAll('_', ' ');
  const entries = Object.entries(state);
  const [only] = entries;
  if (entries.length === 1 && only !== undefined)
    return `${only[0].replaceAll('_', ' ')} › ${showState(only[1])}`;
  return entries.map(([, value]) => showState(value)).join(' · ');
};

export const plain = (word: string): string => word.replaceAll('_', ' ');

export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${showCount(count)} ${count === 1 ? one : many}`;

/** Words about a part that begin with its path, without it: where its name stands beside them it would leave no room for the reason. */
export const withoutName = (path: string, words: string): string =>
  words.startsWith(`${path} `) ? words.slice(path.length + 1) : words;

export const idOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
export const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')));

export const isBelow = (path: string, below: string): boolean =>
  below === '' || path === below || path.startsWith(`${below}/`);

/** The edge below which a part of the values lies, ms; `undefined` where there are none. Beyond the last edge: `Infinity`. */
export const quantile = ({ edges, counts, count }: Histogram, part: number): number | undefined => {
  if (count <= 0) return undefined;
  let left = Math.ceil(count * part);
  for (const [i, n] of counts.entries()) {
    left -= n;
    if (left <= 0) return edges[i] ?? Number.POSITIVE_INFINITY;
  }
  return Number.POSITIVE_INFINITY;
};

/** What came to a histogram since it was as it was before. */
export const since = (now: Histogram, before: Histogram | undefined): Histogram =>
  before === undefined || before.count > now.count
    ? now
    : {
        edges: now.edges,
        counts: now.counts.map((n, i) => n - (before.counts[i] ?? 0)),
        sum: now.sum - before.sum,
        count: now.count - before.count,
      };
