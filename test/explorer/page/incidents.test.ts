import { expect, it } from 'vitest';
import { type Incident, incidentsOf, type Sight } from '../../../src/explorer/page/incidents.ts';
import type { BreakerView, Reason, RecoveryView, SupervisorView } from '../../../src/explorer/protocol.ts';

const NOW = 1_000_000;
const torn: Reason = {
  kind: 'error',
  clean: false,
  text: 'error: the page is torn',
  error: { name: 'Error', message: 'the page is torn' },
};

const quiet: Sight = {
  supervisors: [],
  breakers: [],
  pools: [],
  recoveries: [],
  application: undefined,
  metrics: undefined,
  now: NOW,
};

const office = (over: Partial<SupervisorView>): SupervisorView => ({
  path: 'shop/office',
  kind: 'supervisor',
  strategy: 'one_for_one',
  used: 2,
  intensity: 3,
  periodMs: 5_000,
  window: [],
  children: [],
  more: 0,
  history: [],
  ...over,
});

const prices = (over: Partial<BreakerView>): BreakerView =>
  ({
    path: 'shop/prices',
    state: 'open',
    verdict: 'refuse',
    since: NOW - 1_000,
    critical: false,
    retryAt: NOW + 4_000,
    window: { kind: 'count', size: 20, minimumCalls: 5, failureRate: 0.5, calls: 10, failures: 6, slow: 0 },
    probes: { out: 0, successes: 0 },
    counts: { rejected: 7, stale: 0, openings: 1 },
    cause: { name: 'Error', message: 'connect ECONNREFUSED', code: 'ECONNREFUSED' },
    history: [],
    ...over,
  }) as BreakerView;

const mending: RecoveryView = {
  path: 'shop/recovery',
  active: [
    {
      id: 'r1',
      subject: 'shop/prices',
      state: 'watching',
      category: 'connection',
      severity: 'major',
      remedy: 'observe',
      startedAt: NOW - 500,
      steps: [],
      budgetMs: 30_000,
      leftMs: 29_500,
    },
  ],
  recent: [],
  counts: {},
  stragglers: [],
};

const only = (incidents: readonly Incident[]): Incident => {
  expect(incidents).toHaveLength(1);
  return incidents[0] as Incident;
};

it('nothing is wrong with a system that is well', () => {
  expect(
    incidentsOf({ ...quiet, supervisors: [office({})], breakers: [prices({ verdict: 'admit' })] }),
  ).toEqual([]);
});

it('an open breaker is told with its cause, what it does next, and the recovery that helps it, once', () => {
  const told = only(incidentsOf({ ...quiet, breakers: [prices({})], recoveries: [mending] }));
  expect(told).toMatchObject({ weight: 'degraded', path: 'shop/prices', why: 'connect ECONNREFUSED' });
  expect(told.what).toContain('7 calls refused');
  expect(told.owner).toEqual({ path: 'shop/prices', does: 'refuses calls, tries again in 4 s' });
  expect(told.helper?.path).toBe('shop/recovery');
});

it('a breaker that nobody waits for was isolated by somebody', () => {
  const { retryAt: _, ...isolated } = prices({ state: 'isolated' });
  const told = only(incidentsOf({ ...quiet, breakers: [isolated] }));
  expect(told.why).toBe('somebody isolated it');
  expect(told.owner.does).toContain('released');
});

it('a child that backs off is down, because of its last crash, and its supervisor says when it starts', () => {
  const supervisor = office({
    children: [
      {
        id: 'ledger',
        kind: 'server',
        status: 'backing_off',
        restart: 'permanent',
        restarts: 4,
        failures: 3,
        nextStartAt: NOW + 2_000,
      },
    ],
    history: [{ n: 1, at: NOW - 300, child: 'ledger', reason: torn, outcome: 'waiting' }],
  });
  const told = only(incidentsOf({ ...quiet, supervisors: [supervisor] }));
  expect(told).toMatchObject({ weight: 'down', path: 'shop/office/ledger', why: 'the page is torn' });
  expect(told.owner.path).toBe('shop/office');
  expect(told.owner.does).toBe('starts it in 2 s, 3 failures in a row; 2 of 3 restarts in 5 s');
});

it('crashes that were put right are past, counted by child, and forgotten after half a minute', () => {
  const crash = (n: number, at: number) =>
    ({ n, at, child: 'ledger', reason: torn, outcome: 'restarted' }) as const;
  const supervisor = office({ history: [crash(2, NOW - 1_000), crash(1, NOW - 9_000)] });
  const told = only(incidentsOf({ ...quiet, supervisors: [supervisor] }));
  expect(told).toMatchObject({ weight: 'past', what: 'crashed 2 times' });
  expect(incidentsOf({ ...quiet, supervisors: [supervisor], now: NOW + 40_000 })).toEqual([]);
});

it('what is down comes before what is degraded, and that before what is over', () => {
  const supervisor = office({
    gaveUp: { at: NOW - 100, child: 'mailer', last: torn },
    history: [{ n: 1, at: NOW - 5_000, child: 'ledger', reason: torn, outcome: 'restarted' }],
  });
  const weights = incidentsOf({ ...quiet, supervisors: [supervisor], breakers: [prices({})] }).map(
    ({ weight }) => weight,
  );
  expect(weights).toEqual(['down', 'degraded', 'past']);
});

it('of a group that waits as one, the child that crashed is sick, and the others are those it affects', () => {
  const child = (id: string, status: string) => ({
    id,
    kind: 'server',
    status,
    restart: 'permanent',
    restarts: 1,
    failures: 1,
  });
  const crash = (name: string, at: number) =>
    ({ n: at, at, child: name, reason: torn, outcome: 'restarted' }) as const;
  const supervisor = office({
    strategy: 'rest_for_one',
    children: [child('ledger', 'backing_off'), child('mailer', 'restarting'), child('clerk', 'stopped')],
    history: [crash('ledger', NOW - 100), crash('mailer', NOW - 9_000)],
  });
  const told = only(incidentsOf({ ...quiet, supervisors: [supervisor] }));
  expect(told).toMatchObject({
    path: 'shop/office/ledger',
    affects: ['shop/office/mailer', 'shop/office/clerk'],
  });
});
