/** Classification is total and idempotent over anything that can be thrown; subject patterns agree with what they stand for. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createError, ERRORS, type ErrorCode } from '../../src/base/errors.ts';
import {
  carry,
  createClassifier,
  defaultClassifier,
  type FailureContext,
} from '../../src/recovery/classification.ts';
import { CATEGORIES, REMEDIES, SEVERITIES } from '../../src/recovery/remedy.ts';
import { matchesSubject } from '../../src/recovery/subject-pattern.ts';

const words = fc.oneof(
  fc.constantFrom('timeout', 'ECONNREFUSED', 'killed', 'checkout_failed', 'AbortError', 'normal', 'x'),
  fc.constantFrom(...(Object.keys(ERRORS) as ErrorCode[])),
);
/** Reading anything of it throws. */
const hostile = Object.defineProperties(
  {},
  Object.fromEntries(
    ['code', 'name', 'type', 'error', 'cause', 'errors', 'gaveUp', 'signal', 'status', 'headers', 'data'].map(
      (key) => [
        key,
        {
          get: () => {
            throw new Error('trap');
          },
        },
      ],
    ),
  ),
);
/** Anything that may be thrown, wrapping anything, with cycles and hostile getters. */
const { thrown } = fc.letrec<{ thrown: unknown; wrapped: unknown }>((tie) => ({
  thrown: fc.oneof({ maxDepth: 4 }, fc.anything(), words, tie('wrapped')),
  wrapped: fc.oneof(
    fc.record({ error: tie('thrown') }),
    fc.record({ gaveUp: fc.record({ last: tie('thrown') }) }),
    tie('thrown').map((cause) => new Error('outer', { cause })),
    fc.tuple(words, tie('thrown')).map(([code, cause]) => Object.assign(new Error('c', { cause }), { code })),
    fc.array(tie('thrown'), { maxLength: 3 }).map((errors) => new AggregateError(errors)),
    fc.constantFrom(...(Object.keys(ERRORS) as ErrorCode[])).map((code) => createError(code, {})),
    fc.record({ code: fc.option(fc.integer({ min: -64, max: 255 })), signal: fc.option(words) }),
    fc.record({ status: fc.integer({ min: 0, max: 700 }), headers: fc.dictionary(words, fc.string()) }),
    fc.constant(hostile),
    tie('thrown').map((inner) => {
      const looped: { error?: unknown; cause?: unknown } = { cause: inner };
      looped.error = looped;
      return looped;
    }),
  ),
}));

const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const context: fc.Arbitrary<FailureContext> = fc
  .record({
    attempt: optional(fc.integer({ min: 1, max: 8 })),
    severity: optional(fc.constantFrom(...SEVERITIES)),
    affectingAll: optional(fc.boolean()),
    userFacing: optional(fc.boolean()),
  })
  .map((given) => Object.fromEntries(Object.entries(given).filter(([, v]) => v !== undefined)));

describe('classification', () => {
  it('is total: whatever was thrown has one of the categories, a severity and the remedy of the grid', () => {
    fc.assert(
      fc.property(thrown, context, (error, given) => {
        const { category, severity, remedy, attempt } = defaultClassifier.classify(error, given);
        expect(CATEGORIES).toContain(category);
        expect(SEVERITIES).toContain(severity);
        if (severity === 'critical' && attempt > 2) expect(remedy.kind).toBe('abandon');
        else expect([REMEDIES[category][severity].kind, 'abandon']).toContain(remedy.kind);
      }),
      { numRuns: 500 },
    );
  });

  it('is idempotent: twice, by another context, by another classifier, wrapped or carried, nothing changes', () => {
    const other = createClassifier({ matchers: [() => 'session'], severities: { system: 'minor' } });
    fc.assert(
      fc.property(thrown, context, context, fc.nat(5), (error, first, second, depth) => {
        const once = defaultClassifier.classify(error, first);
        let wrapped: unknown = depth % 2 === 0 ? once : carry(new Error('carrier'), once);
        for (let i = 0; i < depth; i++)
          wrapped = i % 2 === 0 ? { error: wrapped } : new Error('w', { cause: wrapped });
        expect(other.classify(wrapped, second)).toBe(once);
      }),
      { numRuns: 500 },
    );
  });

  it('is stable: the same error in the same context gives equal answers', () => {
    fc.assert(
      fc.property(thrown, context, (error, given) => {
        const { error: _first, ...first } = defaultClassifier.classify(error, given);
        const { error: _second, ...second } = defaultClassifier.classify(error, given);
        expect(first).toEqual(second);
      }),
    );
  });

  it('no rule lowers a severity', () => {
    fc.assert(
      fc.property(thrown, context, (error, given) => {
        fc.pre(given.severity === undefined);
        const plain = SEVERITIES.indexOf(defaultClassifier.classify(error).severity);
        expect(SEVERITIES.indexOf(defaultClassifier.classify(error, given).severity)).toBeGreaterThanOrEqual(
          plain,
        );
      }),
    );
  });
});

/** The same patterns as regular expressions, which we may use where nobody's input is hostile. */
const asRegExp = (pattern: string): RegExp =>
  new RegExp(
    `^${pattern
      .split('/')
      .map((part) =>
        part === '**' ? '(?:[^/]*(?:/[^/]*)*)' : part.replaceAll('.', '\\.').replaceAll('*', '[^/]*'),
      )
      .join('/')}$`,
  );

describe('subject patterns', () => {
  it('agree with regular expressions', () => {
    const part = fc.stringMatching(/^[ab.]{0,3}$/);
    const patternPart = fc.oneof(fc.constant('**'), fc.constant('*'), fc.stringMatching(/^[ab*.]{0,4}$/));
    const joined = (parts: fc.Arbitrary<string>) =>
      fc.array(parts, { minLength: 1, maxLength: 4 }).map((list) => list.join('/'));
    fc.assert(
      fc.property(joined(patternPart), joined(part), (pattern, subject) => {
        fc.pre(!pattern.split('/').some((p) => p.includes('**') && p !== '**'));
        // A ** also stands for no part at all, which the expression cannot say.
        const expected = asRegExp(pattern).test(subject);
        if (expected) expect(matchesSubject(pattern, subject)).toBe(true);
        if (!pattern.includes('**')) expect(matchesSubject(pattern, subject)).toBe(expected);
      }),
      { numRuns: 1_000 },
    );
  });
});
