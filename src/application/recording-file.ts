/**
 * The flight recorder's file: what was recorded, written down at the last moment, for whoever asks later what happened.
 *
 * Invariants: synchronous, and it never throws: it is called when nothing can be trusted any more. Nobody else can read
 * the file, and none that is there is overwritten. The folder holds at most {@link FILES_KEPT} recordings.
 */
import { existsSync, mkdirSync, readdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { type FlightRecording, recordingOf } from '../kernel/flight-recorder.ts';
import type { System } from '../kernel/system-contract.ts';

/** Recordings kept in one folder; the oldest go. Owner: this file; a recording is a few hundred KB at most. */
export const FILES_KEPT = 20;

const NAME = /^troupe-.*\.json$/;

/** Where recordings go unless the options say otherwise: a folder of this user's in the system's temporary folder. */
export const recordingFolder = (): string => join(tmpdir(), `troupe-${userInfo().username}`);

const dropOldest = (folder: string): void => {
  const names = readdirSync(folder).filter((name) => NAME.test(name));
  // The instant is in the name, behind the last dash, of equal length for some centuries.
  const instantOf = (name: string): string => name.slice(name.lastIndexOf('-') + 1);
  names.sort((a, b) => (instantOf(a) < instantOf(b) ? -1 : 1));
  for (const name of names.slice(0, Math.max(0, names.length - FILES_KEPT))) unlinkSync(join(folder, name));
};

/** Writes what is recorded of a system; the path of the file, or `undefined` where that failed. */
export const writeRecording = (
  folder: string,
  system: System,
  about: Pick<FlightRecording, 'name' | 'why'> & { readonly tree?: FlightRecording['tree'] | undefined },
): string | undefined => {
  try {
    const { pid, versions } = process;
    const recording = recordingOf(system, { ...about, pid, node: versions.node });
    // Not with its parents: below /proc Node never returns from that, and this runs where nothing may hang.
    if (!existsSync(folder)) mkdirSync(folder, { mode: 0o700 });
    const name = about.name.replace(/[^\w.]+/g, '_').slice(0, 80);
    const path = join(folder, `troupe-${name}-${pid}-${Math.round(recording.writtenAt)}.json`);
    writeFileSync(path, `${JSON.stringify(recording)}\n`, { mode: 0o600, flag: 'wx' });
    dropOldest(folder);
    return path;
  } catch {
    return undefined;
  }
};
