/**
 * The clean-up of one connection: whatever was held for it, let go of once.
 *
 * Invariant: each release and each work is called exactly once, also where another throws, and also when it comes too late; nobody
 * waits for them longer than whoever runs this does. It has no timer of its own.
 */
import { LazyAbort } from '../base/abort.ts';

/** `overdue`: it was still running when its time was up. */
export type CleanUpOutcome = 'done' | 'failed' | 'overdue';

type Work = (signal: AbortSignal) => unknown;

export class CleanUp {
  readonly #failed: (error: unknown) => void;
  readonly #releases = new Set<() => void>();
  readonly #works: Work[] = [];
  readonly #abort = new LazyAbort();
  #began = false;
  #running = 0;
  #hasFailed = false;

  constructor(failed: (error: unknown) => void) {
    this.#failed = failed;
  }

  /** Synchronous, in the order of asking, before the works begin. Returns what takes it back. */
  onEnd(release: () => void): () => void {
    const once = (): void => release();
    if (this.#began) this.#call(once);
    else this.#releases.add(once);
    return () => void this.#releases.delete(once);
  }

  /** `work` may take its time. */
  add(work: Work): void {
    if (this.#began) void this.#await(work);
    else this.#works.push(work);
  }

  /** Resolves when all is done; never rejects. */
  async run(): Promise<void> {
    this.#began = true;
    for (const release of this.#releases) {
      this.#releases.delete(release);
      this.#call(release);
    }
    await Promise.all(this.#works.splice(0).map((work) => this.#await(work)));
  }

  /** Its time is over, one way or the other. */
  conclude(): CleanUpOutcome {
    if (this.#running > 0) {
      this.#abort.abort(undefined);
      return 'overdue';
    }
    return this.#hasFailed ? 'failed' : 'done';
  }

  #call(release: () => void): void {
    try {
      release();
    } catch (error) {
      this.#fail(error);
    }
  }

  async #await(work: Work): Promise<void> {
    this.#running += 1;
    try {
      await work(this.#abort.signal);
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#running -= 1;
    }
  }

  #fail(error: unknown): void {
    this.#hasFailed = true;
    this.#failed(error);
  }
}
