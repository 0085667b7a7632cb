/**
 * A feed: events for whoever is connected, and for whoever comes back, from where he left.
 *
 * Invariant: an event has one id, greater than all before it; of the last ones so many are kept and no more; who comes back with the id
 * he had last is given all that is kept after it, in order, before anything new, and is told how many are missing. Publishing
 * waits for nobody.
 */
import { Deque } from '../base/deque.ts';
import type { Host } from '../base/host.ts';
import { integer, object, resolveOptions, text } from '../base/options.ts';
import { realHost } from '../base/real-host.ts';
import type { Frame } from './frame-queue.ts';
import { type SseEvent, sseFrame } from './sse-frame.ts';

export interface FeedOptions {
  /** Names it in errors. Default `'feed'`. */
  readonly name?: string;
  /** Default: the real one. */
  readonly host?: Host;
  /** Events kept for those who come back. Default 1,000. */
  readonly capacity?: number;
  /** Bytes kept. Default 4,194,304. */
  readonly maxBytes?: number;
  /** What the event is called that tells a client that it missed some; its data is `{ "missed": 12 }`, or `null` where nobody knows. Default `'gap'`. */
  readonly gapEvent?: string;
}

export interface FeedReport {
  readonly published: number;
  readonly kept: number;
  readonly keptBytes: number;
  readonly clients: number;
}

export interface Feed {
  readonly name: string;
  /** Gives an event to all who are connected; returns its id. @throws ERR_OPTION_INVALID for what has no safe form */
  publish(event: Omit<SseEvent, 'id'>): string;
  report(): FeedReport;
}

export const FEED_DEFAULTS = Object.freeze({
  name: 'feed',
  capacity: 1_000,
  maxBytes: 4_194_304,
  gapEvent: 'gap',
});

const FIELDS = {
  name: text,
  host: object<Host>('a Host'),
  capacity: integer(1),
  maxBytes: integer(1),
  gapEvent: text,
} as const;

/** Who is given what is published. */
export interface FeedClient {
  offer(frame: Frame): unknown;
}

export class EventFeed implements Feed {
  readonly name: string;
  readonly where: string;
  readonly #options: { readonly capacity: number; readonly maxBytes: number; readonly gapEvent: string };
  /** Ids of another life of this feed, or of another process, are none of ours. */
  readonly #epoch: string;
  readonly #kept = new Deque<Frame>();
  readonly #clients = new Set<FeedClient>();
  #keptBytes = 0;
  #published = 0;

  constructor(options: FeedOptions = {}) {
    const resolved = resolveOptions('createFeed', options, FIELDS, FEED_DEFAULTS);
    const { host = realHost() } = resolved;
    this.name = resolved.name;
    this.where = `feed ${resolved.name}`;
    this.#options = resolved;
    this.#epoch = `${host.random.below(2 ** 32).toString(36)}${host.random.below(2 ** 32).toString(36)}`;
  }

  publish(event: Omit<SseEvent, 'id'>): string {
    const id = `${this.#epoch}-${this.#published + 1}`;
    const frame = sseFrame(this.where, { ...event, id });
    this.#published += 1;
    this.#keep(frame);
    for (const client of this.#clients) client.offer(frame);
    return id;
  }

  report(): FeedReport {
    const [kept, keptBytes, clients] = [this.#kept.size, this.#keptBytes, this.#clients.size];
    return { published: this.#published, kept, keptBytes, clients };
  }

  /** What one who had `lastId` last has to be given first. Who says nothing begins with what comes. */
  since(lastId: string | undefined): readonly Frame[] {
    if (lastId === undefined) return [];
    const kept = [...this.#kept];
    const last = this.#numberOf(lastId);
    if (last === undefined) return [this.gap(null), ...kept];
    const behind = this.#published - last;
    if (behind <= kept.length) return kept.slice(kept.length - behind);
    return [this.gap(behind - kept.length), ...kept];
  }

  gap(missed: number | null): Frame {
    return sseFrame(this.where, { event: this.#options.gapEvent, data: { missed } });
  }

  /** From now on it is given what is published; returns what ends that. */
  join(client: FeedClient): () => void {
    this.#clients.add(client);
    return () => void this.#clients.delete(client);
  }

  #keep(frame: Frame): void {
    const { capacity, maxBytes } = this.#options;
    this.#kept.push(frame);
    this.#keptBytes += frame.bytes;
    while (this.#kept.size > capacity || this.#keptBytes > maxBytes)
      this.#keptBytes -= this.#kept.shift()?.bytes ?? 0;
  }

  #numberOf(id: string): number | undefined {
    const [epoch, digits = ''] = id.split('-', 2);
    const number = Number(digits);
    if (epoch !== this.#epoch || !/^\d{1,15}$/.test(digits) || number > this.#published) return undefined;
    return number;
  }
}

/** @throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN */
export const createFeed = (options: FeedOptions = {}): Feed => new EventFeed(options);
