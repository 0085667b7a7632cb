import { describe, expect, it } from 'vitest';
import { codeOf, fateOf, stage } from './pool-stage.ts';

const chunks = (count: number) => Array.from({ length: count }, (_, n) => n);

describe('a stream', () => {
  it('gives what the handler yields in order, then ends; the result is what it returned', async () => {
    const { host, pool } = await stage({ size: 1 });
    const args = { do: 'stream', chunks: chunks(50), everyMs: 1, then: { do: 'succeed', value: 'done' } };
    const stream = pool.stream<number>('x', args);
    const read: number[] = [];
    const reading = (async () => {
      for await (const chunk of stream) read.push(chunk);
    })();
    await host.advance(200);
    await host.runUntil(reading);
    expect(read).toEqual(chunks(50));
    expect(await codeOf(host, stream.result)).toBe('done');
    expect(pool.inspect()).toMatchObject({ idle: 1, counts: { succeeded: 1 } });
  });

  it('keeps the handler waiting while its reader is behind: no more come than the window holds', async () => {
    const { host, pool, kind } = await stage({ size: 1, jobTimeoutMs: Infinity });
    const stream = pool.stream<number>('x', { do: 'stream', chunks: chunks(20) }, { window: 4 });
    await host.advance(100);
    expect(kind.ports[0]?.sent).toBe(4);
    expect(await codeOf(host, stream.next())).toEqual({ done: false, value: 0 });
    await host.settle();
    expect(kind.ports[0]?.sent).toBe(5);
    for (let n = 1; n < 20; n++) expect(await codeOf(host, stream.next())).toEqual({ done: false, value: n });
    expect(await codeOf(host, stream.next())).toEqual({ done: true, value: undefined });
  });

  it('that its reader leaves cancels the job, and the worker that complied is used again', async () => {
    const { host, pool, kind } = await stage({ size: 1 });
    const stream = pool.stream<number>('x', { do: 'stream', chunks: chunks(1_000), everyMs: 1 });
    const reading = (async () => {
      for await (const chunk of stream) if (chunk === 3) break;
    })();
    await host.advance(20);
    await host.runUntil(reading);
    expect(kind.ports[0]).toMatchObject({ killed: false, cancels: [1] });
    expect(await codeOf(host, stream.result)).toBeUndefined();
    expect(await codeOf(host, pool.run('y', 1))).toBe(1);
    expect(kind.ports.length).toBe(1);
  });

  it('that fails gives what came before, and then the failure, once', async () => {
    const { host, pool } = await stage({ size: 1 });
    const stream = pool.stream('x', { do: 'stream', chunks: [1, 2], then: { do: 'crash', code: 3 } });
    await host.advance(10);
    expect(await codeOf(host, stream.next())).toEqual({ done: false, value: 1 });
    expect(await codeOf(host, stream.next())).toEqual({ done: false, value: 2 });
    expect(await codeOf(host, stream.next())).toBe('ERR_WORKER_EXITED');
    expect(await codeOf(host, stream.next())).toEqual({ done: true, value: undefined });
    expect(await codeOf(host, stream.result)).toBe('ERR_WORKER_EXITED');
  });

  it('is tried again only where nothing of it was given yet', async () => {
    let starts = 0;
    const job = () => {
      starts += 1;
      return undefined;
    };
    const { host, pool } = await stage({ size: 2, script: { job } });
    const crashing = { do: 'stream', chunks: [1], then: { do: 'crash' } };
    const stream = pool.stream('x', crashing, { idempotent: true });
    await host.advance(500);
    expect(await codeOf(host, stream.result)).toBe('ERR_WORKER_EXITED');
    expect(starts).toBe(1);
    const unbegun = pool.stream('x', { do: 'crash' }, { idempotent: true });
    await host.advance(500);
    expect(await codeOf(host, unbegun.result)).toBe('ERR_WORKER_EXITED');
    expect(starts).toBe(3);
  });

  it('that is refused says so by the reading, and where nobody reads no rejection is left over', async () => {
    const { host, pool } = await stage({ size: 1, queueLimit: 0 });
    const running = fateOf(pool.run('x', { do: 'succeed', afterMs: 10 }));
    expect(await codeOf(host, pool.stream('y').next())).toBe('ERR_POOL_QUEUE_FULL');
    pool.stream('z');
    await host.advance(10);
    expect(running.status).toBe('fulfilled');
    expect(() => pool.stream('y', 1, { window: 0 })).toThrow(
      expect.objectContaining({ code: 'ERR_OPTION_INVALID' }),
    );
  });
});

describe('progress', () => {
  it('is told while the job runs', async () => {
    const { host, pool } = await stage({ size: 1 });
    const told: unknown[] = [];
    const args = { do: 'progress', told: [0.2, 0.9], then: { do: 'succeed', value: 1 } };
    expect(await codeOf(host, pool.run('x', args, { onProgress: (value) => told.push(value) }))).toBe(1);
    expect(told).toEqual([0.2, 0.9]);
  });

  it('that its listener throws at aborts the job, with what was thrown as the cause', async () => {
    const { host, pool } = await stage({ size: 1 });
    const failure = new Error('no');
    const fate = fateOf(
      pool.run(
        'x',
        { do: 'progress', told: [1], then: { do: 'hang' } },
        {
          onProgress: () => {
            throw failure;
          },
        },
      ),
    );
    await host.advance(10);
    expect(fate.error).toMatchObject({ code: 'ERR_JOB_ABORTED', cause: failure });
    expect(pool.inspect()).toMatchObject({ idle: 1 });
  });
});
