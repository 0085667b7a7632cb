/**
 * The messages of the protocol, version 1, as `docs/PROTOCOL.md` has them: what a parent and a worker say to
 * each other, and the reading of what came over the wire into one of them.
 *
 * The rule of versions: a side ignores (and counts) kinds and fields it does not know; a known kind with a
 * wrong or missing field is a breach. New abilities are announced as capabilities and never change the
 * meaning of what exists; whatever would, takes a new version, and versions that differ do not talk.
 */

/** The version of the protocol that this code speaks. */
export const PROTOCOL_VERSION = 1;

/**
 * What a side can do beyond the first version, each announcing its own. `stream`: chunks on credit; `progress`: reports of jobs under
 * way; `interrupt`: breaking into code that does not look.
 */
export type Capability = 'stream' | 'progress' | 'interrupt';

/** What this parent takes. */
export const PARENT_CAPABILITIES: readonly Capability[] = Object.freeze(['stream', 'progress', 'interrupt']);

/** The environment variable that tells a worker where to converse: `3,4` (in and out), or `stdio`. */
export const DESCRIPTORS_VARIABLE = 'TROUPE_PROTOCOL_FDS';

/** The variable by which a worker in Python is told to have the kernel end it with its parent, whose number it is. */
export const PARENT_VARIABLE = 'TROUPE_PARENT_PID';

/** What a parent says. */
export type ParentMessage =
  | {
      readonly kind: 'hello';
      readonly protocol: number;
      /** The worker's id, for its logs. */
      readonly worker: string;
      readonly maxFrameBytes: number;
      readonly maxDepth: number;
      readonly capabilities: readonly string[];
    }
  | {
      readonly kind: 'run';
      readonly id: number;
      readonly name: string;
      readonly args: unknown;
      /** `null`: no deadline. */
      readonly remainingMs: number | null;
      /** Chunks that may be sent at once; left out, the result is wanted in one piece. Only to whom `stream` is known. */
      readonly stream?: number | undefined;
      /** What the caller's context lets go along; left out where nothing does. */
      readonly context?: Readonly<Record<string, unknown>> | undefined;
    }
  | { readonly kind: 'more'; readonly id: number; readonly chunks: number }
  | { readonly kind: 'interrupt'; readonly id: number; readonly reason: string }
  | { readonly kind: 'cancel'; readonly id: number; readonly reason: string }
  | { readonly kind: 'ping'; readonly id: number }
  | { readonly kind: 'shutdown' };

/** What a worker says. */
export type WorkerMessage =
  | {
      readonly kind: 'ready';
      readonly protocol: number;
      readonly pid: number;
      readonly capabilities: readonly string[];
      readonly handlers: readonly string[];
    }
  | { readonly kind: 'result'; readonly id: number; readonly value: unknown }
  | {
      readonly kind: 'error';
      readonly id: number;
      readonly type: string;
      readonly message: string;
      readonly traceback: string;
    }
  | { readonly kind: 'cancelled'; readonly id: number }
  | { readonly kind: 'chunk'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'progress'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'pong'; readonly id: number }
  | { readonly kind: 'log'; readonly level: string; readonly text: string };

/** Neither: a kind of a later minor, or a breach. */
export type Unread =
  | { readonly kind: '?'; readonly why: string }
  | { readonly kind: '!'; readonly why: string };

type Predicate = readonly [expected: string, fits: (value: unknown) => boolean];
type Shapes = ReadonlyMap<string, readonly (readonly [name: string, ...Predicate])[]>;

/** Fields as they are looked through: that is done for each message. */
const shapesOf = (kinds: Readonly<Record<string, Readonly<Record<string, Predicate>>>>): Shapes =>
  new Map(
    Object.entries(kinds).map(([kind, fields]) => [
      kind,
      Object.entries(fields).map(([name, predicate]) => [name, ...predicate] as const),
    ]),
  );

const isString = (value: unknown): boolean => typeof value === 'string';

const string: Predicate = ['a string', isString];
const strings: Predicate = ['an array of strings', (value) => Array.isArray(value) && value.every(isString)];
const count: Predicate = [
  'a whole number of at least 0',
  (value) => Number.isSafeInteger(value) && Number(value) >= 0,
];
const present: Predicate = ['present', (value) => value !== undefined];
const budget: Predicate = [
  'a number of milliseconds or null',
  (value) => value === null || (typeof value === 'number' && value >= 0),
];

const record: Predicate = [
  'an object',
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
];

const optional = ([expected, fits]: Predicate): Predicate => [
  expected,
  (value) => value === undefined || fits(value),
];

const FROM_PARENT = shapesOf({
  hello: { protocol: count, worker: string, maxFrameBytes: count, maxDepth: count, capabilities: strings },
  run: {
    id: count,
    name: string,
    args: present,
    remainingMs: budget,
    stream: optional(count),
    context: optional(record),
  },
  more: { id: count, chunks: count },
  interrupt: { id: count, reason: string },
  cancel: { id: count, reason: string },
  ping: { id: count },
  shutdown: {},
});

const FROM_WORKER = shapesOf({
  ready: { protocol: count, pid: count, capabilities: strings, handlers: strings },
  result: { id: count, value: present },
  error: { id: count, type: string, message: string, traceback: string },
  cancelled: { id: count },
  chunk: { id: count, value: present },
  progress: { id: count, value: present },
  pong: { id: count },
  log: { level: string, text: string },
});

/** Reads what a worker sent. */
export const readWorkerMessage = (message: Readonly<Record<string, unknown>>): WorkerMessage | Unread =>
  read(message, FROM_WORKER) as WorkerMessage | Unread;

/** Reads what a parent sent. */
export const readParentMessage = (message: Readonly<Record<string, unknown>>): ParentMessage | Unread =>
  read(message, FROM_PARENT) as ParentMessage | Unread;

const read = (message: Readonly<Record<string, unknown>>, shapes: Shapes): unknown => {
  const { kind } = message;
  if (typeof kind !== 'string') return { kind: '!', why: 'a message has no kind' } satisfies Unread;
  const shape = shapes.get(kind);
  // A peer's word may be of any length and in any script: only so much of it gets into logs.
  if (shape === undefined)
    return {
      kind: '?',
      why: `a message of the unknown kind ${JSON.stringify(kind.slice(0, 40))}`,
    } satisfies Unread;
  for (let i = 0; i < shape.length; i++) {
    const [name, expected, fits] = shape[i] as (typeof shape)[number];
    if (!fits(message[name]))
      return { kind: '!', why: `${name} of ${kind} must be ${expected}` } satisfies Unread;
  }
  return message;
};
