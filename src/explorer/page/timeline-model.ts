/**
 * The timeline as data: which lanes there are, what stands on them, and what follows from what.
 *
 * Invariant: pure and bounded: of many lanes those with the most to tell are shown, and how many are not is said.
 */
import type { Fact, Message } from '../protocol.ts';
import { isBelow } from './words.ts';

export interface Span {
  readonly from: number;
  readonly to: number;
}

export interface Lane {
  readonly path: string;
  readonly facts: readonly Fact[];
  readonly messages: readonly Message[];
}

export interface Lanes {
  readonly lanes: readonly Lane[];
  /** How many there would be beyond. */
  readonly more: number;
}

/** The place that a fact stands at: a supervisor's fact about a child stands at the child's. */
export const placeOf = ({ path, data, type }: Fact): string => {
  const { child } = data;
  return typeof child === 'string' && type.startsWith('supervisor.child') ? `${path}/${child}` : path;
};

export const isAbout = (fact: Fact, below: string): boolean => {
  const { subject } = fact.data;
  return (
    isBelow(placeOf(fact), below) ||
    isBelow(fact.path, below) ||
    (typeof subject === 'string' && isBelow(subject, below))
  );
};

/** Facts weigh more than messages: of a busy system they are what one looks for. */
const FACT_WEIGHT = 50;
const WEIGHTS: Readonly<Record<Fact['weight'], number>> = { trouble: 4, change: 2, note: 1 };

export const lanesOf = (
  facts: readonly Fact[],
  messages: readonly Message[],
  { span, below, most }: { readonly span: Span; readonly below: string; readonly most: number },
): Lanes => {
  const lanes = new Map<string, { facts: Fact[]; messages: Message[]; weight: number }>();
  const laneOf = (path: string) => {
    const known = lanes.get(path) ?? { facts: [], messages: [], weight: 0 };
    lanes.set(path, known);
    return known;
  };
  for (const fact of facts) {
    if (fact.at < span.from || fact.at > span.to || !isAbout(fact, below)) continue;
    const lane = laneOf(placeOf(fact));
    lane.facts.push(fact);
    lane.weight += WEIGHTS[fact.weight] * FACT_WEIGHT;
  }
  for (const message of messages) {
    const { sentAt, to, from } = message;
    if (sentAt < span.from || sentAt > span.to) continue;
    if (!isBelow(to.path, below) && (from === undefined || !isBelow(from.path, below))) continue;
    const lane = laneOf(to.path);
    lane.messages.push(message);
    lane.weight += 1;
  }
  const heaviest = [...lanes].sort(([, a], [, b]) => b.weight - a.weight);
  return {
    lanes: heaviest
      .slice(0, most)
      .map(([path, lane]) => ({ path, facts: lane.facts, messages: lane.messages }))
      .sort((a, b) => (a.path < b.path ? -1 : 1)),
    more: Math.max(0, heaviest.length - most),
  };
};

/** What a fact follows from, the nearest first. */
export const causesOf = (fact: Fact, facts: readonly Fact[]): readonly Fact[] => {
  const byNumber = new Map(facts.map((one) => [one.n, one]));
  const causes: Fact[] = [];
  for (let at = fact.cause; at !== undefined; ) {
    const cause = byNumber.get(at);
    if (cause === undefined || cause.n >= (causes.at(-1)?.n ?? fact.n)) break;
    causes.push(cause);
    at = cause.cause;
  }
  return causes;
};

/** Ids of the messages that led to one, and of those that it led to. */
export const chainOf = (id: number, messages: readonly Message[]): ReadonlySet<number> => {
  const causes = new Map(messages.map((message) => [message.id, message.cause]));
  const chain = new Set<number>();
  for (let at: number | undefined = id; at !== undefined && !chain.has(at); at = causes.get(at))
    chain.add(at);
  const followers = new Set([id]);
  // Numbers grow with time: one pass finds all that follow.
  for (const message of [...messages].sort((x, y) => x.id - y.id))
    if (message.cause !== undefined && followers.has(message.cause)) followers.add(message.id);
  return new Set([...chain, ...followers]);
};

export type SequenceRow =
  | { readonly key: string; readonly at: number; readonly message: Message }
  | { readonly key: string; readonly at: number; readonly fact: Fact };

export interface Sequence {
  readonly columns: readonly string[];
  readonly rows: readonly SequenceRow[];
}

/** What came from outside of all actors. */
export const OUTSIDE = 'outside';

const fromOf = ({ from }: Message): string => from?.path ?? OUTSIDE;

/** The last messages and facts, among the actors that have most to do with them. */
export const sequenceOf = (
  facts: readonly Fact[],
  messages: readonly Message[],
  {
    below,
    rows: most,
    columns: mostColumns,
  }: { readonly below: string; readonly rows: number; readonly columns: number },
): Sequence => {
  const all: SequenceRow[] = [
    ...messages
      .filter((message) => isBelow(message.to.path, below) || isBelow(fromOf(message), below))
      .map((message) => ({ key: `m${message.n}`, at: message.sentAt, message })),
    ...facts
      .filter((fact) => isAbout(fact, below) && fact.path !== '')
      .map((fact) => ({ key: `f${fact.n}`, at: fact.at, fact })),
  ];
  const rows = all.sort((a, b) => a.at - b.at).slice(-most);
  const counts = new Map<string, number>();
  const count = (path: string, weight: number) => counts.set(path, (counts.get(path) ?? 0) + weight);
  for (const row of rows) {
    if ('fact' in row) count(placeOf(row.fact), 3);
    else {
      count(row.message.to.path, 1);
      count(fromOf(row.message), 1);
    }
  }
  const columns = [...counts]
    .sort((a, b) => b[1] - a[1])
    .slice(0, mostColumns)
    .map(([path]) => path)
    .sort((a, b) => (a === OUTSIDE ? -1 : b === OUTSIDE ? 1 : a < b ? -1 : 1));
  const known = new Set(columns);
  const isShown = (row: SequenceRow): boolean =>
    'fact' in row
      ? known.has(placeOf(row.fact))
      : known.has(row.message.to.path) && known.has(fromOf(row.message));
  return { columns, rows: rows.filter(isShown) };
};
