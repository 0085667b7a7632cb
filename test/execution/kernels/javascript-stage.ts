/** Sessions of the real JavaScript kernel, each with the folder of its test file, all ended after the test. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach } from 'vitest';
import { DrivenKernel } from './kernel-driver.ts';

const module = fileURLToPath(new URL('../../../dist/session-kernel.js', import.meta.url));

export const folder = mkdtempSync(join(tmpdir(), 'javascript-kernel-'));
const opened: DrivenKernel[] = [];

/** A kernel that its caller opens and ends. */
export const unopened = (): DrivenKernel => new DrivenKernel({ module, cwd: folder });

export const start = async (args: Readonly<Record<string, unknown>> = {}): Promise<DrivenKernel> => {
  const kernel = unopened();
  opened.push(kernel);
  await kernel.open(args);
  return kernel;
};

afterEach(async () => {
  for (const kernel of opened.splice(0)) await kernel.end();
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Until this line is printed: then the code after it runs. */
export const RUNNING = 'console.log("running");';

export const running = (kernel: DrivenKernel, job: number): Promise<unknown> =>
  kernel.chunk(job, ({ text }) => text?.includes('running') === true);
