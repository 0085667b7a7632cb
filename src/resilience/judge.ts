/**
 * What the ending of a call means for a policy: success, failure, or neither.
 *
 * Invariant: every ending is judged once, and a judge cannot break a call: one that throws, or answers with something
 * else, is overruled by the default.
 */
import { createError, isTroupeError } from '../base/errors.ts';
import type { Ending } from './call.ts';

/**
 * `slow`: a success that took too long. `neutral`: it says nothing about the health of what was called (cancelled, shed,
 * excluded).
 */
export type Judgement = 'success' | 'failure' | 'slow' | 'neutral';

const JUDGEMENTS: readonly unknown[] = ['success', 'failure', 'slow', 'neutral'];

export type Judge = (ending: Ending) => Judgement;

/**
 * Refusals by limits on our own side: the guarded thing was never reached, so they say nothing about it. (A breaker that
 * counts its bulkhead's refusals opens because it is busy.)
 */
const SHED: ReadonlySet<string> = new Set([
  'ERR_BREAKER_OPEN',
  'ERR_BREAKER_PROBING',
  'ERR_BREAKER_ISOLATED',
  'ERR_BREAKER_DISPOSED',
  'ERR_POLICY_DISPOSED',
  'ERR_BULKHEAD_FULL',
  'ERR_RATE_LIMITED',
  'ERR_LOAD_SHED',
  'ERR_POOL_QUEUE_FULL',
  'ERR_POOL_ABORTED',
  'ERR_POOL_DRAINING',
  'ERR_MAILBOX_FULL',
  'ERR_CALL_ABORTED',
]);

const isNamed = (error: unknown, name: string): boolean =>
  typeof error === 'object' && error !== null && (error as { name?: unknown }).name === name;

/** Nothing of the work can have begun: the deadline passed in a line on our side. */
const isShed = (error: unknown): boolean =>
  isTroupeError(error) &&
  (SHED.has(error.code) || (error.code === 'ERR_DEADLINE_PASSED' && error.outcome === 'not_started'));

/** A deadline, in whichever coat it comes: `AbortSignal.timeout`, or a call above that passed its own. */
export const isDeadline = (error: unknown): boolean =>
  isNamed(error, 'TimeoutError') || isTroupeError(error, 'ERR_DEADLINE_PASSED');

/**
 * Returned is success; thrown is failure; a deadline that passed is failure, also that of a call above. The caller's own
 * abort is neutral. What was shed is neutral.
 */
export const judgeByDefault: Judge = (ending) => {
  if (ending.kind === 'returned') return 'success';
  if (isShed(ending.error)) return 'neutral';
  return ending.kind === 'aborted' && !isDeadline(ending.error) ? 'neutral' : 'failure';
};

const noJudgement = (got: unknown): Error => {
  const expected = JUDGEMENTS.map((judgement) => `'${judgement}'`).join(' or ');
  return createError('ERR_OPTION_INVALID', { where: 'judge', field: 'judgement', expected, got });
};

/** The user's judge, kept from doing harm. `failed` is told where it had to be overruled. */
export const judgeSafely = (judge: Judge, ending: Ending, failed?: (error: unknown) => void): Judgement => {
  try {
    const judgement: unknown = judge(ending);
    if (JUDGEMENTS.includes(judgement)) return judgement as Judgement;
    if (failed !== undefined) failed(noJudgement(judgement));
  } catch (error) {
    // Overruled below: the caller is owed the result of the call, not the judge's mistake.
    failed?.(error);
  }
  return judgeByDefault(ending);
};

/** The user's judge made safe; the default one is. */
export const judgeTelling = (judge: Judge, failed: (error: unknown) => void): Judge =>
  judge === judgeByDefault ? judge : (ending) => judgeSafely(judge, ending, failed);
