/** The end of a worker in words and as errors: for whoever waited for its job, for its start, or for nothing at all. */
import { createError, type TroupeError } from '../base/errors.ts';
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
  return end.signal === null ? `exit code ${end.code ?? 'unknown'}` : `signal ${end.signal}`;
};

/** `exit code 1`, `signal SIGKILL, killed: cancel_ignored`, `spawn python3 ENOENT`. */
export const describeEnd = ({ end, killedFor }: EndReport): string => {
  if (end === undefined) return killedFor ?? 'it was not opened';
  return killedFor === undefined ? plainly(end) : `${plainly(end)}, killed: ${killedFor}`;
};

const factsOf = (report: EndReport) => ({
  worker: report.worker,
  how: describeEnd(report),
  pid: report.pid,
  code: report.end?.code ?? null,
  signal: report.end?.signal ?? null,
  lastStderr: report.end?.lastStderr ?? [],
});

/** What is owed to the job that was in flight; without one, to whoever looks after the worker. */
export const endError = (report: EndReport, job = 'no job'): TroupeError => {
  const { breach, end } = report;
  const data = { ...factsOf(report), job };
  if (breach === undefined)
    return createError('ERR_WORKER_EXITED', data, { cause: end?.error, stack: false });
  const why = breach.message;
  return createError('ERR_WORKER_PROTOCOL', { ...data, why }, { cause: breach, stack: false });
};

/** What is owed to whoever waited for its start. */
export const startError = (report: EndReport): TroupeError => {
  const { breach, end } = report;
  if (breach !== undefined) return breach;
  const facts = factsOf(report);
  return createError('ERR_WORKER_START', { ...facts, why: facts.how }, { cause: end?.error, stack: false });
};
