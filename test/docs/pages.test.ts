/** The pages of docs/ say what the code does: the errors are the table's, the defaults are the constants'. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { errorPage } from '../../scripts/print-errors.ts';
import { APPLICATION_DEFAULTS } from '../../src/application/application.ts';
import { LATE_OPEN_MS } from '../../src/application/open-resources.ts';
import { STALL_THRESHOLD_MS } from '../../src/base/host.ts';
import { BUS_DEFAULTS } from '../../src/coordination/bus-options.ts';
import { EVENT_BUS_DEFAULTS } from '../../src/coordination/bus-spec.ts';
import { CONNECTION_DEFAULTS } from '../../src/coordination/connection-options.ts';
import { CONNECTIONS_DEFAULTS } from '../../src/coordination/connections.ts';
import { DEAD_LETTERS_DEFAULTS } from '../../src/coordination/dead-letters.ts';
import { FEED_DEFAULTS } from '../../src/coordination/feed.ts';
import { CHECK_DEFAULTS } from '../../src/coordination/health-check.ts';
import { MONITOR_DEFAULTS } from '../../src/coordination/health-monitor.ts';
import { LEAK_AUDIT_DEFAULTS, LEAK_THRESHOLDS } from '../../src/coordination/leak-audit.ts';
import { LOCKS_DEFAULTS } from '../../src/coordination/lock-options.ts';
import { OPERATION_DEFAULTS } from '../../src/coordination/operation.ts';
import { SCOPE_DEFAULTS } from '../../src/coordination/scope.ts';
import { WEB_SOCKET_DEFAULTS } from '../../src/coordination/web-socket.ts';
import { CAPABILITY_DEFAULTS } from '../../src/execution/capability-policy.ts';
import { FLOOD_DEFAULTS } from '../../src/execution/flood-watch.ts';
import { RESULT_DIRECTORY_DEFAULTS } from '../../src/execution/result-store.ts';
import { EXECUTOR_DEFAULTS, OUTPUT_DEFAULTS } from '../../src/execution/session-options.ts';
import { SESSION_POOL_DEFAULTS, SESSION_RECYCLING_DEFAULTS } from '../../src/execution/session-pool.ts';
import { EXPLORER_DEFAULTS } from '../../src/explorer/explorer.ts';
import { LIMITS as EXPLORER_LIMITS } from '../../src/explorer/protocol.ts';
import { FACTS_KEPT } from '../../src/kernel/flight-recorder.ts';
import { CALL_TIMEOUT_MS } from '../../src/kernel/place.ts';
import { ACTOR_BUDGET, TURN_MS } from '../../src/kernel/scheduler.ts';
import { BACKOFF_DEFAULTS, BUDGET_EXCEEDED, SPEC_DEFAULTS } from '../../src/kernel/spec.ts';
import { STOP_TIMEOUT_MS } from '../../src/kernel/system.ts';
import { BUDGET_DEFAULTS, RECOVERY_DEFAULTS } from '../../src/recovery/recovery-options.ts';
import { ADAPTIVE_DEFAULTS } from '../../src/resilience/adaptive-concurrency.ts';
import { BREAKER_DEFAULTS } from '../../src/resilience/breaker-options.ts';
import { BULKHEAD_DEFAULTS } from '../../src/resilience/bulkhead.ts';
import { CHAOS_DEFAULTS } from '../../src/resilience/chaos.ts';
import { HEALTH_CHECK_DEFAULTS } from '../../src/resilience/health-check.ts';
import { HEDGE_DEFAULTS } from '../../src/resilience/hedge.ts';
import { LOAD_SHEDDING_DEFAULTS, SHARES } from '../../src/resilience/load-shedding.ts';
import { RATE_LIMIT_DEFAULTS } from '../../src/resilience/rate-limit.ts';
import { RETRY_DEFAULTS as RETRY_POLICY_DEFAULTS } from '../../src/resilience/retry.ts';
import { RETRY_BUDGET_DEFAULTS } from '../../src/resilience/retry-budget.ts';
import { SINGLE_FLIGHT_DEFAULTS } from '../../src/resilience/single-flight.ts';
import { TIMEOUT_DEFAULTS } from '../../src/resilience/timeout.ts';
import { COUNT_DEFAULTS, RATE_DEFAULTS, TIME_DEFAULTS } from '../../src/resilience/window.ts';
import { INTENSITY, PERIOD_MS } from '../../src/supervision/restart-limit.ts';
import { AUTO_SHUTDOWN, SUPERVISOR_SPEC_DEFAULTS } from '../../src/supervision/supervisor.ts';
import { CHILD_PROCESS_DEFAULTS } from '../../src/work/child-process.ts';
import {
  AFFINITY_DEFAULTS,
  CRASH_LOOP_DEFAULTS,
  POOL_DEFAULTS,
  RECYCLE_DEFAULTS,
  REPLACE_DEFAULTS,
  RETRY_DEFAULTS,
  SCALING_DEFAULTS,
  SHEDDING_DEFAULTS,
  STREAM_WINDOW,
} from '../../src/work/pool-options.ts';
import { THREAD_DEFAULTS } from '../../src/work/thread.ts';
import { WIRE_LIMITS } from '../../src/work/wire.ts';
import { LETTERS_PER_RUN } from '../../src/xstate/engine.ts';
import { MICROSTEPS_MAX } from '../../src/xstate/inner-actor.ts';
import { WAIT_TIMEOUT_MS } from '../../src/xstate/stage.ts';
import { WILDCARD_TYPES_MAX } from '../../src/xstate/vocabulary.ts';

const page = (name: string) => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');

/** Every default of docs/SEMANTICS.md, by the name it has there. */
const DEFAULTS: Readonly<Record<string, unknown>> = {
  'call `timeoutMs`': CALL_TIMEOUT_MS,
  '`mailboxCapacity`': SPEC_DEFAULTS.mailboxCapacity,
  '`overflow`': SPEC_DEFAULTS.overflow,
  '`initTimeoutMs`': SPEC_DEFAULTS.initTimeoutMs,
  '`shutdownMs`': SPEC_DEFAULTS.shutdownMs,
  '`restart`': SPEC_DEFAULTS.restart,
  '`onShutdown`': SPEC_DEFAULTS.onShutdown,
  '`overlap`': SPEC_DEFAULTS.overlap,
  '`significant`': SPEC_DEFAULTS.significant,
  '`holdMaxMs`': SPEC_DEFAULTS.holdMaxMs,
  '`restartBudget.onExceeded`': BUDGET_EXCEEDED,
  "`system.stop`'s `timeoutMs`": STOP_TIMEOUT_MS,
  'messages an actor handles in a row': ACTOR_BUDGET,
  'a turn before I/O is let in, ms': TURN_MS,
  'lateness that counts as a stall, ms': STALL_THRESHOLD_MS,
  "`waitFor`'s `timeoutMs`": WAIT_TIMEOUT_MS,
  'microsteps of a macrostep': MICROSTEPS_MAX,
  'event types a machine takes through wildcards': WILDCARD_TYPES_MAX,
  'letters heard inside a logic in a row': LETTERS_PER_RUN,
  "supervisor's `shutdownMs`": SUPERVISOR_SPEC_DEFAULTS.shutdownMs,
  "supervisor's `initTimeoutMs`": SUPERVISOR_SPEC_DEFAULTS.initTimeoutMs,
  '`intensity`': INTENSITY,
  '`periodMs`': PERIOD_MS,
  '`autoShutdown`': AUTO_SHUTDOWN,
  '`backoff.baseMs`': BACKOFF_DEFAULTS.baseMs,
  '`backoff.factor`': BACKOFF_DEFAULTS.factor,
  '`backoff.maxMs`': BACKOFF_DEFAULTS.maxMs,
  '`backoff.jitter`': BACKOFF_DEFAULTS.jitter,
  '`backoff.stableMs`': BACKOFF_DEFAULTS.stableMs,
  '`backoff.delayFirst`': BACKOFF_DEFAULTS.delayFirst,
  'breaker `openMs`': BREAKER_DEFAULTS.openMs,
  'breaker `halfOpenPermits`': BREAKER_DEFAULTS.halfOpenPermits,
  'breaker `successThreshold`': BREAKER_DEFAULTS.successThreshold,
  'breaker `watchdogMs`': BREAKER_DEFAULTS.watchdogMs,
  'breaker `halfOpenQueueLimit`': BREAKER_DEFAULTS.halfOpenQueueLimit,
  'breaker `halfOpenMaxWaitMs`': BREAKER_DEFAULTS.halfOpenMaxWaitMs,
  'breaker `healthCheck.everyMs`': HEALTH_CHECK_DEFAULTS.everyMs,
  'breaker `healthCheck.timeoutMs`': HEALTH_CHECK_DEFAULTS.timeoutMs,
  'breaker `refusals`': BREAKER_DEFAULTS.refusals,
  'breaker `critical`': BREAKER_DEFAULTS.critical,
  'breaker `window.minimumCalls`': RATE_DEFAULTS.minimumCalls,
  'breaker `window.failureRate`': RATE_DEFAULTS.failureRate,
  'breaker `window.slowMs`': RATE_DEFAULTS.slowMs,
  'breaker `window.slowRate`': RATE_DEFAULTS.slowRate,
  'breaker `window.size`': COUNT_DEFAULTS.size,
  'breaker `window.windowMs`': TIME_DEFAULTS.windowMs,
  'retry `maxAttempts`': RETRY_POLICY_DEFAULTS.maxAttempts,
  'retry `idempotent`': RETRY_POLICY_DEFAULTS.idempotent,
  'retry `maxRetryAfterMs`': RETRY_POLICY_DEFAULTS.maxRetryAfterMs,
  'retry budget `ratio`': RETRY_BUDGET_DEFAULTS.ratio,
  'retry budget `perSecond`': RETRY_BUDGET_DEFAULTS.perSecond,
  'retry budget `burst`': RETRY_BUDGET_DEFAULTS.burst,
  'timeout `timeoutMs`': TIMEOUT_DEFAULTS.timeoutMs,
  'bulkhead `limit`': BULKHEAD_DEFAULTS.limit,
  'bulkhead `queueLimit`': BULKHEAD_DEFAULTS.queueLimit,
  'bulkhead `maxWaitMs`': BULKHEAD_DEFAULTS.maxWaitMs,
  'rate limit `rate`': RATE_LIMIT_DEFAULTS.rate,
  'rate limit `periodMs`': RATE_LIMIT_DEFAULTS.periodMs,
  'rate limit `burst`': RATE_LIMIT_DEFAULTS.burst,
  'rate limit `algorithm`': RATE_LIMIT_DEFAULTS.algorithm,
  'rate limit `queueLimit`': RATE_LIMIT_DEFAULTS.queueLimit,
  'rate limit `maxWaitMs`': RATE_LIMIT_DEFAULTS.maxWaitMs,
  'facts that the flight recorder keeps': FACTS_KEPT,
  'explorer `port`': EXPLORER_DEFAULTS.port,
  'explorer `host`': EXPLORER_DEFAULTS.host,
  'explorer `commands`': EXPLORER_DEFAULTS.commands,
  'explorer `refreshMs`': EXPLORER_DEFAULTS.refreshMs,
  'streams of one explorer': EXPLORER_LIMITS.streams,
  'a stream whose reader takes nothing, ms': EXPLORER_LIMITS.stallMs,
  'single-flight `timeoutMs`': SINGLE_FLIGHT_DEFAULTS.timeoutMs,
  'hedge `delayMs`': HEDGE_DEFAULTS.delayMs,
  'hedge `minimumCalls`': HEDGE_DEFAULTS.minimumCalls,
  'hedge `maxHedges`': HEDGE_DEFAULTS.maxHedges,
  'adaptive `initialLimit`': ADAPTIVE_DEFAULTS.initialLimit,
  'adaptive `minLimit`': ADAPTIVE_DEFAULTS.minLimit,
  'adaptive `maxLimit`': ADAPTIVE_DEFAULTS.maxLimit,
  'adaptive `backoffRatio`': ADAPTIVE_DEFAULTS.backoffRatio,
  'adaptive `slowMs`': ADAPTIVE_DEFAULTS.slowMs,
  'adaptive `queueLimit`': ADAPTIVE_DEFAULTS.queueLimit,
  'adaptive `maxWaitMs`': ADAPTIVE_DEFAULTS.maxWaitMs,
  'shedding `capacity`': LOAD_SHEDDING_DEFAULTS.capacity,
  'shedding `shares.critical`': SHARES.critical,
  'shedding `shares.high`': SHARES.high,
  'shedding `shares.normal`': SHARES.normal,
  'shedding `shares.low`': SHARES.low,
  'chaos `enabled`': CHAOS_DEFAULTS.enabled,
  'chaos `faultRate`': CHAOS_DEFAULTS.faultRate,
  'chaos `latencyRate`': CHAOS_DEFAULTS.latencyRate,
  'chaos `latencyMs`': CHAOS_DEFAULTS.latencyMs,
  'chaos `outcomeRate`': CHAOS_DEFAULTS.outcomeRate,
  'pool `size`': POOL_DEFAULTS.size,
  'pool `start`': POOL_DEFAULTS.start,
  'pool `startsAtOnce`': POOL_DEFAULTS.startsAtOnce,
  'pool `scaling.growAfterMs`': SCALING_DEFAULTS.growAfterMs,
  'pool `scaling.idleMs`': SCALING_DEFAULTS.idleMs,
  'pool `scaling.shrinkEveryMs`': SCALING_DEFAULTS.shrinkEveryMs,
  'pool `agingMs`': POOL_DEFAULTS.agingMs,
  'pool `shedding.targetMs`': SHEDDING_DEFAULTS.targetMs,
  'pool `shedding.intervalMs`': SHEDDING_DEFAULTS.intervalMs,
  'pool `affinity.mode`': AFFINITY_DEFAULTS.mode,
  'pool `affinity.ttlMs`': AFFINITY_DEFAULTS.ttlMs,
  'pool `affinity.limit`': AFFINITY_DEFAULTS.limit,
  'pool `recycle.maxUses`': RECYCLE_DEFAULTS.maxUses,
  'pool `recycle.maxAgeMs`': RECYCLE_DEFAULTS.maxAgeMs,
  'pool `recycle.ageJitter`': RECYCLE_DEFAULTS.ageJitter,
  'pool `recycle.taintMs`': RECYCLE_DEFAULTS.taintMs,
  'pool `leaseLeakMs`': POOL_DEFAULTS.leaseLeakMs,
  'pool `checkEveryMs`': POOL_DEFAULTS.checkEveryMs,
  'pool `lookEveryMs`': POOL_DEFAULTS.lookEveryMs,
  "pool `stream`'s `window`": STREAM_WINDOW,
  "pool `replaceWorkers`'s `atOnce`": REPLACE_DEFAULTS.atOnce,
  "pool `replaceWorkers`'s `timeoutMs`": REPLACE_DEFAULTS.timeoutMs,
  'child process `frameTimeoutMs`': CHILD_PROCESS_DEFAULTS.frameTimeoutMs,
  'child process `recycleAtBytes`': CHILD_PROCESS_DEFAULTS.recycleAtBytes,
  'child process `killAtBytes`': CHILD_PROCESS_DEFAULTS.killAtBytes,
  'child process `memoryEveryMs`': CHILD_PROCESS_DEFAULTS.memoryEveryMs,
  'child process `parentDeathSignal`': CHILD_PROCESS_DEFAULTS.parentDeathSignal,
  'child process `stderrLines`': CHILD_PROCESS_DEFAULTS.stderrLines,
  'thread `stderrLines`': THREAD_DEFAULTS.stderrLines,
  'pool `checkoutMs`': POOL_DEFAULTS.checkoutMs,
  'pool `queueLimit`': POOL_DEFAULTS.queueLimit,
  'pool `jobTimeoutMs`': POOL_DEFAULTS.jobTimeoutMs,
  'pool `startTimeoutMs`': POOL_DEFAULTS.startTimeoutMs,
  'pool `cancelGraceMs`': POOL_DEFAULTS.cancelGraceMs,
  'pool `closeGraceMs`': POOL_DEFAULTS.closeGraceMs,
  'pool `pingEveryMs`': POOL_DEFAULTS.pingEveryMs,
  'pool `pingTimeoutMs`': POOL_DEFAULTS.pingTimeoutMs,
  'pool `pingMisses`': POOL_DEFAULTS.pingMisses,
  'pool `shutdownMs`': POOL_DEFAULTS.shutdownMs,
  'pool `retry.idempotent`': RETRY_DEFAULTS.idempotent,
  'pool `retry.maxAttempts`': RETRY_DEFAULTS.maxAttempts,
  'pool `crashLoop.crashes`': CRASH_LOOP_DEFAULTS.crashes,
  'pool `crashLoop.forgetMs`': CRASH_LOOP_DEFAULTS.forgetMs,
  '`maxFrameBytes`': WIRE_LIMITS.maxFrameBytes,
  '`maxDepth`': WIRE_LIMITS.maxDepth,
  'connection `capacity`': CONNECTION_DEFAULTS.capacity,
  'connection `maxBytes`': CONNECTION_DEFAULTS.maxBytes,
  'connection `overflow`': CONNECTION_DEFAULTS.overflow,
  'connection `heartbeatMs`': CONNECTION_DEFAULTS.heartbeatMs,
  'connection `stallMs`': CONNECTION_DEFAULTS.stallMs,
  'connection `drainMs`': CONNECTION_DEFAULTS.drainMs,
  'connection `cleanUpMs`': CONNECTION_DEFAULTS.cleanUpMs,
  'connections `maxConnections`': CONNECTIONS_DEFAULTS.maxConnections,
  'connections `retryMs`': CONNECTIONS_DEFAULTS.retryMs,
  'feed `capacity`': FEED_DEFAULTS.capacity,
  'feed `maxBytes`': FEED_DEFAULTS.maxBytes,
  'feed `gapEvent`': FEED_DEFAULTS.gapEvent,
  'WebSocket `maxPayloadBytes`': WEB_SOCKET_DEFAULTS.maxPayloadBytes,
  'WebSocket `origins`': WEB_SOCKET_DEFAULTS.origins,
  'check `enterAfter`': CHECK_DEFAULTS.enterAfter,
  'check `leaveAfter`': CHECK_DEFAULTS.leaveAfter,
  'check `intervalMs`': CHECK_DEFAULTS.intervalMs,
  'check `timeoutMs`': CHECK_DEFAULTS.timeoutMs,
  'check `affects`': CHECK_DEFAULTS.affects,
  'check `sheds`': CHECK_DEFAULTS.sheds,
  'health monitor `remindMs`': MONITOR_DEFAULTS.remindMs,
  'recovery `maxConcurrent`': RECOVERY_DEFAULTS.maxConcurrent,
  'recovery `maxObserved`': RECOVERY_DEFAULTS.maxObserved,
  'recovery `historyLimit`': RECOVERY_DEFAULTS.historyLimit,
  'recovery `budgets.criticalMs`': BUDGET_DEFAULTS.criticalMs,
  'recovery `budgets.majorMs`': BUDGET_DEFAULTS.majorMs,
  'recovery `budgets.minorMs`': BUDGET_DEFAULTS.minorMs,
  'recovery `budgets.otherwiseMs`': BUDGET_DEFAULTS.otherwiseMs,
  'operation `timeoutMs`': OPERATION_DEFAULTS.timeoutMs,
  'operation `ambient`': OPERATION_DEFAULTS.ambient,
  'leak audit `everyMs`': LEAK_AUDIT_DEFAULTS.everyMs,
  'leak audit `timerSample`': LEAK_AUDIT_DEFAULTS.timerSample,
  'leak audit `thresholds.heapBytes`': LEAK_THRESHOLDS.heapBytes,
  'leak audit `thresholds.rssBytes`': LEAK_THRESHOLDS.rssBytes,
  'leak audit `thresholds.tasks`': LEAK_THRESHOLDS.tasks,
  'locks `permits`': LOCKS_DEFAULTS.permits,
  'locks `maxWaiting`': LOCKS_DEFAULTS.maxWaiting,
  'locks `maxWaitMs`': LOCKS_DEFAULTS.maxWaitMs,
  'locks `ttlMs`': LOCKS_DEFAULTS.ttlMs,
  'locks `reentrant`': LOCKS_DEFAULTS.reentrant,
  'bus `capacity`': BUS_DEFAULTS.capacity,
  'bus `overflow`': BUS_DEFAULTS.overflow,
  'bus `timeoutMs`': BUS_DEFAULTS.timeoutMs,
  'bus `maxHanging`': BUS_DEFAULTS.maxHanging,
  'bus `maxBlocked`': BUS_DEFAULTS.maxBlocked,
  'bus `maxSubscriptions`': BUS_DEFAULTS.maxSubscriptions,
  'event bus `drainMs`': EVENT_BUS_DEFAULTS.drainMs,
  'scope `closeMs`': SCOPE_DEFAULTS.closeMs,
  'scope `onFailure`': SCOPE_DEFAULTS.onFailure,
  'scope `origins`': SCOPE_DEFAULTS.origins,
  'dead letters `fsync`': DEAD_LETTERS_DEFAULTS.fsync,
  'dead letters `segmentBytes`': DEAD_LETTERS_DEFAULTS.segmentBytes,
  'dead letters `maxBytes`': DEAD_LETTERS_DEFAULTS.maxBytes,
  'dead letters `overflow`': DEAD_LETTERS_DEFAULTS.overflow,
  'dead letters `maxAgeMs`': DEAD_LETTERS_DEFAULTS.maxAgeMs,
  'executor `capabilities`': EXECUTOR_DEFAULTS.capabilities,
  'executor `checkpoint`': EXECUTOR_DEFAULTS.checkpoint,
  'executor `historyLimit`': EXECUTOR_DEFAULTS.historyLimit,
  'executor `maxSessions`': EXECUTOR_DEFAULTS.maxSessions,
  'executor `readyTimeoutMs`': EXECUTOR_DEFAULTS.readyTimeoutMs,
  'executor `executeTimeoutMs`': EXECUTOR_DEFAULTS.executeTimeoutMs,
  'executor `operationTimeoutMs`': EXECUTOR_DEFAULTS.operationTimeoutMs,
  'executor `inputTimeoutMs`': EXECUTOR_DEFAULTS.inputTimeoutMs,
  'executor `requestTimeoutMs`': EXECUTOR_DEFAULTS.requestTimeoutMs,
  'executor `cancelGraceMs`': EXECUTOR_DEFAULTS.cancelGraceMs,
  'executor `interruptGraceMs`': EXECUTOR_DEFAULTS.interruptGraceMs,
  'executor `closeGraceMs`': EXECUTOR_DEFAULTS.closeGraceMs,
  'executor `pingEveryMs`': EXECUTOR_DEFAULTS.pingEveryMs,
  'executor `pingTimeoutMs`': EXECUTOR_DEFAULTS.pingTimeoutMs,
  'executor `busyLivenessMs`': EXECUTOR_DEFAULTS.busyLivenessMs,
  'executor `checkpointBytes`': EXECUTOR_DEFAULTS.checkpointBytes,
  'executor `replacements.intensity`': EXECUTOR_DEFAULTS.replacements.intensity,
  'executor `replacements.periodMs`': EXECUTOR_DEFAULTS.replacements.periodMs,
  'session pool `size.min`': SESSION_POOL_DEFAULTS.size.min,
  'session pool `size.max`': SESSION_POOL_DEFAULTS.size.max,
  'session pool `idleMs`': SESSION_POOL_DEFAULTS.idleMs,
  'session pool `acquireMs`': SESSION_POOL_DEFAULTS.acquireMs,
  'session pool `queueLimit`': SESSION_POOL_DEFAULTS.queueLimit,
  'session pool `between`': SESSION_POOL_DEFAULTS.between,
  'session pool `affinityMs`': SESSION_POOL_DEFAULTS.affinityMs,
  'session pool `checkEveryMs`': SESSION_POOL_DEFAULTS.checkEveryMs,
  'session pool `recycle.executions`': SESSION_RECYCLING_DEFAULTS.executions,
  'session `output.policy`': OUTPUT_DEFAULTS.policy,
  'session `output.limit`': OUTPUT_DEFAULTS.limit,
  'session `output.maxBytes`': OUTPUT_DEFAULTS.maxBytes,
  'session `output.drainMs`': OUTPUT_DEFAULTS.drainMs,
  'session `floods.linesPerSecond`': FLOOD_DEFAULTS.linesPerSecond,
  'session `floods.lines`': FLOOD_DEFAULTS.lines,
  'session `floods.identicalLines`': FLOOD_DEFAULTS.identicalLines,
  'session `floods.burstBytes`': FLOOD_DEFAULTS.burstBytes,
  'session `floods.burstLines`': FLOOD_DEFAULTS.burstLines,
  'session `floods.burstMs`': FLOOD_DEFAULTS.burstMs,
  'session `floods.throttledMs`': FLOOD_DEFAULTS.throttledMs,
  'capabilities `readMaxBytes`': CAPABILITY_DEFAULTS.readMaxBytes,
  'capabilities `readTimeoutMs`': CAPABILITY_DEFAULTS.readTimeoutMs,
  'capabilities `fetchTimeoutMs`': CAPABILITY_DEFAULTS.fetchTimeoutMs,
  'results `maxBytes`': RESULT_DIRECTORY_DEFAULTS.maxBytes,
  'results `maxAgeMs`': RESULT_DIRECTORY_DEFAULTS.maxAgeMs,
  'application `deadlineMs`': APPLICATION_DEFAULTS.deadlineMs,
  'application `drainDelayMs`': APPLICATION_DEFAULTS.drainDelayMs,
  'an `open` that was broken off is awaited, ms': LATE_OPEN_MS,
};

const written = (value: unknown): string =>
  typeof value === 'number'
    ? value.toLocaleString('en-US').replace('∞', 'Infinity')
    : typeof value === 'string'
      ? `\`'${value}'\``
      : String(value);

describe('docs', () => {
  it('ERRORS.md is printed from the table (npm run docs:errors)', () => {
    expect(page('ERRORS.md')).toBe(errorPage());
  });

  it('SEMANTICS.md lists every default with the value that the code has', () => {
    const rows = [...page('SEMANTICS.md').matchAll(/^\| (.+?) \| (.+?) \|.*\|$/gm)].map(([, name, value]) => [
      name,
      value,
    ]);
    const listed = Object.fromEntries(rows.filter(([name]) => name !== 'what' && !/^-+$/.test(name ?? '')));
    expect(listed).toEqual(
      Object.fromEntries(Object.entries(DEFAULTS).map(([name, value]) => [name, written(value)])),
    );
  });

  it('no page points at a file that is not there', () => {
    for (const name of [
      '../README.md',
      'ARCHITECTURE.md',
      'OTP.md',
      'SEMANTICS.md',
      'ERRORS.md',
      'PROTOCOL.md',
    ]) {
      for (const [, link] of page(name)
        .replace(/```.*?```/gs, '')
        .matchAll(/\]\((?!https?:)([^)#]+)/g)) {
        const base = new URL(`../../docs/${name}`, import.meta.url);
        expect(() => readFileSync(new URL(link ?? '', base)), `${name} → ${link}`).not.toThrow(/ENOENT/);
      }
    }
  });
});
