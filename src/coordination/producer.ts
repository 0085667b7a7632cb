/**
 * Brings what a source gives to a connection, one at a time, when the client can take it.
 *
 * Invariant: the source is asked for the next only when nothing waits; it is never asked twice at once; when the client is gone a source
 * that is not at its end is told to return, once. Nothing of it is raced against a promise that lives as long as the
 * connection.
 */

export interface Producing<T> {
  readonly isOpen: boolean;
  readonly writable: boolean;
  take(value: T): void;
  /** The source came to its end, or failed. */
  exhausted(): void;
  failed(error: unknown): void;
}

export class Producer<T> {
  readonly #to: Producing<T>;
  readonly #iterator: AsyncIterator<T> | Iterator<T>;
  #asking = false;
  #over = false;

  constructor(to: Producing<T>, source: AsyncIterable<T> | Iterable<T>) {
    this.#to = to;
    this.#iterator =
      Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  }

  /** The client may be able to take more. */
  pull(): void {
    if (this.#asking || this.#over || !this.#to.isOpen || !this.#to.writable) return;
    this.#asking = true;
    void this.#ask();
  }

  /** Lets go of the source. */
  async stop(): Promise<void> {
    if (this.#over) return;
    this.#over = true;
    await this.#iterator.return?.();
  }

  async #ask(): Promise<void> {
    try {
      while (!this.#over && this.#to.writable) {
        const { done, value } = await this.#iterator.next();
        if (this.#over) return;
        if (done === true) {
          this.#over = true;
          this.#to.exhausted();
          return;
        }
        this.#to.take(value);
      }
    } catch (error) {
      if (this.#over) return;
      this.#over = true;
      this.#to.failed(error);
    } finally {
      this.#asking = false;
    }
  }
}
