/** Reads the text of an event that a person has written: an object with a type, or what is wrong with it, in words. Pure. */
import type { Json } from '../protocol.ts';

export interface WrittenEvent {
  readonly type: string;
  readonly [key: string]: Json;
}

/** What must not be a key: it could change a prototype, and the server refuses it. */
const FORBIDDEN: readonly string[] = ['__proto__', 'constructor', 'prototype'];

export const readEvent = (text: string): WrittenEvent | string => {
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch (error) {
    return `not JSON: ${error instanceof Error ? error.message : String(error)}`;
  }
  if (typeof read !== 'object' || read === null || Array.isArray(read))
    return 'an event is an object: { "type": … }';
  const { type } = read as { readonly type?: unknown };
  if (typeof type !== 'string' || type === '') return 'an event needs a "type" that is a text';
  const forbidden = Object.keys(read).find((key) => FORBIDDEN.includes(key));
  return forbidden === undefined ? (read as WrittenEvent) : `the key "${forbidden}" is not allowed`;
};
