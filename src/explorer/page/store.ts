/**
 * What the page knows: the newest of every standing, and bounded rings of journals. Views read these signals and nothing else.
 *
 * Invariant: bounded whatever comes in. What a frame says replaces what was said before of the same thing; journals keep their order
 * and lose their oldest. Instants are of the server's clock: {@link now} is it, as far as the page can tell.
 */
import { computed, signal } from '@preact/signals';
import {
  type ActorDetail,
  type ApplicationView,
  type BreakerView,
  type ChartDefinition,
  type Fact,
  type Frame,
  type Gap,
  type Hello,
  LIMITS,
  type Message,
  type Metrics,
  type PoolView,
  type RecoveryView,
  type Step,
  type SupervisorView,
  type TreeWindow,
} from '../protocol.ts';
import type { LinkStatus } from './connection.ts';
import { quantile, since } from './words.ts';

export const link = signal<LinkStatus>({ kind: 'connecting' });
export const hello = signal<Hello | undefined>(undefined);
export const tree = signal<TreeWindow | undefined>(undefined);
export const details = signal<ReadonlyMap<string, ActorDetail | 'gone'>>(new Map());
export const definitions = signal<ReadonlyMap<string, ChartDefinition>>(new Map());
export const supervisors = signal<readonly SupervisorView[]>([]);
export const breakers = signal<readonly BreakerView[]>([]);
export const pools = signal<readonly PoolView[]>([]);
export const recoveries = signal<readonly RecoveryView[]>([]);
export const application = signal<ApplicationView | undefined>(undefined);
export const metrics = signal<Metrics | undefined>(undefined);
export const facts = signal<readonly Fact[]>([]);
export const messages = signal<readonly Message[]>([]);
export const steps = signal<readonly Step[]>([]);
/** What is missing in the journals, in all. */
export const missed = signal<Omit<Gap, 'why'> & { readonly slow: boolean }>({
  facts: 0,
  messages: 0,
  steps: 0,
  slow: false,
});

/** One second of figures, for sparklines. */
export interface Sample {
  readonly at: number;
  readonly actors: number;
  readonly mailboxes: number;
  readonly loopLagMs: number;
  readonly heapBytes: number;
  /** A second; of messages only while they are inspected. */
  readonly handled: number | undefined;
  readonly waitedP99: number | undefined;
  readonly restarts: number;
  readonly crashes: number;
}

/** Two minutes of seconds. */
const SAMPLES_KEPT = 120;
export const samples = signal<readonly Sample[]>([]);

/** The server's clock less this browser's. */
const skew = signal(0);
const tick = signal(Date.now());
setInterval(() => {
  tick.value = Date.now();
}, 500);
/** The server's clock, twice a second. A recording's stands still. */
export const now = computed(() => {
  const told = hello.value;
  return told?.source === 'recording' ? told.at : tick.value + skew.value;
});

export const isRecording = computed(() => hello.value?.source === 'recording');

const KEPT = { facts: LIMITS.facts, messages: LIMITS.messages, steps: LIMITS.messages } as const;

const appended = <T>(list: readonly T[], more: readonly T[], most: number): readonly T[] =>
  [...list, ...more].slice(-most);

/** Restarts are told by facts, which have no counter. */
const restartsBetween = (from: number, to: number): number =>
  facts.value.filter(({ type, at }) => type === 'supervisor.child.restarted' && at > from && at <= to).length;

const sampleOf = (next: Metrics, before: Metrics | undefined): Sample => {
  const seconds = before === undefined ? 1 : Math.max(0.2, (next.at - before.at) / 1_000);
  const rate = (name: string): number =>
    before === undefined
      ? 0
      : Math.max(0, ((next.counters[name] ?? 0) - (before.counters[name] ?? 0)) / seconds);
  const [told, known] = [next.messages, before?.messages];
  return {
    at: next.at,
    actors: next.actors,
    mailboxes: next.mailboxes,
    loopLagMs: next.loopLagMs,
    heapBytes: next.heapBytes,
    handled:
      told === undefined || known === undefined
        ? undefined
        : Math.max(0, (told.handled - known.handled) / seconds),
    waitedP99: told === undefined ? undefined : quantile(since(told.waited, known?.waited), 0.99),
    restarts: before === undefined ? 0 : restartsBetween(before.at, next.at) / seconds,
    crashes: rate('crashed'),
  };
};

const takeMetrics = (next: Metrics): void => {
  samples.value = appended(samples.value, [sampleOf(next, metrics.value)], SAMPLES_KEPT);
  metrics.value = next;
};

const takeHello = (next: Hello): void => {
  const known = hello.value;
  skew.value = next.at - Date.now();
  // Another process: nothing of what was known is about it.
  if (known !== undefined && known.startedAt !== next.startedAt) forget();
  hello.value = next;
};

const forget = (): void => {
  facts.value = [];
  messages.value = [];
  steps.value = [];
  samples.value = [];
  metrics.value = undefined;
  details.value = new Map();
  missed.value = { facts: 0, messages: 0, steps: 0, slow: false };
};

/** Where the journals are to go on when the stream is opened anew. */
export const cursors = () => {
  const next = (list: readonly { readonly n: number }[]) => {
    const last = list.at(-1)?.n;
    return last === undefined ? undefined : last + 1;
  };
  const [f, m, s] = [next(facts.value), next(messages.value), next(steps.value)];
  return {
    ...(f === undefined ? {} : { facts: f }),
    ...(m === undefined ? {} : { messages: m }),
    ...(s === undefined ? {} : { steps: s }),
  };
};

/** Entries that are not there yet: a reader that widens what it watches may get some again. */
const journal = <T extends { readonly n: number }>(known: readonly T[], more: readonly T[], most: number) => {
  const last = known.at(-1)?.n ?? -1;
  return appended(
    known,
    more.filter(({ n }) => n > last),
    most,
  );
};

export const take = (frame: Frame): void => {
  switch (frame.type) {
    case 'hello':
      takeHello(frame.body);
      return;
    case 'definition':
      definitions.value = new Map(definitions.value).set(frame.body.machine, frame.body);
      return;
    case 'tree':
      tree.value = frame.body;
      return;
    case 'actor': {
      const { path, detail } = frame.body;
      details.value = new Map(details.value).set(path, detail ?? 'gone');
      return;
    }
    case 'supervision':
      supervisors.value = frame.body.supervisors;
      return;
    case 'breakers':
      breakers.value = frame.body.breakers;
      return;
    case 'pools':
      pools.value = frame.body.pools;
      return;
    case 'recoveries':
      recoveries.value = frame.body.recoveries;
      return;
    case 'application':
      application.value = frame.body;
      return;
    case 'metrics':
      takeMetrics(frame.body);
      return;
    case 'facts':
      facts.value = journal(facts.value, frame.body.facts, KEPT.facts);
      return;
    case 'messages':
      messages.value = journal(messages.value, frame.body.messages, KEPT.messages);
      return;
    case 'steps':
      steps.value = journal(steps.value, frame.body.steps, KEPT.steps);
      return;
    case 'gap': {
      const { facts: f, messages: m, steps: s, why } = frame.body;
      const known = missed.value;
      missed.value = {
        facts: known.facts + f,
        messages: known.messages + m,
        steps: known.steps + s,
        slow: known.slow || why === 'slow_reader',
      };
      return;
    }
    case 'bye':
      return;
  }
};

/** Details of actors that nobody looks at any more. */
export const forgetDetails = (wanted: readonly string[]): void => {
  const kept = [...details.value].filter(([path]) => wanted.includes(path));
  if (kept.length < details.value.size) details.value = new Map(kept);
};
