/** troupe/resilience: policies that guard calls, alone or in a tree. Exports only. */
export type { BreakerVerdict } from '../../actors/circuit-breaker.machine.ts';
export {
  type AdaptiveConcurrency,
  type AdaptiveConcurrencyOptions,
  type AdaptiveConcurrencyReport,
  createAdaptiveConcurrency,
} from './adaptive-concurrency.ts';
export type { Admission, BreakerRefusal, BreakerToken } from './admission.ts';
export {
  type BackoffKind,
  type BackoffOptions,
  type BackoffStrategy,
  createBackoff,
  type Jitter,
} from './backoff.ts';
export type {
  BreakerChange,
  BreakerReport,
  BreakerState,
  CircuitBreaker,
  StandaloneBreaker,
} from './breaker.ts';
export type { BreakerOptions } from './breaker-options.ts';
export { type Bulkhead, type BulkheadOptions, type BulkheadReport, createBulkhead } from './bulkhead.ts';
export type { CallContext, Ending, ExecuteOptions, Work } from './call.ts';
export { type Chaos, type ChaosOptions, type ChaosReport, createChaos } from './chaos.ts';
export { createCircuitBreaker, type StandaloneBreakerOptions } from './circuit-breaker.ts';
export {
  type BreakerHandle,
  type BreakerMessage,
  type BreakerSpecOptions,
  circuitBreaker,
} from './circuit-breaker-spec.ts';
export { createFallback, type Fallback, type FallbackOptions, type FallbackReport } from './fallback.ts';
export type { HealthCheckOptions } from './health-check.ts';
export { createHedge, type Hedge, type HedgeOptions, type HedgeReport } from './hedge.ts';
export { type Judge, type Judgement, judgeByDefault } from './judge.ts';
export {
  createLoadShedding,
  type LoadShedding,
  type LoadSheddingOptions,
  type LoadSheddingReport,
  type Priority,
  type Shares,
} from './load-shedding.ts';
export type { Misorder } from './order.ts';
export { SENSIBLE_ORDER } from './order.ts';
export {
  createNoop,
  type Policy,
  type PolicyKind,
  type PolicyOptions,
  type PolicyReport,
  type StandalonePolicy,
} from './policy.ts';
export {
  createRateLimit,
  type RateLimit,
  type RateLimitOptions,
  type RateLimitReport,
} from './rate-limit.ts';
export { createRegistry, type PolicyConfig, type Registry, type RegistryOptions } from './registry.ts';
export {
  type AttemptContext,
  createRetry,
  type Retry,
  type RetryAdvice,
  type RetryClassifier,
  type RetryOptions,
  type RetryReport,
  retry,
} from './retry.ts';
export { createRetryBudget, type RetryBudget, type RetryBudgetOptions } from './retry-budget.ts';
export {
  createSingleFlight,
  type SingleFlight,
  type SingleFlightOptions,
  type SingleFlightReport,
} from './single-flight.ts';
export { createTimeout, type Timeout, type TimeoutOptions, type TimeoutReport } from './timeout.ts';
export type {
  ConsecutiveWindowOptions,
  CountWindowOptions,
  TimeWindowOptions,
  WindowCounts,
  WindowOptions,
} from './window.ts';
export { type Wrapped, wrap } from './wrap.ts';
