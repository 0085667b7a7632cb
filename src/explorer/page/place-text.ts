/**
 * Places of the page as text: every view and every actor has an address behind the `#`.
 *
 * Invariant: pure; `readAddress(writeAddress(place))` is `place`, whatever an actor is called. What is no address is nowhere.
 */

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

/** What a part of an address says; as it stands where it is not well formed. */
export const decoded = (text: string): string => {
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
