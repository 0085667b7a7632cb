import { describe, expect, it } from 'vitest';
import type { ExitReason } from '../../src/kernel/reason.ts';
import type { Spec } from '../../src/kernel/spec.ts';
import type { RawHandle } from '../kernel/rig.ts';
import { createCompany } from './rig.ts';

const STRATEGIES = ['one_for_one', 'one_for_all', 'rest_for_one'] as const;
const RESTARTS = ['permanent', 'transient', 'temporary'] as const;
const REASONS: Readonly<Record<string, 'crash' | 'kill' | ExitReason>> = {
  normal: 'normal',
  shutdown: 'shutdown',
  '{ shutdown }': { shutdown: 'moved' },
  crash: 'crash',
  '{ error }': { error: 'boom' },
  kill: 'kill',
};
const CLEAN = ['normal', 'shutdown', '{ shutdown }'];

/** Who is started again, by the rules: the pure part of OTP's table. */
const restarted = (strategy: string, restart: string, reason: string): string => {
  if (restart === 'temporary' || (restart === 'transient' && CLEAN.includes(reason))) return '';
  return { one_for_one: 'b', one_for_all: 'abc', rest_for_one: 'bc' }[strategy] ?? '';
};

const three = async (strategy: (typeof STRATEGIES)[number], restart: (typeof RESTARTS)[number]) => {
  const company = createCompany();
  const [a, b, c] = [company.worker('a'), company.worker('b', { restart }), company.worker('c')] as [
    Spec<RawHandle>,
    Spec<RawHandle>,
    Spec<RawHandle>,
  ];
  const tree = company.supervise([a, b, c], { strategy });
  const handle = await company.start(tree);
  return { ...company, a, b, c, tree, handle };
};

const CASES = STRATEGIES.flatMap((strategy) =>
  RESTARTS.flatMap((restart) => Object.keys(REASONS).map((reason) => [strategy, restart, reason] as const)),
);

describe('who is started again', () => {
  it.each(CASES)('%s × %s × %s', async (strategy, restart, name) => {
    const { system, host, a, b, c, end, news, handle } = await three(strategy, restart);
    const ref = (spec: Spec<RawHandle>) =>
      (system as unknown as { get(s: unknown): RawHandle }).get(spec).ref();
    const before = [a, b, c].map(ref);
    news();
    const reason = REASONS[name];
    if (reason === 'kill') system.exit(system.get(b), 'kill');
    else if (reason !== undefined) end(b, reason);
    await host.settle();
    const again = restarted(strategy, restart, name);
    const after = [a, b, c].map((spec) => (restart === 'temporary' && spec === b ? undefined : ref(spec)));
    const ids = ['a', 'b', 'c'];
    for (const [i, id] of ids.entries()) {
      if (again.includes(id)) expect(after[i]?.incarnation).toBeGreaterThan(before[i]?.incarnation ?? 0);
      else if (id === 'b') expect(after[i]).toBeUndefined();
      else expect(after[i]).toEqual(before[i]);
    }
    // Those that go down with it stop in reverse, those that come again start in order.
    const stopped = [...again].filter((id) => id !== 'b').reverse();
    const own = name === 'kill' ? [] : ['-b1'];
    expect(news()).toEqual([...own, ...stopped.map((id) => `-${id}1`), ...[...again].map((id) => `+${id}2`)]);
    const listed = await host.runUntil(handle.whichChildren());
    expect(listed.map((row) => row.id)).toEqual(restart === 'temporary' ? ['c', 'a'] : ['c', 'b', 'a']);
  });
});

describe('one_for_all and rest_for_one', () => {
  it('bring back siblings that were terminated or had ended well, too', async () => {
    for (const strategy of ['one_for_all', 'rest_for_one'] as const) {
      const company = createCompany();
      const [a, b, c] = ['a', 'b', 'c'].map((id) => company.worker(id, { restart: 'transient' })) as [
        Spec<RawHandle>,
        Spec<RawHandle>,
        Spec<RawHandle>,
      ];
      const handle = await company.start(company.supervise([a, b, c], { strategy }));
      await company.host.runUntil(handle.terminateChild('b'));
      await company.fell(c, 'normal');
      expect(await company.fell(a, 'crash')).toEqual(['-a1', '+a2', '+b2', '+c2']);
    }
  });

  it('stop and forget temporary siblings', async () => {
    const company = createCompany();
    const [a, b] = [company.worker('a'), company.worker('b', { restart: 'temporary' })];
    const handle = await company.start(company.supervise([a, b], { strategy: 'one_for_all' }));
    expect(await company.fell(a, 'crash')).toEqual(['-a1', '-b1', '+a2']);
    expect(await company.host.runUntil(handle.countChildren())).toMatchObject({ specs: 1, active: 1 });
    expect(() => company.system.get(b)).toThrow(/ERR_SPEC_UNKNOWN/);
  });

  it('take two that fall at once as one fall each, and lose neither', async () => {
    const company = createCompany();
    const [a, b, c] = ['a', 'b', 'c'].map((id) => company.worker(id)) as [
      Spec<RawHandle>,
      Spec<RawHandle>,
      Spec<RawHandle>,
    ];
    await company.start(company.supervise([a, b, c], { strategy: 'one_for_all' }));
    company.news();
    company.end(a, 'crash');
    company.end(c, 'crash');
    await company.host.settle();
    expect(company.news().filter((line) => line.startsWith('+'))).toEqual(['+a2', '+b2', '+c2']);
    expect(company.system.tree()[0]?.children).toHaveLength(3);
  });
});

describe('a restart that fails to start', () => {
  it('is tried again, and resumes at the sibling that failed with rest_for_one', async () => {
    const company = createCompany();
    const [a, b, c] = [
      company.worker('a'),
      company.worker('b', { starts: ['ok', 'fail'] }),
      company.worker('c'),
    ];
    const tree = company.supervise([a, b, c], { strategy: 'rest_for_one' });
    await company.start(tree);
    expect(await company.fell(a, 'crash')).toEqual(['-a1', '-c1', '-b1', '+a2', '!b2', '+b3', '+c2']);
  });

  it('stops what was started and redoes all with one_for_all', async () => {
    const company = createCompany();
    const [a, b, c] = [
      company.worker('a'),
      company.worker('b', { starts: ['ok', 'fail'] }),
      company.worker('c'),
    ];
    await company.start(company.supervise([a, b, c], { strategy: 'one_for_all' }));
    expect(await company.fell(a, 'crash')).toEqual([
      '-a1',
      '-c1',
      '-b1',
      '+a2',
      '!b2',
      '-a2',
      '+a3',
      '+b3',
      '+c2',
    ]);
  });

  it('counts each try, and passes the limit in the end', async () => {
    const company = createCompany();
    const b = company.worker('b', { starts: ['ok', 'fail', 'fail', 'fail'] });
    await company.start(company.supervise([company.worker('a'), b], { intensity: 2, periodMs: 1_000 }));
    expect(await company.fell(b, 'crash')).toEqual(['-b1', '!b2', '!b3', '-a1']);
    expect(company.ends('root')).toMatchObject([
      { gaveUp: { child: 'b', restarts: 2, last: { error: { message: 'no start of b' } } } },
    ]);
  });

  it('leaves its supervisor responsive, and is ended by terminateChild', async () => {
    const company = createCompany();
    const b = company.worker('b', { starts: ['ok', ...Array<'fail'>(1_000).fill('fail')] });
    const handle = await company.start(company.supervise([b], { giveUp: 'never' }));
    company.end(b, 'crash');
    const reads = company.host.runUntil(
      Promise.all([
        handle.whichChildren(),
        handle.countChildren(),
        handle.restartChild('b').catch((e) => e.code),
      ]),
    );
    expect(await reads).toMatchObject([
      [{ id: 'b' }],
      { specs: 1, supervisors: 0, workers: 1 },
      expect.stringMatching(/ERR_CHILD_R/),
    ]);
    await company.host.runUntil(handle.terminateChild('b'));
    company.news();
    await company.host.settle();
    expect(company.news()).toEqual([]);
    expect(await company.host.runUntil(handle.whichChildren())).toMatchObject([{ status: 'undefined' }]);
  });

  it('may ignore: a permanent child is then known and not running', async () => {
    const company = createCompany();
    const b = company.worker('b', { starts: ['ok', 'ignore'] });
    const handle = await company.start(company.supervise([b]));
    await company.fell(b, 'crash');
    expect(await company.host.runUntil(handle.whichChildren())).toEqual([
      { id: 'b', status: 'undefined', type: 'worker' },
    ]);
    await company.host.runUntil(handle.restartChild('b'));
    expect(company.news()).toEqual(['+b3']);
  });
});
