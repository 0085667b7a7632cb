/**
 * The scripts of the OTP conformance suite: what they say, and the refusal of those that say it wrongly. README.md beside
 * this file tells what each key means.
 *
 * Invariant: what `parseScript` returns can be run; what it refuses is named by line and field.
 */

export type Restart = 'permanent' | 'transient' | 'temporary';
export type ScriptStrategy = 'one_for_one' | 'one_for_all' | 'rest_for_one' | 'simple_one_for_one';
export type InitOutcome = (typeof INITS)[number];

export interface ScriptNode {
  readonly id: string;
  readonly type?: 'supervisor' | 'worker';
  readonly strategy?: ScriptStrategy;
  readonly intensity?: number;
  readonly period?: number;
  readonly auto_shutdown?: 'never' | 'any_significant' | 'all_significant';
  readonly restart?: Restart;
  readonly significant?: boolean;
  readonly children?: readonly ScriptNode[];
  readonly shutdown?: number | 'infinity' | 'brutal_kill';
  readonly trap?: boolean;
  readonly init?: readonly InitOutcome[];
  readonly on_shutdown?: string;
  readonly name?: string;
}

export interface ScriptOp {
  readonly op: keyof typeof OPS;
  readonly path?: string;
  readonly to?: string;
  readonly reason?: string;
  readonly s?: number;
  readonly sup?: string;
  readonly child?: string;
  readonly spec?: ScriptNode;
  readonly key?: string;
  readonly name?: string;
  readonly asks?: readonly ScriptOp[];
  readonly ops?: readonly ScriptOp[];
}

export interface Script {
  readonly id: string | number;
  readonly tree: ScriptNode;
  readonly ops: readonly ScriptOp[];
  /**
   * What is asked of the supervisor that waits for a held init at the end of a step, the first time, the second time …; then it
   * is released. Where this is given no step ends with an init that is held.
   */
  readonly held?: readonly (readonly ScriptOp[])[];
}

const INITS = ['ok', 'ignore', 'error', 'normal', 'shutdown', 'raise', 'bad', 'hold', 'hold_error'] as const;

/** The fields of each op, in the order of the README; the last six go beyond the recorded format. */
const OPS = {
  exit: ['path', 'reason'],
  kill: ['path'],
  signal: ['path', 'reason'],
  stop: ['path', 'reason'],
  advance: ['s'],
  terminate_child: ['sup', 'child'],
  restart_child: ['sup', 'child'],
  delete_child: ['sup', 'child'],
  start_child: ['sup', 'spec'],
  start_dyn: ['sup', 'key'],
  count_children: ['sup'],
  which_children: ['sup'],
  link: ['path', 'to'],
  unlink: ['path', 'to'],
  monitor: ['path', 'to'],
  whereis: ['name'],
  release: ['path', 'asks'],
  together: ['ops'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

/** What can be asked while an init is held; the supervisor is the one that waits for it, the child `*` the one held. */
const HELD_OPS = {
  terminate_child: ['child'],
  restart_child: ['child'],
  delete_child: ['child'],
  start_child: ['spec'],
  count_children: [],
  which_children: [],
} as const satisfies Partial<Readonly<Record<keyof typeof OPS, readonly string[]>>>;

/** What can happen to several workers at once. */
const FAULTS: readonly string[] = ['exit', 'kill', 'signal', 'stop'] satisfies (keyof typeof OPS)[];

/** A script that cannot be run. `field` is the way to what is wrong in it. */
export class MalformedScript extends Error {
  readonly field: string;

  constructor(field: string, expected: string, got: unknown) {
    super(`${field}: expected ${expected}, got ${got === undefined ? 'nothing' : JSON.stringify(got)}`);
    this.field = field;
  }
}

type Check = (value: unknown, field: string) => void;

const that =
  (expected: string, accepts: (value: unknown) => boolean): Check =>
  (value, field) => {
    if (!accepts(value)) throw new MalformedScript(field, expected, value);
  };

const oneOf = (...values: readonly unknown[]): Check =>
  that(`one of ${values.map((value) => JSON.stringify(value)).join(', ')}`, (v) => values.includes(v));
const whole = (min: number): Check =>
  that(`a whole number of at least ${min}`, (v) => Number.isSafeInteger(v) && (v as number) >= min);
const text: Check = that('a non-empty string', (v) => typeof v === 'string' && v !== '');
const id: Check = that(
  'a non-empty string without "/", "#" or "@"',
  (v) => typeof v === 'string' && /^[^/#@]{1,200}$/.test(v),
);
const flag: Check = oneOf(true, false);
const list =
  (element: Check): Check =>
  (value, field) => {
    if (!Array.isArray(value)) throw new MalformedScript(field, 'an array', value);
    value.forEach((item, i) => {
      element(item, `${field}[${i}]`);
    });
  };

interface Shape {
  readonly required: Readonly<Record<string, Check>>;
  readonly optional: Readonly<Record<string, Check>>;
}

const shaped = (value: unknown, field: string, { required, optional }: Shape): void => {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new MalformedScript(field, 'an object', value);
  const given = value as Readonly<Record<string, unknown>>;
  const prefix = field === 'script' ? '' : `${field}.`;
  for (const key of Object.keys(given))
    if (!Object.hasOwn(required, key) && !Object.hasOwn(optional, key))
      throw new MalformedScript(
        `${prefix}${key}`,
        `one of ${Object.keys({ ...required, ...optional }).join(', ')}`,
        key,
      );
  for (const [key, check] of Object.entries(required)) check(given[key], `${prefix}${key}`);
  for (const [key, check] of Object.entries(optional))
    if (given[key] !== undefined) check(given[key], `${prefix}${key}`);
};

const EVERY_NODE = {
  type: oneOf('supervisor', 'worker'),
  restart: oneOf('permanent', 'transient', 'temporary'),
  significant: flag,
};
const WORKER: Shape = {
  required: { id },
  optional: {
    ...EVERY_NODE,
    shutdown: that(
      'milliseconds, "infinity" or "brutal_kill"',
      (v) => v === 'infinity' || v === 'brutal_kill' || (Number.isSafeInteger(v) && (v as number) >= 0),
    ),
    trap: flag,
    init: list(oneOf(...INITS)),
    on_shutdown: text,
    name: text,
  },
};
const SUPERVISOR: Shape = {
  required: { id },
  optional: {
    ...EVERY_NODE,
    strategy: oneOf('one_for_one', 'one_for_all', 'rest_for_one', 'simple_one_for_one'),
    intensity: whole(0),
    period: whole(1),
    auto_shutdown: oneOf('never', 'any_significant', 'all_significant'),
    children: list((value, field) => {
      node(value, field);
    }),
  },
};

const node: Check = (value, field) => {
  const isSupervisor = (value as ScriptNode | null)?.type === 'supervisor';
  shaped(value, field, isSupervisor ? SUPERVISOR : WORKER);
  const checked = value as ScriptNode;
  if (checked.significant === true && (checked.restart ?? 'permanent') === 'permanent' && field !== 'tree')
    throw new MalformedScript(`${field}.significant`, 'false for a permanent child', true);
  if (!isSupervisor) return;
  const children = checked.children ?? [];
  const seen = new Set<string>();
  children.forEach((child, i) => {
    if (seen.has(child.id))
      throw new MalformedScript(`${field}.children[${i}].id`, 'an id of its own', child.id);
    seen.add(child.id);
    if (child.significant === true && (checked.auto_shutdown ?? 'never') === 'never')
      throw new MalformedScript(
        `${field}.children[${i}].significant`,
        'false where auto_shutdown is "never"',
        true,
      );
  });
  if (checked.strategy === 'simple_one_for_one' && children.length !== 1)
    throw new MalformedScript(`${field}.children`, 'exactly one child, the template', children.length);
};

const reason: Check = text;
const FIELDS: Readonly<Record<string, Check>> = {
  path: text,
  to: text,
  sup: text,
  child: text,
  name: text,
  key: id,
  reason,
  s: whole(0),
  spec: node,
  asks: list((value, field) => {
    op(value, field);
  }),
  ops: list((value, field) => {
    oneOf(...FAULTS)((value as ScriptOp | null)?.op, `${field}.op`);
    op(value, field);
  }),
};

const opOf =
  (kinds: Readonly<Record<string, readonly string[]>>): Check =>
  (value, field) => {
    const kind = (value as ScriptOp | null)?.op;
    oneOf(...Object.keys(kinds))(kind, `${field}.op`);
    const required = Object.fromEntries(
      (kinds[kind as string] ?? []).map((name) => [name, FIELDS[name] as Check]),
    );
    shaped(value, field, { required: { op: text, ...required }, optional: {} });
  };
const op: Check = opOf(OPS);
const HELD: Check = list(list(opOf(HELD_OPS)));

const ROOT: Check = (value, field) => {
  node(value, field);
  oneOf('supervisor')((value as ScriptNode).type, `${field}.type`);
};

/** @throws MalformedScript */
export const parseScript = (line: string): Script => {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw new MalformedScript('script', `JSON (${(error as Error).message})`, line.slice(0, 60));
  }
  const key = that('a string or a number', (v) => typeof v === 'string' || typeof v === 'number');
  shaped(value, 'script', { required: { id: key, tree: ROOT, ops: list(op) }, optional: { held: HELD } });
  return value as Script;
};
