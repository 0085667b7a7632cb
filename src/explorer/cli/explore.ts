/**
 * `troupe explore <url|file>`: opens a recording in the views of a running system; of a running one it says where it is looked at.
 */
import { readFileSync, statSync } from 'node:fs';
import { isTroupeError } from '../../base/errors.ts';
import { serveRecording } from '../serve-recording.ts';
import { DONE, FAILED, MISUSED, type Subcommand } from './subcommand.ts';

/** The largest file that is taken for a recording, bytes; one of a thousand facts and ten thousand actors is a few MB. */
const LARGEST_FILE = 256 * 1_024 * 1_024;

const isAddress = (target: string): boolean => /^https?:\/\//.test(target);

const read = (file: string): string => {
  if (statSync(file).size > LARGEST_FILE) throw new RangeError(`${file} is too large for a recording`);
  return readFileSync(file, 'utf8');
};

export const explore: Subcommand = {
  usage: 'explore <url|file>',
  summary: 'opens what a flight recorder wrote, or says where to look at a running system',
  run: async ([target, ...more], { print, complain, interrupted }) => {
    if (target === undefined || more.length > 0) {
      complain('usage: troupe explore <url|file>');
      return MISUSED;
    }
    if (isAddress(target)) {
      print(`explorer ${target}`);
      return DONE;
    }
    try {
      const served = await serveRecording(read(target), target);
      print(`explorer ${served.address}`);
      await interrupted;
      served.close();
      return DONE;
    } catch (error) {
      complain(isTroupeError(error) || error instanceof Error ? error.message : String(error));
      return FAILED;
    }
  },
};
