/**
 * Streams under random schedules: clients that stall, take a little, take all, leave, come back and fail; frames with and without keys;
 * ends of every kind, at once and in order, while clean-ups return, hang or throw. Each property is shown to catch a planted bug.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CleanUp } from '../../src/coordination/clean-up.ts';
import type { ConnectionClosed } from '../../src/coordination/connection.ts';
import { createFeed } from '../../src/coordination/feed.ts';
import { FrameQueue, type StreamOverflow } from '../../src/coordination/frame-queue.ts';
import { LineWatch } from '../../src/coordination/line-watch.ts';
import { Outgoing } from '../../src/coordination/outgoing.ts';
import { openSse } from '../../src/coordination/sse.ts';
import { createStreamRig, requestOf } from '../../test/coordination/stream-rig.ts';
import { type Method, plant, takeBackAfterEach } from '../../test/simulation/planting.ts';

type Deed =
  | { readonly do: 'send'; readonly count: number; readonly key: number }
  | { readonly do: 'take'; readonly characters: number }
  | { readonly do: 'advance'; readonly ms: number }
  | { readonly do: 'stall' | 'flow' | 'leave' | 'fail' | 'close' | 'cut' | 'abort' | 'end_owner' };

const deeds: fc.Arbitrary<readonly Deed[]> = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('send' as const),
        count: fc.integer({ min: 1, max: 12 }),
        key: fc.nat(3),
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('take' as const), characters: fc.nat(60) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.nat(4_000) }) },
    { weight: 2, arbitrary: fc.constant({ do: 'stall' as const }) },
    { weight: 2, arbitrary: fc.constant({ do: 'flow' as const }) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        ...(['leave', 'fail', 'close', 'cut', 'abort', 'end_owner'] as const).map((what) => ({ do: what })),
      ),
    },
  ),
  { maxLength: 30 },
);

const scenario = fc.record({
  deeds,
  overflow: fc.constantFrom<StreamOverflow>('drop_oldest', 'coalesce', 'disconnect'),
  capacity: fc.integer({ min: 1, max: 6 }),
  cleanUp: fc.constantFrom('returns', 'hangs', 'throws'),
  choices: fc.array(fc.nat(255), { maxLength: 40 }),
});
type Scenario = typeof scenario extends fc.Arbitrary<infer T> ? T : never;

/** Longer than any drain, stall and clean-up together. */
const LONG_MS = 60_000;

const play = async ({ deeds: list, overflow, capacity, cleanUp, choices }: Scenario) => {
  const rig = createStreamRig(choices);
  const { host, events } = rig;
  const response = rig.response();
  const abort = new AbortController();
  let endOwner = (): void => {};
  /** Of each frame. */
  const keys = new Map<number, number>();
  const counts = { cleaned: 0, released: 0, offered: 0 };
  const stream = openSse(requestOf(), response, {
    host,
    events,
    overflow,
    capacity,
    heartbeatMs: 2_000,
    stallMs: 3_000,
    drainMs: 2_000,
    cleanUpMs: 1_000,
    signal: abort.signal,
    owner: {
      onEnd: (release) => {
        endOwner = release;
        return () => {};
      },
    },
    onClose: () => {
      counts.cleaned += 1;
      if (cleanUp === 'throws') throw new Error('clean-up');
      return cleanUp === 'hangs' ? new Promise(() => {}) : undefined;
    },
  });
  stream.onEnd(() => {
    counts.released += 1;
  });
  const closed: ConnectionClosed[] = [];
  void stream.closed.then((end) => closed.push(end));
  const acts = {
    stall: () => response.stall(),
    flow: () => response.flow(),
    leave: () => response.leave(),
    fail: () => response.fail(new Error('reset')),
    close: () => void stream.close(),
    cut: () => void stream.cut(),
    abort: () => abort.abort(),
    end_owner: () => endOwner(),
  };
  const most = { pending: 0, waiting: 0 };
  for (const deed of list) {
    if (deed.do === 'send') {
      for (let each = 0; each < deed.count; each++) {
        counts.offered += 1;
        keys.set(counts.offered, deed.key);
        stream.send({ data: `${counts.offered}`, ...(deed.key === 0 ? {} : { key: `key ${deed.key}` }) });
      }
    } else if (deed.do === 'take') response.take(deed.characters);
    else if (deed.do === 'advance') await host.advance(deed.ms);
    else acts[deed.do]();
    most.waiting = Math.max(most.waiting, stream.report().waiting);
  }
  void stream.close();
  await host.advance(LONG_MS);
  return { host, stream, response, counts, closed, keys, most };
};

type Played = Awaited<ReturnType<typeof play>>;

const properties: Readonly<Record<string, (played: Played, given: Scenario) => void>> = {
  'sent and dropped are what was offered': ({ stream, counts }) => {
    const { offered, sent, dropped, waiting } = stream.report();
    expect({ offered, waiting }).toEqual({ offered: counts.offered, waiting: 0 });
    expect(sent + dropped).toBe(offered);
  },
  'a client has what it has in the order in which it was sent, by key at least': (
    { response, keys },
    { overflow },
  ) => {
    const had = response.data.map(Number);
    expect(new Set(had).size).toBe(had.length);
    const lines =
      overflow === 'coalesce'
        ? [0, 1, 2, 3].map((key) => had.filter((each) => keys.get(each) === key))
        : [had];
    for (const line of lines) expect(line).toEqual([...line].sort((a, b) => a - b));
  },
  'nothing is written to a line that is full': ({ response }) => {
    expect(response.mostPending).toBeLessThan(64 + 40);
  },
  'no more waits than may': ({ most }, { capacity }) => {
    expect(most.waiting).toBeLessThanOrEqual(capacity);
  },
  'the clean-up begins once, and every release is called once': ({ counts }) => {
    expect(counts).toMatchObject({ cleaned: 1, released: 1 });
  },
  'it ends once, in its time, and says how the clean-up came out': ({ closed, host }, { cleanUp }) => {
    expect(closed).toHaveLength(1);
    expect(closed[0]?.cleanUp).toBe({ returns: 'done', throws: 'failed', hangs: 'overdue' }[cleanUp]);
    expect(host.pendingTimers()).toEqual([]);
  },
};

const holds = async (name: string, runs: number): Promise<void> => {
  const property = properties[name];
  if (property === undefined) throw new Error(name);
  await fc.assert(
    fc.asyncProperty(scenario, async (given) => property(await play(given), given)),
    { numRuns: runs },
  );
};

takeBackAfterEach();

describe('streams', () => {
  it('hold all properties on every schedule', async () => {
    await fc.assert(
      fc.asyncProperty(scenario, async (given) => {
        const played = await play(given);
        for (const property of Object.values(properties)) property(played, given);
      }),
      { numRuns: 300 },
    );
  });

  it('whoever comes back has every event once and in order, or is told that some are missing', async () => {
    const steps = fc.array(
      fc.oneof(
        { weight: 4, arbitrary: fc.record({ publish: fc.integer({ min: 1, max: 8 }) }) },
        { weight: 1, arbitrary: fc.constant({ leave: true }) },
      ),
      { maxLength: 30 },
    );
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 1, max: 20 }), async (list, capacity) => {
        const rig = createStreamRig();
        const { host, events } = rig;
        const feed = createFeed({ host, capacity });
        let published = 0;
        let last: string | undefined;
        const next = (): number => {
          published += 1;
          return published;
        };
        const had: number[] = [];
        let missed = 0;
        const connect = () => {
          const response = rig.response();
          openSse(requestOf(last), response, { host, events, feed });
          return response;
        };
        const read = (response: ReturnType<typeof connect>) => {
          for (const { id, event, data } of response.events) {
            if (event === 'gap') missed += (JSON.parse(data) as { missed: number }).missed;
            else {
              had.push(Number(data));
              last = id;
            }
          }
        };
        let response = connect();
        feed.publish({ data: next() });
        for (const step of list) {
          if ('leave' in step) {
            await host.settle();
            response.leave();
            read(response);
            for (let each = 0; each < 5; each++) feed.publish({ data: next() });
            response = connect();
          } else for (let each = 0; each < step.publish; each++) feed.publish({ data: next() });
        }
        await host.settle();
        read(response);
        expect(had).toEqual([...new Set(had)].sort((a, b) => a - b));
        expect(had.length + missed).toBe(published);
      }),
      { numRuns: 150 },
    );
  });
});

/** A method that does something else, with the one that it stands for. */
const instead =
  <T>(run: (self: T, original: Method, args: never[]) => unknown) =>
  (original: Method): Method =>
    function (this: never, ...args: never[]) {
      return run(this as T, original, args);
    };

describe('a planted bug is caught', () => {
  const caught = async (name: string): Promise<void> => {
    await expect(holds(name, 300)).rejects.toThrow(/Property failed/);
  };

  it('drops that nobody counts', async () => {
    plant(
      Outgoing,
      'clear',
      instead<Outgoing>((self, original) => {
        const { dropped } = self;
        const left = original.call(self as never);
        self.dropped = dropped;
        return left;
      }),
    );
    await caught('sent and dropped are what was offered');
  });

  it('a queue that gives the second before the first', async () => {
    const held = new WeakMap<object, unknown>();
    plant(
      FrameQueue,
      'take',
      instead<FrameQueue>((self, original) => {
        const before = held.get(self);
        held.delete(self);
        if (before !== undefined) return before;
        const [first, second] = [original.call(self as never), original.call(self as never)];
        if (second === undefined) return first;
        held.set(self, first as object);
        return second;
      }),
    );
    await caught('a client has what it has in the order in which it was sent, by key at least');
  });

  it('a line that is written to although it is full', async () => {
    plant(Outgoing, 'isClear', () => () => true);
    await caught('nothing is written to a line that is full');
  });

  it('a queue of one more than it may have', async () => {
    const property = properties['no more waits than may'];
    const outcome = fc.assert(
      fc.asyncProperty(scenario, async (given) =>
        property?.(await play({ ...given, capacity: given.capacity + 1 }), given),
      ),
      { numRuns: 300 },
    );
    await expect(outcome).rejects.toThrow(/Property failed/);
  });

  it('a clean-up that runs twice', async () => {
    plant(
      CleanUp,
      'add',
      instead<CleanUp>((self, original, args) => {
        original.apply(self as never, args);
        return original.apply(self as never, args);
      }),
    );
    await caught('the clean-up begins once, and every release is called once');
  });

  it('a release that is forgotten', async () => {
    plant(CleanUp, 'onEnd', () => () => () => {});
    await caught('the clean-up begins once, and every release is called once');
  });

  it('an end that says that all is well whatever the clean-up did', async () => {
    plant(CleanUp, 'conclude', () => () => 'done');
    await caught('it ends once, in its time, and says how the clean-up came out');
  });

  it('a heartbeat that outlives its client', async () => {
    plant(LineWatch, 'end', () => () => undefined);
    await caught('it ends once, in its time, and says how the clean-up came out');
  });
});
