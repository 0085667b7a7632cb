/**
 * Files below given folders.
 *
 * Invariants: links are followed, then the file that was really opened is looked at: what is checked is what is read or written, with
 * no gap in between; nothing is created, cut or written before its place is known to be allowed. Reading is bounded in bytes and time.
 */
import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, readlink, realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, relative, resolve } from 'node:path';

/** A folder that may be read, or written too. */
export interface Root {
  readonly path: string;
  readonly write: boolean;
}

export interface ReadOptions {
  /** `undefined`: everywhere. */
  readonly roots: readonly Root[] | undefined;
  readonly maxBytes: number;
  readonly timeoutMs: number;
  readonly refuse: (detail: string) => Error;
}

export interface WriteOptions {
  readonly roots: readonly Root[] | undefined;
  readonly refuse: (detail: string) => Error;
}

/** Links that are followed on the way to a file to be written. */
const MOST_LINKS = 16;
const PIECE_BYTES = 262_144;
const { now } = performance;
const clock = now.bind(performance);

/** Where an open file really is. */
const placeOf = async (file: FileHandle, path: string): Promise<string> => {
  try {
    return await readlink(`/proc/self/fd/${file.fd}`);
  } catch {
    // Without /proc: by name, and then that the name still is this file.
    const place = await realpath(path);
    const again = await open(place, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const [one, other] = [await file.stat(), await again.stat()];
      if (one.dev === other.dev && one.ino === other.ino) return place;
    } finally {
      await again.close();
    }
    throw new Error(`${path} was moved while it was opened`);
  }
};

const isBelow = async (place: string, roots: readonly Root[], writing: boolean): Promise<boolean> => {
  for (const { path, write } of roots) {
    if (writing && !write) continue;
    const root = await realpath(path).catch(() => undefined);
    if (root === undefined) continue;
    const way = relative(root, place);
    if (way === '' || (!way.startsWith('..') && !isAbsolute(way))) return true;
  }
  return false;
};

export const readWithin = async (path: string, encoding: unknown, options: ReadOptions): Promise<unknown> => {
  const { roots, maxBytes, timeoutMs, refuse } = options;
  const until = clock() + timeoutMs;
  // Not blocking: a pipe that nobody writes is no way to hang.
  const file = await open(resolve(path), constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (roots !== undefined && !(await isBelow(await placeOf(file, path), roots, false)))
      throw refuse(`${path} is outside of the session's folders`);
    mustBeFile(await file.stat(), path);
    const data = await readAll(file, { path, maxBytes, until, timeoutMs });
    return encoding === 'buffer' || encoding === null ? data : data.toString('utf8');
  } finally {
    await file.close();
  }
};

const mustBeFile = (stats: Stats, path: string): void => {
  if (!stats.isFile()) throw new Error(`${path} is not a file`);
};

interface Reading {
  readonly path: string;
  readonly maxBytes: number;
  readonly until: number;
  readonly timeoutMs: number;
}

/** Also where the file says that it is empty, or grows: what counts is what was read. */
const readAll = async (file: FileHandle, reading: Reading): Promise<Buffer> => {
  const { path, maxBytes, until, timeoutMs } = reading;
  const pieces: Buffer[] = [];
  for (let bytes = 0; ; ) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(PIECE_BYTES), 0, PIECE_BYTES, null);
    if (bytesRead === 0) return Buffer.concat(pieces, bytes);
    bytes += bytesRead;
    if (bytes > maxBytes) throw new RangeError(`${path} is larger than ${maxBytes} bytes`);
    if (clock() > until) throw new Error(`reading ${path} took longer than ${timeoutMs} ms`);
    pieces.push(buffer.subarray(0, bytesRead));
  }
};

export const writeWithin = async (path: string, data: unknown, options: WriteOptions): Promise<void> => {
  const file = await openToWrite(resolve(path), options, MOST_LINKS);
  try {
    mustBeFile(await file.stat(), path);
    const { roots, refuse } = options;
    if (roots !== undefined && !(await isBelow(await placeOf(file, path), roots, true)))
      throw refuse(`${path} is outside of the folders that the session may write`);
    await file.truncate(0);
    await file.writeFile(typeof data === 'string' || data instanceof Uint8Array ? data : String(data));
  } finally {
    await file.close();
  }
};

/** Opens the folder first: the file is then made in that very folder, wherever its name may lead by then. */
const openToWrite = async (path: string, options: WriteOptions, links: number): Promise<FileHandle> => {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_NONBLOCK;
  const { roots, refuse } = options;
  if (roots === undefined) return open(path, flags);
  const folder = await open(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const place = await placeOf(folder, dirname(path));
    if (!(await isBelow(place, roots, true)))
      throw refuse(`${path} is outside of the folders that the session may write`);
    const inFolder = process.platform === 'linux' ? `/proc/self/fd/${folder.fd}` : place;
    const name = `${inFolder}/${basename(path)}`;
    try {
      return await open(name, flags | constants.O_NOFOLLOW);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ELOOP' || links === 0) throw error;
      return await openToWrite(resolve(place, await readlink(name)), options, links - 1);
    }
  } finally {
    await folder.close();
  }
};

const { process } = globalThis;
