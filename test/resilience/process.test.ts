/** What policies do to the process that they run in: nothing. In processes of their own, from what ships. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const run = promisify(execFile);
const fixture = (name: string) => fileURLToPath(new URL(`./fixtures/${name}.mjs`, import.meta.url));
const MEGABYTES = 1024 * 1024;
/** Far below the minute for which the timers that are left behind would hold it. */
const PROMPT_MS = 20_000;

describe('40,000 calls on one long-lived signal', () => {
  it('grow the heap by less than 2 MB through each policy, and Node warns of nothing', async () => {
    const { stdout } = await run(process.execPath, ['--expose-gc', fixture('long-lived-signal')], {
      timeout: 120_000,
    });
    const { growth, warnings } = JSON.parse(stdout) as { growth: Record<string, number>; warnings: string[] };
    expect(warnings).toEqual([]);
    expect(Object.keys(growth)).toHaveLength(15);
    for (const [policy, bytes] of Object.entries(growth)) expect(bytes, policy).toBeLessThan(2 * MEGABYTES);
  }, 120_000);
});

describe('the timers of policies', () => {
  const leave = async (what: string): Promise<string> =>
    (await run(process.execPath, [fixture('timers-left'), what], { timeout: PROMPT_MS })).stdout;

  it('that no call stands on keep no process alive: open breakers, watchdogs, health checks, what is idle', async () => {
    expect(await leave('idle')).toBe('');
  });

  it('that calls stand on which nobody will miss keep none either, where `unref` says so', async () => {
    expect(await leave('unref')).toBe('');
  });

  it('keep it alive until whoever waits has been answered', async () => {
    const answers = (await leave('awaited')).trim().split('\n').sort();
    expect(answers).toEqual([
      'answered',
      'answered',
      'answered ERR_DEADLINE_PASSED',
      'answered ERR_DEADLINE_PASSED',
      'answered down',
    ]);
  });
});
