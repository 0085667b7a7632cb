import { describe, expect, it } from 'vitest';
import type { Execution } from '../../src/execution/execution.ts';
import { script } from '../../src/testing/kernel-script.ts';
import { watch } from '../kernel/rig.ts';
import { read, sessionRig } from './session-rig.ts';

const NO_FLOODS = { floods: false } as const;

const iteratorOf = (execution: Execution) => execution[Symbol.asyncIterator]();

describe('output', () => {
  it('that nobody reads is bounded: the latest is kept, and the end', async () => {
    const rig = await sessionRig({ ...NO_FLOODS, output: { limit: 10 } });
    const session = await rig.open();
    const execution = session.execute(script(['repeat', 1_000, 'x\n'], ['print', 'last'], ['value', 1]));
    expect(await rig.host.runUntil(execution.result)).toMatchObject({ value: 1 });
    const reading = read(execution);
    await rig.host.settle();
    expect(reading.words).toHaveLength(11);
    expect(reading.words.slice(-2)).toEqual(['last', 'result']);
    expect(execution.dropped).toBe(991);
  });

  it('is bounded by its characters as well', async () => {
    const rig = await sessionRig({ ...NO_FLOODS, output: { maxBytes: 1_024 } });
    const session = await rig.open();
    const execution = session.execute(script(['repeat', 100, 'x'.repeat(100)]));
    await rig.host.runUntil(execution.result);
    const reading = read(execution);
    await rig.host.settle();
    expect(reading.words.length).toBeLessThan(10);
  });

  it('of a reader who is slow holds the code back: nothing is lost, and nothing piles up', async () => {
    const rig = await sessionRig({ ...NO_FLOODS, output: { limit: 50 } });
    const session = await rig.open();
    const execution = session.execute(script(['repeat', 500, 'x'], ['value', 1]));
    const reader = iteratorOf(execution);
    expect(await rig.host.runUntil(reader.next())).toMatchObject({ value: { text: 'x' } });
    await rig.host.settle();
    expect(rig.kernel.ports[0]?.chunks).toBeLessThanOrEqual(52);
    let taken = 1;
    for (let next = await rig.host.runUntil(reader.next()); next.done !== true; ) {
      if (next.value.kind === 'output') taken += 1;
      next = await rig.host.runUntil(reader.next());
    }
    expect(taken).toBe(500);
    expect(execution.dropped).toBe(0);
  });

  it.each([
    ['drop_new', 'first'],
    ['drop_oldest', 'last'],
  ] as const)('with the policy %s keeps the %s', async (policy, kept) => {
    const rig = await sessionRig({ ...NO_FLOODS, output: { limit: 3, policy } });
    const session = await rig.open();
    const steps = ['1', '2', '3', '4', '5'].map((text) => ['print', text] as const);
    const execution = session.execute(script(...steps, ['wait', 1]));
    const reader = iteratorOf(execution);
    await rig.host.advance(1);
    const words: string[] = [];
    for (let next = await rig.host.runUntil(reader.next()); next.done !== true; ) {
      words.push(next.value.kind === 'output' ? next.value.text : next.value.kind);
      next = await rig.host.runUntil(reader.next());
    }
    expect(words).toEqual(kept === 'first' ? ['1', '2', '3', 'result'] : ['3', '4', '5', 'result']);
    expect(execution.dropped).toBe(2);
  });

  it('with the policy error stops the code, naming the limit', async () => {
    const rig = await sessionRig({ ...NO_FLOODS, output: { limit: 3, policy: 'error' } });
    const session = await rig.open();
    const again = session.execute(script(['repeat', 10, 'x'], ['hang']));
    const reader = iteratorOf(again);
    const other = watch(again.result);
    await rig.host.settle();
    for (let left = 3; left > 0; left--) await reader.next();
    await rig.host.settle();
    expect(other.error).toMatchObject({
      code: 'ERR_EXECUTION_LIMIT',
      data: { limit: 'output.limit', figure: 3 },
    });
  });

  it('that cannot be drained gives exactly one error and no result', async () => {
    const rig = await sessionRig(NO_FLOODS);
    const session = await rig.open();
    const execution = session.execute(script(['print', 'a'], ['print', 'b'], ['value', 1]));
    const reader = iteratorOf(execution);
    const fate = watch(execution.result);
    await rig.host.advance(1_999);
    expect(fate.settled).toBe(false);
    await rig.host.advance(1);
    expect(fate.error).toMatchObject({
      code: 'ERR_OUTPUT_DRAIN',
      outcome: 'completed',
      data: { drainMs: 2_000 },
    });
    const kinds: string[] = [];
    for (let next = await reader.next(); next.done !== true; next = await reader.next())
      kinds.push(next.value.kind);
    expect(kinds).toEqual(['output', 'output', 'error']);
    expect(await rig.host.runUntil(session.execute(script(['value', 2])).result)).toMatchObject({ value: 2 });
  });

  it('is no longer waited for by a reader who has left, which cancels nothing', async () => {
    const rig = await sessionRig({ ...NO_FLOODS, output: { limit: 4 } });
    const session = await rig.open();
    const execution = session.execute(script(['repeat', 100, 'x'], ['value', 1]));
    const reader = iteratorOf(execution);
    await rig.host.runUntil(reader.next());
    await reader.return?.();
    expect(await reader.next()).toMatchObject({ done: true });
    expect(await rig.host.runUntil(execution.result)).toMatchObject({ value: 1 });
  });

  it('of a kind that is not known is counted and left out', async () => {
    const rig = await sessionRig();
    const session = await rig.open();
    const odd = [{ kind: 'hologram' }, { kind: 'constructor' }, 7] as const;
    const execution = session.execute(script(...odd.map((each) => ['chunk', each] as const), ['value', 1]));
    const reading = read(execution);
    await rig.host.runUntil(execution.result);
    await rig.host.settle();
    expect(reading.words).toEqual(['result']);
    expect(rig.of('session.reply.dropped')).toHaveLength(3);
  });
});

describe('a flood', () => {
  it('of lines is held back to the rate, and loses nothing', async () => {
    const rig = await sessionRig();
    const session = await rig.open();
    const execution = session.execute(script(['repeat', 500, 'a\nb\n'], ['value', 1]));
    const reading = read(execution);
    await rig.host.advance(1_000);
    expect(reading.done).toBe(false);
    expect(await rig.host.runUntil(execution.result)).toMatchObject({ value: 1 });
    await rig.host.settle();
    expect(reading.words).toHaveLength(501);
    // 1,000 lines at 100 a second, the first hundred and what was under way at once.
    expect(rig.host.monotonic()).toBeGreaterThan(8_000);
    expect(rig.of('session.output.throttled')).toHaveLength(1);
  });

  it('that goes on while it is held back is stopped, naming limit and figure', async () => {
    const rig = await sessionRig();
    const session = await rig.open();
    const execution = session.execute(script(['repeat', 9_000, 'a\nb\n']));
    const fate = watch(execution.result);
    await rig.host.advance(20_000);
    expect(fate.error).toMatchObject({
      code: 'ERR_EXECUTION_LIMIT',
      data: { limit: 'linesPerSecond', figure: 100, stage: 'cooperative' },
    });
    expect(session.inspect()).toMatchObject({ free: true, processes: 1 });
  });

  it('of lines in all is stopped', async () => {
    const rig = await sessionRig();
    const session = await rig.open();
    const { result } = session.execute(script(['print', 'a\nb\n'.repeat(5_001)], ['hang']));
    await expect(rig.host.runUntil(result)).rejects.toMatchObject({
      code: 'ERR_EXECUTION_LIMIT',
      data: { limit: 'lines', figure: 10_000, observed: 10_002 },
    });
  });

  it('of one line again and again is stopped, also where chunks cut the line', async () => {
    const rig = await sessionRig();
    const session = await rig.open();
    const halves = Array.from({ length: 501 }, () => [
      ['print', 'ha'] as const,
      ['print', 'lf\n'] as const,
    ]).flat();
    const { result } = session.execute(script(...halves, ['hang']));
    await expect(rig.host.runUntil(result)).rejects.toMatchObject({
      data: { limit: 'identicalLines', figure: 500, observed: 501 },
    });
  });

  it('of characters is stopped where that was limited, in an execution and in a process', async () => {
    const rig = await sessionRig({ limits: { outputBytes: 1_000, sessionOutputBytes: 1_500 } });
    const session = await rig.open();
    const print = (characters: number) =>
      rig.host.runUntil(session.execute(script(['print', 'x'.repeat(characters)], ['wait', 1])).result);
    await expect(print(1_001)).rejects.toMatchObject({ data: { limit: 'outputBytes', figure: 1_000 } });
    await expect(print(600)).rejects.toMatchObject({
      data: { limit: 'sessionOutputBytes', observed: 1_601 },
    });
  });

  it('is none to whoever prints much in one line', async () => {
    const rig = await sessionRig();
    const session = await rig.open();
    const execution = session.execute(script(['repeat', 200, 'x'.repeat(60_000)], ['value', 1]));
    const reading = read(execution);
    expect(await rig.host.runUntil(execution.result)).toMatchObject({ value: 1 });
    expect(rig.host.monotonic()).toBe(0);
    await rig.host.settle();
    expect(reading.words).toHaveLength(201);
  });
});
