/**
 * What leaves the service: events of a bus, sent to the outside under policies, and kept as dead letters where that fails.
 *
 * Invariant: every event it takes is delivered, or kept, or told of as an error of its subscription; one at a time, in the order
 * in which they were published. What still waits when the bus or the outbox closes is kept. It sends no letter of its own
 * accord: `replay` is asked for.
 */
import { createError } from '../base/errors.ts';
import { check, fits, fn, integer, object, resolveOptions, text } from '../base/options.ts';
import type { Awaitable } from '../kernel/logic.ts';
import type { CallContext } from '../resilience/call.ts';
import { createCircuitBreaker } from '../resilience/circuit-breaker.ts';
import type { Policy } from '../resilience/policy.ts';
import { createRetry } from '../resilience/retry.ts';
import { createTimeout } from '../resilience/timeout.ts';
import { wrap } from '../resilience/wrap.ts';
import type { Bus, Handler } from './bus.ts';
import type { DeadLetters, Replay } from './dead-letters.ts';
import type { BusEvent, DropWhy } from './subscription.ts';
import type { Subscription } from './subscription-handle.ts';
import type { Matching } from './topic.ts';

/** An event on its way out. */
export interface Outgoing<P = unknown> {
  readonly topic: string;
  readonly payload: P;
  readonly headers: Readonly<Record<string, string>>;
}

/** Sends one event; it resolves when the other side has it. */
export type Send<P = unknown> = (event: Outgoing<P>, call: CallContext) => Awaitable<unknown>;

export interface OutboxOptions<P = unknown> {
  /** Where what fails is kept. */
  readonly deadLetters: DeadLetters;
  /** Names it. Default: the pattern. */
  readonly name?: string;
  /**
   * Guards each sending. Default: a retry of 3 attempts (1 s doubling to 30 s, ± 25 %) around a circuit breaker around a timeout
   * of 10 s. One of your own needs a timeout too: a sending that hangs keeps all behind it waiting.
   */
  readonly policy?: Policy;
  /** How many events may wait; publishers then wait for room. Default 1,000. */
  readonly capacity?: number;
  /** Sent, and kept, along with the event: a trace, a tenant. Default: none. */
  readonly headers?: (payload: P, topic: string) => Readonly<Record<string, string>>;
}

export interface OutboxReport {
  readonly name: string;
  readonly sent: number;
  readonly deadLettered: number;
  readonly waiting: number;
  readonly letters: number;
}

export interface Outbox {
  readonly subscription: Subscription;
  /** Sends the dead letters again, in order, under the same policy; stops at the first that fails. */
  replay(options?: { readonly limit?: number; readonly signal?: AbortSignal }): Promise<Replay>;
  inspect(): OutboxReport;
  /**
   * Takes no more, ends the sending under way, keeps what waits, and resolves when all of that is safe. After a close of the
   * bus it waits for what that left. Close the dead letters after it. Safe to repeat.
   */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const FIELDS = {
  deadLetters: object<DeadLetters>('a store of dead letters'),
  name: text,
  policy: fits<Policy>('a policy', (value) => typeof (value as Policy | null)?.execute === 'function'),
  capacity: integer(1),
  headers: fn<NonNullable<OutboxOptions['headers']>>(),
} as const;

interface OutboxParts {
  readonly bus: Bus;
  readonly name: string;
  readonly where: string;
  readonly deadLetters: DeadLetters;
  readonly policy: Policy;
  readonly send: Send;
  readonly headers: (payload: never, topic: string) => Readonly<Record<string, string>>;
}

class PolicyOutbox implements Outbox {
  readonly #parts: OutboxParts;
  readonly #counts = { sent: 0, deadLettered: 0 };
  /** So that a close can wait for it. */
  readonly #underWay = new Set<Promise<void>>();
  readonly subscription: Subscription;

  constructor(parts: OutboxParts, pattern: string, capacity: number) {
    this.#parts = parts;
    const handler: Handler<unknown> = (payload, { topic, signal }) =>
      this.#track(this.#deliver(payload, topic, signal));
    this.subscription = parts.bus.subscribe(pattern, handler, {
      name: parts.name,
      capacity,
      overflow: 'block',
      origin: 'local',
      timeoutMs: Number.POSITIVE_INFINITY,
      onDrop: (event, why) => this.#dropped(event, why),
    });
  }

  async replay(bounds?: { readonly limit?: number; readonly signal?: AbortSignal }): Promise<Replay> {
    const { bus, name, deadLetters } = this.#parts;
    const replay = await deadLetters.replay((letter) => this.#attempt(letter, { count: 0 }), bounds);
    bus.events.emit('outbox.replayed', { path: name, delivered: replay.delivered, left: replay.left });
    return replay;
  }

  inspect(): OutboxReport {
    const { name, deadLetters } = this.#parts;
    return {
      name,
      ...this.#counts,
      waiting: this.subscription.report().depth,
      letters: deadLetters.inspect().letters,
    };
  }

  async close(): Promise<void> {
    this.subscription.unsubscribe();
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #deliver(payload: unknown, topic: string, signal: AbortSignal): Promise<void> {
    const event = this.#outgoing(payload, topic);
    const tries = { count: 0 };
    try {
      await this.#attempt(event, tries, signal);
    } catch (error) {
      await this.#keep(event, error, tries.count);
    }
  }

  async #attempt(event: Outgoing, tries: { count: number }, signal?: AbortSignal): Promise<void> {
    const { policy, send } = this.#parts;
    const options = signal === undefined ? undefined : { signal };
    await policy.execute((call) => {
      tries.count += 1;
      return send(event, call);
    }, options);
    this.#counts.sent += 1;
  }

  async #keep(event: Outgoing, error: unknown, attempts: number): Promise<void> {
    const { bus, name, deadLetters } = this.#parts;
    const letter = await deadLetters.add({ ...event, error, attempts });
    this.#counts.deadLettered += 1;
    bus.events.emit('outbox.dead_lettered', { path: name, topic: event.topic, letter, attempts, error });
  }

  #dropped({ topic, payload }: BusEvent, why: DropWhy): void {
    // Its publisher knows: it was refused.
    if (why === 'gave_up') return;
    const { bus, name, where } = this.#parts;
    const error = createError('ERR_SUBSCRIPTION_ENDED', { where, name, why }, { stack: false });
    this.#track(this.#keep(this.#outgoing(payload, topic), error, 0)).catch((failure: unknown) =>
      bus.events.emit('bus.handler.failed', { path: bus.name, topic, subscription: name, error: failure }),
    );
  }

  #outgoing(payload: unknown, topic: string): Outgoing {
    return { topic, payload, headers: this.#parts.headers(payload as never, topic) };
  }

  #track(work: Promise<void>): Promise<void> {
    const over = work.then(
      () => void this.#underWay.delete(over),
      () => void this.#underWay.delete(over),
    );
    this.#underWay.add(over);
    return work;
  }
}

/**
 * Sends what is published under a pattern to the outside; what was injected stays here.
 *
 * @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN, ERR_BUS_CLOSED
 */
export const createOutbox = <M extends object, P extends string>(
  bus: Bus<M>,
  pattern: P,
  { send, ...options }: OutboxOptions<M[Matching<M, P>]> & { readonly send: Send<M[Matching<M, P>]> },
): Outbox => {
  const where = `outbox ${String(pattern)}`;
  check(where, 'send', fn(), send);
  const resolved = resolveOptions(where, options, FIELDS, { name: pattern as string, capacity: 1_000 });
  const deadLetters = check(where, 'deadLetters', FIELDS.deadLetters, resolved.deadLetters);
  const { name, capacity, policy = defaultPolicy(name), headers = () => NO_HEADERS } = resolved;
  const parts = { bus: bus as never, name, where, deadLetters, policy, send: send as Send, headers };
  return new PolicyOutbox(parts as OutboxParts, pattern, capacity);
};

/** What one sending may take under the default policy. */
const SEND_TIMEOUT_MS = 10_000;

const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});

const defaultPolicy = (name: string): Policy =>
  wrap(
    createRetry({ name }),
    createCircuitBreaker({ name }),
    createTimeout({ name, timeoutMs: SEND_TIMEOUT_MS }),
  );
