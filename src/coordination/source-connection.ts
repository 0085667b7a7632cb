/**
 * A connection to which a source can be given: what both kinds of connections do with one.
 *
 * Invariant: one source a connection; it ends with the connection, and the connection with it.
 */
import { createError } from '../base/errors.ts';
import { ClientConnection, type ConnectionClosed } from './connection.ts';
import type { Sent } from './outgoing.ts';
import { Producer, type Producing } from './producer.ts';

export abstract class SourceConnection<T> extends ClientConnection implements Producing<T> {
  #producer: Producer<T> | undefined;

  abstract send(value: T): Sent;

  /** What the client is sent where its source has failed. */
  protected tellFailure(): void {}

  sendAll(source: AsyncIterable<T> | Iterable<T>): Promise<ConnectionClosed> {
    if (this.#producer !== undefined)
      throw createError('ERR_CONNECTION_SOURCE', { where: this.where }, { stack: false });
    const producer = new Producer(this, source);
    this.#producer = producer;
    this.cleanUpWith(() => producer.stop());
    producer.pull();
    return this.closed;
  }

  take(value: T): void {
    this.send(value);
  }

  exhausted(): void {
    void this.endInOrder('closed', undefined);
  }

  failed(error: unknown): void {
    this.tellFailure();
    void this.endInOrder('failed', error);
  }

  protected override whenWritable(): void {
    super.whenWritable();
    this.#producer?.pull();
  }
}
