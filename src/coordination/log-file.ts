/**
 * The file of one operation: opened fresh, written line by line, closed once.
 *
 * Invariant: no two operations of this process have one file at a time; whatever way the operation ends, its descriptor is closed
 * exactly once, and what is logged later is not written. A line is with the system when `write` returns, so that a crash
 * of the process loses none; to write takes a few microseconds, or as long as the disk makes everybody wait.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { resolve } from 'node:path';
import { createError, show } from '../base/errors.ts';

/** Which files are open, and whose they are. */
const open = new Map<string, string>();

export class LogFile {
  readonly path: string;
  readonly #descriptor: number;
  readonly #failed: (why: string) => void;
  #open = true;
  #told = false;

  /** @throws ERR_OPERATION_LOG_FILE */
  constructor(path: string, operation: string, failed: (why: string) => void) {
    this.path = resolve(path);
    this.#failed = failed;
    const other = open.get(this.path);
    if (other !== undefined) throw cannotOpen(path, operation, `operation ${other} is writing it`, undefined);
    try {
      this.#descriptor = openSync(this.path, 'w');
    } catch (error) {
      throw cannotOpen(path, operation, show(error), error);
    }
    open.set(this.path, operation);
  }

  /** `false`: it is closed, or could not be written. */
  write(text: string): boolean {
    if (!this.#open) return false;
    try {
      writeSync(this.#descriptor, text);
      return true;
    } catch (error) {
      this.#fail(error);
      return false;
    }
  }

  /** Safe to repeat. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    open.delete(this.path);
    try {
      closeSync(this.#descriptor);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    if (this.#told) return;
    this.#told = true;
    this.#failed(show(error));
  }
}

const cannotOpen = (path: string, operation: string, why: string, cause: unknown): Error =>
  createError('ERR_OPERATION_LOG_FILE', { operation, path, why }, { cause });
