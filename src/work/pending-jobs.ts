/**
 * The jobs that a worker has been given and has not answered, and how many chunks each may still send.
 *
 * Invariant: what is granted is what may come: a worker can make nobody hold more of its stream than was asked for.
 */
import { JobTable } from './job-table.ts';

interface PendingJob {
  readonly id: number;
  readonly name: string;
  granted: number | undefined;
}

export class PendingJobs {
  readonly #jobs = new JobTable<PendingJob>();

  /** `granted`: the chunks granted at first, where a stream is wanted. */
  add(id: number, granted: number | undefined, name: string): void {
    this.#jobs.add({ id, name, granted });
  }

  has(id: number): boolean {
    return this.#jobs.get(id) !== undefined;
  }

  /** Whether it was there. */
  delete(id: number): boolean {
    return this.#jobs.delete(id);
  }

  /** Grants more. `false`: it is over, or no stream. */
  grant(id: number, chunks: number): boolean {
    const job = this.#jobs.get(id);
    if (job?.granted === undefined) return false;
    job.granted += chunks;
    return true;
  }

  /** A chunk has come. `false`: it was not granted. */
  spend(id: number): boolean {
    const job = this.#jobs.get(id);
    if (job?.granted === undefined || job.granted === 0) return false;
    job.granted -= 1;
    return true;
  }

  names(): readonly string[] {
    return this.#jobs.list().map(({ name }) => name);
  }
}
