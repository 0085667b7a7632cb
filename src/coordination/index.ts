/** What runs between actors: exports only. */
export { type ActorScopeOptions, actorScope } from './actor-scope.ts';
export {
  type Bus,
  type BusCloseReport,
  type BusMessage,
  type BusReport,
  createBus,
  type Handler,
  type Topics,
} from './bus.ts';
export type { BusOptions, PublishOptions, SubscribeOptions } from './bus-options.ts';
export { type BusHandle, type EventBusOptions, eventBus } from './bus-spec.ts';
export type { CheckReport } from './check-run.ts';
export type { CleanUpOutcome } from './clean-up.ts';
export type {
  Connection,
  ConnectionClosed,
  ConnectionEnd,
  ConnectionEndWhy,
  ConnectionReport,
  EndOptions,
} from './connection.ts';
export type { ConnectionLimits, ConnectionOptions } from './connection-options.ts';
export {
  type Connections,
  type ConnectionsOptions,
  type ConnectionsReport,
  createConnections,
  type DrainConnectionsOptions,
  type DrainReport,
  type RegisteredSseOptions,
  type RegisteredWebSocketOptions,
} from './connections.ts';
export {
  type Context,
  type ContextChanges,
  type ContextEntry,
  type ContextKey,
  type ContextKeyOptions,
  contextFrom,
  contextKey,
  currentContext,
  EMPTY_CONTEXT,
  withContext,
} from './context.ts';
export { type ContextLogger, contextKeys, contextLog, type LogLevel, type Trace } from './context-log.ts';
export {
  type DeadLetter,
  type DeadLetters,
  type DeadLettersOptions,
  type DeadLettersReport,
  type NewLetter,
  openDeadLetters,
  type Replay,
} from './dead-letters.ts';
export { type ElapsedTimer, startElapsedTimer } from './elapsed-timer.ts';
export { createFeed, type Feed, type FeedOptions, type FeedReport } from './feed.ts';
export type { StreamOverflow } from './frame-queue.ts';
export {
  type CheckOptions,
  childProcesses,
  diskUse,
  fileDescriptors,
  type HealthAffects,
  type HealthCheck,
  heapUse,
  loopLag,
  type Meter,
  measured,
  type ProbeContext,
  probe,
  residentMemory,
} from './health-check.ts';
export {
  createHealthMonitor,
  type HealthAlarm,
  type HealthMonitor,
  type HealthMonitorOptions,
  type HealthView,
} from './health-monitor.ts';
export type { ClientMessage } from './inbox.ts';
export {
  createLeakAudit,
  type Leak,
  type LeakAudit,
  type LeakAuditOptions,
  type LeakOwner,
  type LeakReport,
  type LeakThresholds,
} from './leak-audit.ts';
export type { LockLease } from './lock-lease.ts';
export type { LockOptions, LocksOptions, LockWork } from './lock-options.ts';
export type { ClaimReport, LocksReport } from './lock-report.ts';
export type {
  LockClaim,
  LockedKey,
  LockHolder,
  LockLoss,
  LockMode,
  LockStore,
  LockTicket,
} from './lock-store.ts';
export { createLocks, type Locks, type OwnedLocks } from './locks.ts';
export { type KeyedLocksOptions, keyedLocks, type LocksHandle } from './locks-spec.ts';
export type { Output } from './log-output.ts';
export { type Operation, type OperationOptions, operation } from './operation.ts';
export {
  createOutbox,
  type Outbox,
  type OutboxOptions,
  type OutboxReport,
  type Outgoing,
  type Send,
} from './outbox.ts';
export type { Sent } from './outgoing.ts';
export { type CloseOptions, createScope, type Scope, type ScopeOptions } from './scope.ts';
export type { ScopeReport, TaskFailure, TaskReport } from './scope-report.ts';
export { type ScopeHandle, type TaskScopeOptions, taskScope } from './scope-spec.ts';
export { openSse, type SseOptions, type SseRequest, type SseResponse, type SseStream } from './sse.ts';
export type { SseEvent } from './sse-frame.ts';
export type { BusEvent, BusOverflow, DeliveryContext, DropWhy, SubscriptionReport } from './subscription.ts';
export type { Subscription } from './subscription-handle.ts';
export type { Task, TaskContext, TaskOptions, TaskOutcome, TaskState, TaskWork } from './task.ts';
export type { Matching } from './topic.ts';
export type {
  UpgradeRequest,
  UpgradeSocket,
  WebSocketConnection,
  WebSocketOptions,
} from './web-socket.ts';
export { withScope } from './with-scope.ts';
