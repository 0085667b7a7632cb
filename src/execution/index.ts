/** Sessions that run other people's code: exports only. */
export {
  CAPABILITY_DEFAULTS,
  type CapabilityLevel,
  type CapabilityOptions,
  type CapabilityPolicy,
  type CapabilityRoot,
  capabilitiesOf,
} from './capability-policy.ts';
export type {
  AuditChunk,
  Checkpoint,
  DisplayChunk,
  ExecutionMode,
  ExecutionResult,
  InputChunk,
  OutputChunk,
  ProgressChunk,
  Restored,
} from './chunks.ts';
export type { Execution, ExecutionEvent } from './execution.ts';
export {
  EXECUTE_DEFAULTS,
  type ExecuteOptions,
  type InputRequest,
  type Transaction,
} from './execution-options.ts';
export { codeExecutor, type ExecutorHandle, type ExecutorInspection } from './executor.ts';
export { FLOOD_DEFAULTS, type FloodLimits } from './flood-watch.ts';
export type { OutputPolicy } from './output-queue.ts';
export type { PendingReport } from './pending-promises.ts';
export {
  openResultDirectory,
  RESULT_DIRECTORY_DEFAULTS,
  type ResultDirectoryOptions,
  type ResultStore,
  type StoredError,
  type StoredExecution,
} from './result-store.ts';
export type {
  HistoryEntry,
  MergeStrategy,
  NamespaceEntry,
  NamespaceValue,
  Session,
  SessionInspection,
  SessionNamespace,
  SessionStats,
} from './session.ts';
export type { KernelLaunch, KernelPlan, PreparedKernel, SessionKernel } from './session-kernel.ts';
export {
  EXECUTOR_DEFAULTS,
  type ExecutorOptions,
  OUTPUT_DEFAULTS,
  type OutputOptions,
  type Provider,
  type ProviderContext,
  type SessionLimits,
  type SessionOptions,
} from './session-options.ts';
export {
  type AcquireOptions,
  type BetweenUsers,
  type PooledSession,
  SESSION_POOL_DEFAULTS,
  SESSION_RECYCLING_DEFAULTS,
  type SessionPoolHandle,
  type SessionPoolInspection,
  type SessionPoolOptions,
  type SessionRecycling,
  sessionPool,
} from './session-pool.ts';
