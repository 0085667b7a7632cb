/**
 * The input that an execution waits for: one request at a time, answered by whoever comes first, or by nobody until the wait is over.
 *
 * Invariants: a request is answered once; the end of the wait is the end of input, not an error; the time of the execution stands still
 * meanwhile; when the execution ends, nothing is awaited.
 */

import type { InputChunk } from './chunks.ts';
import type { RunProcess } from './code-run.ts';
import type { ExecutionClock } from './execution-clock.ts';
import type { ExecuteOptions } from './execution-options.ts';
import type { RunDesk } from './run-desk.ts';

interface InputPlan {
  readonly execution: string;
  readonly onInput: ExecuteOptions['onInput'] | undefined;
  readonly clock: ExecutionClock;
}

export class InputWaits {
  readonly #desk: RunDesk;
  readonly #plan: InputPlan;
  readonly #waiting = new Set<string>();
  #over = false;

  constructor(desk: RunDesk, plan: InputPlan) {
    this.#desk = desk;
    this.#plan = plan;
  }

  /** The request that waits. */
  get waiting(): string | undefined {
    const [first] = this.#waiting;
    return first;
  }

  wait(chunk: InputChunk, process: RunProcess): void {
    const { promises, inputTimeoutMs } = this.#desk;
    const { execution, clock } = this.#plan;
    const { request } = chunk;
    if (this.#waiting.has(request)) return;
    this.#waiting.add(request);
    clock.pause();
    const answer = promises.open<string | null>(this.#idOf(request), {
      timeoutMs: inputTimeoutMs,
      expired: () => null,
    });
    void answer.then((text) => {
      if (this.#over) return;
      this.#waiting.delete(request);
      if (this.#waiting.size === 0) clock.resume();
      // A process that is gone has its execution ended elsewhere.
      process.ask('input_response', { execution, request, text }).catch(() => undefined);
    });
    this.#askCaller(chunk);
  }

  /** `false`: nobody waits for it. */
  answer(request: string, text: string | null): boolean {
    return this.#desk.promises.resolve(this.#idOf(request), text);
  }

  end(): void {
    this.#over = true;
    for (const request of this.#waiting) this.answer(request, null);
    this.#waiting.clear();
  }

  #idOf(request: string): string {
    return `exec:${this.#plan.execution}:input:${request}`;
  }

  #askCaller({ request, prompt, secret }: InputChunk): void {
    const { onInput, execution } = this.#plan;
    if (onInput === undefined) return;
    Promise.resolve({ execution, request, prompt, secret })
      .then(onInput)
      .then(
        (text) => this.answer(request, typeof text === 'string' ? text : null),
        () => this.answer(request, null),
      );
  }
}
