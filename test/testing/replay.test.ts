/** A failed run is had again from the shell, by its own scenario and by no other. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { env } from 'node:process';
import { afterEach, describe, expect, it } from 'vitest';
import { simulate } from '../../src/testing/simulate.ts';
import type { Scenario } from '../../src/testing/simulation.ts';

interface World {
  pushes: number;
}

let campaigns = 0;

const turnstile = (name: string, most: number): Scenario<World> => ({
  name,
  setUp: () => {
    campaigns += 1;
    return { pushes: 0 };
  },
  commands: {
    push: (world) => {
      world.pushes += 1;
    },
  },
  always: { 'few pushes': ({ pushes }) => (pushes > most ? `${pushes}` : undefined) },
});

const directory = mkdtempSync(join(tmpdir(), 'troupe-replay-'));

const failureOf = async (name: string): Promise<{ file: string; message: string }> => {
  const error = await simulate(turnstile(name, 2), { runs: 20, directory }).then(
    () => expect.unreachable('it holds'),
    (failure: Error & { data: { file: string } }) => failure,
  );
  return { file: error.data.file, message: error.message };
};

describe('the file of a failed run', () => {
  afterEach(() => {
    delete env['TROUPE_REPLAY'];
  });

  it('comes with the command that replays it', async () => {
    const { file, message } = await failureOf('gate');
    expect(message).toContain(`\nreplay: TROUPE_REPLAY=${file} npx vitest run test/testing/replay.test.ts\n`);
    expect(message).toContain(`simulate(scenario, { replay: '${file}' })`);
  });

  it('is replayed in place of the campaign when the environment names it', async () => {
    env['TROUPE_REPLAY'] = (await failureOf('gate')).file;
    campaigns = 0;
    await expect(simulate(turnstile('gate', 2), { runs: 20, directory })).rejects.toMatchObject({
      code: 'ERR_SIMULATION_FAILED',
      data: { commandNames: ['push', 'push', 'push'] },
    });
    // The run, and again for its trace.
    expect(campaigns).toBe(2);
    await expect(simulate(turnstile('gate', 3), { runs: 20 })).resolves.toMatchObject({
      runs: 1,
      failures: [],
    });
  });

  it('leaves the campaigns of other scenarios as they are', async () => {
    env['TROUPE_REPLAY'] = (await failureOf('gate')).file;
    await expect(simulate(turnstile('door', 1_000), { runs: 20 })).resolves.toMatchObject({ runs: 20 });
  });

  it('is refused where the environment names what is none', async () => {
    env['TROUPE_REPLAY'] = join(directory, 'none.json');
    await expect(simulate(turnstile('door', 2))).rejects.toMatchObject({ code: 'ERR_OPTION_INVALID' });
  });

  it('is refused by another scenario that is told to replay it', async () => {
    const { file } = await failureOf('gate');
    await expect(simulate(turnstile('door', 2), { replay: file })).rejects.toThrow(
      `simulate door: replay must be the file of a failed run of door, got one of gate (${file}) [ERR_OPTION_INVALID]`,
    );
  });
});
