import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const fixture = fileURLToPath(new URL('./fixtures/escapes.ts', import.meta.url));

const run = (...args: string[]) =>
  new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
    const child = spawn(process.execPath, ['--import', 'tsx', fixture, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });

describe('what XState executes', () => {
  it('never throws at the process, on any path', { timeout: 60_000 }, async () => {
    const { code, stdout, stderr } = await run();
    expect(stderr).toBe('');
    expect(stdout).toMatch(/all \d+ cases are over\n$/);
    expect(stdout).not.toContain('refused');
    expect(code).toBe(0);
  });

  it('would do so in XState alone', { timeout: 60_000 }, async () => {
    const { code, stderr } = await run('bare');
    expect(code).toBe(1);
    expect(stderr).toContain('Error: escape');
  });
});
