/**
 * The token that guards an explorer. The one thing that does not come through the host: its generator is for decisions that can be
 * replayed, and a secret must not be.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** Random bytes of a token that nobody chose: beyond any guessing. */
const TOKEN_BYTES = 24;

/** A fresh token: 32 characters that need no escaping in an address. */
export const createToken = (): string => randomBytes(TOKEN_BYTES).toString('base64url');

const digestOf = (token: string) => createHash('sha256').update(token).digest();

/** Compares in a time that tells nothing of either, their lengths included. */
export const isSameToken = (given: string, wanted: string): boolean =>
  timingSafeEqual(digestOf(given), digestOf(wanted));
