/**
 * What a marked document makes a Node worker do, so that its real process fails in a real way. See `markers.mjs`, the
 * launcher's side of it; `act_on_mark.py` is the same in Python. Without a run's folder documents are only counted.
 */
import { appendFileSync, existsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const MARK = /^@@under-fire (linger|slow|deaf|garbage|poison) ([\w-]+) (\d+)@@\n/;
/** Where a worker of troupe speaks its protocol. */
const PROTOCOL_DESCRIPTOR = 4;
const EXIT_POISONED = 70;

/** Holds the whole thread: neither a cancellation nor a ping is heard meanwhile. */
const turnDeaf = (forMs) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, forMs);

/**
 * @param {string} text the document
 * @param {{ signal: AbortSignal }} job
 * @param {string | undefined} folder
 */
export const actOnMark = async (text, { signal }, folder) => {
  const match = MARK.exec(text);
  if (match === null || folder === undefined) return;
  const [, mark, token, ms] = match;
  const path = join(folder, token);
  const again = existsSync(path);
  appendFileSync(path, `${process.pid}\n`);
  if (mark === 'poison') process.exit(EXIT_POISONED);
  if (again) return;
  if (mark === 'garbage') writeSync(PROTOCOL_DESCRIPTOR, 'This is no frame of any protocol.\n');
  if (mark === 'deaf') turnDeaf(Number(ms));
  else await delay(Number(ms), undefined, { signal });
};
