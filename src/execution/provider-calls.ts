/**
 * What an execution asks the service for, and the providers that the user gave for it.
 *
 * Invariants: a provider is called only for what the policy allows, whatever the kernel let through; each request is answered once, with a
 * value or an error; providers hear by their signal that nobody waits any more. They run in a turn of their own.
 */
import { createError, plainText } from '../base/errors.ts';
import { allows } from './capability-policy.ts';
import type { RequestChunk } from './chunks.ts';
import type { RunProcess } from './code-run.ts';
import type { RunDesk } from './run-desk.ts';

interface Refusal {
  readonly type: string;
  readonly message: string;
}

const refusalOf = (error: unknown): Refusal =>
  error instanceof Error
    ? { type: error.name, message: plainText(error) }
    : { type: 'Error', message: String(error) };

export class ProviderCalls {
  readonly #desk: RunDesk;
  readonly #execution: string;
  /** What is awaited, by id, and how its provider is told that it is not any more. */
  readonly #open = new Map<string, AbortController>();

  constructor(desk: RunDesk, execution: string) {
    this.#desk = desk;
    this.#execution = execution;
  }

  call(chunk: RequestChunk, process: RunProcess): void {
    const { policy, providers, news } = this.#desk;
    const { capability, at } = chunk;
    const allowed = allows(policy, capability);
    const provider = Object.hasOwn(providers, capability) ? providers[capability] : undefined;
    news.audited(this.#execution, { kind: 'audit', capability, action: 'request', allowed, detail: '', at });
    if (!allowed)
      this.#refuse(chunk, process, {
        type: 'CapabilityDenied',
        message: `${capability} is not allowed here`,
      });
    else if (provider === undefined)
      this.#refuse(chunk, process, {
        type: 'CapabilityUnavailable',
        message: `no provider for ${capability} was given to this service`,
      });
    else this.#await(chunk, process);
  }

  end(): void {
    for (const [id, controller] of this.#open) {
      this.#open.delete(id);
      this.#desk.promises.resolve(id, undefined);
      controller.abort(createError('ERR_EXECUTION_CANCELLED', this.#data('the execution has ended')));
    }
  }

  #data(why: string) {
    return { execution: this.#execution, session: this.#desk.path, why };
  }

  #await(chunk: RequestChunk, process: RunProcess): void {
    const { promises } = this.#desk;
    const { request, capability, args } = chunk;
    const id = `exec:${this.#execution}:request:${request}`;
    if (this.#open.has(id)) return;
    const controller = new AbortController();
    this.#open.set(id, controller);
    const timeoutMs = this.#timeoutOf(capability);
    const expired = (): never => {
      const data = { execution: this.#execution, session: this.#desk.path, capability, request, timeoutMs };
      throw createError('ERR_CAPABILITY_TIMEOUT', data, { stack: false });
    };
    const answer = promises.open<unknown>(id, { timeoutMs, expired });
    const close = (): boolean => this.#open.delete(id);
    answer.then(
      (value) => {
        if (close()) this.#respond(chunk, process, { value: value ?? null });
      },
      (error: unknown) => {
        if (!close()) return;
        controller.abort(error);
        this.#refuse(chunk, process, refusalOf(error));
      },
    );
    const { session, user, providers } = this.#desk;
    const context = { session, user, execution: this.#execution, signal: controller.signal };
    Promise.resolve(args)
      .then((given) => providers[capability]?.(given, context))
      .then(
        (value) => promises.resolve(id, value),
        (error: unknown) => promises.reject(id, error),
      );
  }

  #timeoutOf(capability: string): number {
    const { requestTimeoutMs, policy } = this.#desk;
    return capability === 'fetch' ? Math.min(requestTimeoutMs, policy.fetchTimeoutMs) : requestTimeoutMs;
  }

  #respond({ request }: RequestChunk, process: RunProcess, answer: { value: unknown }): void {
    process
      .ask('respond', { execution: this.#execution, request, ...answer })
      // What it returned cannot travel: the code hears that.
      .catch((error: unknown) => this.#refuse({ request }, process, refusalOf(error)));
  }

  #refuse({ request }: Pick<RequestChunk, 'request'>, process: RunProcess, error: Refusal): void {
    process.ask('respond', { execution: this.#execution, request, error }).catch(() => undefined);
  }
}
