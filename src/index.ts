/** troupe: the public API on one screen. Exports only. */
export {
  type Application,
  type ApplicationOptions,
  type ApplicationSpec,
  application,
  type StopReport,
} from './application/application.ts';
export { type ConnectionsResourceOptions, connections } from './application/connections.ts';
export type { Health } from './application/health.ts';
export {
  type HealthHandle,
  type HealthMonitorSpecOptions,
  type HealthRemedy,
  healthMonitor,
  recycleWorkers,
  restartChild,
} from './application/health-monitor.ts';
export { type HttpServerOptions, httpServer } from './application/http-server.ts';
export {
  type EndContext,
  type OpenContext,
  type Resource,
  type ResourceOptions,
  resource,
} from './application/resource.ts';
export { EXIT, type RunOptions } from './application/run.ts';
export { ERRORS, type ErrorCode, isTroupeError, type Outcome, TroupeError } from './base/errors.ts';
export type { Host, Timer } from './base/host.ts';
export { createRealHost, realHost } from './base/real-host.ts';
export type { EventMap, EventStream, EventType, TroupeEvent } from './base/telemetry.ts';
export { toMermaid } from './chart/mermaid.ts';
export * from './coordination/index.ts';
export { actor } from './kernel/actor.ts';
export {
  type ActorContext,
  type Addressee,
  type Behaviour,
  type CallOptions,
  DEFERRED,
  type Handle,
  IGNORE,
  type Info,
  type Inspection,
  type Logic,
  type Place,
  type Request,
} from './kernel/logic.ts';
export { describeReason, type ExitReason, errorIn, isClean } from './kernel/reason.ts';
export { isRef, type Ref, toRef } from './kernel/ref.ts';
export { type ServerHandle, type ServerOptions, server } from './kernel/server.ts';
export {
  type Backoff,
  type Dependable,
  isSpec,
  type RestartBudget,
  type Spec,
  type SpecOptions,
} from './kernel/spec.ts';
export { createSystem, type System, type SystemOptions } from './kernel/system.ts';
export { drawTree, type TreeNode } from './kernel/tree.ts';
export * from './recovery/index.ts';
export * from './resilience/index.ts';
export {
  type DynamicSupervisorHandle,
  type DynamicSupervisorOptions,
  dynamicSupervisor,
  type TemplateSupervisorHandle,
  type TemplateSupervisorOptions,
} from './supervision/dynamic-supervisor.ts';
export { checkChildSpecs, type SupervisorOptions, supervisor } from './supervision/supervisor.ts';
export type { SupervisorHandle } from './supervision/supervisor-handle.ts';
export { type ChildProcessOptions, childProcess } from './work/child-process.ts';
export type { Durations } from './work/histogram.ts';
export { type InProcessOptions, inProcess } from './work/in-process.ts';
export type { Lease } from './work/lease.ts';
export {
  type DrainOptions,
  type EachOutcome,
  type PoolHandle,
  type PoolInspection,
  pool,
  type ReadyOptions,
  type WorkerInspection,
} from './work/pool.ts';
export type {
  AffinityMode,
  AffinityOptions,
  CheckoutOptions,
  CrashLoopOptions,
  JobOptions,
  LeaseOptions,
  PoolOptions,
  RecycleOptions,
  ReplaceOptions,
  RetryOptions,
  ScalingOptions,
  SheddingOptions,
  SizeRange,
  StreamOptions,
} from './work/pool-options.ts';
export type { JobStream } from './work/result-stream.ts';
export type { PoolSessions, SessionStats } from './work/sessions.ts';
export { type ThreadOptions, thread } from './work/thread.ts';
export { transfer } from './work/transfer.ts';
export type { WorkerKind } from './work/worker-port.ts';
export { type ReplyOptions, reply } from './xstate/reply.ts';
export type { StageObserver, Subscription, WaitOptions } from './xstate/stage.ts';
export { target } from './xstate/target.ts';
export {
  fromLogic,
  fromMachine,
  type LogicHandle,
  type LogicOptions,
  type MachineHandle,
  type MachineOptions,
} from './xstate/xstate.ts';
