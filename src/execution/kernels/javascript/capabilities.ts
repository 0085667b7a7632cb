/**
 * What a session may do beyond computing, given to its code by injection: what the policy does not allow is a function that refuses.
 *
 * Invariants: blocked beats unrestricted, which beats allowed, which beats the rest; each use is audited, allowed or not. The
 * language itself is left as it is only where the level is `unrestricted`. This bounds faults, not malice: a process is no sandbox.
 */
import { inspect } from 'node:util';
import { confinedFetch } from './confined-fetch.ts';
import { type Root, readWithin, writeWithin } from './confined-files.ts';
import type { Loader } from './loader.ts';
import type { Output } from './output.ts';
import type { Printing } from './printing.ts';
import type { Requests } from './requests.ts';

export interface Policy {
  readonly level: string;
  readonly allow: readonly string[];
  readonly block: readonly string[];
  readonly roots: readonly Root[];
  readonly hosts: readonly string[];
  readonly readMaxBytes: number;
  readonly readTimeoutMs: number;
  readonly fetchTimeoutMs: number;
  readonly input: boolean;
}

const POLICY: Policy = {
  level: 'unrestricted',
  allow: [],
  block: [],
  roots: [],
  hosts: [],
  readMaxBytes: 10 * 1_048_576,
  readTimeoutMs: 10_000,
  fetchTimeoutMs: 30_000,
  input: true,
};

const SANDBOX = ['print', 'display'];
const RESTRICTED = [...SANDBOX, 'input', 'read_file', 'time', 'env'];
const STANDARD = [...RESTRICTED, 'write_file', 'fetch', 'query'];
const TRUSTED = [...STANDARD, 'websocket', 'store', 'approve', 'review'];
const LEVELS: Readonly<Record<string, readonly string[]>> = {
  sandbox: SANDBOX,
  restricted: RESTRICTED,
  standard: STANDARD,
  trusted: TRUSTED,
  unrestricted: TRUSTED,
};
/** Asked of the service, which decides what they mean. */
const ASKED = ['query', 'websocket', 'store', 'approve', 'review'];
/** Globals by which code reaches outside: not there, unless the level leaves the language as it is. */
const REACHING = [
  'process',
  'require',
  'fetch',
  'WebSocket',
  'EventSource',
  'module',
  'exports',
  'navigator',
  'crypto',
];

export class CapabilityDenied extends Error {
  readonly capability: string;

  constructor(capability: string, detail = '') {
    super(`the session may not use ${capability}${detail === '' ? '' : `: ${detail}`}`);
    this.name = 'CapabilityDenied';
    this.capability = capability;
  }
}

export interface CapabilityOptions {
  readonly output: Output;
  readonly requests: Requests;
  readonly loader: Loader;
  readonly print: Printing;
}

type Verb = (...given: unknown[]) => unknown;

export const installCapabilities = (given: Partial<Policy>, options: CapabilityOptions): void => {
  const policy: Policy = { ...POLICY, ...given };
  const granted = new Capabilities(policy, options);
  // Captured before it is taken away.
  const { fetch } = globalThis;
  if (!granted.unrestricted) {
    for (const name of REACHING) Reflect.deleteProperty(globalThis, name);
    options.loader.restrict((specifier) => granted.denied('import', specifier));
    define('require', (specifier: unknown) => {
      options.loader.check(String(specifier));
      return process.getBuiltinModule(String(specifier).replace(/^node:/, ''));
    });
  }
  for (const [name, capability, verb] of granted.verbs(fetch)) {
    const isLeft = granted.unrestricted && name === 'fetch' && granted.allows('fetch');
    if (!isLeft) define(name, granted.guard(capability, name, verb));
  }
  define('progress', (value: unknown) => options.output.tell({ kind: 'progress', value: value ?? null }));
  const getEnv = granted.guard('env', 'env', () => ({ ...environment }));
  Object.defineProperty(globalThis, 'env', { get: getEnv, enumerable: false, configurable: true });
};

const { process } = globalThis;
const environment = process.env;
const { now } = Date;

const define = (name: string, value: unknown): void => {
  Object.defineProperty(globalThis, name, { value, writable: true, enumerable: false, configurable: true });
};

class Capabilities {
  readonly unrestricted: boolean;
  readonly #policy: Policy;
  readonly #options: CapabilityOptions;

  constructor(policy: Policy, options: CapabilityOptions) {
    this.#policy = policy;
    this.#options = options;
    this.unrestricted = policy.level === 'unrestricted';
  }

  allows(capability: string): boolean {
    const { block, allow, level, input } = this.#policy;
    if (block.includes(capability) || (capability === 'input' && !input)) return false;
    if (this.unrestricted) return true;
    return allow.includes(capability) || (LEVELS[level] ?? []).includes(capability);
  }

  denied(capability: string, detail: string): CapabilityDenied {
    this.audit(capability, false, detail);
    return new CapabilityDenied(capability, detail);
  }

  audit(capability: string, allowed: boolean, detail: string): void {
    this.#options.output.tell({
      kind: 'audit',
      capability,
      action: 'use',
      allowed,
      detail: detail.slice(0, 500),
    });
  }

  /** The function as user code gets it: its use is looked at, told, and refused or let through. */
  guard(capability: string, name: string, verb: Verb): Verb {
    const allowed = this.allows(capability);
    const guarded = (...given: unknown[]): unknown => {
      const detail = capability === 'print' || capability === 'display' ? '' : detailOf(given[0]);
      if (!allowed) throw this.denied(capability, detail);
      // Printing is no reach outside: telling each line twice would only drown what matters.
      if (detail !== '' || !SANDBOX.includes(capability)) this.audit(capability, true, detail);
      return verb(...given);
    };
    Object.defineProperty(guarded, 'name', { value: name, configurable: true });
    return guarded;
  }

  /** What is injected: the global's name, the capability that it needs, and what it does. */
  verbs(fetch: typeof globalThis.fetch): readonly (readonly [string, string, Verb])[] {
    const { output, requests, print } = this.#options;
    const { roots, hosts, readMaxBytes, readTimeoutMs: timeoutMs, fetchTimeoutMs } = this.#policy;
    const files = this.unrestricted ? undefined : roots;
    const refuse = (capability: string) => (detail: string) => this.denied(capability, detail);
    const isSecret = (options: unknown) => (options as { secret?: unknown } | undefined)?.secret === true;
    const read = { roots: files, maxBytes: readMaxBytes, timeoutMs, refuse: refuse('read_file') };
    const write = { roots: files, refuse: refuse('write_file') };
    const confined = confinedFetch({ fetch, hosts, timeoutMs: fetchTimeoutMs, refuse: refuse('fetch') });
    return [
      ['print', 'print', (...given) => print.console.log(...given)],
      ['display', 'display', (data) => output.tell({ kind: 'display', data: displayed(data) })],
      ['input', 'input', (prompt, options) => requests.input(text(prompt), isSecret(options))],
      ['prompt', 'input', (prompt, options) => requests.inputNow(text(prompt), isSecret(options))],
      ['readFile', 'read_file', (path, encoding) => readWithin(text(path), encoding, read)],
      ['writeFile', 'write_file', (path, data) => writeWithin(text(path), data, write)],
      ['time', 'time', () => now()],
      ['fetch', 'fetch', (resource, init) => confined(resource as string, init as RequestInit)],
      ...ASKED.map((name) => [name, name, (...given: unknown[]) => requests.request(name, given)] as const),
    ];
  }
}

const text = (value: unknown): string => (value === undefined ? '' : String(value));

const detailOf = (value: unknown): string => {
  if (value === undefined) return '';
  if (typeof value === 'string') return value;
  if (value instanceof URL) return value.href;
  return inspect(value, { depth: 0, breakLength: Number.POSITIVE_INFINITY });
};

/** What is displayed, by MIME type; anything else as it would be printed. */
const displayed = (data: unknown): Readonly<Record<string, unknown>> => {
  const isByType =
    typeof data === 'object' &&
    data !== null &&
    Object.keys(data).length > 0 &&
    Object.keys(data).every((key) => /^[\w.+-]+\/[\w.+-]+$/.test(key));
  return isByType ? { ...data } : { 'text/plain': typeof data === 'string' ? data : inspect(data) };
};
