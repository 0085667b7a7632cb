/** The service's front and the launcher's client, over real sockets: what is accepted, refused and cancelled, as both see it. */
import { afterEach, describe, expect, it } from 'vitest';
import { Client } from '../../examples/service-under-fire/client.mjs';
import { Front } from '../../examples/service-under-fire/front.mjs';
import { Ledger } from '../../examples/service-under-fire/ledger.mjs';
import { referenceCount } from '../../examples/service-under-fire/reference-count.mjs';

interface Bounds {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}
type CountDocument = (text: string, bounds: Bounds) => Promise<object>;

const bytes = Buffer.from('One two. Three!');
const counted = { ...referenceCount(bytes), worker: { pid: 1, language: 'node' } };
const coded = (code: string, outcome: string, retryAfterMs?: number): Error =>
  Object.assign(new Error(code), { code, outcome, data: { retryAfterMs } });

let front: Front | undefined;
afterEach(() => front?.close());

const serve = async (countDocument: CountDocument) => {
  front = new Front({
    countDocument,
    priceOf: async (sku: string) => ({ sku, cents: 1, fallback: true }),
    status: () => ({ phase: 'running' }),
    live: () => ({ ok: true }),
    ready: () => ({ ok: false }),
    blockLoop: undefined,
  });
  const port = await front.listen();
  const ledger = new Ledger();
  const client = new Client({ address: { host: '127.0.0.1', port }, ledger });
  const send = (signal?: AbortSignal) =>
    client.sendDocument({ bytes, deadlineMs: 1_000, purpose: 'work', ...(signal && { signal }) });
  return { front, ledger, client, send };
};

const deferred = <T>() => {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
};

/** A count that goes on until the test says how it ends. */
const held = () => {
  const begun = deferred<Bounds>();
  const answer = deferred<object>();
  const countDocument: CountDocument = (_text, bounds) => {
    begun.resolve(bounds);
    return answer.promise;
  };
  return { countDocument, begun: begun.promise, answer };
};

describe('a document', () => {
  it('is accepted before it is answered, and carries its deadline', async () => {
    const { countDocument, begun, answer } = held();
    const { send, ledger } = await serve(countDocument);
    const sent = send();
    expect((await begun).timeoutMs).toBe(1_000);
    await expect.poll(() => ledger.counts.accepted).toBe(1);
    expect(ledger.counts.settled).toBe(0);
    answer.resolve(counted);
    expect((await sent).outcome).toBe('succeeded');
    expect(ledger.violations).toEqual([]);
  });

  it.each([
    ['ERR_POOL_QUEUE_FULL', 'not_started', 'refused', 503],
    ['ERR_JOB_TIMEOUT', 'unknown', 'failed', 504],
    ['ERR_WORKER_EXITED', 'unknown', 'failed', 500],
    ['ERR_JOB_INVALID', 'not_started', 'failed', 422],
  ])('that ends with %s (%s) is %s, with %i', async (code, outcome, seen, status) => {
    const { send, ledger } = await serve(() => Promise.reject(coded(code, outcome, 1_500)));
    const answer = await send();
    expect([answer.outcome, answer.status]).toEqual([seen, status]);
    expect(answer.retryAfterMs).toBe(seen === 'refused' ? 2_000 : undefined);
    expect(ledger.counts.accepted).toBe(seen === 'refused' ? 0 : 1);
  });

  it('whose client leaves takes its work with it', async () => {
    const { countDocument, begun } = held();
    const { send, ledger } = await serve(countDocument);
    const leaving = new AbortController();
    const sent = send(leaving.signal);
    const { signal } = await begun;
    const gone = new Promise((resolve) => signal.addEventListener('abort', resolve));
    leaving.abort();
    await gone;
    expect((await sent).outcome).toBe('cancelled');
    expect(ledger.counts).toMatchObject({ accepted: 1, cancelled: 1 });
  });

  it('in flight is answered while the front drains, and new ones are refused', async () => {
    const { countDocument, begun, answer } = held();
    const { front, send } = await serve(countDocument);
    const sent = send();
    await begun;
    const drained = front.drain();
    expect((await send()).outcome).toBe('refused');
    answer.resolve(counted);
    expect((await sent).outcome).toBe('succeeded');
    await drained;
  });

  it('that was accepted is lost when its connection breaks', async () => {
    const { countDocument } = held();
    const { front, send, ledger } = await serve(countDocument);
    const sent = send();
    await expect.poll(() => ledger.counts.accepted).toBe(1);
    front.close();
    expect((await sent).outcome).toBe('lost');
    expect(ledger.lost).toHaveLength(1);
  });
});

describe('the front', () => {
  it('says what is wrong with a request, and tells prices, status and health', async () => {
    const { client } = await serve(() => Promise.resolve(counted));
    const statusOf = async (method: string, path: string) => (await client.ask(method, path, 5_000)).status;
    expect(await statusOf('GET', '/nothing')).toBe(404);
    expect(await statusOf('POST', '/faults/block?ms=5')).toBe(403);
    expect(await statusOf('GET', '/status')).toBe(200);
    expect(await statusOf('GET', '/health/live')).toBe(200);
    expect(await statusOf('GET', '/health/ready')).toBe(503);
    expect(await client.askPrice('tent')).toMatchObject({ ok: true, fallback: true });
    const tooSoon = await client.sendDocument({ bytes, deadlineMs: 0, purpose: 'late' });
    expect(tooSoon.status).toBe(400);
  });
});
