/** troupe/testing: exports only. */
export { compileChart } from '../chart/compile.ts';
export { interpretChart } from '../chart/interpret.ts';

export {
  type ChartCheck,
  type ChartReport,
  checkChart,
  type ReachedState,
  type SeenStep,
} from './check-chart.ts';
export {
  type ScriptedAnswer,
  type ScriptedKind,
  type ScriptedOptions,
  type ScriptedPort,
  type ScriptedStart,
  scriptedWorkers,
} from './scripted-worker.ts';
export {
  type FaultPlan,
  type PendingTimer,
  SIMULATED_EPOCH_MS,
  SimulatedHost,
  type SimulatedHostOptions,
} from './simulated-host.ts';
export { type ProcessScript, SimulatedProcess } from './simulated-process.ts';
