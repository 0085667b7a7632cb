/**
 * The values of a generator as the chunks of a job, or, where no stream was asked for, collected into one array. Used wherever
 * JavaScript runs jobs.
 *
 * Invariants: no more chunks leave than were granted, so that nobody has to hold them; a generator that was begun is also ended
 * (its `finally` runs), unless it never comes back from a step. What a chunk is sent over is the port's business.
 */
import type { RunningJob } from './running-job.ts';

type AnyGenerator = Generator | AsyncGenerator;

/** A real generator only: an array, a cursor or a Map is a result as it stands. */
export const isGenerator = (value: unknown): value is AnyGenerator => {
  if (typeof value !== 'object' || value === null) return false;
  const tag: unknown = (value as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag];
  return tag === 'Generator' || tag === 'AsyncGenerator';
};

export class JobStream {
  readonly #job: RunningJob;
  readonly #send: (value: unknown) => void;
  #granted: number;
  #wake: (() => void) | undefined;

  /** `granted`: chunks that may be sent at once. `send` may throw: then the job fails with that. */
  constructor(job: RunningJob, granted: number, send: (value: unknown) => void) {
    this.#job = job;
    this.#granted = granted;
    this.#send = send;
  }

  /** That many more may be sent. */
  grant(chunks: number): void {
    this.#granted += chunks;
    this.#wake?.();
  }

  /** Sends what the generator yields; resolves with what it returns. */
  async send(generator: AnyGenerator): Promise<unknown> {
    for await (const step of stepsOf(generator, this.#job)) {
      if (step.done === true) return step.value;
      while (this.#granted === 0) await this.#moreOrCancelled();
      // A cancellation may have ended the wait.
      if (this.#job.cancelled) continue;
      this.#granted -= 1;
      this.#send(step.value);
    }
    return undefined;
  }

  #moreOrCancelled(): Promise<void> {
    const { signal } = this.#job;
    return new Promise((resolve, reject) => {
      const cancelled = () => {
        this.#wake = undefined;
        reject(signal.reason);
      };
      this.#wake = () => {
        this.#wake = undefined;
        signal.removeEventListener('abort', cancelled);
        resolve();
      };
      if (signal.aborted) cancelled();
      else signal.addEventListener('abort', cancelled, { once: true });
    });
  }
}

/** All that a generator yields, for a caller who asked for no stream. */
export const collect = async (generator: AnyGenerator, job: RunningJob): Promise<unknown[]> => {
  const values: unknown[] = [];
  for await (const step of stepsOf(generator, job)) if (step.done !== true) values.push(step.value);
  return values;
};

/** Its steps, the last one included; between them the job may have been told to stop, which throws. Left early, it is ended. */
async function* stepsOf(generator: AnyGenerator, job: RunningJob): AsyncGenerator<IteratorResult<unknown>> {
  let over = false;
  try {
    while (!over) {
      const { done, value }: IteratorResult<unknown> = await generator.next();
      over = done === true;
      yield { done: over, value: await value } as IteratorResult<unknown>;
      if (!over && job.cancelled) throw job.signal.reason;
    }
  } finally {
    if (!over) await generator.return(undefined);
  }
}
