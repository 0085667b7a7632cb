/**
 * A hundred operations at once, however they interleave: none sees another's file, timer, verbosity or key, and each file is closed
 * exactly once. Both properties are shown to fail where the bug they are about is planted.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { contextKey, currentContext, withContext } from '../../src/coordination/context.ts';
import { contextKeys, contextLog } from '../../src/coordination/context-log.ts';
import { startElapsedTimer } from '../../src/coordination/elapsed-timer.ts';
import { LogFile } from '../../src/coordination/log-file.ts';
import { type Operation, operation } from '../../src/coordination/operation.ts';
import { createScope, type Scope } from '../../src/coordination/scope.ts';
import { createBulkhead } from '../../src/resilience/bulkhead.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';

const folder = mkdtempSync(join(tmpdir(), 'troupe-context-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const who = contextKey('who', { default: -1 });

/** What one of them does, step after step. */
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ what: fc.constant('wait' as const), ms: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.constant({ what: 'log' as const }) },
  { weight: 1, arbitrary: fc.constant({ what: 'task' as const }) },
  { weight: 1, arbitrary: fc.constant({ what: 'queue' as const }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('reset' as const), ms: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.constant({ what: 'nest' as const }) },
);
const plan = fc.record({
  delayMs: fc.nat(10),
  verbose: fc.boolean(),
  steps: fc.array(step, { maxLength: 6 }),
  end: fc.constantFrom('return', 'throw', 'abort', 'time out'),
});
type Plan = typeof plan extends fc.Arbitrary<infer T> ? T : never;

interface Run {
  readonly host: SimulatedHost;
  readonly scope: Scope;
  readonly queue: ReturnType<typeof createBulkhead>;
  readonly crossings: string[];
}

const CUT_MS = 500;
let runs = 0;

/** A planted bug: what runs later, in whoever's turn, finds what was set last. */
type Enter = typeof operation;

const runOne = async (run: Run, index: number, { delayMs, verbose, steps, end }: Plan, enter: Enter) => {
  const { host, scope, queue, crossings } = run;
  const wait = (ms: number): Promise<void> => new Promise((resolve) => void host.timer(ms, 'wait', resolve));
  const logFile = join(folder, `${runs}-${index}.log`);
  const check = (where: string, begunAt: number, ownVerbosity = verbose): void => {
    const context = currentContext();
    const seen = [
      context.get(who),
      context.get(contextKeys.verbosity),
      context.get(contextKeys.timer)?.elapsedMs(),
    ];
    const due = [index, ownVerbosity ? 'debug' : 'info', host.monotonic() - begunAt];
    if (String(seen) !== String(due)) crossings.push(`${where}: ${seen} instead of ${due}`);
    contextLog.debug(`line of ${index}`);
  };
  const take = async (own: Operation, { what, ...more }: Plan['steps'][number]): Promise<void> => {
    const { startedAtMs } = own.timer;
    if (what === 'log') check('log', startedAtMs);
    if (what === 'wait') await wait((more as { ms: number }).ms);
    if (what === 'task')
      await scope.start('task', async () => {
        await wait(1);
        check('task', startedAtMs);
      }).result;
    if (what === 'queue') await queue.execute(async () => check('queue', startedAtMs));
    if (what === 'reset')
      await withContext(contextKeys.timer.of(startElapsedTimer(host)), async () => {
        const begunAt = host.monotonic();
        await wait((more as { ms: number }).ms);
        check('reset', begunAt);
      });
    if (what === 'nest')
      await enter({ host, verbose: !verbose }, async (inner) => {
        await wait(3);
        check('nest', inner.timer.startedAtMs, !verbose);
      });
    check(`after ${what}`, startedAtMs);
  };
  await wait(delayMs);
  const controller = new AbortController();
  const options = { name: `${index}`, host, verbose, logFile, signal: controller.signal };
  const bounds = end === 'time out' ? { timeoutMs: CUT_MS } : {};
  const work = async (own: Operation): Promise<void> => {
    for (const each of steps) await take(own, each);
    if (end === 'throw') throw new Error('as told');
    if (end === 'abort') controller.abort();
    if (end === 'abort' || end === 'time out') await new Promise(() => {});
  };
  const entered = withContext(who.of(index), () => enter({ ...options, ...bounds }, work));
  await entered.catch(() => {});
  const strange = readFileSync(logFile, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.endsWith(` line of ${index}`));
  if (strange.length > 0) crossings.push(`file of ${index}: ${strange}`);
};

/** How often what was opened was closed, and what crossed. */
const runAll = async (plans: readonly Plan[], enter: Enter = operation) => {
  runs += 1;
  const host = new SimulatedHost();
  const scope = createScope({ host, onFailure: 'collect', origins: 'none' });
  const queue = createBulkhead({ host, limit: 2, queueLimit: 1_000 });
  const run: Run = { host, scope, queue, crossings: [] };
  const closes = new Map<LogFile, number>();
  const close = LogFile.prototype.close;
  const spy = vi.spyOn(LogFile.prototype, 'close').mockImplementation(function (this: LogFile) {
    closes.set(this, (closes.get(this) ?? 0) + 1);
    close.call(this);
  });
  try {
    await host.runUntil(Promise.all(plans.map((each, index) => runOne(run, index, each, enter))));
  } finally {
    spy.mockRestore();
  }
  return { crossings: run.crossings, closes: [...closes.values()], timers: host.pendingTimers() };
};

const hundred = fc.array(plan, { minLength: 100, maxLength: 100 });

describe('a hundred operations at once', () => {
  it('see each its own file, timer, verbosity and key, and close each file once', async () => {
    await fc.assert(
      fc.asyncProperty(hundred, async (plans) => {
        const { crossings, closes, timers } = await runAll(plans);
        expect(crossings).toEqual([]);
        expect(closes).toEqual(Array(100).fill(1));
        expect(timers).toEqual([]);
      }),
      { numRuns: 8 },
    );
  });

  it('planted: settings that are shared cross', async () => {
    const shared: { context: Operation['context'] | undefined } = { context: undefined };
    const careless: Enter = (options, work) =>
      operation(options, (own) => {
        // What all of them set in one place, as a global is.
        shared.context = (shared.context ?? own.context).with(contextKeys.timer.of(own.timer));
        return shared.context.run(() => work(own));
      });
    const [plans] = fc.sample(hundred, { numRuns: 1, seed: 1 }) as [Plan[]];
    expect((await runAll(plans, careless)).crossings).not.toEqual([]);
  });

  it('planted: a file that whoever ends and whoever aborts close is closed twice', async () => {
    const careless: Enter = (options, work) =>
      operation(options, async (own) => {
        const file = own.context.get(contextKeys.logFile) as LogFile | undefined;
        try {
          return await work(own);
        } finally {
          if (options.logFile !== undefined) file?.close();
        }
      });
    const [plans] = fc.sample(hundred, { numRuns: 1, seed: 1 }) as [Plan[]];
    expect((await runAll(plans, careless)).closes).not.toEqual(Array(100).fill(1));
  });
});
