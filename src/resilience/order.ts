/**
 * Which policies may stand outside which, in a `wrap`.
 *
 * Invariant: pure, and a table of reasons: an order is wrong only where one policy is known to undo another. Any order
 * runs; a wrong one is told. Outermost first, the sensible order is {@link SENSIBLE_ORDER}.
 */
import type { PolicyKind } from './policy.ts';

/** The order that suits most calls, outermost first. A timeout may also stand innermost, to bound each attempt. */
export const SENSIBLE_ORDER: readonly PolicyKind[] = Object.freeze([
  'fallback',
  'single_flight',
  'load_shedding',
  'timeout',
  'retry',
  'hedge',
  'rate_limit',
  'adaptive_concurrency',
  'bulkhead',
  'breaker',
  'timeout',
  'chaos',
]);

/** Two policies of which the outer one had better stand inside. */
export interface Misorder {
  readonly outer: PolicyKind;
  readonly inner: PolicyKind;
  readonly why: string;
}

const misorders = (outers: readonly PolicyKind[], inner: PolicyKind, why: string): readonly Misorder[] =>
  outers.map((outer) => Object.freeze({ outer, inner, why }));

const LIMITS: readonly PolicyKind[] = ['bulkhead', 'adaptive_concurrency', 'rate_limit'];

const MISORDERS: readonly Misorder[] = [
  ...misorders(
    ['retry', 'breaker', 'hedge'],
    'fallback',
    'a fallback inside turns failures into successes before the outer policy can see them',
  ),
  ...misorders(
    ['breaker'],
    'retry',
    'the breaker sees one failure for many attempts, and lets a whole retry through as one probe',
  ),
  ...misorders(
    ['bulkhead', 'adaptive_concurrency'],
    'retry',
    'its slot stays taken during the waits between attempts',
  ),
  ...misorders(['rate_limit'], 'retry', 'one permit pays for many attempts'),
  ...misorders(LIMITS, 'hedge', 'one permit pays for several attempts at once'),
  ...misorders(['hedge'], 'retry', 'each hedge retries by itself, which multiplies the attempts'),
  ...misorders(LIMITS, 'load_shedding', 'load is shed only after it has waited in line'),
  ...misorders(['chaos'], 'timeout', 'what it injects never meets the timeout'),
  ...misorders(['chaos'], 'retry', 'what it injects is never retried'),
  ...misorders(['chaos'], 'breaker', 'what it injects is never counted'),
  ...misorders(['chaos'], 'hedge', 'what it delays is never hedged'),
];

/** What is wrong with an order, outermost first; nothing, mostly. */
export const misordersIn = (kinds: readonly PolicyKind[]): readonly Misorder[] =>
  MISORDERS.filter(({ outer, inner }) => {
    const at = kinds.indexOf(outer);
    return at >= 0 && kinds.lastIndexOf(inner) > at;
  });
