/**
 * What a process was asked beside the code that it runs: its namespace, its history, answers handed on.
 *
 * Invariant: each question is answered, refused, or given up at its deadline, once; when the process has ended, none is open.
 */
import { createError, type TroupeError } from '../base/errors.ts';
import type { Host, Timer } from '../base/host.ts';
import type { WorkerFailure, WorkerPort } from '../work/worker-port.ts';

interface Question {
  readonly name: string;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly timer: Timer;
}

/** A question on its way. */
interface Asked {
  readonly id: number;
  readonly name: string;
  readonly args: unknown;
  readonly timeoutMs: number;
}

export class ProcessQuestions {
  readonly #host: Host;
  /** The process's path. */
  readonly #process: string;
  readonly #open = new Map<number, Question>();

  constructor(host: Host, process: string) {
    this.#host = host;
    this.#process = process;
  }

  ask(port: WorkerPort | undefined, { id, name, args, timeoutMs }: Asked): Promise<unknown> {
    if (port === undefined) return Promise.reject(this.#closed('it has ended'));
    return new Promise((resolve, reject) => {
      const overdue = (): void => {
        this.#open.delete(id);
        const data = { job: name, worker: this.#process, timeoutMs };
        reject(createError('ERR_JOB_TIMEOUT', data, { stack: false }));
      };
      const timer = this.#host.timer(timeoutMs, 'session question', overdue);
      this.#open.set(id, { name, resolve, reject, timer });
      try {
        port.run({ id, name, args, remainingMs: timeoutMs });
      } catch (error) {
        this.#take(id)?.reject(error);
      }
    });
  }

  /** `false`: it was no question, or is not open any more; so for the others. */
  answered(id: number, value: unknown): boolean {
    const question = this.#take(id);
    question?.resolve(value);
    return question !== undefined;
  }

  failed(id: number, failure: WorkerFailure): boolean {
    const question = this.#take(id);
    question?.reject(this.#refusal(question.name, failure));
    return question !== undefined;
  }

  cancelled(id: number): boolean {
    const question = this.#take(id);
    question?.reject(this.#closed('it is closing'));
    return question !== undefined;
  }

  end(errorOf: (name: string) => TroupeError): void {
    for (const id of [...this.#open.keys()]) {
      const question = this.#take(id);
      question?.reject(errorOf(question.name));
    }
  }

  #take(id: number): Question | undefined {
    const question = this.#open.get(id);
    this.#open.delete(id);
    question?.timer.cancel();
    return question;
  }

  #refusal(name: string, { type, message, traceback }: WorkerFailure): TroupeError {
    if (type === 'Busy')
      return createError('ERR_SESSION_BUSY', { session: this.#process, what: name }, { stack: false });
    const data = { job: name, worker: this.#process, type, text: message, traceback };
    return createError('ERR_JOB_FAILED', data, { stack: false });
  }

  #closed(why: string): TroupeError {
    return createError('ERR_WORKER_PROTOCOL', { worker: this.#process, why }, { outcome: 'not_started' });
  }
}
