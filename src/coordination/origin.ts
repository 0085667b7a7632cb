/**
 * Where something was started: the place in the user's code, for naming what never ended.
 *
 * Invariant: what it keeps is bounded. Looking at the stack costs about 4 µs, so by default it looks once for each name.
 */

/** Names beyond these are not noted. */
const MOST_NAMES = 1_000;

const known = new Map<string, string | undefined>();

/** The first line of the stack above `below`, as `file:line:column`. */
export const placeAbove = (below: Function): string | undefined => {
  const limit = Error.stackTraceLimit;
  const seen: { stack?: string } = {};
  Error.stackTraceLimit = 1;
  Error.captureStackTrace(seen, below);
  Error.stackTraceLimit = limit;
  return seen.stack?.split('\n')[1]?.trim().replace(/^at /, '');
};

/** Where a thing of this name was started: looked at as often as told. */
export const originOf = (
  name: string,
  how: 'all' | 'by_name' | 'none',
  below: Function,
): string | undefined => {
  if (how === 'none') return undefined;
  if (how === 'all') return placeAbove(below);
  if (known.has(name)) return known.get(name);
  if (known.size >= MOST_NAMES) return undefined;
  const place = placeAbove(below);
  known.set(name, place);
  return place;
};
