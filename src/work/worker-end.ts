/** The end of a worker in words and as errors: for whoever waited for its job, for its start, or for nothing at all. */
import { createError, isTroupeError, plainText, type TroupeError } from '../base/errors.ts';
import type { WorkerEnd } from './worker-port.ts';

/** What is known of a worker that has ended, or is about to. */
export interface EndReport {
  /** Its path. */
  readonly worker: string;
  readonly pid: number | undefined;
  /** `undefined` while the last of it is not gone. */
  readonly end: WorkerEnd | undefined;
  /** Why it was killed, if it was. */
  readonly killedFor: string | undefined;
  /** How it broke the protocol, if it did. */
  readonly breach: TroupeError | undefined;
}

const plainly = (end: WorkerEnd): string => {
  if (end.error !== undefined) return end.error.message;
  const how = end.signal === null ? `exit code ${end.code ?? 'unknown'}` : `signal ${end.signal}`;
  return end.outOfMemory === true ? `${how}, out of memory` : how;
};

/** `exit code 1, out of memory`, `signal SIGKILL, killed: cancel_ignored`, `spawn python3 ENOENT`. */
export const describeEnd = ({ end, killedFor }: EndReport): string => {
  if (end === undefined) return killedFor ?? 'it was not opened';
  return killedFor === undefined ? plainly(end) : `${plainly(end)}, killed: ${killedFor}`;
};

/** Signals by which something poisonous ends a worker: a bad memory access, an abort of its own, the kernel's killer of what is too big. */
const SUSPICIOUS = new Map([
  ['SIGILL', 4],
  ['SIGABRT', 6],
  ['SIGBUS', 7],
  ['SIGKILL', 9],
  ['SIGSEGV', 11],
]);
/** What a shell makes of a signal. */
const SIGNAL_CODES = 128;

/** Whether it died as one does of bad memory or too much of it. `killed`: by us, which says nothing. */
export const isSuspicious = ({ code, signal, outOfMemory }: WorkerEnd, killed: boolean): boolean => {
  if (outOfMemory === true) return true;
  if (killed) return false;
  if (signal !== null) return SUSPICIOUS.has(signal);
  return code !== null && [...SUSPICIOUS.values()].includes(code - SIGNAL_CODES);
};

/** Characters of a printed line that go into a message; the whole is in `lastStderr`. */
const LONGEST_TELLING = 200;

const cut = (line: string): string =>
  line.length <= LONGEST_TELLING ? line : `${line.slice(0, LONGEST_TELLING)}…`;

/** `Error: …`, `TypeError [ERR_X]: …`, `ModuleNotFoundError: …`, `python3: can't open file …`. */
const NAMES_ERROR = /^(?:[\w$.]*(?:Error|Exception)(?: \[\w+\])?: |\S*python[\d.]*: )\S/;

/** Where Node says that it was thrown, on a line before: `/srv/worker.ts:1`. */
const NAMES_PLACE = /^(?!node:)\S.*:\d+$/;

/** The first printed line that names an error, and where, if a line before says so. */
export const tellingLine = (lines: readonly string[]): string | undefined => {
  const at = lines.findIndex((line) => NAMES_ERROR.test(line));
  if (at < 0) return undefined;
  const place = lines.slice(0, at).find((line) => NAMES_PLACE.test(line));
  return place === undefined ? cut(lines[at] as string) : `${cut(lines[at] as string)} (${cut(place)})`;
};

/** How it ended, and what it said last where that names an error. */
const howOf = (report: EndReport): string => {
  const how = describeEnd(report);
  const line = tellingLine(report.end?.lastStderr ?? []);
  return line === undefined ? how : `${how}: ${line}`;
};

const factsOf = (report: EndReport) => ({
  worker: report.worker,
  how: howOf(report),
  pid: report.pid,
  code: report.end?.code ?? null,
  signal: report.end?.signal ?? null,
  outOfMemory: report.end?.outOfMemory ?? false,
  lastStderr: report.end?.lastStderr ?? [],
});

/** What is owed to the job that was in flight; without one, to whoever looks after the worker. */
export const endError = (report: EndReport, job = 'no job'): TroupeError => {
  const { breach, end } = report;
  const data = { ...factsOf(report), job };
  if (breach === undefined)
    return createError('ERR_WORKER_EXITED', data, { cause: end?.error, stack: false });
  const why = isTroupeError(breach, 'ERR_WORKER_PROTOCOL') ? breach.data['why'] : plainText(breach);
  return createError('ERR_WORKER_PROTOCOL', { ...data, why }, { cause: breach, stack: false });
};

/** It ended well, or was killed for its silence: what it ran may be no worker at all. */
const mayBeNoWorker = ({ end, killedFor }: EndReport): boolean =>
  end !== undefined && (killedFor === undefined ? end.code === 0 : killedFor === 'not_ready_in_time');

/** What is owed to whoever waited for its start. */
export const startError = (report: EndReport): TroupeError => {
  const { breach, end } = report;
  if (breach !== undefined) return breach;
  const facts = factsOf(report);
  const why = mayBeNoWorker(report)
    ? `${facts.how}, before it was ready: does it serve as a worker?`
    : facts.how;
  return createError('ERR_WORKER_START', { ...facts, why }, { cause: end?.error, stack: false });
};
