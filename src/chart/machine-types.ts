/** The types that a machine made by `setup` carries, read off it. Nothing here exists at run time. */
import type { StateMachine } from 'xstate';
import type { ChartAction } from './chart.ts';

/** The union of a machine's actions, each with its params. */
export type ActionOf<M> =
  M extends StateMachine<
    infer _Context,
    infer _Event,
    infer _Children,
    infer _Actor,
    infer Action,
    infer _Guard,
    infer _Delay,
    infer _Value,
    infer _Tag,
    infer _Input,
    infer _Output,
    infer _Emitted,
    infer _StateMeta,
    infer _Schema,
    infer _TransitionMeta
  >
    ? Action extends ChartAction
      ? Action
      : never
    : ChartAction;
