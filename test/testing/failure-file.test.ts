import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type FailureFile, KIT, readCase, writeFailure } from '../../src/testing/failure-file.ts';

const FAILURE: FailureFile = {
  kit: KIT,
  node: 'any',
  scenario: 'a turnstile',
  property: 'liveness',
  error: 'none',
  hash: '0123abcd',
  seed: 7,
  config: [1, 2],
  commands: [[3, 4, 5]],
  commandNames: ['push'],
  choices: [6],
  trace: [],
};

const folder = () => mkdtempSync(join(tmpdir(), 'troupe-failure-'));
const written = (content: string): string => {
  const path = join(folder(), 'failure.json');
  writeFileSync(path, content);
  return path;
};

describe('the file of a failed run', () => {
  it('gives back the case that was written, and its scenario', () => {
    const path = writeFailure(folder(), FAILURE);
    expect(path).toMatch(/a-turnstile-0123abcd\.json$/);
    const { scenario, seed, config, commands, choices } = FAILURE;
    expect(readCase(path)).toEqual({ scenario, seed, config, commands, choices });
  });

  it.each([
    ['is not there', () => join(folder(), 'nothing.json'), /replay must be the file of a failed run.*ENOENT/],
    ['is no JSON', () => written('{'), /replay must be the file of a failed run/],
    ['holds no object', () => written('null'), /replay must be the file of a failed run.*no object/],
    ['misses the case', () => written(JSON.stringify({ kit: KIT })), /scenario must be/],
    ['is of another kit', () => written(JSON.stringify({ ...FAILURE, kit: KIT + 1 })), /kit must be/],
    [
      'holds other numbers',
      () => written(JSON.stringify({ ...FAILURE, commands: [[1]] })),
      /commands must be/,
    ],
  ])('is refused by name when it %s', (_how, path, why) => {
    const read = () => readCase(path());
    expect(read).toThrow(/ERR_OPTION_INVALID/);
    expect(read).toThrow(why);
  });
});
