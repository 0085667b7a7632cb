/**
 * `call` on a machine: the action that answers, and the calls that wait for it.
 *
 * Invariant: a call is answered once, by the first `reply` that reaches it, and forgotten when its caller gave up.
 */
import type { EventObject, MachineContext } from 'xstate';
import { resolveOptions, text } from '../base/options.ts';
import type { Request } from '../kernel/logic.ts';
import { ANSWER, type Answering } from './owner.ts';
import { typeOf } from './vocabulary.ts';

/** What a reply is computed from. */
export interface ReplyArgs<C extends MachineContext, E extends EventObject> {
  readonly context: C;
  readonly event: E;
}

/** Options of {@link reply}. */
export interface ReplyOptions {
  /** Answers the oldest waiting call of this event type, instead of the call at hand. */
  readonly to?: string;
}

/** An XState action. */
export type ReplyAction<C extends MachineContext, E extends EventObject> = (
  args: ReplyArgs<C, E>,
  params: unknown,
) => void;

/**
 * Answers a `call`. In the macrostep that the call's event starts, and in whatever it sets off inside within the same turn,
 * it answers that call. In a turn that something inside started (a promise done, a timer) it answers the oldest waiting
 * call; in a turn that a plain `send` started it answers nobody, unless `to` names the type of the waiting call. Run
 * outside troupe it does nothing.
 *
 * @example on: { GET: { actions: reply(({ context }) => context.count) } }
 */
export const reply = <C extends MachineContext, E extends EventObject>(
  value: (args: ReplyArgs<C, E>) => unknown,
  options: ReplyOptions = {},
): ReplyAction<C, E> => {
  const { to } = resolveOptions('reply', options, { to: text }, {});
  const answer: ReplyAction<C, E> = (args) => {
    const { system } = args as unknown as { readonly system?: Partial<Answering> };
    system?.[ANSWER]?.(() => value(args), to);
  };
  return Object.defineProperty(answer, 'name', { value: 'troupe.reply' });
};

/** The calls that an incarnation has taken and not answered yet. */
export class WaitingCalls {
  #calls: { readonly type: string; readonly request: Request }[] = [];

  get size(): number {
    this.#prune();
    return this.#calls.length;
  }

  add(event: unknown, request: Request): void {
    this.#prune();
    this.#calls.push({ type: typeOf(event) ?? '', request });
  }

  /** Takes out the oldest that still waits, of one type if given. */
  take(type: string | undefined): Request | undefined {
    this.#prune();
    const index = this.#calls.findIndex((call) => type === undefined || call.type === type);
    return index === -1 ? undefined : this.#calls.splice(index, 1)[0]?.request;
  }

  #prune(): void {
    if (this.#calls.some(({ request }) => !request.open))
      this.#calls = this.#calls.filter(({ request }) => request.open);
  }
}
