/**
 * What user code asks of the service and gets an answer to: input, and requests of capabilities.
 *
 * Invariants: one input is waited for at a time; each request is answered once, or ended with the execution that made it; a wait that
 * holds the thread ends when the execution is to stop. The wire thread decides whether an answer matches.
 */
import type { Output } from './output.ts';
import { CELL, claimInput, claimRequest, type Gate, load, openRequest, store } from './shared-state.ts';

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** An error that another side told: its type is its name. */
export class ToldFailure extends Error {
  constructor(type: string, message: string) {
    super(message);
    Object.defineProperty(this, 'name', { value: type, configurable: true, enumerable: false });
  }
}

export interface RequestsOptions {
  readonly gate: Gate;
  readonly output: Output;
  /** Takes what the wire thread has laid down, while the thread is held. */
  readonly takeMessages: () => void;
  readonly stopIfAsked: () => void;
  /** Whether an execution is under way, to which requests belong. */
  readonly isExecuting: () => boolean;
}

export class Requests {
  readonly #options: RequestsOptions;
  #last = 0;
  #input: { readonly request: number; readonly settle: (text: string | null) => void } | undefined;
  readonly #open = new Map<number, Waiting>();

  constructor(options: RequestsOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#open.size + (this.#input === undefined ? 0 : 1);
  }

  /** Asks for a line. @throws Error where another one is waited for, or nobody could answer */
  input(prompt: string, secret: boolean): Promise<string | null> {
    return new Promise((resolve) => {
      this.#ask(prompt, secret, resolve);
    });
  }

  /** Asks for a line and holds the thread until it is there. */
  inputNow(prompt: string, secret: boolean): string | null {
    const { gate, takeMessages, stopIfAsked } = this.#options;
    let answer: { readonly text: string | null } | undefined;
    return gate.inside(() => {
      this.#ask(prompt, secret, (text) => {
        answer = { text };
      });
      try {
        gate.waitUntil(() => {
          takeMessages();
          stopIfAsked();
          return answer !== undefined;
        });
      } catch (error) {
        this.#forgetInput();
        throw error;
      }
      return answer?.text ?? null;
    });
  }

  #ask(prompt: string, secret: boolean, settle: (text: string | null) => void): void {
    const { gate, output, isExecuting } = this.#options;
    if (!isExecuting()) throw new Error('nobody can be asked for input while nothing is executed');
    if (this.#input !== undefined) throw new Error('another input is waited for already: only one at a time');
    const request = ++this.#last;
    gate.inside(() => {
      this.#input = { request, settle };
      store(gate.cells, CELL.input, request);
      try {
        output.tell({ kind: 'input', request: String(request), prompt, secret });
      } catch (error) {
        this.#forgetInput();
        throw error;
      }
    });
  }

  answerInput(request: number, text: string | null): void {
    const waiting = this.#input;
    if (waiting?.request !== request) return;
    this.#input = undefined;
    waiting.settle(text);
  }

  /** Asks the service for something by name. */
  request(capability: string, args: unknown): Promise<unknown> {
    const { gate, output, isExecuting } = this.#options;
    return new Promise((resolve, reject) => {
      if (!isExecuting()) throw new Error(`nobody can be asked for ${capability} while nothing is executed`);
      const request = ++this.#last;
      gate.inside(() => {
        if (!openRequest(gate.cells, request)) throw new Error('too many requests are open');
        this.#open.set(request, { resolve, reject });
        try {
          output.tell({ kind: 'request', request: String(request), capability, args: args ?? null });
        } catch (error) {
          claimRequest(gate.cells, request);
          this.#open.delete(request);
          throw error;
        }
      });
    });
  }

  answer(request: number, args: Readonly<Record<string, unknown>>): void {
    const waiting = this.#open.get(request);
    this.#open.delete(request);
    const error = args['error'] as { type?: unknown; message?: unknown } | null | undefined;
    if (error === undefined || error === null) waiting?.resolve(args['value'] ?? null);
    else waiting?.reject(new ToldFailure(String(error.type ?? 'Error'), String(error.message ?? '')));
  }

  /** The execution is over, or is to stop: input ends, requests fail. */
  endAll(why: string): void {
    const settle = this.#forgetInput();
    settle?.(null);
    for (const [request, { reject }] of this.#open) {
      claimRequest(this.#options.gate.cells, request);
      reject(new Error(why));
    }
    this.#open.clear();
  }

  /** Ends the wait for input, as its end. */
  endInput(): void {
    this.#forgetInput()?.(null);
  }

  #forgetInput(): ((text: string | null) => void) | undefined {
    const { cells } = this.#options.gate;
    claimInput(cells, load(cells, CELL.input));
    const waiting = this.#input;
    this.#input = undefined;
    return waiting?.settle;
  }
}
