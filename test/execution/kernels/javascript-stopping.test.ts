import { describe, expect, it } from 'vitest';
import { gone } from '../../work/watched-worker.ts';
import { RUNNING, running, start } from './javascript-stage.ts';
import type { Answer, DrivenKernel } from './kernel-driver.ts';

describe('stopping', () => {
  const lives = async (kernel: DrivenKernel) => {
    expect(await kernel.value('typeof kept')).toBe('number');
  };
  const begun = async (code: string): Promise<readonly [DrivenKernel, number]> => {
    const kernel = await start();
    await kernel.run('var kept = 1; var log = [];');
    const job = kernel.begin(`${RUNNING}${code}`);
    await running(kernel, job);
    return [kernel, job];
  };

  it.each([
    [
      'a loop',
      'try { for (;;) {} } finally { log.push("finally"); for (let i = 0; i < 3; i++) log.push(i) }',
    ],
    [
      'a hot loop that catches',
      'let n = 0; try { while (true) { try { n += Math.sqrt(n); JSON.parse("{") } catch {} } } finally { log.push("finally"); for (const i of [0, 1, 2]) log.push(i) }',
    ],
    [
      'an await',
      'try { await new Promise(() => {}) } finally { log.push("finally"); for (const i of [0, 1, 2]) { await i; log.push(i) } }',
    ],
    ['a loop after an await', 'try { await 1; for (;;) {} } finally { log.push("finally", 0, 1, 2) }'],
    [
      'an iteration that awaits',
      'try { for await (const x of (async function* () { yield new Promise(() => {}) })()) x } finally { log.push("finally", 0, 1, 2) }',
    ],
    ['a wait for input', 'try { prompt("? ") } finally { log.push("finally", 0, 1, 2) }'],
    ['an await for input', 'try { await input("? ") } finally { log.push("finally", 0, 1, 2) }'],
  ])('cancel ends %s, and runs finally', async (_name, code) => {
    const [kernel, job] = await begun(code);
    kernel.worker.port.cancel(job, 'enough');
    expect(await kernel.worker.answer(job)).toBe('cancelled');
    expect(await kernel.value('log')).toEqual(['finally', 0, 1, 2]);
    await lives(kernel);
  });

  it('cancel leaves background work alone', async () => {
    const kernel = await start();
    await kernel.run(
      'var ticks = 0; const timer = setInterval(() => { for (let i = 0; i < 10; i++) ticks++ }, 1)',
    );
    const job = kernel.begin(`${RUNNING} await new Promise(() => {})`);
    await running(kernel, job);
    kernel.worker.port.cancel(job, 'enough');
    kernel.worker.port.cancel(job, 'enough');
    expect(await kernel.worker.answer(job)).toBe('cancelled');
    const before = (await kernel.value('ticks')) as number;
    const after = (await kernel.value('await new Promise((r) => setTimeout(r, 10)); ticks')) as number;
    expect(after).toBeGreaterThan(before);
    kernel.worker.port.cancel(12_345, 'unknown');
    expect(await kernel.value('1')).toBe(1);
  });

  it.each([
    ['an infinite loop without a body', `${RUNNING} for (;;);`],
    [
      'an infinite loop inside an async continuation',
      `await null; await new Promise((r) => setTimeout(r, 1)); ${RUNNING} for (;;);`,
    ],
    [
      'a loop in a timer',
      `setTimeout(() => { new Function('${RUNNING} for(;;);')() }, 1); await new Promise(() => {})`,
    ],
    [
      'a loop in an immediate',
      `setImmediate(() => { new Function('${RUNNING} for(;;);')() }); await new Promise(() => {})`,
    ],
    ['a loop that nobody compiled for us', `new Function('${RUNNING} for(;;);')()`],
    ['Atomics.wait', `${RUNNING} Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)`],
    ['a regular expression without end', `${RUNNING} /^(a+)+$/.test("a".repeat(60) + "b")`],
    ['an await that nobody ends', `${RUNNING} await new Promise(() => {})`],
    [
      'code that ignores being cancelled',
      `${RUNNING} for (;;) await new Promise((r) => setTimeout(r, 1)).catch(() => {})`,
    ],
  ])('interrupt breaks into %s, and the session lives', async (_name, code) => {
    const kernel = await start();
    await kernel.run('var kept = 1');
    const job = kernel.begin(code);
    await running(kernel, job);
    kernel.worker.port.ping(1);
    await kernel.worker.until('pong', ([, id]) => id === 1);
    kernel.worker.port.interrupt?.(job, 'enough');
    expect(await kernel.worker.answer(job)).toBe('cancelled');
    await lives(kernel);
    expect(await kernel.value('await new Promise((r) => setTimeout(r, 1, 5))')).toBe(5);
    expect(kernel.worker.all('ended')).toEqual([]);
  });

  it('interrupt ends code whose microtasks have no end; whether the session lives on, the engine decides', async () => {
    const kernel = await start();
    const job = kernel.begin(
      `const again = () => Promise.resolve().then(again); ${RUNNING} again(); await new Promise(() => {})`,
    );
    await running(kernel, job);
    kernel.worker.port.interrupt?.(job, 'enough');
    expect(await kernel.worker.answer(job)).toBe('cancelled');
  });

  it('answers pings, stats and refusals while user code holds the thread', async () => {
    const [kernel, job] = await begun('new Function("for(;;);")()');
    kernel.worker.port.ping(7);
    await kernel.worker.until('pong', ([, id]) => id === 7);
    expect(await kernel.run('1')).toMatchObject({ type: 'Busy' });
    for (const name of ['namespace', 'history', 'checkpoint', 'restore', 'open'])
      expect(await kernel.job(name)).toMatchObject({ type: 'Busy' });
    expect(await kernel.job('respond', { request: 5 })).toBe(false);
    expect(await kernel.job('stats')).toMatchObject({ executions: 2, residentBytes: expect.any(Number) });
    kernel.worker.port.interrupt?.(job, 'enough');
    await kernel.worker.answer(job);
  });

  it('wakes whoever waits for credit, and drops what there is no room for', async () => {
    const kernel = await start();
    kernel.granting = false;
    const job = kernel.begin(
      'try { for (;;) console.log("flood".repeat(1000)) } finally { var ended = 1 }',
      {},
      3,
    );
    await kernel.worker.until('chunk', () => kernel.chunks(job).length === 3);
    kernel.worker.port.cancel(job, 'enough');
    expect(await kernel.worker.answer(job)).toBe('cancelled');
    expect(kernel.chunks(job)).toHaveLength(3);
    kernel.granting = true;
    expect(await kernel.value('ended')).toBe(1);
  });

  it('holds a flood back until it is granted, in bounded memory', async () => {
    const kernel = await start();
    await kernel.run('var before = process.memoryUsage.rss()');
    let bytes = 0;
    kernel.keeping = false;
    kernel.onChunk = ({ text }) => {
      bytes += text?.length ?? 0;
    };
    const job = kernel.begin(
      'const line = "x".repeat(999); for (let i = 0; i < 100_000; i++) console.log(line); (process.memoryUsage.rss() - before) / 1048576',
    );
    const answer = (await kernel.worker.answer(job)) as Answer;
    expect(bytes).toBe(100_000_000);
    expect(answer.value).toBeLessThan(120);
  });

  it.each([
    ['process.abort()', { signal: 'SIGABRT' }],
    ['process.kill(process.pid, "SIGKILL"); for (;;);', { signal: 'SIGKILL' }],
    ['process.reallyExit(7)', { code: 7 }],
  ])('a session that ends itself by %s has ended', async (code, end) => {
    const kernel = await start();
    kernel.begin(code);
    expect(await kernel.worker.end()).toMatchObject(end);
  });

  it('leaves when it is told to, with what it runs answered', async () => {
    const [kernel, job] = await begun('await new Promise(() => {})');
    kernel.worker.port.close();
    expect(await kernel.worker.answer(job)).toBe('cancelled');
    expect(await kernel.worker.end()).toMatchObject({ code: 0 });
    await gone(kernel.worker.port.pid as number);
  });
});
