import { describe, expect, it } from 'vitest';
import { matchesSubject } from '../../src/recovery/subject-pattern.ts';

describe('a subject pattern', () => {
  it.each([
    ['/app/prices', '/app/prices', true],
    ['/app/prices', '/app/price', false],
    ['/app/*', '/app/prices', true],
    ['/app/*', '/app', false],
    ['/app/*', '/app/a/b', false],
    ['/app/p*s', '/app/prices', true],
    ['/app/p*s', '/app/ps', true],
    ['/app/p*s', '/app/p', false],
    ['/app/*c*c*', '/app/cc', true],
    ['/app/*c*c*', '/app/c', false],
    ['**', '/anything/at/all', true],
    ['/app/**', '/app', true],
    ['/app/**', '/app/a/b/c', true],
    ['/**/breaker', '/app/a/breaker', true],
    ['/**/breaker', '/breaker', true],
    ['/**/a/**/b', '/x/a/y/a/z/b', true],
    ['/**/a/**/b', '/x/a/y/a/z/c', false],
    ['', '', true],
    ['', '/a', false],
    ['/app/.+', '/app/xx', false],
  ])('%s and %s: %s', (pattern, subject, expected) => {
    expect(matchesSubject(pattern, subject)).toBe(expected);
  });

  it('with many stars is held against 100,000 characters within the time that a line of JSON takes', () => {
    const long = 'a'.repeat(100_000);
    const many = 'a/'.repeat(50_000);
    const started = performance.now();
    expect(matchesSubject('*a*a*a*a*b', long)).toBe(false);
    expect(matchesSubject('**/a/**/a/**/a/b', many)).toBe(false);
    expect(performance.now() - started).toBeLessThan(250);
  });
});
