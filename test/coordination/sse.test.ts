import { describe, expect, it } from 'vitest';
import { createScope } from '../../src/coordination/scope.ts';
import { openSse, type SseOptions } from '../../src/coordination/sse.ts';
import type { SseEvent } from '../../src/coordination/sse-frame.ts';
import { createStreamRig, requestOf } from './stream-rig.ts';

const open = (options: Omit<SseOptions, 'host' | 'events'> = {}, lastEventId?: string) => {
  const rig = createStreamRig();
  const { host, events } = rig;
  const response = rig.response();
  const stream = openSse(requestOf(lastEventId), response, { host, events, ...options });
  return { ...rig, response, stream };
};

const number = (data: number): SseEvent => ({ data });
const send = (stream: { send(event: SseEvent): unknown }, from: number, to: number): void => {
  for (let each = from; each <= to; each++) stream.send(number(each));
};

describe('what is written', () => {
  it('is an event stream that no proxy may buffer, change or keep', () => {
    const { response } = open({ headers: { 'x-shop': '1' } });
    expect(response.status).toBe(200);
    expect(response.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
      'x-shop': '1',
    });
  });

  it.each([
    ['a line', 'a line'],
    ['two\nlines', 'two\nlines'],
    ['\r\na\rb\n', '\na\nb\n'],
    ['data: x\n\nevent: evil\ndata: y', 'data: x\n\nevent: evil\ndata: y'],
    [' leading space', ' leading space'],
    ['a\u2028b', 'a\u2028b'],
    [{ a: 'x\ny' }, '{"a":"x\\ny"}'],
    [null, 'null'],
  ])('%j arrives as one event', async (data, arrives) => {
    const { host, stream, response } = open();
    stream.send({ data, event: 'e', id: '7' });
    await host.settle();
    expect(response.events).toEqual([{ id: '7', event: 'e', data: arrives }]);
  });

  it.each([
    { data: 'x', id: 'a\nb' },
    { data: 'x', id: 'a\0' },
    { data: 'x', event: 'a\rb' },
    { data: undefined },
    { data: () => 1 },
  ])('%j has no safe form and is refused', (event) => {
    const { stream, response } = open();
    expect(() => stream.send(event)).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID' }));
    expect(response.writes).toBe(0);
  });
});

describe('a client that stalls', () => {
  it('costs its queue and no more, however much is sent', async () => {
    const { host, stream, response } = open({ capacity: 10, stallMs: Number.POSITIVE_INFINITY });
    response.stall();
    for (let each = 0; each < 40_000; each++) stream.send({ data: `number ${each}` });
    await host.advance(3_600_000);
    expect(response.mostPending).toBeLessThan(200);
    const { offered, sent, dropped, waiting } = stream.report();
    expect({ offered, waiting }).toEqual({ offered: 40_000, waiting: 10 });
    expect(sent + dropped + waiting).toBe(offered);
    response.flow();
    await host.settle();
    expect(response.data.slice(-10)).toEqual(
      Array.from({ length: 10 }, (_, each) => `number ${39_990 + each}`),
    );
  });

  it('is held to bytes as well as to frames', () => {
    const { stream, response } = open({ maxBytes: 1_000 });
    response.stall();
    for (let each = 0; each < 100; each++) stream.send({ data: 'x'.repeat(90) });
    expect(stream.report().waitingBytes).toBeLessThanOrEqual(1_000);
    expect(stream.send({ data: 'x'.repeat(2_000) })).toBe('dropped');
  });

  it('has the newest of each key where that is asked for, in the place of the older', async () => {
    const { host, stream, response } = open({ overflow: 'coalesce' });
    response.stall();
    stream.send({ data: 'x'.repeat(100) });
    for (let each = 0; each < 5; each++)
      for (const key of ['a', 'b']) stream.send({ data: `${key}${each}`, key });
    stream.send({ data: 'no key' });
    expect(stream.report()).toMatchObject({ offered: 12, sent: 1, dropped: 8, waiting: 3 });
    response.flow();
    await host.settle();
    expect(response.data.slice(1)).toEqual(['a4', 'b4', 'no key']);
  });

  it('is disconnected at once where that is asked for', async () => {
    const { host, stream, response } = open({ overflow: 'disconnect', capacity: 3 });
    response.stall();
    send(stream, 1, 100);
    expect(response.destroyed).toBe(true);
    await host.settle();
    const closed = await stream.closed;
    expect(closed).toMatchObject({ why: 'overflowed', cut: true });
    expect(closed.sent + closed.dropped).toBe(100);
  });

  it('is cut off when it has taken nothing for stallMs, and a sign of life is enough to see it', async () => {
    const { host, stream, response } = open({ heartbeatMs: 15_000, stallMs: 10_000 });
    await host.advance(60_000);
    expect(stream.isOpen).toBe(true);
    response.stall();
    await host.advance(14_999);
    expect(stream.isOpen).toBe(true);
    await host.advance(10_001);
    expect(await stream.closed).toMatchObject({ why: 'stalled' });
    expect(response.destroyed).toBe(true);
    expect(host.pendingTimers()).toEqual([]);
  });

  it('that takes a little now and then is slow, not stalled', async () => {
    const { host, stream, response } = open({ capacity: 1_000, stallMs: 10_000 });
    response.stall();
    send(stream, 1, 500);
    for (let each = 0; each < 20; each++) {
      await host.advance(9_000);
      response.take(3);
    }
    expect(stream.isOpen).toBe(true);
  });

  it('is written nothing while it is full, not even signs of life', async () => {
    const { host, stream, response } = open({ stallMs: Number.POSITIVE_INFINITY, heartbeatMs: 1_000 });
    response.stall();
    send(stream, 1, 100);
    const { writes } = response;
    await host.advance(600_000);
    expect(response.writes).toBe(writes);
  });
});

describe('a source', () => {
  const counted = (limit: number, onReturn: () => void) => {
    let given = 0;
    const source = {
      [Symbol.asyncIterator]: () => ({
        next: async () => {
          given += 1;
          return given > limit
            ? { done: true as const, value: undefined }
            : { done: false as const, value: { data: given } };
        },
        return: async () => {
          onReturn();
          return { done: true as const, value: undefined };
        },
      }),
    };
    return { source, given: () => given };
  };

  it('is asked only for what the client can take, and the stream ends with it', async () => {
    let returned = 0;
    const { host, stream, response } = open();
    const { source, given } = counted(1_000, () => {
      returned += 1;
    });
    response.stall();
    const closed = stream.sendAll(source);
    await host.settle();
    expect(given()).toBeLessThan(20);
    expect(stream.report().waiting).toBe(0);
    response.flow();
    await host.runUntil(closed);
    expect(response.data).toEqual(Array.from({ length: 1_000 }, (_, each) => `${each + 1}`));
    expect(await closed).toMatchObject({ why: 'closed', cut: false, dropped: 0 });
    expect(returned).toBe(0);
  });

  it('that fails ends the stream with one event, and its error is for us alone', async () => {
    const { host, stream, response } = open();
    const secret = new Error('password is hunter2');
    const source = async function* () {
      yield { data: 1 };
      throw secret;
    };
    const closed = await host.runUntil(stream.sendAll(source()));
    expect(closed).toMatchObject({ why: 'failed', error: secret });
    expect(response.events.map(({ event }) => event)).toEqual([undefined, 'failure']);
    expect(response.text).not.toContain('hunter2');
  });

  it.each(['leaves', 'is aborted'])('is told to return, once, when the client %s', async (how) => {
    let returned = 0;
    const abort = new AbortController();
    const { host, stream, response } = open({ signal: abort.signal });
    const { source } = counted(Number.POSITIVE_INFINITY, () => {
      returned += 1;
    });
    response.stall();
    const closed = stream.sendAll(source);
    await host.settle();
    if (how === 'leaves') response.leave();
    else abort.abort(new Error('enough'));
    await host.runUntil(closed);
    expect(returned).toBe(1);
  });

  it('that hangs does not hold up the end longer than the clean-up may take', async () => {
    const { host, stream, response, types } = open({ cleanUpMs: 1_000 });
    const hangs = { next: () => new Promise<never>(() => {}), return: () => new Promise<never>(() => {}) };
    void stream.sendAll({ [Symbol.asyncIterator]: () => hangs });
    response.leave();
    await host.advance(999);
    expect(stream.report().state).toBe('closing');
    await host.advance(1);
    expect(await stream.closed).toMatchObject({ why: 'client_gone', cleanUp: 'overdue' });
    expect(types()).toContain('connection.clean_up_overdue');
  });

  it('is one a connection', () => {
    const { stream } = open();
    void stream.sendAll([]);
    expect(() => stream.sendAll([])).toThrow(expect.objectContaining({ code: 'ERR_CONNECTION_SOURCE' }));
  });
});

describe('the end', () => {
  it('by the client is seen in that very turn', () => {
    let cleaned = 0;
    const { stream, response } = open({ onClose: () => (cleaned += 1) });
    let aborted = false;
    stream.signal.addEventListener('abort', () => {
      aborted = true;
    });
    response.leave();
    expect({ cleaned, aborted, open: stream.isOpen }).toEqual({ cleaned: 1, aborted: true, open: false });
    expect(stream.send(number(1))).toBe('dropped');
  });

  it('of a client that was gone before is seen too', async () => {
    const rig = createStreamRig();
    const response = rig.response();
    response.leave();
    let cleaned = 0;
    const { host, events } = rig;
    const stream = openSse(requestOf(), response, { host, events, onClose: () => (cleaned += 1) });
    expect(await stream.closed).toMatchObject({ why: 'client_gone' });
    expect(cleaned).toBe(1);
  });

  it('in order lets the client take what waits, and says when to come back', async () => {
    const { host, stream, response } = open();
    response.stall();
    send(stream, 1, 50);
    const closed = stream.close({ retryMs: 2_500 });
    expect(stream.send(number(51))).toBe('dropped');
    await host.advance(1_000);
    response.flow();
    expect(await host.runUntil(closed)).toMatchObject({ why: 'closed', cut: false, sent: 50, dropped: 1 });
    expect(response.data).toHaveLength(50);
    expect(response.text.endsWith('retry: 2500\n\n')).toBe(true);
    // Its socket may serve another request.
    expect(response.destroyed).toBe(false);
  });

  it('in order waits for the client drainMs and no longer', async () => {
    const { host, stream, response } = open({ drainMs: 3_000 });
    response.stall();
    send(stream, 1, 50);
    void stream.close({ timeoutMs: 100_000 });
    await host.advance(2_999);
    expect(stream.report().state).toBe('closing');
    await host.advance(1);
    expect(await stream.closed).toMatchObject({ why: 'closed', cut: true });
    expect(response.destroyed).toBe(true);
  });

  it('of the owner is the end of the connection', async () => {
    const enders: (() => void)[] = [];
    const { stream } = open({
      owner: {
        onEnd: (release) => {
          enders.push(release);
          return () => {};
        },
      },
    });
    for (const end of enders) end();
    expect(await stream.closed).toMatchObject({ why: 'owner_ended' });
  });

  it('comes at once where the owner has ended already, and leaves nothing', async () => {
    const scope = createScope();
    await scope.close();
    const { host, stream, response } = open({ owner: scope });
    expect(stream.isOpen).toBe(false);
    expect(await stream.closed).toMatchObject({ why: 'owner_ended' });
    await host.settle();
    expect({ timers: host.pendingTimers(), destroyed: response.destroyed }).toEqual({
      timers: [],
      destroyed: true,
    });
    const fenced = () => {
      throw new Error('fenced');
    };
    expect(() => open({ owner: { onEnd: fenced } })).toThrow('fenced');
  });

  it('runs releases and clean-up once, also where they throw, and says so', async () => {
    const order: string[] = [];
    const { stream, response, types } = open({
      onClose: ({ why }) => {
        order.push(`onClose ${why}`);
        throw new Error('clean-up');
      },
    });
    stream.onEnd(() => {
      order.push('first');
      throw new Error('release');
    });
    const takeBack = stream.onEnd(() => order.push('taken back'));
    stream.onEnd(() => order.push('second'));
    takeBack();
    response.fail(new Error('ECONNRESET'));
    void stream.close();
    void stream.cut();
    expect(await stream.closed).toMatchObject({ why: 'failed', cleanUp: 'failed' });
    expect(order).toEqual(['first', 'second', 'onClose failed']);
    expect(types().filter((type) => type === 'connection.clean_up_failed')).toHaveLength(2);
    stream.onEnd(() => order.push('too late'));
    expect(order.at(-1)).toBe('too late');
  });

  it('tells the clean-up when its time is up', async () => {
    let told: AbortSignal | undefined;
    const { host, stream, response } = open({
      cleanUpMs: 50,
      onClose: (_end, { signal }) => {
        told = signal;
        return new Promise(() => {});
      },
    });
    response.leave();
    await host.advance(50);
    expect((await stream.closed).cleanUp).toBe('overdue');
    expect(told?.aborted).toBe(true);
  });

  it('of an onWritable that throws is a failure of this connection alone', async () => {
    const { host, stream } = open({
      onWritable: () => {
        throw new Error('maker');
      },
    });
    await host.runUntil(stream.closed);
    expect(await stream.closed).toMatchObject({ why: 'failed' });
  });

  it('leaves no timer behind', async () => {
    const { host, stream } = open();
    send(stream, 1, 10);
    await host.runUntil(stream.close());
    expect(host.pendingTimers()).toEqual([]);
  });
});

describe('frames made when they can be taken', () => {
  it('are asked for once when the connection opens, and again each time it takes', async () => {
    let made = 0;
    const rig = createStreamRig();
    const response = rig.response();
    response.stall();
    const stream = openSse(requestOf(), response, {
      host: rig.host,
      onWritable: () => {
        while (stream.writable) {
          made += 1;
          stream.send(number(made));
        }
      },
    });
    expect(made).toBe(0);
    await rig.host.settle();
    const before = made;
    expect(before).toBeGreaterThan(0);
    await rig.host.advance(5_000);
    expect(made).toBe(before);
    response.take(Number.POSITIVE_INFINITY);
    expect(made).toBeGreaterThan(before);
    expect(stream.report()).toMatchObject({ waiting: 0, dropped: 0 });
  });
});
