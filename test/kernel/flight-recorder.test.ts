import { expect, it } from 'vitest';
import { EventStream } from '../../src/base/telemetry.ts';
import { FACTS_KEPT, FlightRecorder } from '../../src/kernel/flight-recorder.ts';

const setUp = () => {
  let now = 1_000;
  const events = new EventStream(() => now);
  const recorder = new FlightRecorder(events);
  return { events, recorder, pass: (ms: number) => (now += ms) };
};
const crash = (path: string, error: unknown) =>
  ({ path, incarnation: 1, kind: 'server', reason: { error }, lastMessage: 'pay' }) as const;

it('records though nobody listens, and lets who checks before building an event know', () => {
  const { events, recorder } = setUp();
  expect(events.active).toBe(false);
  expect(events.lifecycle).toBe(true);
  events.emit('breaker.closed', { path: 'prices' });
  expect(recorder.facts()).toMatchObject([
    { n: 0, at: 1_000, type: 'breaker.closed', path: 'prices', weight: 'change' },
  ]);
});

it('keeps the last thousand, and says how many are gone', () => {
  const { events, recorder } = setUp();
  for (let i = 0; i < FACTS_KEPT + 5; i++) events.emit('breaker.closed', { path: `b${i}` });
  expect(recorder.facts()).toHaveLength(FACTS_KEPT);
  expect(recorder.forgotten).toBe(5);
  expect(recorder.facts()[0]).toMatchObject({ n: 5, path: 'b5' });
  expect(recorder.facts(1_003).map(({ path }) => path)).toEqual(['b1003', 'b1004']);
});

it('leaves out clean ends, messages and jobs', () => {
  const { events, recorder } = setUp();
  events.listen(() => undefined);
  events.emit('actor.ended', { ...crash('till', 'x'), reason: 'shutdown' });
  events.emit('actor.started', { path: 'till', incarnation: 1, kind: 'server' });
  events.emit('pool.job.settled', { path: 'p', worker: 'w', job: 'j', outcome: 'succeeded', runMs: 1 });
  expect(recorder.facts()).toEqual([]);
});

it('names what a fact follows from', () => {
  const { events, recorder } = setUp();
  events.emit('breaker.closed', { path: 'other' });
  events.emit('actor.ended', crash('shop/till', new Error('jam')));
  events.emit('supervisor.child.restarted', {
    path: 'shop',
    child: 'till',
    restarts: 1,
    used: 1,
    intensity: 3,
    periodMs: 5_000,
  });
  expect(recorder.facts().map(({ cause }) => cause)).toEqual([undefined, undefined, 1]);
  expect(recorder.facts()[2]?.text).toBe('restarted till; 1 of 3 in 5000 ms');
});

it('counts drops at one place together for a second', () => {
  const { events, recorder, pass } = setUp();
  for (let i = 0; i < 50; i++) events.emit('mail.dropped', { path: 'till', message: 'pay', why: 'reject' });
  pass(1_000);
  events.emit('mail.dropped', { path: 'till', message: 'pay', why: 'reject' });
  expect(recorder.facts().map(({ data }) => data['times'])).toEqual([50, undefined]);
});

it('keeps of errors words only, each different stack once, and no property that could hold a request', () => {
  const { events, recorder } = setUp();
  const failure = Object.assign(new Error('no answer'), {
    config: { headers: { authorization: 'Basic hunter2' } },
  });
  for (let i = 0; i < 200; i++) events.emit('actor.ended', crash('till', failure));
  const facts = recorder.facts();
  expect(JSON.stringify(facts)).not.toContain('hunter2');
  const stacks = facts.filter(
    ({ data }) => (data['reason'] as { error: { stack?: string } }).error.stack !== undefined,
  );
  // The first, and those whose errors are still fresh.
  expect(stacks).toHaveLength(1 + 64);
  expect(stacks[0]?.n).toBe(0);
});

it('bears errors that cannot be read', () => {
  const { events, recorder } = setUp();
  const cruel = new Error('x');
  Object.defineProperty(cruel, 'message', {
    get: () => {
      throw new Error('cruel');
    },
  });
  for (let i = 0; i < 70; i++) events.emit('actor.ended', crash('till', cruel));
  expect(recorder.facts()).toHaveLength(70);
});
