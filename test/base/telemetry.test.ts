import { expect, test } from 'vitest';
import { EventStream, type TroupeEvent } from '../../src/base/telemetry.ts';

const setUp = () => {
  let asked = 0;
  const events = new EventStream(() => {
    asked += 1;
    return 1_000;
  });
  return { events, askedForTime: () => asked };
};

test('costs nothing while nobody listens: no event is built, no clock read', () => {
  const { events, askedForTime } = setUp();
  expect(events.active).toBe(false);
  events.emit('host.stalled', {
    get lateMs(): number {
      throw new Error('built an event');
    },
  });
  expect(askedForTime()).toBe(0);
});

test('tells every listener, in the order of listening, with the time, and frozen', () => {
  const { events } = setUp();
  const seen: [string, TroupeEvent][] = [];
  events.listen((event) => seen.push(['first', event]));
  events.listen((event) => seen.push(['second', event]));
  events.emit('host.stalled', { lateMs: 70 });
  expect(seen).toEqual([
    ['first', { type: 'host.stalled', at: 1_000, lateMs: 70 }],
    ['second', { type: 'host.stalled', at: 1_000, lateMs: 70 }],
  ]);
  expect(Object.isFrozen(seen[0]?.[1])).toBe(true);
});

test('on tells only its type', () => {
  const { events } = setUp();
  const seen: number[] = [];
  const stop = events.on('host.stalled', ({ lateMs }) => seen.push(lateMs));
  events.emit('pool.restored', { path: 'p' });
  events.emit('host.stalled', { lateMs: 1 });
  stop();
  events.emit('host.stalled', { lateMs: 2 });
  expect(seen).toEqual([1]);
  expect(events.active).toBe(false);
});

test('a listener that throws is removed and counted, and reaches neither the emitter nor the others', () => {
  const { events } = setUp();
  const seen: string[] = [];
  events.listen(() => {
    seen.push('broken');
    throw new Error('boom');
  });
  events.listen(() => seen.push('sound'));
  events.emit('host.stalled', { lateMs: 1 });
  events.emit('host.stalled', { lateMs: 2 });
  expect(seen).toEqual(['broken', 'sound', 'sound']);
  expect([events.brokenListeners, events.active]).toEqual([1, true]);
});

test('active goes out with the last listener, stopped or broken', () => {
  const { events } = setUp();
  const stop = events.listen(() => {
    throw new Error('boom');
  });
  expect(events.active).toBe(true);
  events.emit('host.stalled', { lateMs: 1 });
  expect(events.active).toBe(false);
  stop();
  expect(events.active).toBe(false);
});

test('a listener may stop itself and others while an event is told', () => {
  const { events } = setUp();
  const seen: string[] = [];
  const stopFirst = events.listen(() => {
    seen.push('first');
    stopFirst();
    events.listen(() => seen.push('third'));
  });
  events.listen(() => seen.push('second'));
  events.emit('host.stalled', { lateMs: 1 });
  expect(seen).toEqual(['first', 'second']);
  events.emit('host.stalled', { lateMs: 2 });
  expect(seen).toEqual(['first', 'second', 'second', 'third']);
});

test('events of other types than those listened to are not even built', () => {
  let built = 0;
  const events = new EventStream(() => ++built);
  const stop = events.on('host.stalled', () => undefined);
  events.emit('breaker.closed', { path: 'b' });
  expect(built).toBe(0);
  events.emit('host.stalled', { lateMs: 1 });
  expect(built).toBe(1);
  stop();
  expect(events.active).toBe(false);
});
