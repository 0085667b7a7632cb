/** troupe's charts: exports only. */
export type {
  Chart,
  ChartAction,
  ChartEvent,
  ChartNeeds,
  ChartRequest,
  ChartSnapshot,
  ChartValue,
  Step,
} from './chart.ts';
export { CompiledChart, compileChart } from './compile.ts';
export { interpretChart } from './interpret.ts';
export { ChartRunner, type ChartRunnerOptions, type Performers } from './runner.ts';
