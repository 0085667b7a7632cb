import { describe, expect, test } from 'vitest';
import { file, HEADER, tidied } from '../orderly-repository.ts';

describe('the table of errors', () => {
  const table = `${HEADER}const entry = (...of: string[]) => of;
export const ERRORS = {
  ERR_A: entry('CallError', 'unknown', '{who} did {what}', 'help'),
};
`;
  const withTable = (code: string) =>
    tidied({
      'src/base/errors.ts': table,
      'src/kernel/a.ts': file(
        "import '../base/errors.ts';",
        "import '../base/b.ts';",
        'declare const createError: any;',
        code,
      ),
    });

  test('an error is raised with every fact that its message names', () => {
    expect(withTable("export const a = () => createError('ERR_A', { who: 1 });")).toEqual([
      'src/kernel/a.ts:5 error-facts: ERR_A lacks what, which its message names',
    ]);
    expect(withTable("export const a = (all: object) => createError('ERR_A', { ...all });")).toEqual([]);
    expect(withTable("export const a = () => createError('ERR_A', { who: 1, what: 2 });")).toEqual([]);
  });

  test('a code that nobody raises is no code', () => {
    expect(withTable('export const a = 1;')).toEqual([
      'src/base/errors.ts:4 unraised-errors: ERR_A is raised nowhere',
    ]);
  });
});
