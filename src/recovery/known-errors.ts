/**
 * What troupe knows of errors unasked: Node's system codes, exit codes and signals, HTTP answers, our own codes, and the
 * bare tags that workers and exit reasons use.
 *
 * Invariant: recognition is by data (a code, a name, a shape), never by `instanceof`: errors cross realms, threads and
 * wires. Reading an error never throws, whatever its getters do. It chooses no remedy: that is the grid's.
 */
import type { ErrorCode } from '../base/errors.ts';
import { type Category, type Remedy, type RemedyChoice, remedies, type Severity } from './remedy.ts';
import { retryAfterMsOf } from './retry-after.ts';

/** What a matcher knows of an error. */
export interface Match {
  readonly category: Category;
  /** Instead of the category's default; the severity rules still apply. */
  readonly severity?: Severity;
  /** Instead of the grid's. */
  readonly remedy?: RemedyChoice;
  /** How long the other side asks to be left alone, ms. */
  readonly retryAfterMs?: number;
}

/** A match whose remedy has been checked. */
export interface KnownMatch extends Match {
  readonly remedy?: Remedy;
}

/** A category says all that a table needs to say, most of the time. */
export type Verdict = Category | Match;

type Known = Category | KnownMatch;

/** A property of anything at all; `undefined` where there is none, or where reading it throws. */
export const read = (value: unknown, key: PropertyKey): unknown => {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return undefined;
  try {
    return (value as Record<PropertyKey, unknown>)[key];
  } catch {
    return undefined;
  }
};

/** The words an error goes by, most telling first: itself if it is a word, its code, its name, its type. */
export const wordsOf = (value: unknown): readonly string[] => {
  if (typeof value === 'string') return [value];
  return [read(value, 'code'), read(value, 'name'), read(value, 'type')].filter((w) => typeof w === 'string');
};

const UNWELCOME: KnownMatch = { category: 'system', severity: 'minor' };
const USELESS: KnownMatch = { category: 'communication', remedy: remedies.abandon };
const BUSY: KnownMatch = { category: 'resource', severity: 'minor' };
const SCARCE: KnownMatch = { category: 'resource', severity: 'major' };
const BRIEFLY_AWAY: KnownMatch = { category: 'connection', severity: 'minor' };

/** Every code of our own table. That none is missing is checked by the compiler, and by a test. */
const OWN_CODES: Readonly<Record<ErrorCode, Known>> = {
  ERR_OPTION_INVALID: 'system',
  ERR_OPTION_UNKNOWN: 'system',
  ERR_HOST_TRANSPORT: 'connection',
  ERR_SIMULATION_BUSY: 'system',
  ERR_SIMULATION_FAILED: 'system',
  ERR_SIMULATION_FAULT: 'system',
  ERR_SIMULATION_LEAK: 'system',
  ERR_SIMULATION_LIVELOCK: 'system',
  ERR_SIMULATION_UNSETTLED: 'system',
  ERR_CALL_TIMEOUT: 'timeout',
  ERR_DEADLINE_PASSED: 'timeout',
  ERR_CALL_CYCLE: 'system',
  ERR_TASK_TIMEOUT: 'timeout',
  ERR_TASK_STRAGGLED: 'timeout',
  ERR_TASK_CANCELLED: UNWELCOME,
  ERR_SCOPE_CLOSED: UNWELCOME,
  ERR_CAPABILITY_TIMEOUT: 'timeout',
  ERR_CHECKPOINT_TOO_LARGE: SCARCE,
  ERR_EXECUTION_CANCELLED: UNWELCOME,
  ERR_EXECUTION_FAILED: USELESS,
  ERR_EXECUTION_LIMIT: SCARCE,
  ERR_EXECUTION_TIMEOUT: 'timeout',
  ERR_EXECUTION_UNKNOWN: 'system',
  ERR_OUTPUT_DRAIN: 'timeout',
  ERR_SESSION_BUSY: BUSY,
  ERR_SESSION_ENDED: UNWELCOME,
  ERR_OPERATION_LOG_FILE: 'system',
  ERR_LEAK_FOUND: 'system',
  ERR_LEAK_THRESHOLD: SCARCE,
  ERR_SCOPE_FAILED: 'system',
  ERR_SCOPE_STRAGGLERS: 'timeout',
  ERR_BUS_CLOSED: UNWELCOME,
  ERR_BUS_FULL: SCARCE,
  ERR_BUS_NOT_TAKEN: SCARCE,
  ERR_BUS_SUBSCRIPTIONS: SCARCE,
  ERR_CONNECTION_ENDED: UNWELCOME,
  ERR_CONNECTION_PEER: 'system',
  ERR_CONNECTION_SOURCE: 'system',
  ERR_UNHEALTHY: 'health_check',
  ERR_HEALTH_CHECK_ENDED: UNWELCOME,
  ERR_HEALTH_CHECK_READING: 'system',
  ERR_HEALTH_CHECK_TIMEOUT: 'timeout',
  ERR_HEALTH_NO_APPLICATION: 'system',
  ERR_DEAD_LETTERS_BUSY: 'system',
  ERR_DEAD_LETTERS_CLOSED: UNWELCOME,
  ERR_DEAD_LETTERS_FULL: SCARCE,
  ERR_DELIVERY_TIMEOUT: 'timeout',
  ERR_SUBSCRIPTION_ENDED: UNWELCOME,
  ERR_LOCK_CYCLE: 'system',
  ERR_LOCK_REENTRANT: 'system',
  ERR_LOCK_TIMEOUT: 'timeout',
  ERR_LOCK_QUEUE_FULL: SCARCE,
  ERR_LOCK_LOST: 'timeout',
  ERR_LOCK_RELEASE_FAILED: 'system',
  ERR_LOCK_OWNER_ENDED: UNWELCOME,
  ERR_LOCKS_DISPOSED: UNWELCOME,
  // Nobody waits for it any more: not a failure of anything.
  ERR_CALL_ABORTED: UNWELCOME,
  ERR_CALL_LOST: UNWELCOME,
  ERR_FAULT_INJECTED: 'system',
  ERR_RECORDING_INVALID: 'system',
  ERR_PEER_MISSING: 'system',
  ERR_DRAWING_FAILED: 'system',
  ERR_CALLEE_ENDED: 'connection',
  ERR_NO_HANDLER: 'system',
  // One slow actor, not a resource of the whole service.
  ERR_MAILBOX_FULL: SCARCE,
  ERR_NOPROC: 'connection',
  ERR_RESTARTING: BRIEFLY_AWAY,
  ERR_STOPPING: UNWELCOME,
  ERR_FENCED: 'system',
  ERR_NAME_TAKEN: 'system',
  ERR_INIT_TIMEOUT: 'initialization',
  ERR_INIT_FAILED: 'initialization',
  ERR_CHART_UNSUPPORTED: 'system',
  ERR_CHART_LOOP: 'system',
  ERR_CHART_STATES: 'system',
  ERR_CHART_STATE_KEY: 'system',
  ERR_CHART_IMPURE: 'system',
  ERR_CHART_CHILD: 'system',
  ERR_EVENT_UNDECLARED: 'system',
  ERR_XSTATE_UNSUPPORTED: 'system',
  ERR_SPEC_DUPLICATE: 'system',
  ERR_SPEC_UNKNOWN: 'system',
  ERR_CHILD_ALREADY_STARTED: UNWELCOME,
  ERR_CHILD_ALREADY_PRESENT: UNWELCOME,
  ERR_CHILD_NOT_FOUND: UNWELCOME,
  ERR_CHILD_RUNNING: UNWELCOME,
  ERR_CHILD_RESTARTING: BRIEFLY_AWAY,
  ERR_CHILD_START_FAILED: 'initialization',
  ERR_MAX_CHILDREN: SCARCE,
  ERR_INTENSITY_UNREACHABLE: 'system',
  ERR_SELF_SUPERVISION: 'system',
  ERR_DEPENDENCY_UNKNOWN: 'system',
  ERR_DEPENDENCY_ORDER: 'system',
  // A rejection by an open breaker is no failure of its own: it says when to come back.
  ERR_BREAKER_OPEN: BRIEFLY_AWAY,
  ERR_BREAKER_PROBING: BRIEFLY_AWAY,
  ERR_BREAKER_ISOLATED: UNWELCOME,
  ERR_BREAKER_DISPOSED: UNWELCOME,
  ERR_POLICY_DISPOSED: UNWELCOME,
  // Nobody waits for that attempt any more.
  ERR_HEDGE_LOST: UNWELCOME,
  ERR_LOAD_SHED: BUSY,
  // It stands for whatever its user wants to see handled.
  ERR_CHAOS_FAULT: 'remote',
  ERR_BULKHEAD_FULL: BUSY,
  ERR_RATE_LIMITED: BUSY,
  ERR_POOL_QUEUE_FULL: 'resource',
  ERR_POOL_CHECKOUT_TIMEOUT: 'timeout',
  ERR_POOL_DRAINING: UNWELCOME,
  ERR_POOL_DEGRADED: SCARCE,
  ERR_POOL_ABORTED: UNWELCOME,
  ERR_POOL_OVERLOADED: 'resource',
  ERR_POOL_SESSION_BUSY: BUSY,
  ERR_POOL_NO_WORKER: SCARCE,
  ERR_POOL_NOT_READY: SCARCE,
  ERR_POOL_REPLACE_FAILED: SCARCE,
  ERR_LEASE_OVER: 'system',
  ERR_JOB_TIMEOUT: 'timeout',
  ERR_JOB_ABORTED: UNWELCOME,
  ERR_JOB_FAILED: 'remote',
  ERR_JOB_INVALID: USELESS,
  ERR_JOB_CUT_OFF: UNWELCOME,
  ERR_WORKER_EXITED: 'connection',
  ERR_WORKER_START: 'initialization',
  ERR_WORKER_PROTOCOL: 'communication',
  ERR_FRAME_TOO_LARGE: USELESS,
  ERR_FRAME_MALFORMED: 'communication',
  ERR_RECOVERY_CAPACITY: SCARCE,
  ERR_RECOVERY_ABANDONED: 'system',
  ERR_RECOVERY_CANCELLED: UNWELCOME,
  ERR_RECOVERY_DEADLINE: { category: 'timeout', severity: 'critical' },
  ERR_RECOVERY_EXHAUSTED: 'system',
  ERR_RECOVERY_CONTAINED: 'system',
  ERR_RECOVERY_NO_STEP: 'system',
  ERR_RECOVERY_UNKNOWN: 'system',
  ERR_APP_START: 'initialization',
  ERR_RESOURCE_OPEN: 'initialization',
};

const each = (words: string, verdict: Known): readonly (readonly [string, Known])[] =>
  words.split(' ').map((word) => [word, verdict] as const);

const TABLE: ReadonlyMap<string, Known> = new Map<string, Known>([
  ...(Object.entries(OWN_CODES) as [string, Known][]),
  ...each(
    'ECONNREFUSED ECONNRESET ECONNABORTED EPIPE ENOTCONN ESHUTDOWN EHOSTDOWN EHOSTUNREACH ENETDOWN ENETUNREACH ENETRESET',
    'connection',
  ),
  ...each('EAI_AGAIN EAI_FAIL EAI_NODATA ENOTFOUND ENODATA EADDRNOTAVAIL EDESTADDRREQ', 'connection'),
  ...each(
    'ERR_IPC_CHANNEL_CLOSED ERR_SOCKET_CLOSED ERR_STREAM_PREMATURE_CLOSE ERR_STREAM_DESTROYED',
    'connection',
  ),
  ...each('ERR_HTTP2_SESSION_ERROR ERR_HTTP2_GOAWAY_SESSION UND_ERR_SOCKET UND_ERR_CLOSED', 'connection'),
  ...each(
    'ETIMEDOUT ESOCKETTIMEDOUT ETIME ERR_SOCKET_CONNECTION_TIMEOUT ERR_HTTP_REQUEST_TIMEOUT',
    'timeout',
  ),
  ...each('UND_ERR_CONNECT_TIMEOUT UND_ERR_HEADERS_TIMEOUT UND_ERR_BODY_TIMEOUT TimeoutError', 'timeout'),
  ...each(
    'EMFILE ENFILE ENOSPC EDQUOT ENOMEM ERR_WORKER_OUT_OF_MEMORY ERR_MEMORY_ALLOCATION_FAILED',
    'resource',
  ),
  ...each('EAGAIN EWOULDBLOCK ENOBUFS EBUSY ETXTBSY', BUSY),
  ...each('EPROTO EBADMSG EPROTOTYPE HPE_INVALID_CONSTANT HPE_INVALID_HEADER_TOKEN', 'communication'),
  ...each('HPE_INVALID_EOF_STATE ERR_HTTP_CONTENT_LENGTH_MISMATCH', 'communication'),
  ...each('EADDRINUSE ENOEXEC ERR_WORKER_INIT_FAILED ERR_DLOPEN_FAILED', 'initialization'),
  // The caller's own wish.
  ...each('AbortError ABORT_ERR', UNWELCOME),
  // Tags that workers send.
  ...each('init_failed worker_init_failed', 'initialization'),
  ...each('port_exited connect_failed connection_error', 'connection'),
  ...each('encode_error decode_error protocol_error simple_error retryable_error', 'communication'),
  ...each('timeout', 'timeout'),
  ...each('checkout_failed pool_exhausted resource_unavailable', 'resource'),
  ...each('health_check_failed health_check_timeout', 'health_check'),
  ...each('session_not_found session_expired', 'session'),
  ...each('python_exception bridge_error', 'remote'),
  // Exit reasons that are words.
  ...each('killed noproc', 'connection'),
  ...each('normal shutdown', UNWELCOME),
]);

const byWord = (value: unknown): Known | undefined => {
  for (const word of wordsOf(value)) {
    const found = TABLE.get(word);
    if (found !== undefined) return found;
  }
  return undefined;
};

/** A program that cannot be found or executed; the same codes elsewhere say nothing about a component. */
const bySpawn = (value: unknown): Known | undefined => {
  const syscall = read(value, 'syscall');
  return typeof syscall === 'string' && syscall.startsWith('spawn') ? 'initialization' : undefined;
};

const SIGNALS: Readonly<Record<number, string>> = {
  4: 'SIGILL',
  5: 'SIGTRAP',
  6: 'SIGABRT',
  7: 'SIGBUS',
  8: 'SIGFPE',
  9: 'SIGKILL',
  11: 'SIGSEGV',
  24: 'SIGXCPU',
  25: 'SIGXFSZ',
  31: 'SIGSYS',
};
/** Its own code did it: running the same again in a fresh process would do it again. */
const CRASHES = new Set(['SIGILL', 'SIGTRAP', 'SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGSEGV', 'SIGSYS']);
/** The kernel did it: out of memory, of CPU time, of file size. */
const LIMITS = new Set(['SIGKILL', 'SIGXCPU', 'SIGXFSZ']);

/** How an OS process ended: `{ code, signal }` as Node tells it, or `{ exitCode, signalCode }`; shells say 128 + signal. */
const byExit = (value: unknown): Known | undefined => {
  const signal = read(value, 'signalCode') ?? read(value, 'signal');
  const told = typeof signal === 'string' || signal === null;
  const code = read(value, 'exitCode') ?? (told ? read(value, 'code') : undefined);
  if (typeof signal !== 'string' && typeof code !== 'number') return undefined;
  const number = typeof code !== 'number' ? 0 : code < 0 ? -code : code > 128 ? code - 128 : 0;
  const name = typeof signal === 'string' ? signal : SIGNALS[number];
  if (name !== undefined && CRASHES.has(name)) return 'remote';
  if (name !== undefined && LIMITS.has(name)) return SCARCE;
  return code === 126 || code === 127 ? 'initialization' : 'connection';
};

const withDelay = (match: KnownMatch, retryAfterMs: number | undefined): KnownMatch =>
  retryAfterMs === undefined ? match : { ...match, retryAfterMs };

/** An HTTP answer, as a response or as the error of a client library. Other answers are the caller's own mistakes. */
const byHttp = (value: unknown, wallMs: number | undefined): Known | undefined => {
  const response = read(value, 'response') ?? value;
  const status = read(value, 'status') ?? read(value, 'statusCode') ?? read(response, 'status');
  if (typeof status !== 'number') return undefined;
  const headers = read(value, 'headers') ?? read(response, 'headers');
  const answer = (match: KnownMatch): KnownMatch => withDelay(match, readDelay(headers, wallMs));
  if (status === 408 || status === 504) return answer({ category: 'timeout' });
  if (status === 429 || status === 503) return answer(BUSY);
  if (status === 502) return answer({ category: 'connection' });
  return status >= 500 && status <= 599 ? answer({ category: 'remote' }) : undefined;
};

const readDelay = (headers: unknown, wallMs: number | undefined): number | undefined => {
  try {
    return retryAfterMsOf(headers, wallMs);
  } catch {
    return undefined;
  }
};

/** An error that itself says how long to stay away, as ours do. */
const saidDelay = (value: unknown): number | undefined => {
  const said = read(value, 'retryAfterMs') ?? read(read(value, 'data'), 'retryAfterMs');
  return typeof said === 'number' && said >= 0 && said < Infinity ? said : undefined;
};

/** `{ shutdown: … }`: an actor that was asked to end. Handles have a method of that name, and are no errors. */
const byReason = (value: unknown): Known | undefined => {
  const shutdown = read(value, 'shutdown');
  return shutdown === undefined || typeof shutdown === 'function' ? undefined : UNWELCOME;
};

/** A bare text that nobody has a word for is what an overstrained peer says instead of speaking the protocol. */
const byText = (value: unknown): Known | undefined =>
  typeof value === 'string' ? 'communication' : undefined;

/** What is known of one error, not looking at what it wraps. `wallMs`: the wall clock, for dates in headers. */
export const knownMatch = (value: unknown, wallMs: number | undefined): KnownMatch | undefined => {
  const verdict =
    bySpawn(value) ??
    byWord(value) ??
    byExit(value) ??
    byHttp(value, wallMs) ??
    byReason(value) ??
    byText(value);
  if (verdict === undefined) return undefined;
  const match = typeof verdict === 'string' ? { category: verdict } : verdict;
  return match.retryAfterMs === undefined ? withDelay(match, saidDelay(value)) : match;
};
