/** What is wrong with the arguments of a command is told on one line, with its code, before anything runs. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { readArguments } from '../../scripts/arguments.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TSX = fileURLToPath(new URL('../../node_modules/tsx/dist/cli.mjs', import.meta.url));
const DEADLINE_MS = 60_000;

const FLAGS = { runs: { type: 'string' }, json: { type: 'boolean' } } as const;
const read = (...given: string[]) => readArguments('sim', FLAGS, given);

describe('the arguments of a command', () => {
  it('are read by name', () => {
    expect(read('--runs', '5', '--json')).toEqual({ runs: '5', json: true });
    expect(read('--runs=5')).toEqual({ runs: '5' });
    expect(read()).toEqual({});
  });

  it.each([
    [['--bogus'], 'sim: unknown option --bogus; known are --runs, --json [ERR_OPTION_UNKNOWN]'],
    [['--run', '5'], 'sim: unknown option --run (did you mean --runs?); known are'],
    [['-r'], 'sim: unknown option -r'],
    [['all'], 'sim: unknown option all'],
    [['--toString'], 'sim: unknown option --toString'],
    [['--runs'], 'sim: --runs must be followed by its value, got none [ERR_OPTION_INVALID]'],
    [['--json=1'], "sim: --json must be given without a value, got '1'"],
  ])('are refused where they are wrong: %j', (given, message) => {
    expect(() => read(...given)).toThrow(message);
  });

  it.each(['sim', 'conform', 'conform-live', 'mutate', 'soak'])('are read so by %s', (name) => {
    const text = readFileSync(`${ROOT}scripts/${name}.ts`, 'utf8');
    expect(text).toMatch(/\bargumentsOf\('/);
    expect(text).not.toContain('parseArgs');
  });

  it(
    'end it with 2 and one line where they are wrong',
    async () => {
      const child = spawn(process.execPath, [TSX, 'scripts/conform.ts', '--bogus'], {
        cwd: ROOT,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let [stdout, stderr] = ['', ''];
      child.stdout.on('data', (chunk) => {
        stdout += chunk;
      });
      child.stderr.on('data', (chunk) => {
        stderr += chunk;
      });
      const code = await new Promise((resolve) => child.once('close', resolve));
      expect({ code, stdout, stderr }).toEqual({
        code: 2,
        stdout: '',
        stderr: 'conform: unknown option --bogus; known are none [ERR_OPTION_UNKNOWN]\n',
      });
    },
    DEADLINE_MS,
  );
});
