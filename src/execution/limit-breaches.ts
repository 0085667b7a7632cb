/**
 * Which limit a process or its code has run into, told by how it ended or by what was thrown.
 *
 * Invariant: a limit is named only where it was set; what merely resembles one stays what it is.
 */
import type { WorkerEnd, WorkerFailure } from '../work/worker-port.ts';
import type { Breach } from './flood-watch.ts';
import type { SessionLimits } from './session-options.ts';

type LimitName = keyof SessionLimits;

const breachOf = (limits: SessionLimits, limit: LimitName): Breach | undefined => {
  const figure = limits[limit];
  return figure === undefined ? undefined : { limit, figure, observed: figure };
};

/** How the system ends what goes beyond. A shell would make 128 + the number of the signal's. */
const SIGNALS: readonly (readonly [signal: string, code: number, limit: LimitName])[] = [
  ['SIGXCPU', 152, 'cpuS'],
  ['SIGXFSZ', 153, 'fileBytes'],
];

/** The limit by which a process ended that nobody killed. */
export const limitOfEnd = (end: WorkerEnd, limits: SessionLimits): Breach | undefined => {
  if (end.outOfMemory === true) return breachOf(limits, 'memoryBytes');
  const found = SIGNALS.find(([signal, code]) => end.signal === signal || end.code === code);
  return found === undefined ? undefined : breachOf(limits, found[2]);
};

/** What the languages throw where the system refuses. */
const FAILURES: readonly (readonly [limit: LimitName, type: RegExp, text: RegExp])[] = [
  ['memoryBytes', /^MemoryError$/, /(?:)/],
  ['memoryBytes', /^(?:RangeError|OSError)$/, /Array buffer allocation failed|Cannot allocate memory/],
  ['cpuS', /^(?:CpuLimit\w*|LimitExceeded|TimeoutError|Interrupted\w*)$/, /\bcpu\b/i],
  ['openFiles', /Error$/, /Too many open files|EMFILE/],
  ['fileBytes', /Error$/, /File too large|EFBIG/],
  ['processes', /Error$/, /can't start new thread|Resource temporarily unavailable|EAGAIN/],
];

/** The limit that made code throw. */
export const limitOfFailure = (
  { type, message }: WorkerFailure,
  limits: SessionLimits,
): Breach | undefined => {
  for (const [limit, types, text] of FAILURES) {
    if (!types.test(type) || !text.test(message)) continue;
    const breach = breachOf(limits, limit);
    if (breach !== undefined) return breach;
  }
  return undefined;
};
