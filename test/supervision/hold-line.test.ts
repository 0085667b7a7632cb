/** From half-open, held children start one at a time, whichever supervisor is theirs. */
import { describe, expect, it } from 'vitest';
import type { SpecOptions } from '../../src/kernel/spec.ts';
import { supervisor } from '../../src/supervision/supervisor.ts';
import { createHoldRig, OPEN_MS } from './hold-rig.ts';
import type { Start } from './rig.ts';

describe('from half-open held children start one at a time', () => {
  const crowd = async (options: SpecOptions = {}, before: readonly Start[] = []) => {
    const rig = createHoldRig();
    const upstream = rig.breaker('upstream');
    let [running, most] = [0, 0];
    const starting = async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise<void>((resolve) => rig.host.timer(50, 'slow init', resolve));
      running -= 1;
    };
    const specs = ['a', 'b', 'c', 'd'].map((id) =>
      rig.worker(id, {
        dependsOn: upstream,
        starts: ['ok', ...before, starting],
        ...options,
      }),
    );
    const [a, b, c, d] = specs as [
      (typeof specs)[0],
      (typeof specs)[0],
      (typeof specs)[0],
      (typeof specs)[0],
    ];
    const left = supervisor('left', { children: [a, b] });
    const right = supervisor('right', { children: [c, d] });
    await rig.start(rig.supervise([upstream, left, right]));
    rig.trip(upstream);
    for (const spec of specs) await rig.fell(spec, 'crash');
    rig.news();
    return { ...rig, upstream, specs, left, right, most: () => most };
  };

  it('across all supervisors that depend on the breaker, in the order in which they came', async () => {
    const { host, news, most } = await crowd();
    await host.advance(OPEN_MS);
    const seen: string[][] = [];
    for (let round = 0; round < 5; round++) {
      await host.advance(50);
      seen.push(news());
    }
    expect(seen).toEqual([['+a2'], ['+b2'], ['+c2'], ['+d2'], []]);
    expect(most()).toBe(1);
  });

  it('also when the breaker closes meanwhile', async () => {
    const { host, system, news, most, upstream } = await crowd();
    await host.advance(OPEN_MS);
    system.get(upstream).succeed();
    await host.advance(200);
    expect([news(), most()]).toEqual([['+a2', '+b2', '+c2', '+d2'], 1]);
  });

  it('and no further when it opens again: the rest goes on being held', async () => {
    const { host, news, statuses, trip, upstream } = await crowd();
    await host.advance(OPEN_MS);
    trip(upstream);
    await host.advance(OPEN_MS - 1);
    expect(news()).toEqual(['+a2']);
    expect(statuses()).toMatchObject({ b: 'held', c: 'held', d: 'held' });
    await host.advance(1 + 150);
    expect(news()).toEqual(['+b2', '+c2', '+d2']);
  });

  it('one that fails to start lets the next go, and comes behind those that wait', async () => {
    const { host, news } = await crowd({}, ['fail']);
    await host.advance(OPEN_MS + 250);
    expect(news()).toEqual(['!a2', '!b2', '!c2', '!d2', '+a3', '+b3', '+c3', '+d3']);
  });

  it('one whose supervisor is killed while it starts lets the next go', async () => {
    const { host, system, news, left } = await crowd();
    await host.advance(OPEN_MS);
    system.exit(system.get(left), 'kill');
    await host.advance(300);
    // What the new supervisor starts has to wait its turn as well.
    const ofThose = news().filter((line) => !line.endsWith('a2'));
    expect(ofThose).toEqual(['+c2', '+d2', '+a3', '+b2']);
  });

  it('one that takes longer than the others may be held keeps them no longer than that', async () => {
    const { host, releases } = await crowd({ holdMaxMs: OPEN_MS + 20 });
    await host.advance(OPEN_MS + 20);
    expect(releases()).toEqual(['a half_opened', 'b expired', 'c expired', 'd expired']);
  });

  it('one that crashes while the breaker probes waits for those that start, too', async () => {
    const { host, news, most, fell, releases, specs } = await crowd();
    await host.advance(OPEN_MS + 50);
    expect(news()).toEqual(['+a2']);
    const [a] = specs;
    if (a !== undefined) expect(await fell(a, 'crash')).toEqual(['-a2']);
    await host.advance(200);
    expect(news()).toEqual(['+b2', '+c2', '+d2', '+a3']);
    expect([most(), releases().at(-1)]).toEqual([1, 'a half_opened']);
  });
});
