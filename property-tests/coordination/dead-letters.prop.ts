/**
 * Dead letters over kills at random bytes: what was acknowledged before the kill is there, what was deleted before it is not,
 * whatever letters, deletions, rolled segments and interrupted replays came in between.
 */
import { cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type DeadLetters, openDeadLetters } from '../../src/coordination/dead-letters.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';

type Step =
  | { readonly kind: 'add'; readonly size: number }
  | { readonly kind: 'delete'; readonly which: number }
  | { readonly kind: 'replay'; readonly until: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('add' as const), size: fc.nat(500) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete' as const), which: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('replay' as const), until: fc.nat(4) }) },
);

const idsOf = (store: DeadLetters): readonly number[] => store.list().map(({ id }) => id);

const lettersIn = async (directory: string): Promise<readonly string[]> =>
  (await readdir(directory)).filter((name) => name.endsWith('.letters')).sort();

const take = async (store: DeadLetters, { kind, ...how }: Step): Promise<void> => {
  const { size = 0, which = 0, until = 0 } = how as { size?: number; which?: number; until?: number };
  if (kind === 'add') await store.add({ topic: 't', payload: 'x'.repeat(size), error: 'down' });
  else if (kind === 'delete') await store.delete(store.list()[which]?.id ?? 0);
  else {
    let sent = 0;
    await store.replay(() => {
      if (sent++ >= until) throw new Error('down again');
    });
  }
};

/**
 * The directory as it is when the process is killed within the last step: what was there before it, and the newest file up to some
 * byte of what the step wrote. What a step unlinks, it unlinks after that.
 */
const kill = async (before: string, after: string, cut: number): Promise<boolean> => {
  const newest = (await lettersIn(after)).at(-1) ?? '';
  const content = await readFile(join(after, newest));
  const known = (await lettersIn(before)).includes(newest) ? (await stat(join(before, newest))).size : 0;
  const until = known + (cut % (content.length - known + 1));
  await writeFile(join(before, newest), content.subarray(0, until));
  return until === content.length;
};

it('acknowledged is kept, deleted is gone, at whichever byte the process died', async () => {
  const seen = { cut: 0, whole: 0, replays: 0, segments: 0 };
  const root = await mkdtemp(join(tmpdir(), 'troupe-prop-letters-'));
  let folder = 0;
  const host = new SimulatedHost();
  const open = (directory: string) =>
    openDeadLetters({ directory, fsync: 'never', segmentBytes: 1_024, host });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(step, { minLength: 1, maxLength: 10 }), { minLength: 1, maxLength: 4 }),
      fc.array(fc.nat(10_000), { minLength: 4, maxLength: 4 }),
      async (lives, cuts) => {
        let directory = join(root, `${++folder}`);
        let [lowest, highest]: [readonly number[], readonly number[]] = [[], []];
        let greatest = 0;
        for (const [life, steps] of lives.entries()) {
          await using store = await open(directory);
          const found = idsOf(store);
          // Of a replay that was cut, some letters may be gone.
          expect(found.every((id) => highest.includes(id))).toBe(true);
          expect(lowest.every((id) => found.includes(id))).toBe(true);
          for (const each of steps.slice(0, -1)) await take(store, each);
          const before = idsOf(store);
          const snapshot = join(root, `${++folder}`);
          await cp(directory, snapshot, { recursive: true });
          const last = steps.at(-1) as Step;
          await take(store, last);
          const after = idsOf(store);
          greatest = Math.max(greatest, ...before, 0);
          const whole = await kill(snapshot, directory, cuts[life] ?? 0);
          lowest = whole || last.kind === 'replay' ? after : before;
          highest = whole ? after : before;
          if (last.kind === 'add' && !whole) lowest = before;
          seen[whole ? 'whole' : 'cut'] += 1;
          if (last.kind === 'replay') seen.replays += 1;
          seen.segments = Math.max(seen.segments, store.inspect().segments);
          directory = snapshot;
        }
        await using again = await open(directory);
        expect(idsOf(again).every((id) => highest.includes(id))).toBe(true);
        expect(lowest.every((id) => idsOf(again).includes(id))).toBe(true);
        // An id that was acknowledged is never given again.
        expect(await again.add({ topic: 't', payload: 0, error: 'down' })).toBeGreaterThan(greatest);
      },
    ),
    { numRuns: 40, seed: 17 },
  );
  await rm(root, { recursive: true });
  expect(Math.min(seen.cut, seen.whole, seen.replays)).toBeGreaterThan(5);
  expect(seen.segments).toBeGreaterThan(2);
}, 30_000);
