import { expect, it } from 'vitest';
import { readEvent } from '../../../src/explorer/page/event-text.ts';
import { FrameReader } from '../../../src/explorer/page/frame-reader.ts';
import { contextAfter, undone, visitsUntil } from '../../../src/explorer/page/past.ts';
import { readAddress, writeAddress } from '../../../src/explorer/page/place-text.ts';
import { causesOf, chainOf, lanesOf, sequenceOf } from '../../../src/explorer/page/timeline-model.ts';
import { quantile, since } from '../../../src/explorer/page/words.ts';
import type { Fact, History, Message, Step } from '../../../src/explorer/protocol.ts';

it('an older context is the newest with the later changes undone, of objects and of lists', () => {
  const step = (n: number, changes: Step['changes']) => ({ n, active: [], changes }) as never as Step;
  const history = {
    steps: [
      step(1, [{ at: ['n'], after: 1 }]),
      step(2, [{ at: ['list', 0], after: 'a' }]),
      step(3, [
        { at: ['n'], before: 1, after: 2 },
        { at: ['list', 1], after: 'b' },
      ]),
    ],
    context: { list: ['a', 'b'], n: 2 },
  } as never as History;
  expect(contextAfter(history, 2)).toEqual({ list: ['a', 'b'], n: 2 });
  expect(contextAfter(history, 1)).toEqual({ list: ['a'], n: 1 });
  expect(contextAfter(history, 0)).toEqual({ list: [], n: 1 });
  expect(undone({ gone: undefined as never, kept: 1 }, [{ at: ['x', 'y'], before: 3 }])).toMatchObject({
    x: { y: 3 },
  });
});

it('visits are counted where a state is entered, not where it stays', () => {
  const steps = [['a'], ['a', 'b'], ['a'], ['a', 'b']].map((active, n) => ({ n, active }) as never as Step);
  expect(visitsUntil(steps, 3)).toEqual({ a: 1, b: 2 });
  expect(visitsUntil(steps, 0)).toEqual({ a: 1 });
});

it('an address says where one is, whatever an actor is called', () => {
  const places = [
    { view: 'now', path: '', more: {} },
    {
      view: 'actor',
      path: 'shop/<img src=x onerror=alert(1)>/a?b#c@7',
      incarnation: 12,
      more: { tab: 'past' },
    },
    { view: 'timeline', path: 'shop/50%/ä', more: { fact: '3', span: '5 min' } },
  ] as const;
  for (const place of places) expect(readAddress(writeAddress(place))).toEqual(place);
  expect(readAddress('#/nowhere/at/all').view).toBe('now');
  expect(readAddress('#/actor/%E0%A4%A').path).toBe('%E0%A4%A');
});

it('frames are read whole however their text is cut, and a hole in the numbers is told once', () => {
  const frame = (seq: number) =>
    `id: ${seq}\nevent: tree\ndata: {"type":"tree","seq":${seq},"body":"a\\nb"}\n\n`;
  const text = `: beat\n\n${frame(4)}${frame(5)}`;
  const reader = new FrameReader();
  const taken = [...text].flatMap((character) => reader.take(character));
  expect(taken.map((one) => (one === 'hole' ? one : one.seq))).toEqual([4, 5]);
  expect(reader.take(frame(7) + frame(8))).toEqual(['hole']);
  expect(reader.take(frame(6))).toEqual([]);
});

it('an event that somebody writes needs a type, and no key that could change a prototype', () => {
  expect(readEvent('{ "type": "GO", "n": 1 }')).toEqual({ type: 'GO', n: 1 });
  expect(readEvent('{ "type": 1 }')).toContain('type');
  expect(readEvent('[]')).toContain('object');
  expect(readEvent('{ "type":')).toContain('not JSON');
  expect(readEvent('{ "type": "GO", "__proto__": {} }')).toContain('not allowed');
});

const fact = (n: number, over: Partial<Fact> = {}): Fact => ({
  n,
  at: n * 10,
  type: 'actor.ended',
  path: `shop/a${n % 3}`,
  weight: 'trouble',
  text: '',
  data: {},
  ...over,
});
const message = (id: number, over: Partial<Message> = {}): Message => ({
  n: id,
  id,
  kind: 'tell',
  name: 'go',
  to: { path: 'shop/a1', incarnation: 1 },
  sentAt: id * 10,
  outcome: 'handled',
  ...over,
});

it('lanes are those with the most to tell, and the others are counted', () => {
  const facts = [fact(1), fact(2), fact(3), fact(4), fact(5, { path: 'elsewhere' })];
  const all = { span: { from: 0, to: 100 }, below: '', most: 2 };
  const { lanes, more } = lanesOf(facts, [message(1)], all);
  expect(lanes.map(({ path }) => path)).toContain('shop/a1');
  expect(lanes).toHaveLength(2);
  expect(more).toBe(2);
  expect(lanesOf(facts, [], { ...all, below: 'elsewhere' }).lanes.map(({ path }) => path)).toEqual([
    'elsewhere',
  ]);
  const restarted = fact(6, { type: 'supervisor.child.restarted', path: 'shop', data: { child: 'a1' } });
  expect(lanesOf([restarted], [], all).lanes[0]?.path).toBe('shop/a1');
});

it('causes are followed back to the first, and never around', () => {
  const facts = [fact(1), fact(2, { cause: 1 }), fact(3, { cause: 2 }), fact(4, { cause: 4 })];
  expect(causesOf(facts[2] as Fact, facts).map(({ n }) => n)).toEqual([2, 1]);
  expect(causesOf(facts[3] as Fact, facts)).toEqual([]);
});

it('a chain is what led to a message and what it led to, nothing beside', () => {
  const messages = [
    message(1),
    message(2, { cause: 1 }),
    message(3, { cause: 1 }),
    message(4, { cause: 2 }),
    message(5),
  ];
  expect([...chainOf(2, messages)].sort()).toEqual([1, 2, 4]);
});

it('a sequence names whom it shows, and what came from outside first', () => {
  const { columns, rows } = sequenceOf(
    [fact(1)],
    [message(1), message(2, { from: { path: 'shop/a1', incarnation: 1 } })],
    {
      below: '',
      rows: 10,
      columns: 5,
    },
  );
  expect(columns).toEqual(['outside', 'shop/a1']);
  expect(rows).toHaveLength(3);
});

it('a part of a histogram is the edge below which it lies; an interval is a difference', () => {
  const now = { edges: [1, 10], counts: [5, 4, 1], sum: 60, count: 10 };
  expect(quantile(now, 0.5)).toBe(1);
  expect(quantile(now, 0.9)).toBe(10);
  expect(quantile(now, 0.99)).toBe(Number.POSITIVE_INFINITY);
  expect(since(now, { ...now, counts: [5, 0, 0], sum: 5, count: 5 })).toMatchObject({
    counts: [0, 4, 1],
    count: 5,
  });
});
