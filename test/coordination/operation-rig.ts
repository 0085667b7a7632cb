/** Files and outputs of operations, to be looked at afterwards. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

export const folder = mkdtempSync(join(tmpdir(), 'troupe-operation-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
export const newFile = (): string => {
  files += 1;
  return join(folder, `${files}.log`);
};
export const linesOf = (path: string): readonly string[] =>
  readFileSync(path, 'utf8').split('\n').slice(0, -1);

/** Whatever is written to it. */
export const sink = () => {
  const lines: string[] = [];
  return { lines, write: (text: string) => void lines.push(text.trimEnd()) };
};
