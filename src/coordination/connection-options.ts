/** What every connection to a client can be given, and what holds where nothing was. */

import type { Host } from '../base/host.ts';
import { fits, fn, integer, ms, msOrInfinity, object, oneOf, resolveOptions, text } from '../base/options.ts';
import type { EventStream } from '../base/telemetry.ts';
import type { ConnectionEnd } from './connection.ts';
import type { StreamOverflow } from './frame-queue.ts';

/** How much waits for a client, and for how long. Times in ms. */
export interface ConnectionLimits {
  /** Frames that may wait for it. Default 256. */
  readonly capacity?: number;
  /** Bytes that may wait for it; a single larger frame is dropped. Default 1,048,576. */
  readonly maxBytes?: number;
  /**
   * What happens beyond that: the oldest goes; the newest of each key takes the place of the one before it, and then the oldest
   * goes; or the client is disconnected, and may come back for what it missed. Default `'drop_oldest'`.
   */
  readonly overflow?: StreamOverflow;
  /** Silence after which a sign of life is written. Default 15,000. */
  readonly heartbeatMs?: number;
  /** How long a client may take nothing of what was written, signs of life included. Then it is disconnected. Default 10,000. */
  readonly stallMs?: number;
  /** How long an orderly end waits for the client to take what waits. Default 5,000. */
  readonly drainMs?: number;
  /** How long the clean-up may take. Default 5,000. */
  readonly cleanUpMs?: number;
}

export interface ConnectionOptions extends ConnectionLimits {
  /** Default: the real one. */
  readonly host?: Host;
  /** Where its events go. Default: a stream of its own. */
  readonly events?: EventStream;
  /** Names it in errors, events and reports. Default: an id. */
  readonly name?: string;
  /** Ends the connection when it ends: an actor's context, a scope. */
  readonly owner?: { onEnd(release: () => void): () => void };
  /** Ends the connection at once when it aborts. */
  readonly signal?: AbortSignal;
  /** The clean-up: called once, on every path, when the client is gone. Its signal aborts when its time is up. */
  readonly onClose?: (end: ConnectionEnd, context: { readonly signal: AbortSignal }) => unknown;
  /** Called when nothing waits and a frame that is sent now goes out at once: the time to make one, and not before. */
  readonly onWritable?: () => void;
}

export const CONNECTION_DEFAULTS = Object.freeze({
  capacity: 256,
  maxBytes: 1_048_576,
  overflow: 'drop_oldest' as const,
  heartbeatMs: 15_000,
  stallMs: 10_000,
  drainMs: 5_000,
  cleanUpMs: 5_000,
});

export const LIMIT_FIELDS = {
  capacity: integer(1),
  maxBytes: integer(1),
  overflow: oneOf('drop_oldest', 'coalesce', 'disconnect'),
  heartbeatMs: msOrInfinity(1),
  stallMs: msOrInfinity(1),
  drainMs: ms(0),
  cleanUpMs: ms(0),
} as const;

export const CONNECTION_FIELDS = {
  ...LIMIT_FIELDS,
  host: object<Host>('a Host'),
  events: object<EventStream>('an EventStream'),
  name: text,
  owner: fits<NonNullable<ConnectionOptions['owner']>>(
    "an actor's context, or a scope",
    (value) => typeof (value as { onEnd?: unknown } | null)?.onEnd === 'function',
  ),
  signal: object<AbortSignal>('an AbortSignal'),
  onClose: fn<NonNullable<ConnectionOptions['onClose']>>(),
  onWritable: fn<() => void>(),
} as const;

export const resolveConnection = (where: string, options: ConnectionOptions) =>
  resolveOptions(where, options, CONNECTION_FIELDS, CONNECTION_DEFAULTS);

export type ResolvedConnection = ReturnType<typeof resolveConnection>;
