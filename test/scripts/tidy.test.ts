import { expect, test } from 'vitest';
import { show } from '../../scripts/tidy.ts';
import { tidied } from './orderly-repository.ts';

test('an orderly repository has nothing to be said of it', () => {
  expect(tidied({})).toEqual([]);
});

test('what is printed names the place, the rule and the fix', () => {
  const violation = { file: 'src/a.ts', line: 3, rule: 'cycles', what: 'imports itself', fix: 'do not' };
  expect(show(violation)).toBe('src/a.ts:3  cycles  imports itself\n    fix: do not');
});
