/** A response whose client takes what it is told to take, and a reader of what it took. */
import type { TroupeEvent } from '../../src/base/telemetry.ts';
import { EventStream } from '../../src/base/telemetry.ts';
import type { SseResponse } from '../../src/coordination/sse.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';

/** An event as an EventSource would give it. */
export interface ReadEvent {
  readonly id: string | undefined;
  readonly event: string | undefined;
  readonly data: string;
}

/** A parser of its own, after the standard's text, so that what is written is not read by who wrote it. */
export const readEvents = (text: string): readonly ReadEvent[] => {
  const events: ReadEvent[] = [];
  let data: string[] = [];
  let event: string | undefined;
  let id: string | undefined;
  for (const line of text.split(/\r\n|\r|\n/)) {
    if (line === '') {
      if (data.length > 0) events.push({ id, event, data: data.join('\n') });
      data = [];
      event = undefined;
      continue;
    }
    const at = line.indexOf(':');
    const name = at < 0 ? line : line.slice(0, at);
    const value = at < 0 ? '' : line.slice(at + 1).replace(/^ /, '');
    if (name === 'data') data.push(value);
    else if (name === 'event') event = value;
    else if (name === 'id' && !value.includes('\0')) id = value;
  }
  return events;
};

const HIGH_WATER = 64;

export class FakeResponse implements SseResponse {
  headersSent = false;
  destroyed = false;
  writableEnded = false;
  status = 0;
  headers: Readonly<Record<string, string>> = {};
  /** What the client has. */
  text = '';
  /** Greatest of `writableLength`. */
  mostPending = 0;
  /** Whether the client reads. */
  reads = true;
  writes = 0;
  #pending = '';
  #full = false;
  #isClosed = false;
  readonly #listeners = new Map<string, ((error?: Error) => void)[]>();
  readonly #later: (run: () => void) => void;

  constructor(host: SimulatedHost) {
    this.#later = (run) => host.yield('socket', run);
  }

  get writableLength(): number {
    return this.#pending.length;
  }

  get events(): readonly ReadEvent[] {
    return readEvents(this.text);
  }

  get data(): readonly string[] {
    return this.events.map(({ data }) => data);
  }

  writeHead(status: number, headers: Readonly<Record<string, string>>): void {
    this.status = status;
    this.headers = headers;
    this.headersSent = true;
  }

  write(chunk: string): boolean {
    if (this.writableEnded || this.destroyed) {
      this.#later(() => this.#emit('error', new Error('write after end')));
      return false;
    }
    this.writes += 1;
    this.#pending += chunk;
    this.mostPending = Math.max(this.mostPending, this.#pending.length);
    if (this.reads) this.#later(() => this.take(Number.POSITIVE_INFINITY));
    this.#full ||= this.#pending.length >= HIGH_WATER;
    return !this.#full;
  }

  end(chunk = ''): void {
    this.#pending += chunk;
    this.writableEnded = true;
    this.#later(() => this.take(this.reads ? Number.POSITIVE_INFINITY : 0));
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.#pending = '';
    this.#later(() => this.#close());
  }

  on(event: string, listener: ((error: Error) => void) | (() => void)): void {
    const listeners = this.#listeners.get(event) ?? [];
    listeners.push(listener as (error?: Error) => void);
    this.#listeners.set(event, listeners);
  }

  /** The client takes so much. */
  take(characters: number): void {
    if (this.destroyed) return;
    this.text += this.#pending.slice(0, characters);
    this.#pending = this.#pending.slice(characters);
    if (this.#pending !== '') return;
    if (this.#full) {
      this.#full = false;
      this.#emit('drain');
    }
    if (this.writableEnded && this.writableLength === 0) this.#close();
  }

  stall(): void {
    this.reads = false;
  }

  flow(): void {
    this.reads = true;
    this.take(Number.POSITIVE_INFINITY);
  }

  /** The client leaves. */
  leave(): void {
    this.destroyed = true;
    this.#pending = '';
    this.#close();
  }

  fail(error: Error): void {
    this.#emit('error', error);
    this.leave();
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#emit('close');
  }

  #emit(event: string, error?: Error): void {
    for (const listener of this.#listeners.get(event) ?? []) listener(error);
  }
}

export const requestOf = (lastEventId?: string) => ({
  headers: lastEventId === undefined ? {} : { 'last-event-id': lastEventId },
});

export const createStreamRig = (choices: readonly number[] = []) => {
  const host = new SimulatedHost({ choices });
  const events = new EventStream(() => host.wall());
  const told: TroupeEvent[] = [];
  events.listen((event) => told.push(event));
  const types = () => told.map(({ type }) => type);
  return { host, events, told, types, response: () => new FakeResponse(host) };
};
