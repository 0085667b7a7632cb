/**
 * The protocol's messages as threads exchange them: the same kinds with the same fields (`messages.ts`), but as short arrays, since
 * copying one costs by its keys, and with values of any kind that can be copied.
 *
 * Invariant: what a thread posts is judged before it is believed: its code can reach the same port. Sizes and depths are not judged:
 * a copy is made before anyone can look.
 */
import type { ParentMessage, Unread, WorkerMessage } from './messages.ts';
import type { WorkerReady } from './worker-port.ts';

/** How many of an `Int32Array` that both sides hold: what the parent has posted so far. */
export const POSTED = 0;

/** What a thread is greeted with. */
export interface ThreadHello {
  readonly worker: string;
  /** Shared memory: the parent counts there what it posts. */
  readonly posted: Int32Array;
}

export const TO_THREAD = { hello: 0, run: 1, cancel: 2, ping: 3, shutdown: 4, more: 5 } as const;
export const FROM_THREAD = {
  ready: 0,
  result: 1,
  error: 2,
  cancelled: 3,
  pong: 4,
  log: 5,
  chunk: 6,
  progress: 7,
} as const;

/** As a thread has them: arguments may be anything, and there is no frame. */
export type ThreadMessage =
  | { readonly kind: 'hello'; readonly hello: ThreadHello }
  | Exclude<ParentMessage, { kind: 'hello' | 'interrupt' }>;

/** What our own side posted, which needs no judging; `undefined`: it was somebody else who posted it. */
export const readThreadMessage = (message: unknown): ThreadMessage | undefined => {
  if (!Array.isArray(message)) return undefined;
  const [code, a, b, c, d, e, f] = message as readonly unknown[];
  switch (code) {
    case TO_THREAD.run:
      return { kind: 'run', id: a, name: b, args: c, remainingMs: d, stream: e, context: f } as ThreadMessage;
    case TO_THREAD.hello:
      return { kind: 'hello', hello: a } as ThreadMessage;
    case TO_THREAD.cancel:
      return { kind: 'cancel', id: a, reason: b } as ThreadMessage;
    case TO_THREAD.ping:
      return { kind: 'ping', id: a } as ThreadMessage;
    case TO_THREAD.shutdown:
      return { kind: 'shutdown' };
    case TO_THREAD.more:
      return { kind: 'more', id: a, chunks: b } as ThreadMessage;
    default:
      return undefined;
  }
};

/** What to post for a message of a worker's. */
export const packAnswer = (message: WorkerMessage): readonly unknown[] => {
  switch (message.kind) {
    case 'result':
      return [FROM_THREAD.result, message.id, message.value];
    case 'error':
      return [FROM_THREAD.error, message.id, message.type, message.message, message.traceback];
    case 'cancelled':
      return [FROM_THREAD.cancelled, message.id];
    case 'chunk':
      return [FROM_THREAD.chunk, message.id, message.value];
    case 'progress':
      return [FROM_THREAD.progress, message.id, message.value];
    case 'pong':
      return [FROM_THREAD.pong, message.id];
    case 'log':
      return [FROM_THREAD.log, message.level, message.text];
    case 'ready':
      return [FROM_THREAD.ready, message.protocol, message.capabilities, message.handlers];
  }
};

const isId = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
const isText = (value: unknown): value is string => typeof value === 'string';
const areTexts = (value: unknown): value is readonly string[] => Array.isArray(value) && value.every(isText);

export type ThreadAnswer =
  | Exclude<WorkerMessage, { kind: 'ready' }>
  | ({ readonly kind: 'ready' } & Omit<WorkerReady, 'pid'>);

/** Reads what a thread posted. */
export const readAnswer = (message: unknown): ThreadAnswer | Unread => {
  if (!Array.isArray(message)) return { kind: '!', why: 'it posted something of its own' };
  const [code, a, b, c, d] = message as readonly unknown[];
  const id = isId(a) ? a : undefined;
  switch (code) {
    case FROM_THREAD.result:
      if (id !== undefined) return { kind: 'result', id, value: b };
      break;
    case FROM_THREAD.error:
      if (id !== undefined && isText(b) && isText(c) && isText(d))
        return { kind: 'error', id, type: b, message: c, traceback: d };
      break;
    case FROM_THREAD.cancelled:
      if (id !== undefined) return { kind: 'cancelled', id };
      break;
    case FROM_THREAD.chunk:
      if (id !== undefined) return { kind: 'chunk', id, value: b };
      break;
    case FROM_THREAD.progress:
      if (id !== undefined) return { kind: 'progress', id, value: b };
      break;
    case FROM_THREAD.pong:
      if (id !== undefined) return { kind: 'pong', id };
      break;
    case FROM_THREAD.log:
      if (isText(a) && isText(b)) return { kind: 'log', level: a, text: b };
      break;
    case FROM_THREAD.ready:
      if (id !== undefined && areTexts(b) && areTexts(c))
        return { kind: 'ready', version: id, capabilities: b, handlers: c };
      break;
    default:
      return isId(code)
        ? { kind: '?', why: `a message of the unknown kind ${code}` }
        : { kind: '!', why: 'it posted something of its own' };
  }
  return { kind: '!', why: `a message of the kind ${String(code)} lacks something` };
};
