/**
 * OS processes as `/proc` shows them: the launcher believes this, not what the service says of its workers.
 *
 * A process is identified by its pid and its start time, because pids are used again. A zombie still counts as
 * there: whoever started it has not collected it yet.
 */
import { readdirSync, readFileSync } from 'node:fs';

/**
 * @typedef {{ pid: number, startTicks: string }} ProcessIdentity
 * @typedef {ProcessIdentity & { parent: number, state: string }} ProcessFacts
 */

/** @returns {ProcessFacts | undefined} `undefined`: there is no such process */
export const readProcess = (pid) => {
  let line;
  try {
    line = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  // The name may contain anything, so the fields are counted from its closing parenthesis.
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  return { pid, state: fields[0], parent: Number(fields[1]), startTicks: fields[19] };
};

/** Whether that very process is still there, running, stopped or a zombie. */
export const isThere = (identity) => readProcess(identity.pid)?.startTicks === identity.startTicks;

/** Whether it was stopped by a signal. */
export const isStopped = (pid) => readProcess(pid)?.state === 'T';

const allPids = () =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);

/** Every process below `root`, children of children included. */
export const descendantsOf = (root) => {
  const all = allPids()
    .map(readProcess)
    .filter((facts) => facts !== undefined);
  const found = [];
  const parents = [root];
  while (parents.length > 0) {
    const parent = parents.pop();
    for (const facts of all) {
      if (facts.parent !== parent) continue;
      found.push(facts);
      parents.push(facts.pid);
    }
  }
  return found;
};

/** Pids of all processes whose environment has `name=value`: finds also what nobody saw being started. */
export const withEnvironment = (name, value) => {
  const wanted = `${name}=${value}`;
  return allPids().filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(wanted);
    } catch {
      return false;
    }
  });
};

/** Linux tells times of `/proc` in hundredths of a second, whatever the kernel's own tick. */
const TICKS_PER_SECOND = 100;

/** Now, in the unit of start times. */
export const ticksNow = () =>
  Math.floor(Number.parseFloat(readFileSync('/proc/uptime', 'latin1')) * TICKS_PER_SECOND);
