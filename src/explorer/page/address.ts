/**
 * Where one is, as the address has it: every view and every actor has an address behind the `#`, and the way back is the browser's.
 *
 * Invariant: `readAddress(writeAddress(place))` is `place`. A token that stands in the fragment is taken out of it before anything
 * else is done, and is kept for this tab alone.
 */
import { signal } from '@preact/signals';

export const VIEWS = [
  'now',
  'actor',
  'timeline',
  'supervision',
  'breakers',
  'pools',
  'recoveries',
  'metrics',
  'shutdown',
  'replay',
] as const;
export type View = (typeof VIEWS)[number];

export interface Place {
  readonly view: View;
  /** The actor that is selected, in `actor`; the part of the tree that is looked at, elsewhere. */
  readonly path: string;
  readonly incarnation?: number;
  /** What else says where one is: `tab`, `step`, `fact`, `as`. */
  readonly more: Readonly<Record<string, string>>;
}

export const NOWHERE: Place = { view: 'now', path: '', more: {} };

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

export const readAddress = (hash: string): Place => {
  const [whole = '', search = ''] = hash.replace(/^#\/?/, '').split(/\?(.*)/s);
  const [view = '', ...parts] = whole.split('/');
  if (!(VIEWS as readonly string[]).includes(view)) return NOWHERE;
  const last = parts.at(-1) ?? '';
  const at = last.indexOf('@');
  const incarnation = at < 0 ? Number.NaN : Number(last.slice(at + 1));
  const ids = at < 0 ? parts : [...parts.slice(0, -1), last.slice(0, at)];
  return {
    view: view as View,
    path: ids.map(decoded).join('/'),
    ...(Number.isSafeInteger(incarnation) ? { incarnation } : {}),
    more: Object.fromEntries(new URLSearchParams(search)),
  };
};

export const writeAddress = ({ view, path, incarnation, more }: Place): string => {
  const ids = path === '' ? '' : `/${path.split('/').map(encodeURIComponent).join('/')}`;
  const search = new URLSearchParams(more).toString();
  const at = incarnation === undefined ? '' : `@${incarnation}`;
  return `#/${view}${ids}${at}${search === '' ? '' : `?${search}`}`;
};

/** The address of an actor, and of one of its tabs. */
export const toActor = (path: string, more: Readonly<Record<string, string>> = {}): string =>
  writeAddress({ view: 'actor', path, more });

export const toView = (view: View, path = '', more: Readonly<Record<string, string>> = {}): string =>
  writeAddress({ view, path, more });

/** Where one is now. */
export const place = signal<Place>(NOWHERE);

export const go = (address: string): void => {
  location.hash = address;
};

/** Changes a detail of where one is; it is no step for the way back. */
export const amend = (more: Readonly<Record<string, string | undefined>>): void => {
  const merged = Object.entries({ ...place.value.more, ...more }).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  const next = { ...place.value, more: Object.fromEntries(merged) };
  history.replaceState(null, '', writeAddress(next));
  place.value = next;
};

const TOKEN_KEY = 'troupe.token';

/** The token of this tab: from the fragment, which then loses it, or from an earlier load. */
export const takeToken = (): string | undefined => {
  const given = /^#(?:.*[?&])?token=([^&]+)/.exec(location.hash)?.[1];
  if (given === undefined) return sessionStorage.getItem(TOKEN_KEY) ?? undefined;
  const token = decoded(given);
  sessionStorage.setItem(TOKEN_KEY, token);
  const rest = location.hash.replace(/([#?&])token=[^&]*&?/, '$1').replace(/[?&]$/, '');
  history.replaceState(null, '', rest === '#' ? '#/now' : rest);
  return token;
};

export const followAddress = (): void => {
  const read = () => {
    // A token pasted into an open page is a new beginning.
    if (/[#?&]token=/.test(location.hash)) location.reload();
    else place.value = readAddress(location.hash);
  };
  addEventListener('hashchange', read);
  read();
};
