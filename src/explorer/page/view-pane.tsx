/** The view that the address names. */
import type { ComponentType } from 'preact';
import { ActorPane } from './actor-pane.tsx';
import { place, type View } from './address.ts';
import { BreakersPane } from './breaker-pane.tsx';
import { MetricsPane } from './metrics-pane.tsx';
import { NowPane } from './now-pane.tsx';
import { PoolsPane } from './pool-pane.tsx';
import { RecoveriesPane } from './recovery-pane.tsx';
import { ReplayPane } from './replay-pane.tsx';
import { ShutdownPane } from './shutdown-pane.tsx';
import { SupervisionPane } from './supervision-pane.tsx';
import { TimelinePane } from './timeline-pane.tsx';

const PANES: Readonly<Record<View, ComponentType>> = {
  now: NowPane,
  actor: ActorPane,
  timeline: TimelinePane,
  supervision: SupervisionPane,
  breakers: BreakersPane,
  pools: PoolsPane,
  recoveries: RecoveriesPane,
  metrics: MetricsPane,
  shutdown: ShutdownPane,
  replay: ReplayPane,
};

export const ViewPane = () => {
  const Pane = PANES[place.value.view];
  return <Pane />;
};
