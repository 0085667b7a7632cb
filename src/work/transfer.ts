/**
 * Values that are moved to a thread, or back from one, instead of copied.
 *
 * Invariant: only the whole of a job's arguments, of its result or of a chunk can be marked, so that nothing is searched; where
 * nothing can be moved (processes, this process itself) the mark is taken off and the value goes as any other. The mark is known by a
 * registered symbol, since the service and its threads load this file each for themselves.
 */
import type { Transferable } from '../base/host.ts';

const MARK = Symbol.for('troupe.transferred');

/** A value with what of it is to be moved. */
export interface Transferred<T> {
  readonly value: T;
  readonly list: readonly Transferable[];
}

/**
 * Marks a job's arguments, result or chunk, so that a thread gets the memory itself: `list` names the buffers and ports to move. Left
 * out, it is the value, or the buffer under it. The sender must not use them afterwards, and a job so given cannot be tried twice.
 *
 * @example pool.run('sum', transfer(new Float64Array(1e6)))
 * @throws TypeError where nothing in the value can be moved and no list is given
 */
export const transfer = <T>(value: T, list?: readonly Transferable[]): T => {
  const moved = { [MARK]: true, value, list: list ?? movableOf(value) };
  // It stands for the value wherever a job is given or answered; nobody else looks into it.
  return moved as unknown as T;
};

const movableOf = (value: unknown): readonly Transferable[] => {
  if (value instanceof ArrayBuffer) return [value];
  if (ArrayBuffer.isView(value) && value.buffer instanceof ArrayBuffer) return [value.buffer];
  throw new TypeError('transfer: name what is to be moved, as in transfer({ pixels }, [pixels.buffer])');
};

/** What was marked, or `undefined`. */
export const transferredIn = (value: unknown): Transferred<unknown> | undefined =>
  typeof value === 'object' && value !== null && MARK in value
    ? (value as unknown as Transferred<unknown>)
    : undefined;

/** The value without its mark. */
export const plainValue = (value: unknown): unknown => {
  const moved = transferredIn(value);
  return moved === undefined ? value : moved.value;
};
