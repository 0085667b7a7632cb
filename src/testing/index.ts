/** troupe/testing: exports only. */
export { compileChart } from '../chart/compile.ts';
export { interpretChart } from '../chart/interpret.ts';
export type { ChartEdge } from '../chart/subset.ts';

export {
  faultTables,
  growTree,
  runCases,
  schedules,
  supervisionTrees,
  type TreeOptions,
  type TreeShape,
} from './arbitraries.ts';
export {
  type ChartCheck,
  type ChartCoverage,
  type ChartPath,
  type ChartReport,
  type ChildAnswers,
  checkChart,
  type ReachedState,
  type SeenStep,
  type Violation,
} from './check-chart.ts';
export { FAULT_POINTS, type FaultPoint, type FaultTable, faultsAt } from './faults.ts';
export { type History, type OpenOperation, type Operation, recordHistory } from './history.ts';
export { type KernelStep, ScriptedNames, script } from './kernel-script.ts';
export {
  describeLeak,
  type FoundLeak,
  findLeaks,
  type LeakCheck,
  type LeakCheckOptions,
  withLeakCheck,
} from './leak-check.ts';
export { guardGlobals, type LeakGuard } from './leak-guard.ts';
export {
  checkLinearizable,
  type LinearizabilityOptions,
  type LinearizabilityReport,
  type SequentialModel,
} from './linearizability.ts';
export {
  type LeasePoolInput,
  type LeasePoolOutput,
  type LeasePoolState,
  type LockInput,
  type LockOutput,
  type LockState,
  leasePoolModel,
  lockModel,
  type RegisterInput,
  type RegisterOutput,
  registerModel,
} from './linearizable-models.ts';
export { troupeMatchers } from './matchers.ts';
export {
  type ScriptedKernel,
  type ScriptedKernelOptions,
  type ScriptedKernelPort,
  scriptedKernel,
} from './scripted-kernel.ts';
export {
  type ScriptedAnswer,
  type ScriptedKind,
  type ScriptedOptions,
  type ScriptedPort,
  type ScriptedStart,
  scriptedWorkers,
} from './scripted-worker.ts';
export {
  type CampaignOptions,
  type CampaignReport,
  type Exploration,
  explore,
  type FailedRun,
  simulate,
} from './simulate.ts';
export {
  type Decide,
  type FaultPlan,
  type PendingTimer,
  SIMULATED_EPOCH_MS,
  SimulatedHost,
  type SimulatedHostOptions,
} from './simulated-host.ts';
export { type ProcessScript, SimulatedProcess } from './simulated-process.ts';
export { SimulatedThread, type ThreadScript } from './simulated-thread.ts';
export {
  type Check,
  type Command,
  type Draw,
  type Lean,
  type Pace,
  type RunCase,
  type RunOutcome,
  runCase,
  type Scenario,
  type Stage,
} from './simulation.ts';
export type { StrategyName } from './strategies.ts';
