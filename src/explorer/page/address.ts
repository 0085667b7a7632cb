/**
 * Where one is, as the browser's address has it; the way back is the browser's own.
 *
 * Invariant: a token that stands in the fragment is taken out of it before anything
 * else is done, and is kept for this tab alone.
 */
import { signal } from '@preact/signals';
import { decoded, NOWHERE, type Place, readAddress, type View, writeAddress } from './place-text.ts';

export type { View } from './place-text.ts';

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
