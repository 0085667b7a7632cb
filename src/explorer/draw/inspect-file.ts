/**
 * The program of the OS process in which a user's file is loaded to be drawn: loads what its argument names, writes what can be
 * drawn on descriptor 4, and exits, whatever the file has left running.
 *
 * Invariant: one line of JSON is written, or none where the file cannot be loaded; then the exit code is not 0, and the reason on stderr.
 */
import { writeSync } from 'node:fs';
import { argv, exit, stdin } from 'node:process';
import { subjectsIn } from './subjects.ts';

const RESULT = 4;

const writeAll = (text: string): void => {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length; ) at += writeSome(bytes, at);
};

/** The other side may take it more slowly than it is written. */
const writeSome = (bytes: Uint8Array, at: number): number => {
  try {
    return writeSync(RESULT, bytes, at);
  } catch (error) {
    if ((error as { code?: unknown }).code === 'EAGAIN') return 0;
    throw error;
  }
};

// Whoever asked is gone.
stdin.on('end', () => exit(1)).resume();

const [, , target = ''] = argv;
const exported = (await import(target)) as Readonly<Record<string, unknown>>;
const { default: whole } = exported;
// What CommonJS exports is the default of its module.
const isWhole = typeof whole === 'object' && whole !== null && Object.keys(exported).length === 1;
const subjects = subjectsIn(exported);
const found =
  subjects.length > 0 || !isWhole ? subjects : subjectsIn(whole as Readonly<Record<string, unknown>>);
writeAll(`${JSON.stringify(found)}\n`);
exit(0);
