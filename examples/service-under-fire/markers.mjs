/**
 * The marks by which the launcher asks a worker to misbehave: the first line of a document, agreed between both sides.
 * They are part of this demonstration's workers; troupe knows nothing of them.
 *
 * A marked document also names a token. The worker that meets it appends its pid to the file of that name in the
 * run's folder, which is how the launcher learns from outside which process a document is on, and how often it was
 * tried.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 5;

/**
 * - `linger`: the first worker that meets it works for that long, then counts; the next ones count at once.
 * - `slow`: the same, later than its deadline; stops when told to. `deaf`: the same, and is not told anything.
 * - `garbage`: the first worker that meets it breaks the protocol; the next ones count.
 * - `poison`: ends its worker, every time.
 *
 * @param {'linger' | 'slow' | 'deaf' | 'garbage' | 'poison'} mark
 * @param {string} token letters, digits and dashes
 * @param {number} lingerMs
 * @param {Uint8Array} bytes
 */
export const marked = (mark, token, lingerMs, bytes) =>
  Buffer.concat([Buffer.from(`@@under-fire ${mark} ${token} ${lingerMs}@@\n`), bytes]);

/** The pids of the workers that met the token so far, in order. */
export const triesOf = (folder, token) => {
  try {
    return readFileSync(join(folder, token), 'latin1').split('\n').filter(Boolean).map(Number);
  } catch {
    return [];
  }
};

/** Waits until a worker met the token; `undefined` when none did in time, or `over` says that none will. */
export const firstTryOf = async ({ folder, token, limitMs, over }) => {
  const latest = performance.now() + limitMs;
  for (;;) {
    // Asked before the file is read: what was written until then is seen.
    const last = over() || performance.now() > latest;
    const [pid] = triesOf(folder, token);
    if (pid !== undefined || last) return pid;
    await delay(POLL_MS);
  }
};
