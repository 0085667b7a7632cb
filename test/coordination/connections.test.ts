import { describe, expect, it } from 'vitest';
import { createConnections } from '../../src/coordination/connections.ts';
import { createStreamRig, requestOf } from './stream-rig.ts';

describe('a registry', () => {
  const create = (options: object = {}) => {
    const rig = createStreamRig();
    const { host, events } = rig;
    const connections = createConnections({ host, events, ...options });
    const connect = (sseOptions = {}) => {
      const response = rig.response();
      return { response, stream: connections.sse(requestOf(), response, sseOptions) };
    };
    return { ...rig, connections, connect };
  };

  it('drains all within its time, tells each when to come back, and names who was cut', async () => {
    const { host, connections, connect } = create({ retryMs: 1_000 });
    const clients = Array.from({ length: 20 }, () => connect());
    const stalled = connect();
    stalled.response.stall();
    for (let each = 0; each < 50; each++) stalled.stream?.send({ data: 'x'.repeat(50) });
    const drained = connections.drain({ timeoutMs: 4_000 });
    await host.advance(2_000);
    expect(await drained).toMatchObject({ finished: 20, cut: [stalled.stream?.name], overdue: [] });
    expect(connections.drain()).toBe(drained);
    const hints = clients.map(({ response }) => Number(/retry: (\d+)/.exec(response.text)?.[1]));
    expect(Math.min(...hints)).toBeGreaterThanOrEqual(1_000);
    expect(Math.max(...hints)).toBeLessThanOrEqual(2_000);
    expect(new Set(hints).size).toBeGreaterThan(5);
    expect(connections.size).toBe(0);
  });

  it('ends a drain in time whatever clean-ups do, and names them', async () => {
    const { host, connections, connect } = create({ cleanUpMs: 60_000 });
    const { stream } = connect({ onClose: () => new Promise(() => {}) });
    connect();
    const drained = connections.drain({ timeoutMs: 1_000 });
    await host.advance(1_000);
    expect(await drained).toMatchObject({ finished: 1, overdue: [stream?.name], durationMs: 1_000 });
  });

  it('lets nobody in who comes too late or is one too many', async () => {
    const { connections, connect, types } = create({ maxConnections: 2, retryMs: 5_000 });
    connect();
    connect();
    const third = connect();
    expect(third.stream).toBeUndefined();
    expect(third.response).toMatchObject({ status: 503, writableEnded: true });
    expect(Number(third.response.headers['retry-after'])).toBeGreaterThanOrEqual(5);
    void connections.drain();
    expect(connect().response.status).toBe(503);
    expect(connections.report()).toMatchObject({ opened: 2, refused: 2, draining: true });
    expect(types().filter((type) => type === 'connection.refused')).toHaveLength(2);
  });

  it('forgets whoever has left', async () => {
    const { host, connections, connect } = create();
    for (let each = 0; each < 1_000; each++) connect().response.leave();
    await host.settle();
    expect(connections.size).toBe(0);
    expect(host.pendingTimers()).toEqual([]);
  });

  it('knows two of one name apart', async () => {
    const { host, connections, connect } = create();
    const both = [connect({ name: 'ann' }), connect({ name: 'ann' })];
    expect(connections.size).toBe(2);
    both[0]?.response.leave();
    await host.settle();
    expect(connections.size).toBe(1);
    const drained = connections.drain();
    await host.runUntil(drained);
    expect(both[1]?.response.writableEnded).toBe(true);
  });

  it('hands on the limits it was given, which a connection may narrow', () => {
    const { connect } = create({ capacity: 5 });
    const [usual, own] = [connect(), connect({ capacity: 2 })];
    for (const { response, stream } of [usual, own]) {
      response.stall();
      for (let each = 0; each < 50; each++) stream?.send({ data: 'x'.repeat(40) });
    }
    expect([usual.stream?.report().waiting, own.stream?.report().waiting]).toEqual([5, 2]);
  });

  it('ends with its owner, at once', async () => {
    const enders: (() => void)[] = [];
    const owner = {
      onEnd: (release: () => void) => {
        enders.push(release);
        return () => {};
      },
    };
    const { host, connections, connect } = create({ owner });
    const { stream } = connect();
    for (const end of enders) end();
    await host.settle();
    expect(await stream?.closed).toMatchObject({ why: 'owner_ended' });
    expect(connections.size).toBe(0);
  });
});
