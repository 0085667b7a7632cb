import { describe, expect, it } from 'vitest';
import type { TroupeEvent } from '../../src/base/telemetry.ts';
import { actor } from '../../src/kernel/actor.ts';
import { server } from '../../src/kernel/server.ts';
import { createSystem } from '../../src/kernel/system.ts';
import { supervisor } from '../../src/supervision/supervisor.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';

const worker = (id: string, log: string[]) =>
  actor(
    id,
    server({
      init: () => {
        log.push(`+${id}`);
        return {};
      },
      call: { ping: () => 'pong' },
      cast: {
        crash: () => {
          throw new Error(`boom ${id}`);
        },
      },
      terminate: () => {
        log.push(`-${id}`);
      },
    }),
  );

describe('supervisor', () => {
  it('starts in order, restarts by strategy, stops in reverse', async () => {
    const host = new SimulatedHost();
    const system = createSystem({ host });
    const events: TroupeEvent[] = [];
    system.events.listen((event) => events.push(event));
    const log: string[] = [];
    const [a, b, c] = ['a', 'b', 'c'].map((id) => worker(id, log));
    if (!a || !b || !c) throw new Error('unreachable');
    const tree = supervisor('root', { strategy: 'rest_for_one', children: [a, b, c] });
    await host.runUntil(system.start(tree));
    expect(log).toEqual(['+a', '+b', '+c']);
    const before = system.get(a).ref();
    system.get(b).tell({ type: 'crash' });
    await host.settle();
    expect(log).toEqual(['+a', '+b', '+c', '-b', '-c', '+b', '+c']);
    expect(system.get(a).ref()).toEqual(before);
    expect(await host.runUntil(system.get(b).call({ type: 'ping' }))).toBe('pong');
    await host.runUntil(system.shutdown());
    expect(log.slice(7)).toEqual(['-c', '-b', '-a']);
    expect(system.counters.started).toBe(system.counters.ended);
    expect(events.filter((e) => e.type.startsWith('supervisor.')).map((e) => `${e.type}`)).toMatchSnapshot();
  });
});
