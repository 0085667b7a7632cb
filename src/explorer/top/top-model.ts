/**
 * What `troupe top` knows: the newest standing of each kind, the last facts, and rates between two figures.
 *
 * Invariant: bounded, whatever the server sends; nothing here looks at a clock or a terminal.
 */
import { type Incident, incidentsOf } from '../page/incidents.ts';
import type {
  ApplicationView,
  BreakerView,
  Fact,
  Frame,
  FrameType,
  Hello,
  Metrics,
  PoolView,
  RecoveryView,
  SupervisorView,
  TreeWindow,
} from '../protocol.ts';

/** Facts kept to be shown. */
const FACTS_KEPT = 200;

/** Kinds of frames without which a picture is not whole. */
const NEEDED: readonly FrameType[] = [
  'hello',
  'tree',
  'metrics',
  'application',
  'supervision',
  'breakers',
  'pools',
  'recoveries',
];

export class TopModel {
  hello: Hello | undefined;
  tree: TreeWindow | undefined;
  metrics: Metrics | undefined;
  application: ApplicationView | undefined;
  supervisors: readonly SupervisorView[] = [];
  breakers: readonly BreakerView[] = [];
  pools: readonly PoolView[] = [];
  recoveries: readonly RecoveryView[] = [];
  /** Newest last. */
  facts: readonly Fact[] = [];
  /** Entries that the server could not give. */
  missed = 0;
  #before: Metrics | undefined;
  readonly #seen = new Set<FrameType>();

  take(frame: Frame): void {
    this.#seen.add(frame.type);
    switch (frame.type) {
      case 'hello':
        // Another process: what is known of the one before is not about it.
        if (this.hello !== undefined && this.hello.startedAt !== frame.body.startedAt) this.#forget();
        this.hello = frame.body;
        break;
      case 'tree':
        this.tree = frame.body;
        break;
      case 'metrics':
        this.#before = this.metrics;
        this.metrics = frame.body;
        break;
      case 'application':
        this.application = frame.body;
        break;
      case 'supervision':
        this.supervisors = frame.body.supervisors;
        break;
      case 'breakers':
        this.breakers = frame.body.breakers;
        break;
      case 'pools':
        this.pools = frame.body.pools;
        break;
      case 'recoveries':
        this.recoveries = frame.body.recoveries;
        break;
      case 'facts':
        this.facts = [...this.facts, ...frame.body.facts].slice(-FACTS_KEPT);
        break;
      case 'gap':
        this.missed += frame.body.facts;
        break;
      default:
    }
  }

  get isWhole(): boolean {
    return NEEDED.every((type) => this.#seen.has(type));
  }

  /** How often a second a counter grew between the last two figures; `undefined` before there are two. */
  rate(counter: string): number | undefined {
    const [now, before] = [this.metrics, this.#before];
    if (now === undefined || before === undefined || now.at <= before.at) return undefined;
    const grown = (now.counters[counter] ?? 0) - (before.counters[counter] ?? 0);
    return (grown * 1_000) / (now.at - before.at);
  }

  /** Messages handled a second. */
  get messageRate(): number | undefined {
    const [now, before] = [this.metrics, this.#before];
    if (now?.messages === undefined || before?.messages === undefined || now.at <= before.at)
      return undefined;
    return ((now.messages.handled - before.messages.handled) * 1_000) / (now.at - before.at);
  }

  incidents(now: number): readonly Incident[] {
    const { supervisors, breakers, pools, recoveries, application, metrics } = this;
    return incidentsOf({ supervisors, breakers, pools, recoveries, application, metrics, now });
  }

  #forget(): void {
    this.facts = [];
    this.metrics = undefined;
    this.#before = undefined;
    this.missed = 0;
  }
}
