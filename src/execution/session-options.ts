/** The options of executors and of single sessions, resolved once: a session's win over its executor's. */
import {
  either,
  fits,
  flag,
  fn,
  identifier,
  integer,
  listOf,
  ms,
  msOrInfinity,
  object,
  oneOf,
  resolveOptions,
  text,
} from '../base/options.ts';
import type { Awaitable } from '../kernel/logic.ts';
import { SPEC_FIELDS, type SpecOptions } from '../kernel/spec.ts';
import {
  CAPABILITIES,
  type CapabilityLevel,
  type CapabilityOptions,
  resolveCapabilities,
} from './capability-policy.ts';
import { FLOODS, type FloodLimits, resolveFloods } from './flood-watch.ts';
import type { OutputPolicy } from './output-queue.ts';
import type { ResultStore } from './result-store.ts';
import type { SessionKernel } from './session-kernel.ts';

/** What one session may use. What is left out has no limit. */
export interface SessionLimits {
  /** Seconds of processor time of its process. */
  readonly cpuS?: number;
  /** Bytes of memory: of address space where the kernel can set that, and resident, measured every second. */
  readonly memoryBytes?: number;
  /** Processes and threads of the user that runs it. */
  readonly processes?: number;
  readonly openFiles?: number;
  /** Bytes of a file that it writes. */
  readonly fileBytes?: number;
  /** Characters that one execution may print. */
  readonly outputBytes?: number;
  /** Characters that all executions of one process may print. */
  readonly sessionOutputBytes?: number;
  /** How long the session may live, from its start, ms; then what runs is stopped, and it is over. */
  readonly sessionMs?: number;
}

/** What a provider is told beside the arguments. */
export interface ProviderContext {
  readonly session: string;
  readonly user: string | undefined;
  readonly execution: string;
  /** Aborts at the deadline, and when the execution ends. */
  readonly signal: AbortSignal;
}

/** Does what code asks for: `fetch`, `store`, `approve`, `query` … What it returns is JSON. */
export type Provider = (args: unknown, context: ProviderContext) => Awaitable<unknown>;

/** What a reader who is slow, or absent, means for the code that prints. */
export interface OutputOptions {
  /** Default `'block'`: the code waits. */
  readonly policy?: OutputPolicy;
  /** Events that may wait to be read. Default 1,024. */
  readonly limit?: number;
  /** Characters that may wait to be read. Default 4 MiB. */
  readonly maxBytes?: number;
  /** How long the end waits for a reader to take what came before it, ms. Default 2,000. */
  readonly drainMs?: number;
}

/** Options of a session that an executor sets for all. Times in ms. */
export interface SharedSessionOptions {
  /** Variables to set; beside them a session sees only `PATH`, `HOME`, `LANG`, `LC_ALL`, `TZ` and what `passEnv` names. */
  readonly env?: Readonly<Record<string, string>>;
  readonly passEnv?: readonly string[];
  readonly limits?: SessionLimits;
  /** Default `'standard'`. */
  readonly capabilities?: CapabilityLevel | CapabilityOptions;
  /** `'on_kill'`: after each success what can be kept of the namespace is written down, and put back into a process that replaces one. */
  readonly checkpoint?: 'never' | 'on_kill';
  readonly floods?: false | Partial<FloodLimits>;
  readonly output?: OutputOptions;
  /** Inputs and outputs that are numbered and kept. Default 1,000. */
  readonly historyLimit?: number;
}

/** Options of `executor.session`. */
export interface SessionOptions extends SharedSessionOptions {
  readonly language: string;
  /** Its name among the sessions of this executor. Default: a fresh one. */
  readonly id?: string;
  /** Whose it is: for people, and for whoever assigns sessions. */
  readonly user?: string;
  /** Its working directory, which must exist. Default: a folder of its own. */
  readonly cwd?: string;
  /** What the code takes itself to be the main file of. */
  readonly mainFile?: string;
}

/** Options of {@link codeExecutor}, beside those of every spec. Times in ms. */
export interface ExecutorOptions extends SharedSessionOptions, Pick<SpecOptions, 'restart' | 'description'> {
  /** A folder of this service's own: each session gets one in it as its working directory, which stays. Default: temporary ones. */
  readonly root?: string;
  /** A folder where processes are written down, so that the next start of the service ends what a `kill -9` left. */
  readonly registry?: string;
  /** Has the kernel end sessions with this process (Linux). Default `false`. */
  readonly parentDeathSignal?: boolean;
  /** The interpreter. Default `python3`. */
  readonly python?: { readonly command?: string };
  /** The executable. Default: this Node. */
  readonly node?: { readonly command?: string };
  /** Languages beside `python` and `javascript`, or instead of them. */
  readonly kernels?: readonly SessionKernel[];
  /** What code may ask the service for, by capability. */
  readonly providers?: Readonly<Record<string, Provider>>;
  /** Where executions are written down, so that their results outlive the service. Default nowhere. */
  readonly store?: ResultStore;
  /** Default `Infinity`. */
  readonly maxSessions?: number;
  /** From launch until it takes code. Default 10,000. */
  readonly readyTimeoutMs?: number;
  /** Of an execution that names none. Default 30,000. */
  readonly executeTimeoutMs?: number;
  /** Of all other questions to a session. Default 10,000. */
  readonly operationTimeoutMs?: number;
  /** How long code waits for input before it is told that there is none. Default 300,000. */
  readonly inputTimeoutMs?: number;
  /** How long a provider may take. Default 60,000. */
  readonly requestTimeoutMs?: number;
  /** From a cancellation to the interruption. Default 500. */
  readonly cancelGraceMs?: number;
  /** From the interruption to the kill. Default 500. */
  readonly interruptGraceMs?: number;
  /** From an orderly close to the kill. Default 5,000. */
  readonly closeGraceMs?: number;
  /** How often a process is asked for a sign of life. Default 5,000. */
  readonly pingEveryMs?: number;
  /** How long an idle one may take to answer. Default 15,000. */
  readonly pingTimeoutMs?: number;
  /** How long one that executes may be silent: a busy interpreter is given time. Default 60,000. */
  readonly busyLivenessMs?: number;
  /** Characters of a checkpoint that are kept; a larger one is dropped, and the one before with it. Default 8 MiB. */
  readonly checkpointBytes?: number;
  /** Replacements of one session within a period before it is given up. Default 10 in 60,000 ms. */
  readonly replacements?: { readonly intensity?: number; readonly periodMs?: number };
}

const strings = fits<Readonly<Record<string, string>>>(
  'an object of strings',
  (v) => object().accepts(v) && Object.values(v).every((value) => typeof value === 'string'),
);
const count = fits<number>('a number above 0', (v) => typeof v === 'number' && v > 0);

const LIMIT_FIELDS = {
  cpuS: count,
  memoryBytes: count,
  processes: count,
  openFiles: count,
  fileBytes: count,
  outputBytes: count,
  sessionOutputBytes: count,
  sessionMs: count,
};

export const OUTPUT_DEFAULTS = Object.freeze({
  policy: 'block' as OutputPolicy,
  limit: 1_024,
  maxBytes: 4 * 1_048_576,
  drainMs: 2_000,
});

const OUTPUT_FIELDS = {
  policy: oneOf('block', 'drop_new', 'drop_oldest', 'error'),
  limit: integer(1),
  maxBytes: integer(1_024),
  drainMs: ms(0),
};

const SHARED_FIELDS = {
  env: strings,
  passEnv: listOf(text),
  limits: object<SessionLimits>(),
  capabilities: CAPABILITIES,
  checkpoint: oneOf('never', 'on_kill'),
  floods: FLOODS,
  output: object<OutputOptions>(),
  historyLimit: integer(0),
};

const isKernel = (value: unknown): boolean => {
  const kernel = value as Partial<SessionKernel> | null | undefined;
  return typeof kernel?.language === 'string' && typeof kernel.prepare === 'function';
};

const EXECUTOR_FIELDS = {
  ...SHARED_FIELDS,
  restart: SPEC_FIELDS.restart,
  description: SPEC_FIELDS.description,
  root: text,
  registry: text,
  parentDeathSignal: flag,
  python: object<{ readonly command?: string }>(),
  node: object<{ readonly command?: string }>(),
  kernels: listOf(fits<SessionKernel>('a session kernel', isKernel, 'session kernels')),
  providers: fits<Readonly<Record<string, Provider>>>(
    'an object of functions',
    (v) => object().accepts(v) && Object.values(v).every((each) => fn().accepts(each)),
  ),
  store: object<ResultStore>('a result store'),
  maxSessions: either(
    integer(1),
    fits<number>('Infinity', (v) => v === Number.POSITIVE_INFINITY),
  ),
  readyTimeoutMs: ms(1),
  executeTimeoutMs: msOrInfinity(0),
  operationTimeoutMs: ms(1),
  inputTimeoutMs: msOrInfinity(0),
  requestTimeoutMs: msOrInfinity(0),
  cancelGraceMs: ms(0),
  interruptGraceMs: ms(0),
  closeGraceMs: ms(0),
  pingEveryMs: ms(1),
  pingTimeoutMs: ms(1),
  busyLivenessMs: ms(1),
  checkpointBytes: integer(0),
  replacements: object<{ readonly intensity?: number; readonly periodMs?: number }>(),
};

export const EXECUTOR_DEFAULTS = Object.freeze({
  env: {},
  passEnv: [] as readonly string[],
  capabilities: 'standard' as CapabilityLevel | CapabilityOptions,
  checkpoint: 'never' as 'never' | 'on_kill',
  historyLimit: 1_000,
  parentDeathSignal: false,
  python: {},
  node: {},
  kernels: [] as readonly SessionKernel[],
  providers: {} as Readonly<Record<string, Provider>>,
  maxSessions: Number.POSITIVE_INFINITY,
  readyTimeoutMs: 10_000,
  executeTimeoutMs: 30_000,
  operationTimeoutMs: 10_000,
  inputTimeoutMs: 300_000,
  requestTimeoutMs: 60_000,
  cancelGraceMs: 500,
  interruptGraceMs: 500,
  closeGraceMs: 5_000,
  pingEveryMs: 5_000,
  pingTimeoutMs: 15_000,
  busyLivenessMs: 60_000,
  checkpointBytes: 8 * 1_048_576,
  replacements: Object.freeze({ intensity: 10, periodMs: 60_000 }),
});

export type ResolvedExecutor = Omit<ExecutorOptions, 'replacements'> &
  Required<Pick<ExecutorOptions, Exclude<keyof typeof EXECUTOR_DEFAULTS, 'replacements'>>> & {
    readonly replacements: { readonly intensity: number; readonly periodMs: number };
  };

const BUDGET_FIELDS = { intensity: integer(0), periodMs: ms(1) };

const resolveLimits = (where: string, limits: SessionLimits | undefined): SessionLimits =>
  resolveOptions(`${where}.limits`, limits, LIMIT_FIELDS, {});

const resolveOutput = (where: string, output: OutputOptions | undefined): Required<OutputOptions> =>
  resolveOptions(`${where}.output`, output, OUTPUT_FIELDS, OUTPUT_DEFAULTS);

/** @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
export const resolveExecutor = (where: string, options: ExecutorOptions): ResolvedExecutor => {
  const resolved = resolveOptions(where, options, EXECUTOR_FIELDS, EXECUTOR_DEFAULTS);
  resolveLimits(where, resolved.limits);
  resolveOutput(where, resolved.output);
  resolveFloods(`${where}.floods`, resolved.floods);
  resolveCapabilities(`${where}.capabilities`, resolved.capabilities, '');
  const { replacements } = EXECUTOR_DEFAULTS;
  const budget = resolveOptions(`${where}.replacements`, resolved.replacements, BUDGET_FIELDS, replacements);
  return { ...(resolved as ResolvedExecutor), replacements: budget };
};

const SESSION_FIELDS = {
  ...SHARED_FIELDS,
  language: text,
  id: fits<string>(
    `${identifier.expected}, and no dots alone`,
    (v) => identifier.accepts(v) && !/^\.+$/.test(v as string),
  ),
  user: text,
  cwd: text,
  mainFile: text,
};

type Filled = 'env' | 'passEnv' | 'capabilities' | 'checkpoint' | 'historyLimit';

/** A session's options, its executor's filled in. */
export interface ResolvedSession
  extends Omit<SessionOptions, 'limits' | 'output' | Filled>,
    Required<Pick<SharedSessionOptions, Filled>> {
  readonly limits: SessionLimits;
  readonly output: Required<OutputOptions>;
}

/** @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
export const resolveSession = (
  where: string,
  options: SessionOptions,
  executor: ResolvedExecutor,
): ResolvedSession => {
  const { env, passEnv, capabilities, checkpoint, historyLimit, floods } = executor;
  const defaults = {
    env,
    passEnv,
    capabilities,
    checkpoint,
    historyLimit,
    ...(floods === undefined ? {} : { floods }),
  };
  const resolved = resolveOptions(where, options, SESSION_FIELDS, defaults);
  resolveFloods(`${where}.floods`, resolved.floods as SessionOptions['floods']);
  resolveCapabilities(`${where}.capabilities`, resolved.capabilities as CapabilityLevel, '');
  return {
    ...(resolved as ResolvedSession),
    env: { ...executor.env, ...resolved.env },
    limits: resolveLimits(where, { ...executor.limits, ...resolved.limits }),
    output: resolveOutput(where, { ...executor.output, ...resolved.output }),
  };
};
