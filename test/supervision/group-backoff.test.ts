import { describe, expect, it } from 'vitest';
import type { Spec } from '../../src/kernel/spec.ts';
import type { Strategy } from '../../src/supervision/static-supervisor.ts';
import type { RawHandle } from '../kernel/rig.ts';
import { createCompany, type Start } from './rig.ts';

/** Four in a group that waits 100 ms before its first restart, 200 before the second … */
const group = async (strategy: Strategy, starts: Readonly<Record<string, readonly Start[]>> = {}) => {
  const company = createCompany();
  const specs = ['a', 'b', 'c', 'd'].map((id) => company.worker(id, { starts: starts[id] ?? [] }));
  const tree = company.supervise(specs, {
    strategy,
    backoff: { jitter: 'none', baseMs: 100, delayFirst: true },
    giveUp: 'never',
  });
  const handle = await company.start(tree);
  company.news();
  const [a, b, c, d] = specs as [Spec<RawHandle>, Spec<RawHandle>, Spec<RawHandle>, Spec<RawHandle>];
  const status = async () =>
    Object.fromEntries(
      (await company.host.runUntil(handle.whichChildren())).map((row) => [row.id, row.status]),
    );
  return { ...company, a, b, c, d, handle, status };
};

describe('a group with backoff', () => {
  it('stops at once and waits as one', async () => {
    const { host, fell, news, status, b } = await group('rest_for_one');
    expect(await fell(b, 'crash')).toEqual(['-b1', '-d1', '-c1']);
    expect(await status()).toEqual({ a: 'running', b: 'restarting', c: 'restarting', d: 'restarting' });
    await host.advance(99);
    expect(news()).toEqual([]);
    await host.advance(1);
    expect(news()).toEqual(['+b2', '+c2', '+d2']);
    expect(await status()).toMatchObject({ b: 'running', c: 'running', d: 'running' });
  });

  it('starts without a culprit whose termination was asked for while it failed to start', async () => {
    let fail: (error: Error) => void = () => undefined;
    const failing = new Promise<never>((_, reject) => {
      fail = reject;
    });
    const { host, fell, news, status, handle, b } = await group('rest_for_one', { b: ['ok', failing] });
    await fell(b, 'crash');
    await host.advance(100);
    const terminated = handle.terminateChild('b');
    await host.settle();
    expect(news()).toEqual([]);
    fail(new Error('no start of b'));
    await host.runUntil(terminated);
    await host.settle();
    expect(news()).toEqual(['+c2', '+d2']);
    expect(await status()).toEqual({ a: 'running', b: 'undefined', c: 'running', d: 'running' });
  });

  it('takes in another that fails meanwhile, and waits the longer of the two delays', async () => {
    const { host, fell, news, a, c } = await group('rest_for_one');
    await fell(a, 'crash');
    await host.advance(100);
    news();
    // a has failed once: its next delay is 200; c waits 100 from later on.
    expect(await fell(c, 'crash')).toEqual(['-c2', '-d2']);
    await host.advance(50);
    expect(await fell(a, 'crash')).toEqual(['-a2', '-b2']);
    await host.advance(199);
    expect(news()).toEqual([]);
    await host.advance(1);
    expect(news()).toEqual(['+a3', '+b3', '+c3', '+d3']);
  });

  it('keeps the longer delay that it had when the newcomer would wait less', async () => {
    const { host, fell, news, a, d } = await group('rest_for_one');
    for (const wait of [100, 200, 400]) {
      await fell(d, 'crash');
      await host.advance(wait);
    }
    news();
    await fell(d, 'crash');
    await host.advance(10);
    expect(await fell(a, 'crash')).toEqual(['-a1', '-c1', '-b1']);
    await host.advance(789);
    expect(news()).toEqual([]);
    await host.advance(1);
    expect(news()).toEqual(['+a2', '+b2', '+c2', '+d5']);
  });

  it('loses no member when one that was brought up by hand fails while the others wait', async () => {
    const { host, fell, news, handle, status, b, d } = await group('rest_for_one');
    await fell(b, 'crash');
    await host.runUntil(handle.terminateChild('d'));
    await host.runUntil(handle.restartChild('d'));
    expect(news()).toEqual(['+d2']);
    await fell(d, 'crash');
    await host.advance(1_000);
    expect(news()).toEqual(['+b2', '+c2', '+d3']);
    expect(await status()).toEqual({ a: 'running', b: 'running', c: 'running', d: 'running' });
  });

  it('is started without the wait when its culprit is terminated, and without it', async () => {
    const { host, fell, news, handle, status, b } = await group('one_for_all');
    await fell(b, 'crash');
    await host.runUntil(handle.terminateChild('b'));
    await host.settle();
    expect(news()).toEqual(['+a2', '+c2', '+d2']);
    expect(await status()).toMatchObject({ a: 'running', b: 'undefined' });
    expect(host.pendingTimers()).toEqual([]);
  });

  it('goes on waiting, without it, when another member is terminated', async () => {
    const { host, fell, news, handle, b } = await group('one_for_all');
    await fell(b, 'crash');
    await host.runUntil(handle.terminateChild('c'));
    await host.advance(100);
    expect(news()).toEqual(['+a2', '+b2', '+d2']);
  });

  it('answers for its members as it does for one that waits: restarting', async () => {
    const { host, fell, handle, b } = await group('one_for_all');
    await fell(b, 'crash');
    for (const id of ['a', 'b']) {
      const code = 'ERR_CHILD_RESTARTING';
      await expect(host.runUntil(handle.restartChild(id))).rejects.toMatchObject({ code });
      await expect(host.runUntil(handle.deleteChild(id))).rejects.toMatchObject({ code });
      expect(await host.runUntil(handle.recycleChild(id))).toBe('already');
    }
  });

  it('waits anew when a member does not start, each failure counted where it happened', async () => {
    const { host, fell, news, a } = await group('one_for_all', { c: ['ok', 'fail', 'fail'] });
    await fell(a, 'crash');
    await host.advance(100);
    expect(news()).toEqual(['+a2', '+b2', '!c2', '-b2', '-a2']);
    await host.advance(100);
    expect(news()).toEqual(['+a3', '+b3', '!c3', '-b3', '-a3']);
    await host.advance(199);
    expect(news()).toEqual([]);
    await host.advance(1);
    expect(news()).toEqual(['+a4', '+b4', '+c4', '+d2']);
  });

  it('resumes at the member that did not start with rest_for_one', async () => {
    const { host, fell, news, b } = await group('rest_for_one', { c: ['ok', 'fail'] });
    await fell(b, 'crash');
    await host.advance(100);
    expect(news()).toEqual(['+b2', '!c2']);
    await host.advance(200);
    expect(news()).toEqual(['+c3', '+d2']);
  });

  it('is cancelled whole by the stop of its supervisor', async () => {
    const { host, system, fell, news, b } = await group('one_for_all');
    await fell(b, 'crash');
    await host.runUntil(system.shutdown());
    await host.advance(1_000);
    expect(news()).toEqual([]);
    expect(host.pendingTimers()).toEqual([]);
    expect(system.tree()).toEqual([]);
  });
});
