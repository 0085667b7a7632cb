/** A message as a frame: text and bytes as they are, everything else as JSON. */
import { refuse } from '../base/options.ts';
import type { Frame } from './frame-queue.ts';

/** @throws ERR_OPTION_INVALID */
export const messageFrame = (where: string, message: unknown, key: string | undefined): Frame => {
  if (message instanceof Uint8Array) return { key, head: '', body: message, bytes: message.byteLength };
  const body = typeof message === 'string' ? message : JSON.stringify(message);
  if (typeof body !== 'string') return refuse(where, 'message', 'text, bytes, or what JSON can say', message);
  return { key, head: '', body, bytes: Buffer.byteLength(body) };
};
