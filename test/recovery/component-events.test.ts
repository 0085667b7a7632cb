import { describe, expect, it } from 'vitest';
import { actor } from '../../src/kernel/actor.ts';
import { server } from '../../src/kernel/server.ts';
import { remedies } from '../../src/recovery/remedy.ts';
import { circuitBreaker } from '../../src/resilience/circuit-breaker-spec.ts';
import { supervisor } from '../../src/supervision/supervisor.ts';
import { coded, setUp } from './setup.ts';

const opened = (path: string, cause: unknown = coded('EPIPE'), openMs = 1_000) =>
  ({ path, cause, openMs, retryAtMs: 0, failures: 5 }) as const;

describe('an opened breaker', () => {
  it('is observed until it closes by itself', async () => {
    const breaker = circuitBreaker('upstream', {
      window: { kind: 'consecutive', failures: 1 },
      openMs: 2_000,
    });
    const { host, system, handle, told } = await setUp();
    await host.runUntil(system.start(breaker));
    const guarded = system.get(breaker);
    await expect(host.runUntil(guarded.execute(() => Promise.reject(coded('EPIPE'))))).rejects.toThrow(
      'EPIPE',
    );
    expect(handle.inspect().active).toMatchObject([
      { subject: 'upstream', remedy: 'observe', category: 'connection' },
    ]);
    await host.advance(3_000);
    await host.runUntil(guarded.execute(() => 'up'));
    await host.settle();
    expect(handle.inspect().recent).toMatchObject([
      { subject: 'upstream', outcome: 'recovered', ageMs: 3_000 },
    ]);
    expect(told()).toEqual(['started observe', 'ended recovered']);
  });

  it('that opens again is the same recovery, healed by the closing after', async () => {
    const { host, system, handle } = await setUp();
    system.events.emit('breaker.opened', opened('b'));
    await host.advance(1_000);
    system.events.emit('breaker.opened', opened('b'));
    await host.advance(1_000);
    system.events.emit('breaker.closed', { path: 'other' });
    system.events.emit('pool.restored', { path: 'b' });
    expect(handle.metrics().active).toBe(1);
    system.events.emit('breaker.closed', { path: 'b' });
    await host.settle();
    expect(handle.metrics()).toMatchObject({ initiated: 1, recovered: 1, coalesced: 1, active: 0 });
  });

  it('is given up after its budget, counted from when it can heal at all', async () => {
    const { host, system, handle } = await setUp();
    system.events.emit('breaker.opened', opened('b', coded('EPIPE'), 30_000));
    await host.advance(59_999);
    expect(handle.metrics().active).toBe(1);
    await host.advance(1);
    expect(handle.inspect().recent).toMatchObject([
      { outcome: 'gave_up', error: { code: 'ERR_RECOVERY_DEADLINE' } },
    ]);
  });

  it('has contained its failure: an unknown cause is major, not critical, and has that budget', async () => {
    const { host, system, handle } = await setUp();
    system.events.emit('breaker.opened', opened('b', new Error('?'), 0));
    await host.advance(29_999);
    expect(handle.inspect().active).toMatchObject([{ category: 'system', severity: 'major' }]);
  });

  it('with an entry in the playbook is given its remedy', async () => {
    const { host, system, handle } = await setUp({
      playbook: [{ subjects: 'app/*', failover: { spare: () => 'spare' } }],
    });
    system.events.emit('breaker.opened', opened('app/b', 'python_exception'));
    await host.settle();
    expect(handle.inspect().recent).toMatchObject([{ remedy: 'failover', outcome: 'recovered' }]);
  });

  it('with an entry that has nothing for its remedy is observed all the same', async () => {
    const { host, system, handle } = await setUp({ playbook: [{ subjects: '**', stop: () => 1 }] });
    system.events.emit('breaker.opened', opened('b'));
    await host.settle();
    expect(handle.inspect().active).toMatchObject([{ remedy: 'observe' }]);
  });
});

describe('a degraded pool', () => {
  it('is observed until it is restored', async () => {
    const { host, system, handle } = await setUp();
    const degraded = { path: 'pool', crashes: 5, retryAfterMs: 4_000, lastCrash: 'exit code 1' };
    system.events.emit('pool.degraded', degraded);
    await host.advance(6_000);
    expect(handle.inspect().active).toMatchObject([
      { category: 'resource', severity: 'major', remainingMs: 28_000 },
    ]);
    system.events.emit('pool.restored', { path: 'pool' });
    await host.settle();
    expect(handle.inspect().recent).toMatchObject([{ outcome: 'recovered' }]);
  });
});

describe('a supervisor that gave up', () => {
  it('is observed until its own supervisor has started it again; its dying child was nobody else’s business', async () => {
    const fragile = actor(
      'fragile',
      server({
        init: () => ({}),
        cast: {
          die: () => {
            throw coded('ECONNRESET');
          },
        },
      }),
    );
    const inner = supervisor('inner', { children: [fragile], intensity: 1, backoff: false });
    const outer = supervisor('outer', { children: [inner], backoff: false });
    const { host, system, handle, told } = await setUp();
    await host.runUntil(system.start(outer));
    system.get(fragile).tell({ type: 'die' });
    await host.settle();
    expect(told()).toEqual([]);
    system.get(fragile).tell({ type: 'die' });
    await host.settle();
    expect(handle.inspect().recent).toMatchObject([
      { subject: 'outer/inner', remedy: 'observe', category: 'connection', outcome: 'recovered' },
    ]);
  });

  it('may be restarted by request, which its owner answers', async () => {
    const asked: string[] = [];
    const { host, system, handle } = await setUp({
      playbook: [
        {
          subjects: 'outer/*',
          remedy: remedies.restart,
          restart: ({ subject }) => {
            asked.push(subject);
            return 'restarted';
          },
        },
      ],
    });
    system.events.emit('supervisor.gave_up', {
      path: 'outer/inner',
      child: 'c',
      restarts: 3,
      periodMs: 5,
      last: 'killed',
    });
    await host.settle();
    expect(asked).toEqual(['outer/inner']);
    expect(handle.inspect().recent).toMatchObject([{ outcome: 'recovered' }]);
  });
});

describe('listening', () => {
  it('can be off', async () => {
    const { system, handle } = await setUp({ listen: false });
    system.events.emit('breaker.opened', opened('b'));
    expect(handle.metrics().initiated).toBe(0);
  });

  it('can be kept to some subjects', async () => {
    const { system, handle } = await setUp({ subjects: ['app/**', 'spare'] });
    for (const path of ['app/a/b', 'spare', 'other']) system.events.emit('breaker.opened', opened(path));
    expect(handle.inspect().active.map(({ subject }) => subject)).toEqual(['app/a/b', 'spare']);
  });

  it('watches at most so many, and leaves room for those that act', async () => {
    const { host, system, handle, told } = await setUp({ maxObserved: 2, maxConcurrent: 1 });
    for (const path of ['a', 'b', 'c']) system.events.emit('breaker.opened', opened(path));
    expect(handle.metrics()).toMatchObject({ active: 2, refused: 1 });
    expect(told()).toContain('refused ERR_RECOVERY_CAPACITY');
    const outcome = handle.handle(coded('EPIPE'), { subject: 'd', operation: () => 1 });
    expect(await host.runUntil(outcome)).toMatchObject({ outcome: 'recovered' });
  });

  it('goes on through a crash of the orchestrator, so that no healing is missed', async () => {
    const { host, system, spec, handle } = await setUp();
    system.events.emit('breaker.opened', opened('b'));
    system.events.on('supervisor.child.ended', () => system.events.emit('breaker.closed', { path: 'b' }));
    system.exit(system.get(spec), 'kill');
    await host.settle();
    expect(handle.inspect().recent).toMatchObject([{ outcome: 'recovered' }]);
    expect(handle.metrics()).toMatchObject({ initiated: 1 });
  });

  it('while nobody is there to act, new alarms are refused', async () => {
    const { host, system, spec, handle } = await setUp();
    for (let n = 0; n < 5; n++) {
      system.exit(system.get(spec), 'kill');
      await host.settle();
    }
    system.events.emit('breaker.opened', opened('b'));
    // Its own supervisor gave up, and then the breaker opened.
    expect(handle.metrics()).toMatchObject({ initiated: 0, refused: 2 });
  });

  it('ends when shutdown begins: what breaks then is nobody’s alarm', async () => {
    const { host, system, handle } = await setUp();
    handle.report(coded('EPIPE'), { subject: 'slow', operation: () => new Promise(() => undefined) });
    await host.settle();
    const stopped = system.shutdown();
    await host.advance(50);
    expect(handle.metrics().active).toBe(1);
    system.events.emit('breaker.opened', opened('b'));
    await host.runUntil(stopped);
    expect(handle.metrics()).toMatchObject({ initiated: 1, refused: 0 });
  });

  it('ends with the orchestrator', async () => {
    const { host, system, handle } = await setUp();
    await host.runUntil(system.shutdown());
    system.events.emit('breaker.opened', opened('b'));
    expect(handle.metrics()).toMatchObject({ initiated: 0, refused: 0 });
  });

  it('a report joins what is observed, and is answered by the healing', async () => {
    const { host, system, handle } = await setUp();
    system.events.emit('breaker.opened', opened('b'));
    const { done, coalesced } = handle.report(coded('EPIPE'), { subject: 'b', operation: () => 1 });
    await host.advance(500);
    system.events.emit('breaker.closed', { path: 'b' });
    expect(coalesced).toBe(true);
    expect(await host.runUntil(done)).toMatchObject({
      outcome: 'recovered',
      remedy: 'observe',
      coalesced: true,
    });
  });
});
