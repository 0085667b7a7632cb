/**
 * Dead letters: what could not be delivered, kept in a directory until somebody replays or deletes it.
 *
 * Invariant: a letter that was acknowledged is there after a kill at any byte (with `fsync: 'always'` also after a loss of
 * power); one that was deleted or replayed does not come back, except that the one being replayed when the process died is
 * delivered again. Letters keep their order. Files only grow at their end, and go as a whole when nothing in them is
 * left. One process at a time has a directory.
 */
import {
  type FileHandle,
  mkdir,
  open,
  readdir,
  readFile,
  truncate,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { createError } from '../base/errors.ts';
import type { Host } from '../base/host.ts';
import { check, integer, msOrInfinity, object, oneOf, resolveOptions, text } from '../base/options.ts';
import { realHost } from '../base/real-host.ts';
import type { Awaitable } from '../kernel/logic.ts';
import {
  decodeSegment,
  encodeRecord,
  LARGEST_LETTER,
  type LetterRecord,
  type StoredLetter,
} from './dead-letter-record.ts';

/** A letter to be kept. `payload` and `headers` are JSON. */
export interface NewLetter {
  readonly topic: string;
  readonly payload: unknown;
  /** Why it could not be delivered. */
  readonly error: unknown;
  /** How often that was tried. Default 1. */
  readonly attempts?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface DeadLetter extends StoredLetter {
  /** Grows from letter to letter, also over restarts. */
  readonly id: number;
}

export interface DeadLettersOptions {
  /** Where they are kept; made if it is missing. */
  readonly directory: string;
  /** `always`: each letter is on the disk before `add` resolves; `never`: that is left to the system. Default `'always'`. */
  readonly fsync?: 'always' | 'never';
  /** A file's size at which the next is begun, bytes. Default 1 MiB. */
  readonly segmentBytes?: number;
  /** What all files may take, bytes; beyond it the oldest letters go, or new ones are refused. Default 64 MiB. */
  readonly maxBytes?: number;
  /** Default `'drop_oldest'`. */
  readonly overflow?: 'drop_oldest' | 'refuse';
  /** Letters older than this are deleted when the store is opened, and by `expire()`, ms. Default `Infinity`. */
  readonly maxAgeMs?: number;
  readonly host?: Host;
}

export interface DeadLettersReport {
  readonly letters: number;
  readonly bytes: number;
  readonly segments: number;
  /** Files whose end was broken off when the store was opened: at most one letter each, never one that was acknowledged. */
  readonly torn: number;
  /** Letters that made room for others. */
  readonly dropped: number;
}

export interface Replay {
  readonly delivered: number;
  readonly left: number;
  /** What stopped it: the first delivery that failed, whose letter stays the first. */
  readonly error: unknown;
}

export interface DeadLetters {
  /** Resolves to the letter's id when it is safe. @throws ERR_DEAD_LETTERS_FULL, ERR_DEAD_LETTERS_CLOSED, ERR_OPTION_INVALID */
  add(letter: NewLetter): Promise<number>;
  /** In order, from after `after` on, at most `limit`. */
  list(options?: { readonly after?: number; readonly limit?: number }): readonly DeadLetter[];
  /** `false`: there is none with this id. */
  delete(id: number): Promise<boolean>;
  /** Deletes what is older than `maxAgeMs`. How many. */
  expire(maxAgeMs?: number): Promise<number>;
  /** Delivers letters in order, deleting each once it is delivered; stops at the first that fails. One replay at a time. */
  replay(
    deliver: (letter: DeadLetter) => Awaitable<unknown>,
    options?: { readonly limit?: number; readonly signal?: AbortSignal },
  ): Promise<Replay>;
  inspect(): DeadLettersReport;
  /** Waits for what is being written. Safe to repeat. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export const DEAD_LETTERS_DEFAULTS = Object.freeze({
  fsync: 'always' as const,
  segmentBytes: 1_048_576,
  maxBytes: 64 * 1_048_576,
  overflow: 'drop_oldest' as const,
  maxAgeMs: Number.POSITIVE_INFINITY,
});

const FIELDS = {
  directory: text,
  fsync: oneOf('always', 'never'),
  segmentBytes: integer(1_024),
  maxBytes: integer(1_024),
  overflow: oneOf('drop_oldest', 'refuse'),
  maxAgeMs: msOrInfinity(0),
  host: object<Host>('a Host'),
} as const;

interface Segment {
  readonly path: string;
  bytes: number;
  /** Letters in it that are still there. */
  live: number;
}

interface Kept {
  readonly letter: DeadLetter;
  readonly segment: Segment;
}

const NAME = /^(\d{10})\.letters$/;
const nameOf = (number: number): string => `${String(number).padStart(10, '0')}.letters`;

class LetterDirectory implements DeadLetters {
  readonly #options: Required<Omit<DeadLettersOptions, 'host'>>;
  readonly #host: Host;
  readonly #letters = new Map<number, Kept>();
  readonly #segments: Segment[] = [];
  #file: FileHandle | undefined;
  #next = 1;
  #torn = 0;
  #dropped = 0;
  #closed = false;
  #replaying = false;
  /** The end of the file in use may not be whole: nothing is written behind it. */
  #spoilt = false;
  /** What touches files goes one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: Required<Omit<DeadLettersOptions, 'host'>>, host: Host) {
    this.#options = options;
    this.#host = host;
  }

  async open(): Promise<void> {
    const { directory, maxAgeMs } = this.#options;
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const numbers = (await readdir(directory))
      .flatMap((name) => NAME.exec(name)?.[1] ?? [])
      .map(Number)
      .sort((a, b) => a - b);
    for (const number of numbers) await this.#load(number);
    await this.#reap();
    await this.#begin();
    if (maxAgeMs < Number.POSITIVE_INFINITY) await this.expire();
  }

  async add({ topic, payload, error, attempts = 1, headers = {} }: NewLetter): Promise<number> {
    check('a dead letter', 'topic', text, topic);
    check('a dead letter', 'attempts', integer(0), attempts);
    // As it is now, and as it will be read: whoever handed it over may change it while it waits for its turn.
    const words = JSON.stringify({ topic, payload, error: wordsOf(error), attempts, headers });
    return this.#serial(async () => {
      const letter: StoredLetter = { ...JSON.parse(words), at: this.#host.wall() };
      const id = this.#next;
      const bytes = this.#encode({ kind: 'letter', id, letter });
      this.#next += 1;
      await this.#makeRoom(bytes.length);
      const segment = await this.#append(bytes);
      segment.live += 1;
      this.#letters.set(id, { letter: { id, ...letter }, segment });
      return id;
    });
  }

  list({ after = 0, limit = Number.POSITIVE_INFINITY } = {}): readonly DeadLetter[] {
    const found: DeadLetter[] = [];
    for (const [id, { letter }] of this.#letters) {
      if (found.length >= limit) break;
      if (id > after) found.push(letter);
    }
    return found;
  }

  delete(id: number): Promise<boolean> {
    return this.#serial(() => this.#delete(id));
  }

  expire(maxAgeMs = this.#options.maxAgeMs): Promise<number> {
    return this.#serial(async () => {
      const before = this.#host.wall() - maxAgeMs;
      let expired = 0;
      for (const [id, { letter }] of [...this.#letters]) {
        if (letter.at < before && (await this.#delete(id))) expired += 1;
      }
      return expired;
    });
  }

  async replay(
    deliver: (letter: DeadLetter) => Awaitable<unknown>,
    { limit = Number.POSITIVE_INFINITY, signal }: { limit?: number; signal?: AbortSignal } = {},
  ): Promise<Replay> {
    if (this.#replaying) throw createError('ERR_DEAD_LETTERS_BUSY', { directory: this.#options.directory });
    this.#replaying = true;
    let delivered = 0;
    let error: unknown;
    try {
      // Those that are there now: what fails again meanwhile is not tried a second time.
      for (const letter of this.list({ limit })) {
        if (signal?.aborted === true) {
          error = signal.reason;
          break;
        }
        if (!this.#letters.has(letter.id)) continue;
        try {
          await deliver(letter);
        } catch (cause) {
          error = cause;
          break;
        }
        await this.delete(letter.id);
        delivered += 1;
      }
    } finally {
      this.#replaying = false;
    }
    return { delivered, left: this.#letters.size, error };
  }

  inspect(): DeadLettersReport {
    return {
      letters: this.#letters.size,
      bytes: this.#bytes,
      segments: this.#segments.length,
      torn: this.#torn,
      dropped: this.#dropped,
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#turn.catch(() => {});
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  get #bytes(): number {
    return this.#segments.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  #serial<T>(run: () => Promise<T>): Promise<T> {
    if (this.#closed)
      return Promise.reject(createError('ERR_DEAD_LETTERS_CLOSED', { directory: this.#options.directory }));
    const turn = this.#turn.then(run, run);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  #encode(record: LetterRecord): Buffer {
    const bytes = encodeRecord(record);
    const { directory, maxBytes } = this.#options;
    const limit = Math.min(LARGEST_LETTER, maxBytes);
    if (bytes.length > limit) throw createError('ERR_DEAD_LETTERS_FULL', { directory, limit });
    return bytes;
  }

  async #load(number: number): Promise<void> {
    const path = join(this.#options.directory, nameOf(number));
    const content = await readFile(path);
    const { records, whole } = decodeSegment(content);
    if (whole < content.length) {
      // What was being written at a kill was never acknowledged. Should the disk have done it, it is
      // kept aside.
      this.#torn += 1;
      await writeFile(`${path}.broken`, content.subarray(whole), { mode: 0o600 });
      await truncate(path, whole);
    }
    const segment: Segment = { path, bytes: whole, live: 0 };
    // A file is named by the first id that can be in it, so that ids grow also where all letters are gone.
    this.#next = Math.max(this.#next, number);
    this.#segments.push(segment);
    for (const { record } of records) {
      this.#next = Math.max(this.#next, record.id + 1);
      if (record.kind === 'deleted') this.#forget(record.id);
      else {
        segment.live += 1;
        this.#letters.set(record.id, { letter: { id: record.id, ...record.letter }, segment });
      }
    }
  }

  async #begin(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
    while (this.#file === undefined) {
      const path = join(this.#options.directory, nameOf(this.#next));
      try {
        this.#file = await open(path, 'ax', 0o600);
        this.#segments.push({ path, bytes: 0, live: 0 });
        this.#spoilt = false;
      } catch (error) {
        if ((error as { code?: unknown }).code !== 'EEXIST') throw error;
        this.#next += 1;
      }
    }
    await this.#syncDirectory();
  }

  async #append(bytes: Buffer): Promise<Segment> {
    let segment = this.#segments.at(-1) as Segment;
    const full = segment.bytes > 0 && segment.bytes + bytes.length > this.#options.segmentBytes;
    if (full || this.#spoilt) {
      await this.#begin();
      segment = this.#segments.at(-1) as Segment;
    }
    const file = this.#file as FileHandle;
    try {
      await file.appendFile(bytes);
      if (this.#options.fsync === 'always') await file.datasync();
    } catch (error) {
      // Half a record at the end would take the ones behind it along: nothing is written behind it.
      this.#spoilt = true;
      await file.truncate(segment.bytes).catch(() => {});
      throw error;
    }
    segment.bytes += bytes.length;
    return segment;
  }

  async #delete(id: number): Promise<boolean> {
    if (!this.#letters.has(id)) return false;
    await this.#append(encodeRecord({ kind: 'deleted', id }));
    this.#forget(id);
    await this.#reap();
    return true;
  }

  #forget(id: number): void {
    const kept = this.#letters.get(id);
    if (kept === undefined) return;
    kept.segment.live -= 1;
    this.#letters.delete(id);
  }

  /** Removes files from the front, of whose letters none is left: what marks them as deleted stands in later ones. */
  async #reap(): Promise<void> {
    for (let first = this.#segments[0]; first !== undefined; first = this.#segments[0]) {
      if (first.live > 0 || (this.#file !== undefined && this.#segments.length === 1)) return;
      this.#segments.shift();
      await unlink(first.path);
      // In this order on the disk too: what says that letters are deleted must not go before them.
      await this.#syncDirectory();
    }
  }

  async #makeRoom(bytes: number): Promise<void> {
    const { maxBytes, overflow, directory } = this.#options;
    if (this.#bytes + bytes <= maxBytes) return;
    if (overflow === 'refuse') throw createError('ERR_DEAD_LETTERS_FULL', { directory, limit: maxBytes });
    while (this.#bytes + bytes > maxBytes) {
      const first = this.#segments[0] as Segment;
      if (this.#segments.length === 1) await this.#begin();
      for (const [id, { segment }] of [...this.#letters]) {
        if (segment !== first) continue;
        this.#forget(id);
        this.#dropped += 1;
      }
      this.#segments.shift();
      await unlink(first.path);
    }
  }

  /** A new file is there after a loss of power only if its directory says so. */
  async #syncDirectory(): Promise<void> {
    if (this.#options.fsync !== 'always') return;
    const directory = await open(this.#options.directory, 'r');
    await directory.sync().finally(() => directory.close());
  }
}

const wordsOf = (error: unknown): string =>
  error instanceof Error ? `${error.name}: ${error.message}` : String(error);

/**
 * Opens a directory of dead letters, reading what is there.
 *
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN, and what the file system says
 */
export const openDeadLetters = async (options: DeadLettersOptions): Promise<DeadLetters> => {
  const resolved = resolveOptions('openDeadLetters', options, FIELDS, DEAD_LETTERS_DEFAULTS);
  const { directory } = resolved;
  if (directory === undefined) throw missingDirectory();
  const store = new LetterDirectory({ ...resolved, directory }, resolved.host ?? realHost());
  await store.open();
  return store;
};

const missingDirectory = (): unknown =>
  createError('ERR_OPTION_INVALID', {
    where: 'openDeadLetters',
    field: 'directory',
    expected: 'a non-empty string',
    got: 'nothing',
  });
