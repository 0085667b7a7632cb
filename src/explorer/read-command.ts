/**
 * Reads what came in a request's body: JSON from outside, until it is checked.
 *
 * Invariant: what is returned has exactly the shape that its type says. Keys that could change a prototype, and nesting that could
 * break whoever walks it, are refused.
 */

import type { JournalQuery } from './protocol.ts';
import { type Command, type CommandName, type Fault, LIMITS, type Watch } from './protocol.ts';
import type { TreeQuery } from './tree-view.ts';

/** All commands there are. */
export const COMMAND_NAMES: readonly CommandName[] = [
  'send',
  'stop',
  'kill',
  'restart',
  'pause',
  'resume',
  'isolate',
  'release',
  'reset',
  'drain',
  'fault',
  'clear_fault',
];

const DEEPEST = 32;
const LONGEST_PATH = 2_000;
const LONGEST_QUERY = 500;
const MOST_KEYS = 2_000;
const LONGEST_DELAY_MS = 60_000;
const MOST_MESSAGES = 10_000;
const FORBIDDEN: readonly string[] = ['__proto__', 'constructor', 'prototype'];

type Fields = Readonly<Record<string, unknown>>;

const isRecord = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Whether a parsed body may be walked and handed on. */
export const isTame = (value: unknown, depth = 0): boolean => {
  if (typeof value !== 'object' || value === null) return true;
  if (depth >= DEEPEST) return false;
  if (Array.isArray(value)) return value.every((one) => isTame(one, depth + 1));
  return Object.entries(value).every(([key, one]) => !FORBIDDEN.includes(key) && isTame(one, depth + 1));
};

const isText = (value: unknown, longest = LONGEST_PATH): value is string =>
  typeof value === 'string' && value.length <= longest;

const isCount = (value: unknown, most: number, least = 0): value is number =>
  Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most;

const hasOnly = (fields: Fields, ...keys: readonly string[]): boolean =>
  Object.keys(fields).every((key) => keys.includes(key));

const faultOf = (value: unknown): Fault | undefined => {
  if (!isRecord(value) || !isCount(value['messages'], MOST_MESSAGES, 1)) return undefined;
  const { kind, messages, delayMs } = value;
  if (kind === 'delay')
    return hasOnly(value, 'kind', 'messages', 'delayMs') && isCount(delayMs, LONGEST_DELAY_MS, 1)
      ? { kind, messages, delayMs }
      : undefined;
  if (!hasOnly(value, 'kind', 'messages')) return undefined;
  return kind === 'throw' || kind === 'drop' ? { kind, messages } : undefined;
};

/** A command, or what is wrong with it. */
export const readCommand = (body: unknown): Command | string => {
  if (!isRecord(body) || !isTame(body)) return 'a command is a JSON object';
  const { do: name, path, incarnation, event, fault, timeoutMs } = body;
  if (!COMMAND_NAMES.includes(name as CommandName))
    return `unknown command; known are ${COMMAND_NAMES.join(', ')}`;
  if (!isText(path) || path === '') return 'path: the path of an actor is needed';
  if (incarnation !== undefined && !isCount(incarnation, Number.MAX_SAFE_INTEGER))
    return 'incarnation: a whole number is needed';
  const aimed = { path, ...(incarnation === undefined ? {} : { incarnation: incarnation as number }) };
  const known = ['do', 'path', 'incarnation'];
  if (name === 'send') {
    if (!hasOnly(body, ...known, 'event')) return 'unknown field beside event';
    return isRecord(event) && isText(event['type']) && event['type'] !== ''
      ? ({ ...aimed, do: 'send', event } as Command)
      : 'event: an object with a type is needed';
  }
  if (name === 'fault') {
    const read = faultOf(fault);
    if (!hasOnly(body, ...known, 'fault')) return 'unknown field beside fault';
    return read === undefined
      ? 'fault: { kind: throw | drop | delay, messages, delayMs } is needed'
      : { ...aimed, do: 'fault', fault: read };
  }
  if (name === 'drain') {
    if (!hasOnly(body, ...known, 'timeoutMs')) return 'unknown field beside timeoutMs';
    if (timeoutMs === undefined) return { ...aimed, do: 'drain' };
    return isCount(timeoutMs, Number.MAX_SAFE_INTEGER)
      ? { ...aimed, do: 'drain', timeoutMs }
      : 'timeoutMs: milliseconds are needed';
  }
  if (!hasOnly(body, ...known)) return `unknown field; ${String(name)} takes path and incarnation`;
  return { ...aimed, do: name } as Command;
};

// ── watching ──────────────────────────────────────────────────────────────────────────────────────────────

const isKeys = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.length <= MOST_KEYS && value.every((key) => isText(key));

/** A query of the tree, or nothing where it has not the shape of one. */
export const readTreeQuery = (value: unknown): TreeQuery | undefined => {
  if (!isRecord(value) || !hasOnly(value, 'query', 'from', 'count', 'collapsed', 'opened')) return undefined;
  const { query, from, count, collapsed, opened } = value;
  if (!isText(query, LONGEST_QUERY) || !isCount(from, Number.MAX_SAFE_INTEGER)) return undefined;
  if (!isCount(count, LIMITS.windowRows)) return undefined;
  if ((collapsed !== undefined && !isKeys(collapsed)) || (opened !== undefined && !isKeys(opened)))
    return undefined;
  return {
    query,
    from,
    count,
    ...(collapsed === undefined ? {} : { collapsed }),
    ...(opened === undefined ? {} : { opened }),
  };
};

const isJournalQuery = (value: unknown): value is JournalQuery | false =>
  value === false || (isRecord(value) && hasOnly(value, 'below') && isText(value['below']));

const FLAGS = ['supervision', 'breakers', 'pools', 'recoveries', 'application', 'metrics'];

/** What a viewer wants to watch, or what is wrong with it. */
export const readWatch = (value: unknown): Watch | string => {
  if (!isRecord(value) || !isTame(value)) return 'watch: an object is needed';
  const watch: Record<string, unknown> = {};
  for (const [key, one] of Object.entries(value)) {
    if (FLAGS.includes(key)) {
      if (typeof one !== 'boolean') return `${key}: true or false`;
      watch[key] = one;
    } else if (key === 'tree') {
      const query = one === false ? false : readTreeQuery(one);
      if (query === undefined)
        return `tree: { query, from, count up to ${LIMITS.windowRows}, collapsed, opened }`;
      watch[key] = query;
    } else if (key === 'actors') {
      if (!isKeys(one) || one.length > LIMITS.watchedActors)
        return `actors: at most ${LIMITS.watchedActors} paths`;
      watch[key] = [...new Set(one)];
    } else if (key === 'steps') {
      if (typeof one !== 'boolean' && !isJournalQuery(one)) return 'steps: true, { below } or false';
      watch[key] = one;
    } else if (key === 'facts' || key === 'messages') {
      if (!isJournalQuery(one)) return `${key}: { below } or false`;
      watch[key] = one;
    } else return `${key}: unknown`;
  }
  return watch as Watch;
};
