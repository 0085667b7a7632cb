/**
 * A session under random code, cancellations, deadlines, crashes, freezes, slow readers and held loops, on a simulated host: what its
 * callers see holds whatever happened, and nothing is left when it ends.
 */
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { Execution, ExecutionEvent } from '../../src/execution/execution.ts';
import { codeExecutor } from '../../src/execution/executor.ts';
import type { Session } from '../../src/execution/session.ts';
import { createSystem } from '../../src/kernel/system.ts';
import { type KernelStep, script } from '../../src/testing/kernel-script.ts';
import { type ScriptedKernel, scriptedKernel } from '../../src/testing/scripted-kernel.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';

const RUNS = 150;

type Reading = 'eager' | 'slow' | 'leaves' | 'none';

type Step =
  | {
      readonly kind: 'execute';
      readonly code: readonly KernelStep[];
      readonly timeoutMs: number;
      readonly reading: Reading;
    }
  | { readonly kind: 'cancel' | 'take' | 'answer' | 'restart' | 'exit' | 'freeze' | 'stop' }
  | { readonly kind: 'advance' | 'stall'; readonly ms: number };

interface Scenario {
  readonly steps: readonly Step[];
  readonly choices: readonly number[];
  readonly checkpoint: 'never' | 'on_kill';
  readonly limit: number;
  readonly closes: boolean;
}

const line: fc.Arbitrary<KernelStep> = fc.oneof(
  { weight: 6, arbitrary: fc.constant(['print', 'x'] as const) },
  fc.nat(60).map((ms) => ['wait', ms] as const),
  fc.nat(40).map((times) => ['repeat', times, 'y'] as const),
  fc.constant(['progress', 1] as const),
  fc.constant(['input', '?'] as const),
  fc.constant(['request', 'query', {}] as const),
  fc.constant(['throw', 'Error', 'no'] as const),
  fc.constant(['crash', { code: 1 }] as const),
  fc.constant(['garbage'] as const),
  fc.constant(['freeze'] as const),
  fc.constantFrom(['hang'] as const, ['hang', 'cancel'] as const, ['hang', 'interrupt'] as const),
);

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('execute' as const),
      code: fc.array(line, { maxLength: 6 }),
      timeoutMs: fc.integer({ min: 1, max: 400 }),
      reading: fc.constantFrom<Reading>('eager', 'slow', 'leaves', 'none'),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('cancel', 'take', 'answer') }) },
  fc.record({ kind: fc.constantFrom('restart', 'exit', 'freeze', 'stop') }),
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.nat(500) }) },
  fc.record({ kind: fc.constant('stall' as const), ms: fc.nat(2_000) }),
);

const scenario: fc.Arbitrary<Scenario> = fc.record({
  steps: fc.array(step, { maxLength: 24 }),
  choices: fc.array(fc.nat(5), { maxLength: 40 }),
  checkpoint: fc.constantFrom('never', 'on_kill'),
  limit: fc.integer({ min: 2, max: 40 }),
  closes: fc.boolean(),
});

/** What one execution showed to its caller. */
interface Seen {
  readonly execution: Execution;
  readonly events: ExecutionEvent[];
  readonly reader: AsyncIterator<ExecutionEvent> | undefined;
  settled: 'result' | 'error' | undefined;
  /** What had been read when the promise settled. */
  readAtEnd: number;
}

class World {
  readonly host: SimulatedHost;
  readonly kernel: ScriptedKernel = scriptedKernel();
  readonly seen: Seen[] = [];
  session!: Session;
  #marks = 0;

  constructor(choices: readonly number[]) {
    this.host = new SimulatedHost({ choices });
  }

  async execute({ code, timeoutMs, reading }: Step & { kind: 'execute' }): Promise<void> {
    this.#marks += 1;
    // Each sets a mark of its own at its end, so that what is kept can be told.
    const whole = script(...code, ['set', 'mark', this.#marks], ['read', 'mark']);
    const execution = this.session.execute(whole, { timeoutMs });
    const reader = reading === 'none' ? undefined : execution[Symbol.asyncIterator]();
    const seen: Seen = { execution, events: [], reader, settled: undefined, readAtEnd: 0 };
    const note = (how: 'result' | 'error') => () => {
      expect(seen.settled).toBeUndefined();
      seen.settled = how;
      seen.readAtEnd = seen.events.length;
    };
    execution.result.then(note('result'), note('error'));
    this.seen.push(seen);
    if (reading === 'eager') void this.#drain(seen);
    if (reading === 'leaves') {
      void reader?.next();
      void reader?.return?.();
    }
  }

  /** The last execution that is read by hand takes one event. */
  take(): void {
    const seen = this.seen.at(-1);
    void seen?.reader?.next().then((next) => {
      if (next.done !== true) seen.events.push(next.value);
    });
  }

  async drainAll(): Promise<void> {
    await Promise.all(this.seen.map((seen) => this.#drain(seen)));
  }

  async #drain(seen: Seen): Promise<void> {
    if (seen.reader === undefined) return;
    for (let next = await seen.reader.next(); next.done !== true; next = await seen.reader.next())
      seen.events.push(next.value);
  }
}

const reached = { results: 0, killed: 0, replaced: 0 };

const perform = async (world: World, step: Step): Promise<void> => {
  const { host, kernel, session } = world;
  const port = kernel.live.at(-1);
  if (step.kind === 'execute') await world.execute(step);
  else if (step.kind === 'advance') await host.advance(step.ms);
  else if (step.kind === 'stall') await host.stall(step.ms);
  else if (step.kind === 'cancel') world.seen.at(-1)?.execution.cancel();
  else if (step.kind === 'take') world.take();
  else if (step.kind === 'answer') session.input(session.inspect().input ?? 'none', 'text');
  else if (step.kind === 'restart') session.restart().catch(() => undefined);
  else if (step.kind === 'exit') port?.exit({ signal: 'SIGKILL' });
  else if (step.kind === 'stop') port?.stop();
  else if (port !== undefined) port.frozen = true;
};

const TERMINAL: readonly string[] = ['result', 'error'];

/** What each caller saw of his execution. */
const judge = ({ events, settled, readAtEnd, reader }: Seen): void => {
  expect(settled).toBeDefined();
  const ends = events.filter(({ kind }) => TERMINAL.includes(kind));
  expect(ends.length).toBeLessThanOrEqual(1);
  if (ends.length === 1) {
    expect(events.at(-1)).toBe(ends[0]);
    expect(ends[0]?.kind).toBe(settled);
  }
  // With a result nothing of what came before it is still to be read: not even for a slow reader.
  if (settled === 'result' && reader !== undefined && ends.length === 1)
    expect(events.length - readAtEnd).toBeLessThanOrEqual(1);
};

const play = async ({ steps, choices, checkpoint, limit, closes }: Scenario): Promise<void> => {
  const world = new World(choices);
  const { host, kernel } = world;
  const system = createSystem({ host });
  const spec = codeExecutor('code', {
    kernels: [kernel],
    checkpoint,
    floods: false,
    output: { limit },
    inputTimeoutMs: 1_000,
    replacements: { intensity: 100, periodMs: 600_000 },
    providers: { query: () => 'answer' },
  });
  const executor = await host.runUntil(system.start(spec));
  world.session = await host.runUntil(executor.session({ language: 'scripted' }));
  // A process is never taken for free while code runs in it.
  host.afterStep = () => {
    const { free } = world.session.inspect();
    if (free && kernel.live.at(-1)?.busy === true) throw new Error('free, though its process executes');
  };
  for (const each of steps) await perform(world, each);
  await host.advance(10_000);
  await host.runUntil(world.drainAll());
  for (const seen of world.seen) judge(seen);
  for (const port of kernel.ports) expect(port.mostAtOnce).toBeLessThanOrEqual(1);
  expect(executor.inspect().promises.pending).toBe(0);
  await marksAreKept(world, checkpoint);
  if (closes) await host.runUntil(world.session.close());
  await host.runUntil(system.shutdown());
  expect(kernel.live).toEqual([]);
  expect(kernel.released).toEqual({ launches: kernel.ports.length, sessions: 1 });
  expect(host.pendingTimers().filter(({ label }) => !label.startsWith('scripted'))).toEqual([]);
  reached.results += world.seen.filter(({ settled }) => settled === 'result').length;
  reached.killed += kernel.ports.filter(({ killed }) => killed).length;
  reached.replaced += kernel.ports.length - 1;
};

/** A process keeps one namespace for its life, and a replaced one has what was kept: never what a failed execution had not set. */
const marksAreKept = async ({ host, session, kernel }: World, checkpoint: string): Promise<void> => {
  const before = kernel.live.at(-1);
  if (before === undefined || before.frozen) return;
  const expected = before.names.get('mark') ?? null;
  const { value } = await host.runUntil(session.execute(script(['read', 'mark'])).result);
  expect(value).toBe(expected);
  await host.settle();
  before.exit({ code: 1 });
  const { value: after } = await host.runUntil(session.execute(script(['read', 'mark'])).result);
  expect(after).toBe(checkpoint === 'on_kill' ? expected : null);
};

describe('a session under random code and faults', () => {
  afterAll(() => {
    expect(Object.entries(reached).filter(([, count]) => count === 0)).toEqual([]);
  });

  it('gives every execution one end, after all that it printed; runs one at a time; leaves nothing', async () => {
    await fc.assert(fc.asyncProperty(scenario, play), { numRuns: RUNS });
  });
});
