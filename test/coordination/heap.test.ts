import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const MEGABYTE = 1_048_576;
/** `TROUPE_OPERATIONS=40000` makes it so many of each kind: half a minute. */
const OPERATIONS = Number(process.env['TROUPE_OPERATIONS'] ?? 6_000);

it(`${7 * OPERATIONS} operations for one owner, on one signal, leave the heap as it was`, async () => {
  const fixture = fileURLToPath(new URL('./fixtures/long-lived-owner.mjs', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', fixture], {
    timeout: 120_000,
  });
  const { growth, warnings, left } = JSON.parse(stdout) as {
    growth: Record<string, number>;
    warnings: string[];
    left: object;
  };
  expect(warnings).toEqual([]);
  expect(left).toEqual({ keys: 0, subscriptions: 0 });
  expect(Object.keys(growth)).toHaveLength(7);
  for (const [kind, bytes] of Object.entries(growth)) expect(bytes, kind).toBeLessThan(MEGABYTE);
}, 120_000);
