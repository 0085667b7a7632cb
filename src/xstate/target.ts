/** Who outside a logic its `sendTo` may address: refs, handles, and registered names. */
import type { AnyActorRef } from 'xstate';
import type { Addressee } from '../kernel/logic.ts';
import { toRef } from '../kernel/ref.ts';

const ADDRESSEE = Symbol.for('troupe/addressee');

/**
 * A target for XState's `sendTo` outside the logic. Refs and handles may be given to `sendTo` as they are; this gives them
 * XState's type, and lets a registered name be one (a bare string means a child). Sending is fire-and-forget: a target that
 * is not alive makes a dead letter, never an error.
 *
 * @example sendTo(({ context }) => target(context.printer), { type: 'PRINT' })
 */
export const target = (to: Addressee): AnyActorRef => {
  const addressed: { readonly [ADDRESSEE]: Addressee } = Object.freeze({ [ADDRESSEE]: to });
  return addressed as unknown as AnyActorRef;
};

/** Whom a `sendTo` target stands for outside the logic; `undefined` when it is nothing of troupe's. */
export const addresseeOf = (value: unknown): Addressee | undefined => {
  if (typeof value !== 'object' || value === null) return undefined;
  const addressed = (value as { [ADDRESSEE]?: Addressee })[ADDRESSEE];
  if (addressed !== undefined) return addressed;
  const { path, ref } = value as { path?: unknown; ref?: unknown };
  if (typeof path === 'string' && typeof ref === 'function') return value as Addressee;
  return toRef(value);
};

/** Whether `value` can be sent to as XState actors can. */
export const hasSend = (value: unknown): value is { send(event: unknown): void } =>
  typeof (value as { send?: unknown } | null | undefined)?.send === 'function';
