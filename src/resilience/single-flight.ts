/**
 * Single-flight: calls for the same thing at the same time share one execution.
 *
 * Invariant: at most one execution a key; all who wait get its outcome, each within its own bounds. It belongs to no one
 * caller: it goes on while anybody waits, and its signal aborts when the last has left. Therefore the work sees no
 * caller's deadline, but the policy's own `timeoutMs`. It remembers nothing: who comes after the end starts anew.
 */
import { NO_DEADLINE } from '../base/deadline.ts';
import { msOrInfinity, resolveOptions, text } from '../base/options.ts';
import { BoundedCall, type Bounds, type ExecuteOptions, tighten, UNBOUNDED, type Work } from './call.ts';
import { ChoosingPolicy } from './choosing-policy.ts';
import {
  POLICY_FIELDS,
  type Policy,
  type PolicyOptions,
  type PolicyReport,
  type StandalonePolicy,
} from './policy.ts';

export interface SingleFlightOptions extends PolicyOptions {
  /** How long one shared execution may take, ms. Default `Infinity`. */
  readonly timeoutMs?: number;
}

export interface SingleFlightReport extends PolicyReport {
  /** Executions under way. */
  readonly flights: number;
  /** Since its creation: executions begun, and calls that joined one. */
  readonly started: number;
  readonly joined: number;
}

export interface SingleFlight extends StandalonePolicy {
  /** `key` says what the call is for. Default: all calls are for the same. */
  execute<T>(work: Work<T>, options?: ExecuteOptions & { readonly key?: string }): Promise<T>;
  /** The same flights as a policy for one key, to put into a `wrap`. */
  keyed(key: string): Policy;
  inspect(): SingleFlightReport;
}

export const SINGLE_FLIGHT_DEFAULTS = Object.freeze({ timeoutMs: NO_DEADLINE });

/** One shared execution. */
interface Flight {
  readonly call: BoundedCall<unknown>;
  readonly result: Promise<unknown>;
  passengers: number;
}

class SingleFlightPolicy extends ChoosingPolicy<'key', string> implements SingleFlight {
  readonly #timeoutMs: number;
  readonly #flights = new Map<string, Flight>();
  #started = 0;
  #joined = 0;

  constructor(options: SingleFlightOptions) {
    const fields = { ...POLICY_FIELDS, timeoutMs: msOrInfinity(1) };
    const resolved = resolveOptions('createSingleFlight', options, fields, SINGLE_FLIGHT_DEFAULTS);
    super('single_flight', resolved, { option: 'key', rule: text, otherwise: '' });
    this.#timeoutMs = resolved.timeoutMs;
  }

  keyed(key: string): Policy {
    return this.fixed(key);
  }

  inspect(): SingleFlightReport {
    const [flights, started, joined] = [this.#flights.size, this.#started, this.#joined];
    return Object.freeze({ name: this.name, flights, started, joined });
  }

  protected runFor<T>(key: string, work: Work<T>, bounds: Bounds): Promise<T> {
    const known = this.#flights.get(key);
    if (known !== undefined) this.#joined += 1;
    const flight = known ?? this.#start(key, work);
    flight.passengers += 1;
    return new BoundedCall<T>(this, bounds, (ending) => {
      flight.passengers -= 1;
      if (flight.passengers > 0 || (ending.kind !== 'aborted' && ending.kind !== 'timed_out')) return;
      this.#forget(key, flight.call);
      flight.call.cut(ending.error);
    }).run(() => flight.result as Promise<T>);
  }

  #start(key: string, work: Work<unknown>): Flight {
    this.#started += 1;
    const call = new BoundedCall<unknown>(
      this,
      tighten(this, UNBOUNDED, this.#timeoutMs),
      () => this.#forget(key, call),
      true,
    );
    let depart!: (result: Promise<unknown>) => void;
    const result = new Promise<unknown>((resolve) => {
      depart = resolve;
    });
    const flight = { call, result, passengers: 0 };
    // Known before it runs: work that asks for the same thing would otherwise start it again, without end.
    this.#flights.set(key, flight);
    depart(call.run(work));
    return flight;
  }

  #forget(key: string, call: BoundedCall<unknown>): void {
    if (this.#flights.get(key)?.call === call) this.#flights.delete(key);
  }
}

/** @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
export const createSingleFlight = (options: SingleFlightOptions = {}): SingleFlight =>
  new SingleFlightPolicy(options);
