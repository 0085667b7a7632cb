import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { actor } from '../../src/kernel/actor.ts';
import { server } from '../../src/kernel/server.ts';
import { createSystem } from '../../src/kernel/system.ts';
import { supervisor } from '../../src/supervision/supervisor.ts';
import { logTo } from '../../src/telemetry/pino.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';

const setUp = async (level: string) => {
  const host = new SimulatedHost();
  const system = createSystem({ host });
  const lines: Record<string, unknown>[] = [];
  const destination = {
    write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>),
  };
  const stop = logTo(system.events, { logger: pino({ level }, destination) });
  const till = actor(
    'till',
    server({
      init: () => ({}),
      cast: {
        pay: (_state, message: { card: string }) => {
          throw Object.assign(new Error('card declined'), {
            config: { headers: { authorization: 'Bearer s3cret' } },
            card: message.card,
          });
        },
      },
    }),
  );
  await host.runUntil(system.start(supervisor('shop', { children: [till] })));
  return { host, system, till, lines, stop };
};

describe('logTo', () => {
  it('writes no error where an event has none', async () => {
    const { system, lines } = await setUp('info');
    const end = { path: 'pool', worker: 'worker-1', pid: 1, how: 'exit code 1', lastStderr: [] };
    system.events.emit('pool.worker.ended', { ...end, cause: undefined });
    system.events.emit('pool.worker.ended', { ...end, cause: new Error('spawn') });
    const [without, withOne] = lines.filter(({ event }) => event === 'pool.worker.ended');
    expect(without).not.toHaveProperty('err');
    expect(withOne?.['err']).toMatchObject({ message: 'spawn' });
  });

  it('writes a crash report with reason, last message and restart count, from a child logger of the place', async () => {
    const { host, system, till, lines } = await setUp('info');
    for (let i = 0; i < 2; i++) {
      system.get(till).tell({ type: 'pay', card: '4111-1111' });
      await host.advance(500);
    }
    const reports = lines.filter((line) => String(line['msg']).startsWith('crash report'));
    expect(reports).toMatchObject([
      { level: 50, path: 'shop/till', event: 'actor.ended', lastMessage: 'pay', restarts: 0 },
      { level: 50, path: 'shop/till', event: 'actor.ended', lastMessage: 'pay', restarts: 1 },
    ]);
    expect(reports[0]?.['err']).toMatchObject({ type: 'Error', message: 'card declined' });
  });

  it('never writes payloads, nor what an error carries beside its name, message, code and stack', async () => {
    const { host, system, till, lines } = await setUp('trace');
    system.get(till).tell({ type: 'pay', card: '4111-1111' });
    await host.advance(500);
    const written = JSON.stringify(lines);
    expect(written).not.toContain('4111');
    expect(written).not.toContain('s3cret');
    expect(lines.length).toBeGreaterThan(3);
  });

  it('stops when told to, and then costs nothing', async () => {
    const { host, system, till, lines, stop } = await setUp('trace');
    stop();
    const before = lines.length;
    system.get(till).tell({ type: 'pay', card: '1' });
    await host.advance(500);
    expect(lines).toHaveLength(before);
    expect(system.events.active).toBe(false);
  });

  it('refuses what is not a logger', () => {
    const host = new SimulatedHost();
    const { events } = createSystem({ host });
    expect(() => logTo(events, { logger: {} as never })).toThrow(/a pino logger/);
  });
});
