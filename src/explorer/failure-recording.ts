/**
 * A failed simulation's file as a recording: each line of its trace a fact, and the tree as far as those facts tell of it, so that it
 * is gone through step by step in the views of any other.
 *
 * Invariants: whatever kit wrote it: a line is words, and what is not understood is left out; a case is never run here. What the
 * trace does not tell (reasons, who supervises whom beyond its paths) is not made up.
 */
import { type Fact, weightOf } from '../kernel/fact.ts';
import type { RecordedNode, Recording } from './protocol.ts';

/** What is read of a file that the simulation kit wrote. */
export interface Failure {
  /** The version of the kit. */
  readonly kit: number;
  readonly node: string;
  readonly scenario: string;
  readonly property: string;
  readonly error: string;
  readonly trace: readonly string[];
}

/** Lines shown; of a longer trace the last, which lead to the failure. Owner: one recording, about 300 bytes each. */
export const LINES_SHOWN = 20_000;
/** Of an error with its stack. */
const LONGEST_ERROR = 2_000;

export const isFailure = (parsed: unknown): parsed is Failure => {
  if (typeof parsed !== 'object' || parsed === null) return false;
  const { kit, node, scenario, property, error, trace } = parsed as Partial<Failure>;
  return (
    Number.isSafeInteger(kit) &&
    [node, scenario, property, error].every((word) => typeof word === 'string') &&
    Array.isArray(trace) &&
    trace.every((line) => typeof line === 'string')
  );
};

// ── facts ────────────────────────────────────────────────────────────────────────────────────────────────

type Line = Pick<Fact, 'type' | 'path' | 'weight' | 'text' | 'data'> & { readonly at?: number };

const LINE = /^(run|note|command|choose) (.*) (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/;
/** An event of the vocabulary, and the place it is about. */
const EVENT = /^([a-z]+(?:\.[a-z_]+)+)(?: (.*))?$/;

const noted = (label: string, at: number): Line => {
  const [, type, path = ''] = EVENT.exec(label) ?? [];
  if (type === undefined)
    return { type: 'simulation.noted', path: '', weight: 'note', text: label, data: {}, at };
  // Every end is noted, and none with its reason: it may have been in order.
  const weight = type === 'actor.ended' ? 'change' : weightOf(type);
  return { type, path, weight, text: type.replaceAll('.', ' ').replaceAll('_', ' '), data: {}, at };
};

/** Of a run and a note the number is the instant; of a command its argument, of a choice what was chosen. */
const READERS: Readonly<Record<string, (label: string, value: number) => Line>> = {
  run: (label, at) => ({ type: 'simulation.ran', path: '', weight: 'note', text: label, data: {}, at }),
  note: noted,
  command: (label, argument) => ({
    type: 'simulation.commanded',
    path: '',
    weight: 'change',
    text: `command ${label} (${argument})`,
    data: { command: label, argument },
  }),
  choose: (label, choice) => ({
    type: 'simulation.chose',
    path: '',
    weight: 'note',
    text: `${label}: not the usual, choice ${choice}`,
    data: { choice },
  }),
};

const readLine = (line: string): Line | undefined => {
  const [, kind = '', label = '', value = ''] = LINE.exec(line) ?? [];
  return READERS[kind]?.(label, Number(value));
};

const firstLineOf = (words: string): string => words.split('\n', 1)[0] ?? '';

const factsOf = ({ trace, property, error }: Failure): readonly Fact[] => {
  const facts: Fact[] = [];
  let now = 0;
  for (const line of trace) {
    const read = readLine(line);
    if (read === undefined) continue;
    now = read.at ?? now;
    facts.push({ ...read, n: facts.length, at: now });
  }
  const told = firstLineOf(error);
  facts.push({
    n: facts.length,
    at: now,
    type: 'simulation.failed',
    path: '',
    weight: 'trouble',
    text: `${property}: ${told}`,
    data: { error: { name: 'Error', message: told, stack: error.slice(0, LONGEST_ERROR) } },
  });
  return facts;
};

// ── the tree ─────────────────────────────────────────────────────────────────────────────────────────────

interface Seen {
  kind: string;
  status: string;
  state: string | undefined;
  starts: number;
}

/** Whose words these are. */
const KINDS: Readonly<Record<string, string>> = {
  supervisor: 'supervisor',
  breaker: 'breaker',
  pool: 'pool',
  recovery: 'recovery',
};

/** Where a chart stands once this was told. */
const STATES: Readonly<Record<string, string>> = {
  'breaker.opened': 'open',
  'breaker.half_opened': 'half_open',
  'breaker.closed': 'closed',
  'breaker.isolated': 'isolated',
  'breaker.disabled': 'disabled',
  'breaker.observed': 'observing',
  'pool.worker.started': 'ready',
  'pool.degraded': 'degraded',
  'pool.restored': 'ready',
};

const take = (seen: Seen, type: string): void => {
  seen.kind = KINDS[type.slice(0, type.indexOf('.'))] ?? seen.kind;
  seen.state = STATES[type] ?? seen.state;
  if (type === 'actor.started') {
    seen.status = 'running';
    seen.starts += 1;
  } else if (type === 'actor.ended') seen.status = 'ended';
};

/** Every place that was heard of, in the order of their paths' first mention; parents that were not are made up of their path. */
const treeOf = (facts: readonly Fact[]): readonly RecordedNode[] => {
  const seen = new Map<string, Seen>();
  const of = (path: string): Seen => {
    const end = path.lastIndexOf('/');
    if (end > 0) of(path.slice(0, end));
    const known = seen.get(path) ?? { kind: 'actor', status: 'running', state: undefined, starts: 0 };
    seen.set(path, known);
    return known;
  };
  for (const { path, type } of facts) if (path !== '') take(of(path), type);
  const nodes = new Map<string, RecordedNode & { readonly children: RecordedNode[] }>();
  const roots: RecordedNode[] = [];
  for (const [path, { kind, status, state, starts }] of seen) {
    const end = path.lastIndexOf('/');
    const parent = seen.get(path.slice(0, Math.max(0, end)));
    const node = {
      path,
      id: path.slice(end + 1),
      // A pool has no other children.
      kind: parent?.kind === 'pool' ? 'worker' : kind,
      status,
      incarnation: starts,
      ...(state === undefined ? {} : { state }),
      facts: {},
      mailbox: 0,
      children: [] as RecordedNode[],
    };
    nodes.set(path, node);
    (nodes.get(path.slice(0, Math.max(0, end)))?.children ?? roots).push(node);
  }
  return roots;
};

/** A failed simulation in the form of any other recording; its clock begins at 0. */
export const recordingOfFailure = (failure: Failure): Recording => {
  const { node, scenario, property, error } = failure;
  const facts = factsOf(failure);
  return {
    troupeRecording: 1,
    node,
    name: scenario,
    pid: undefined,
    why: 'simulation',
    startedAt: 0,
    writtenAt: facts.at(-1)?.at ?? 0,
    facts: facts.slice(-LINES_SHOWN),
    forgotten: Math.max(0, facts.length - LINES_SHOWN),
    counters: {},
    tree: treeOf(facts),
    simulation: { scenario, property, error: firstLineOf(error) },
  };
};
