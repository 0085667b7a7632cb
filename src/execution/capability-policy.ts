/**
 * What code in a session may do, as a policy: a level, what it allows and blocks beyond, and where.
 *
 * Invariant: the order is blocked, then unrestricted, then allowed, then deny. The kernel enforces it when it builds the
 * namespace; the service asks the same question again before a provider is called, since a kernel runs beside user code. It is
 * a convention inside a language: an OS process is a fault boundary, not a security boundary.
 */
import { fits, flag, integer, listOf, ms, object, oneOf, resolveOptions, text } from '../base/options.ts';

/** Each level has all of those before it. */
export type CapabilityLevel = 'sandbox' | 'restricted' | 'standard' | 'trusted' | 'unrestricted';

/** A folder that code may read, and write where it says so. */
export interface CapabilityRoot {
  readonly path: string;
  readonly write: boolean;
}

/** What a user gives: a level alone, or a level and what differs. */
export interface CapabilityOptions {
  /** Default `'standard'`. */
  readonly level?: CapabilityLevel;
  /** Beyond the level. */
  readonly allow?: readonly string[];
  /** Whatever the level. */
  readonly block?: readonly string[];
  /** Folders that `read_file` and `write_file` are confined to. Default: the session's own working directory. */
  readonly roots?: readonly CapabilityRoot[];
  /** Hosts that `fetch` is confined to: names, or `*.example.org`. Default none. */
  readonly hosts?: readonly string[];
  /** Default 10 MiB. */
  readonly readMaxBytes?: number;
  /** Default 10,000 ms. */
  readonly readTimeoutMs?: number;
  /** Default 30,000 ms. */
  readonly fetchTimeoutMs?: number;
  /** Whether code may ask for input. Default: where the level has it. */
  readonly input?: boolean;
}

/** As a kernel gets it. */
export interface CapabilityPolicy extends Required<CapabilityOptions> {}

const LADDER: readonly (readonly [CapabilityLevel, readonly string[]])[] = [
  ['sandbox', ['print', 'display']],
  ['restricted', ['input', 'read_file', 'time', 'env']],
  ['standard', ['write_file', 'fetch', 'query']],
  ['trusted', ['websocket', 'store', 'approve', 'review']],
];

/** The capabilities of a level, those of the levels below included; `unrestricted` has all there are. */
export const capabilitiesOf = (level: CapabilityLevel): readonly string[] => {
  const top = LADDER.findIndex(([name]) => name === level);
  return LADDER.slice(0, top < 0 ? LADDER.length : top + 1).flatMap(([, names]) => names);
};

/** Whether a policy lets code use a capability. */
export const allows = (policy: CapabilityPolicy, capability: string): boolean => {
  if (policy.block.includes(capability)) return false;
  if (policy.level === 'unrestricted') return true;
  return policy.allow.includes(capability) || capabilitiesOf(policy.level).includes(capability);
};

export const CAPABILITY_DEFAULTS = Object.freeze({
  level: 'standard' as CapabilityLevel,
  allow: [] as readonly string[],
  block: [] as readonly string[],
  hosts: [] as readonly string[],
  readMaxBytes: 10 * 1_024 * 1_024,
  readTimeoutMs: 10_000,
  fetchTimeoutMs: 30_000,
});

const LEVEL = oneOf('sandbox', 'restricted', 'standard', 'trusted', 'unrestricted');

const FIELDS = {
  level: LEVEL,
  allow: listOf(text),
  block: listOf(text),
  roots: listOf(
    fits<CapabilityRoot>('{ path, write }', (value) => {
      const { path, write } = (value ?? {}) as Partial<CapabilityRoot>;
      return text.accepts(path) && flag.accepts(write);
    }),
  ),
  hosts: listOf(text),
  readMaxBytes: integer(1),
  readTimeoutMs: ms(1),
  fetchTimeoutMs: ms(1),
  input: flag,
};

/** A level's name, or an object of options. */
export const CAPABILITIES = fits<CapabilityLevel | CapabilityOptions>(
  "a level ('sandbox', 'restricted', 'standard', 'trusted', 'unrestricted') or an object",
  (value) => LEVEL.accepts(value) || object().accepts(value),
);

/** @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
export const resolveCapabilities = (
  where: string,
  given: CapabilityLevel | CapabilityOptions | undefined,
  cwd: string,
): CapabilityPolicy => {
  const options = typeof given === 'string' ? { level: given } : given;
  const resolved = resolveOptions(where, options, FIELDS, CAPABILITY_DEFAULTS);
  const roots = resolved.roots ?? [{ path: cwd, write: true }];
  const policy: CapabilityPolicy = { ...resolved, roots, input: resolved.input ?? true };
  return Object.freeze({ ...policy, input: policy.input && allows(policy, 'input') });
};
