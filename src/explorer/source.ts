/**
 * What an explorer shows: a running system, or a recording. Contracts only: viewers and doors know no more than this.
 */
import type { ActorDetail, ChartDefinition, Fact, History, Message, Step } from './actor-view.ts';
import type {
  ApplicationView,
  BreakerView,
  Metrics,
  PoolView,
  RecoveryView,
  SupervisorView,
} from './component-view.ts';
import type { Hello, Recording } from './protocol.ts';
import type { TreeQuery, TreeWindow } from './tree-view.ts';

/** A journal whose entries are numbered. */
export interface Journal<T> {
  /** The number of the next entry, and below which they are gone. */
  readonly next: number;
  readonly forgotten: number;
  from(n: number, most?: number): readonly T[];
}

export interface Source {
  readonly kind: Hello['source'];
  hello(): Pick<Hello, 'name' | 'pid' | 'node' | 'startedAt' | 'at' | 'inspectingSince'>;
  tree(query: TreeQuery): TreeWindow;
  actor(path: string): ActorDetail | undefined;
  definition(machine: string): ChartDefinition | undefined;
  history(path: string, incarnation?: number): History | undefined;
  recording(): Recording;
  supervisors(): readonly SupervisorView[];
  breakers(): readonly BreakerView[];
  pools(): readonly PoolView[];
  recoveries(): readonly RecoveryView[];
  application(): ApplicationView;
  metrics(): Omit<Metrics, 'explorer'>;
  readonly facts: Journal<Fact>;
  readonly messages: Journal<Message>;
  readonly steps: Journal<Step>;
  /** Contexts of these actors are wanted by one more, or one less. */
  watchActor(path: string, wanted: boolean): void;
  /** Somebody looks; returns what ends that. */
  open(): () => void;
}
