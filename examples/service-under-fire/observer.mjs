/**
 * Watches the service from outside: its public `/status` many times a second, and its OS processes in `/proc`.
 *
 * Invariant: every process that was ever seen below the service is remembered by pid and start time, so that one that
 * outlives it can be named, whoever its parent is by then.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { descendantsOf, isThere, readProcess } from './processes.mjs';

const STATUS_EVERY_MS = 60;
const SCAN_EVERY_MS = 250;
/** Long enough for a service whose loop is held. */
const STATUS_PATIENCE_MS = 4_000;

/** How often a condition is looked at again while something waits for it. */
const LOOK_EVERY_MS = 20;

/** Polls until `condition` is truthy; `undefined` when the limit passed first. */
export const until = async (condition, limitMs) => {
  const latest = performance.now() + limitMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() >= latest) return undefined;
    await delay(LOOK_EVERY_MS);
  }
};

export const createObserver = ({ client, servicePid }) => {
  /** pid and start time, as one key → identity. */
  const seen = new Map();
  /** Pids that the service ever named as workers. */
  const workerPids = new Set();
  let status;
  let statusAt = 0;
  let running = true;

  const scan = () => {
    for (const { pid, startTicks } of descendantsOf(servicePid))
      seen.set(`${pid} ${startTicks}`, { pid, startTicks });
  };

  const readStatus = async () => {
    const askedAt = performance.now();
    const answer = await client.ask('GET', '/status', STATUS_PATIENCE_MS);
    if (answer.status !== 200 || answer.body === undefined) return;
    status = answer.body;
    statusAt = askedAt;
    for (const { pid } of status.workers) if (pid !== undefined && pid !== null) workerPids.add(pid);
  };

  const repeat = async (task, everyMs) => {
    while (running) {
      await task();
      await delay(everyMs);
    }
  };

  const loops = [repeat(readStatus, STATUS_EVERY_MS), repeat(async () => scan(), SCAN_EVERY_MS)];

  /** Whether the pool has its full size of workers that take work, each a living child of the service. */
  const isWhole = () => {
    if (status === undefined) return false;
    const fit = status.workers.filter(
      ({ pid, fit }) => fit && readProcess(pid)?.parent === servicePid && readProcess(pid)?.state !== 'T',
    );
    return fit.length >= status.size;
  };

  return {
    until,
    isWhole,
    readStatus,
    /** The last status that was read; `undefined` before the first. */
    status: () => status,
    /** When the last status was asked for, by `performance.now()`. */
    statusAt: () => statusAt,
    workerPids: () => new Set(workerPids),
    /** The full pool, seen in a status asked for after `sinceMs`. */
    wholeSince: (sinceMs) => statusAt > sinceMs && isWhole(),
    /** Processes that were once below the service and are still there. */
    left: () => [...seen.values()].filter(isThere),
    scan,
    stop: async () => {
      running = false;
      await Promise.all(loops);
    },
  };
};
