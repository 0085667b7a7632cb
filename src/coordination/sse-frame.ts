/**
 * Server-sent events as text (WHATWG HTML, 9.2): what a user gives becomes lines that can be read as nothing else.
 *
 * Invariant: whatever is in the data, one event is one event: every line break in it (CR, LF, CRLF) begins a `data` field of its own,
 * and arrives as LF. What has no such way (an id, a name) is refused where it holds a line break or NUL.
 */
import { refuse } from '../base/options.ts';
import type { Frame } from './frame-queue.ts';

/** One event. */
export interface SseEvent {
  /** Text goes as it is, everything else as JSON. */
  readonly data: unknown;
  /** What listeners are called by. Default: the client's `message`. */
  readonly event?: string;
  /** What the client says it had last when it comes back. A feed gives its own. */
  readonly id?: string;
  /** Of two that wait with the same key only the newer is written, where the client's policy is `coalesce`. */
  readonly key?: string;
}

/** Every reader ignores it. */
export const SSE_BEAT = ':\n\n';

const BREAKS = /\r\n|\r|\n/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that are refused.
const FORBIDDEN = /[\r\n\u0000]/;

const field = (where: string, name: string, value: string): string => {
  if (typeof value !== 'string' || FORBIDDEN.test(value))
    refuse(where, name, 'text without line breaks and NUL', value);
  return `${name}: ${value}\n`;
};

const dataOf = (where: string, data: unknown): string => {
  const text = typeof data === 'string' ? data : JSON.stringify(data);
  if (typeof text !== 'string') refuse(where, 'data', 'text, or what JSON can say', data);
  if (!BREAKS.test(text)) return `data: ${text}\n`;
  return text
    .split(BREAKS)
    .map((line) => `data: ${line}\n`)
    .join('');
};

/** @throws ERR_OPTION_INVALID */
export const sseFrame = (where: string, { data, event, id, key }: SseEvent): Frame => {
  const head = id === undefined ? '' : field(where, 'id', id);
  const name = event === undefined ? '' : field(where, 'event', event);
  const body = `${name}${dataOf(where, data)}\n`;
  return { key, head, body, bytes: Buffer.byteLength(head) + Buffer.byteLength(body) };
};

/** When a client should come back that has lost its connection, ms. */
export const sseRetry = (retryMs: number): string => `retry: ${Math.round(retryMs)}\n\n`;
