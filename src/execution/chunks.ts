/**
 * What a session kernel says while it executes, and at the end: the chunks of `execute` and its result, read from JSON.
 *
 * Invariant: user code runs beside the kernel that sends these, so nothing here is believed: what lacks a field or has one of a wrong
 * type is read as its default or as nothing, never passed on as it came. It decides nothing.
 */

/** A part of what the code printed. Unicode is never split. */
export interface OutputChunk {
  readonly kind: 'output';
  readonly stream: 'stdout' | 'stderr';
  readonly text: string;
  /** Wall clock of the kernel, ms. */
  readonly at: number;
}

/** The code waits for a line of input. */
export interface InputChunk {
  readonly kind: 'input';
  /** Names it when it is answered. */
  readonly request: string;
  readonly prompt: string;
  /** What is typed should not be shown. */
  readonly secret: boolean;
  readonly at: number;
}

/** Something to show, by MIME type. */
export interface DisplayChunk {
  readonly kind: 'display';
  readonly data: Readonly<Record<string, string>>;
  readonly at: number;
}

/** How far the code says it is. */
export interface ProgressChunk {
  readonly kind: 'progress';
  readonly value: unknown;
  readonly at: number;
}

/** The code asks the service for something that a provider does. */
export interface RequestChunk {
  readonly kind: 'request';
  readonly request: string;
  readonly capability: string;
  readonly args: unknown;
  readonly at: number;
}

/** A capability was used or refused. */
export interface AuditChunk {
  readonly kind: 'audit';
  readonly capability: string;
  readonly action: string;
  readonly allowed: boolean;
  readonly detail: string;
  readonly at: number;
}

export type KernelChunk = OutputChunk | InputChunk | DisplayChunk | ProgressChunk | RequestChunk | AuditChunk;

/** How the code ran: whether it awaited at its top, defined async functions, calls what blocks, or none of these. */
export type ExecutionMode = 'top_level_await' | 'async_def' | 'blocking_sync' | 'simple_sync' | 'unknown';

/** What came of code that ended well. */
export interface ExecutionResult {
  readonly mode: ExecutionMode;
  /** Whether the last line was an expression with a value. */
  readonly hasValue: boolean;
  /** The value, where it can travel as JSON; else `null`. */
  readonly value: unknown;
  readonly serialisable: boolean;
  /** The value in the language's own words. */
  readonly repr: string;
  /** The name of its type. */
  readonly type: string;
  /** How long the code ran in its process, ms. */
  readonly executionMs: number;
  /** Names of the namespace that it set or changed. */
  readonly changed: readonly string[];
  /** Its number among the numbered outputs. */
  readonly index?: number;
  /** What a script exited with. */
  readonly exitCode?: number;
}

type Fields = Readonly<Record<string, unknown>>;

const fieldsOf = (value: unknown): Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};

const textOf = (value: unknown): string =>
  typeof value === 'string' ? value : value === undefined ? '' : String(value);
const numberOf = (value: unknown): number =>
  typeof value === 'number' && Number.isFinite(value) ? value : 0;
const namesIn = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((name) => typeof name === 'string') : [];
const textsIn = (value: unknown): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(fieldsOf(value)).map(([name, text]) => [name, textOf(text)]));

type Reader = (fields: Fields, at: number) => KernelChunk;

const READERS: Readonly<Record<KernelChunk['kind'], Reader>> = {
  output: ({ stream, text }, at) => ({
    kind: 'output',
    stream: stream === 'stderr' ? 'stderr' : 'stdout',
    text: textOf(text),
    at,
  }),
  input: ({ request, prompt, secret }, at) => ({
    kind: 'input',
    request: textOf(request),
    prompt: textOf(prompt),
    secret: secret === true,
    at,
  }),
  display: ({ data }, at) => ({ kind: 'display', data: textsIn(data), at }),
  progress: ({ value }, at) => ({ kind: 'progress', value: value ?? null, at }),
  request: ({ request, capability, args }, at) => ({
    kind: 'request',
    request: textOf(request),
    capability: textOf(capability),
    args: args ?? null,
    at,
  }),
  audit: ({ capability, action, allowed, detail }, at) => ({
    kind: 'audit',
    capability: textOf(capability),
    action: textOf(action),
    allowed: allowed === true,
    detail: typeof detail === 'object' && detail !== null ? JSON.stringify(detail) : textOf(detail),
    at,
  }),
};

/** A chunk as it came; `undefined` where it is of no kind that is known. */
export const readChunk = (value: unknown): KernelChunk | undefined => {
  const fields = fieldsOf(value);
  const { kind } = fields;
  if (typeof kind !== 'string' || !Object.hasOwn(READERS, kind)) return undefined;
  return READERS[kind as KernelChunk['kind']](fields, numberOf(fields['at']));
};

const MODES: readonly string[] = ['top_level_await', 'async_def', 'blocking_sync', 'simple_sync'];

/** The result of an execution as it came. */
export const readResult = (value: unknown): ExecutionResult => {
  const fields = fieldsOf(value);
  const { mode, index, exitCode } = fields;
  return Object.freeze({
    mode: (MODES.includes(mode as string) ? mode : 'unknown') as ExecutionMode,
    hasValue: fields['hasValue'] === true,
    value: fields['value'] ?? null,
    serialisable: fields['serialisable'] === true,
    repr: textOf(fields['repr']),
    type: textOf(fields['type']),
    executionMs: numberOf(fields['executionMs']),
    changed: namesIn(fields['changed']),
    ...(typeof index === 'number' ? { index } : {}),
    ...(typeof exitCode === 'number' ? { exitCode } : {}),
  });
};

/** What a checkpoint kept, and what it could not. */
export interface Checkpoint {
  readonly format: string;
  /** One blob a name, base64. */
  readonly data: Readonly<Record<string, string>>;
  readonly kept: readonly string[];
  readonly lost: readonly { readonly name: string; readonly why: string }[];
}

export const readLost = (value: unknown): Checkpoint['lost'] =>
  Array.isArray(value)
    ? value.map((each) => ({ name: textOf(fieldsOf(each)['name']), why: textOf(fieldsOf(each)['why']) }))
    : [];

export const readCheckpoint = (value: unknown): Checkpoint => {
  const { format, data, kept, lost } = fieldsOf(value);
  return { format: textOf(format), data: textsIn(data), kept: namesIn(kept), lost: readLost(lost) };
};

/** What a restoration put back, and what it could not. */
export interface Restored {
  readonly restored: readonly string[];
  readonly lost: Checkpoint['lost'];
}

export const readRestored = (value: unknown): Restored => {
  const { restored, lost } = fieldsOf(value);
  return { restored: namesIn(restored), lost: readLost(lost) };
};
