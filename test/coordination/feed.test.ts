import { describe, expect, it } from 'vitest';
import { createFeed } from '../../src/coordination/feed.ts';
import { openSse, type SseOptions } from '../../src/coordination/sse.ts';
import { createStreamRig, requestOf } from './stream-rig.ts';

describe('a feed', () => {
  const connect = (rig: ReturnType<typeof createStreamRig>, options: SseOptions, lastEventId?: string) => {
    const response = rig.response();
    const { host, events } = rig;
    const stream = openSse(requestOf(lastEventId), response, { host, events, ...options });
    return { response, stream };
  };

  it('gives a client that comes back what it missed, before anything new', async () => {
    const rig = createStreamRig();
    const feed = createFeed({ host: rig.host });
    const first = connect(rig, { feed });
    for (const data of [1, 2, 3]) feed.publish({ data });
    await rig.host.settle();
    const { id } = first.response.events[1] ?? { id: undefined };
    first.response.leave();
    feed.publish({ data: 4 });
    const again = connect(rig, { feed }, id);
    feed.publish({ data: 5 });
    await rig.host.settle();
    expect(again.response.data).toEqual(['3', '4', '5']);
    expect(feed.report().clients).toBe(1);
  });

  it.each([
    ['forgotten', 20, '{"missed":10}', 10],
    ['kept', 5, undefined, 5],
  ])('says how many are missing that are %s', async (_, missed, gap, given) => {
    const rig = createStreamRig();
    const feed = createFeed({ host: rig.host, capacity: 10 });
    const id = feed.publish({ data: 'last seen' });
    for (let each = 0; each < missed; each++) feed.publish({ data: each });
    const { response } = connect(rig, { feed }, id);
    await rig.host.settle();
    expect(response.events.filter(({ event }) => event === 'gap').map(({ data }) => data)).toEqual(
      gap === undefined ? [] : [gap],
    );
    expect(response.events.filter(({ event }) => event !== 'gap')).toHaveLength(given);
  });

  it.each(['other-1', 'x', '', '1', 'a'.repeat(300), 'not-a-number', '-1'])(
    'takes %j for an id of nobody it knows, and gives what it has',
    async (id) => {
      const rig = createStreamRig();
      const feed = createFeed({ host: rig.host });
      feed.publish({ data: 1 });
      const { response } = connect(rig, { feed }, id);
      await rig.host.settle();
      // Too long or empty is no id at all.
      expect(response.data).toEqual(id === '' || id.length > 200 ? [] : ['{"missed":null}', '1']);
    },
  );

  it('takes an id from the future for one of another life', async () => {
    const rig = createStreamRig();
    const feed = createFeed({ host: rig.host });
    const [epoch] = feed.publish({ data: 1 }).split('-');
    const { response } = connect(rig, { feed }, `${epoch}-99`);
    await rig.host.settle();
    expect(response.data).toEqual(['{"missed":null}', '1']);
  });

  it('tells a slow client that it dropped some, when it takes again', async () => {
    const rig = createStreamRig();
    const feed = createFeed({ host: rig.host });
    const { response } = connect(rig, { feed, capacity: 2 });
    feed.publish({ data: 'x'.repeat(100) });
    response.stall();
    for (let each = 0; each < 10; each++) feed.publish({ data: each });
    response.flow();
    await rig.host.settle();
    expect(response.data.slice(1)).toEqual(['{"missed":8}', '8', '9']);
  });

  it('never lets the id that a client has run ahead of what it was given, also where frames take the place of others', async () => {
    const rig = createStreamRig();
    const feed = createFeed({ host: rig.host });
    const { response } = connect(rig, { feed, overflow: 'coalesce' });
    feed.publish({ data: 'x'.repeat(100) });
    response.stall();
    feed.publish({ data: 'a1', key: 'a' });
    feed.publish({ data: 'b1', key: 'b' });
    feed.publish({ data: 'a2', key: 'a' });
    response.reads = false;
    response.take(Number.POSITIVE_INFINITY);
    const afterA = readUntil(response, 'a2');
    const again = connect(rig, { feed }, afterA);
    await rig.host.settle();
    expect(again.response.data).toContain('b1');
  });

  it('keeps no more than it may', () => {
    const { host } = createStreamRig();
    const feed = createFeed({ host, capacity: 100, maxBytes: 500 });
    for (let each = 0; each < 40_000; each++) feed.publish({ data: `${each}` });
    const { published, kept, keptBytes } = feed.report();
    expect(published).toBe(40_000);
    expect(kept).toBeGreaterThan(5);
    expect(keptBytes).toBeLessThanOrEqual(500);
  });

  const readUntil = (response: ReturnType<ReturnType<typeof createStreamRig>['response']>, data: string) => {
    response.take(Number.POSITIVE_INFINITY);
    return response.events.find((event) => event.data === data)?.id;
  };
});
