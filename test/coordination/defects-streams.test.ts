/** The defects of the streams and shutdowns that came before, by name: each test says what was wrong there and fails on it. */
import { describe, expect, it } from 'vitest';
import { createConnections } from '../../src/coordination/connections.ts';
import { openSse } from '../../src/coordination/sse.ts';
import { createStreamRig, type FakeResponse, requestOf } from './stream-rig.ts';

describe('B2: an SSE stream', () => {
  it('cleared pending messages before it had sent them – what waits is given up only for what was written', async () => {
    const rig = createStreamRig();
    const response = rig.response();
    const { host } = rig;
    const stream = openSse(requestOf(), response, { host, stallMs: 100_000 });
    response.stall();
    for (let each = 0; each < 40; each++) stream.send({ data: each });
    // The client takes one piece at a time, with long pauses: none is lost between two of them.
    for (let piece = 0; piece < 400; piece++) {
      response.take(1);
      if (piece % 40 === 0) await host.advance(1_000);
    }
    response.flow();
    await host.settle();
    expect(response.data).toEqual(Array.from({ length: 40 }, (_, each) => `${each}`));
    expect(stream.report()).toMatchObject({ sent: 40, dropped: 0 });
  });

  it('absorbed its cancellation – an abort ends it in that turn, and whoever makes events hears of it', async () => {
    const { host, response } = withResponse();
    const abort = new AbortController();
    const stream = openSse(requestOf(), response, { host, signal: abort.signal });
    let isStillMaking = true;
    stream.signal.addEventListener('abort', () => {
      isStillMaking = false;
    });
    abort.abort(new Error('enough'));
    expect({ open: stream.isOpen, isStillMaking, destroyed: response.destroyed }).toEqual({
      open: false,
      isStillMaking: false,
      destroyed: true,
    });
    expect(await stream.closed).toMatchObject({ why: 'aborted', error: { message: 'enough' } });
  });

  it('swallowed failures to send and logged them – a line that fails ends it, with the error, and what was not sent is counted', async () => {
    const { host, response } = withResponse();
    const stream = openSse(requestOf(), response, { host });
    response.fail(new Error('EPIPE'));
    expect(stream.send({ data: 1 })).toBe('dropped');
    expect(await stream.closed).toMatchObject({ why: 'failed', error: { message: 'EPIPE' } });
    expect(stream.report()).toMatchObject({ offered: 1, sent: 0, dropped: 1 });
  });

  it('cleaned up in one heartbeat of ten, by the wall clock – the clean-up begins at once, and jumps of that clock change nothing', async () => {
    const { host, response } = withResponse();
    let cleanedAtMs = -1;
    openSse(requestOf(), response, {
      host,
      onClose: () => {
        cleanedAtMs = host.monotonic();
      },
    });
    await host.advance(95_000);
    host.setWall(0);
    response.leave();
    expect(cleanedAtMs).toBe(95_000);
  });

  it('disconnected twice where that had failed – whatever fails, the clean-up runs once', async () => {
    const { host, response } = withResponse();
    let cleaned = 0;
    const stream = openSse(requestOf(), response, {
      host,
      onClose: () => {
        cleaned += 1;
        throw new Error('disconnect failed');
      },
    });
    response.fail(new Error('ECONNRESET'));
    await stream.cut();
    await stream.close();
    await host.advance(600_000);
    expect(cleaned).toBe(1);
  });

  it('sent its first event before the stalled heartbeat was noticed, 47 MB later – the queue is bounded from the first frame on', async () => {
    const { host, response } = withResponse();
    response.stall();
    const stream = openSse(requestOf(), response, { host, capacity: 16 });
    for (let each = 0; each < 10_000; each++) stream.send({ data: 'x'.repeat(4_096) });
    const { waitingBytes } = stream.report();
    expect(waitingBytes + response.mostPending).toBeLessThan(20 * 4_200);
  });
});

describe('B5: a shutdown', () => {
  it('left connections to their own devices – a drain ends each, also where another fails or hangs, within its time', async () => {
    const rig = createStreamRig();
    const { host, events } = rig;
    const connections = createConnections({ host, events, cleanUpMs: 60_000 });
    const open = (onClose: () => unknown): FakeResponse => {
      const response = rig.response();
      connections.sse(requestOf(), response, { onClose });
      return response;
    };
    const cleaned: string[] = [];
    const responses = [
      open(() => {
        throw new Error('first');
      }),
      open(() => new Promise(() => {})),
      open(() => cleaned.push('third')),
    ];
    const drained = connections.drain({ timeoutMs: 3_000 });
    await host.advance(3_000);
    expect(await drained).toMatchObject({ finished: 2, overdue: [expect.any(String)], durationMs: 3_000 });
    expect(cleaned).toEqual(['third']);
    expect(responses.every(({ writableEnded }) => writableEnded)).toBe(true);
  });

  it('said that all was well whatever had happened – the report names who was cut off and whose clean-up still runs', async () => {
    const rig = createStreamRig();
    const { host, events } = rig;
    const connections = createConnections({ host, events, drainMs: 100, cleanUpMs: 100 });
    const stalled = rig.response();
    const stream = connections.sse(requestOf(), stalled, { onClose: () => new Promise(() => {}) });
    stalled.stall();
    stream?.send({ data: 'never taken' });
    const drained = connections.drain();
    await host.advance(200);
    expect(await drained).toMatchObject({ finished: 0, cut: [stream?.name], overdue: [stream?.name] });
  });
});

const withResponse = () => {
  const rig = createStreamRig();
  return { ...rig, response: rig.response() };
};
