import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { createError } from '../../src/base/errors.ts';
import {
  carry,
  classificationOf,
  createClassifier,
  defaultClassifier,
  describeClassification,
  type FailureContext,
  isClassification,
} from '../../src/recovery/classification.ts';
import {
  CATEGORIES,
  type Category,
  DEFAULT_SEVERITIES,
  REMEDIES,
  remedies,
  type Severity,
} from '../../src/recovery/remedy.ts';

const classify = (error: unknown, context?: FailureContext) => defaultClassifier.classify(error, context);
const coded = (code: string): Error => Object.assign(new Error(code), { code });
const short = (error: unknown): string => {
  const { category, severity, remedy: chosen } = classify(error);
  return `${category}/${severity}/${chosen.kind}`;
};

describe('the grid', () => {
  // Written out as the origin has it: category, critical, major, minor.
  const grid: readonly [Category, string, string, string][] = [
    ['connection', 'circuit pool_connections', 'retry 5 exponential', 'retry 3 linear'],
    ['timeout', 'abandon', 'retry 2 exponential', 'retry 3 linear'],
    ['resource', 'circuit pool_resources', 'failover', 'retry 2 linear'],
    ['remote', 'failover', 'failover', 'retry 2 linear'],
    ['initialization', 'circuit worker_initialization', 'retry 3 exponential', 'retry 2 linear'],
    ['communication', 'circuit communication_failures', 'retry 3 exponential', 'retry 3 linear'],
    ['health_check', 'abandon', 'retry 2 exponential', 'retry 3 linear'],
    ['session', 'abandon', 'retry 2 linear', 'retry 3 linear'],
    ['system', 'abandon', 'abandon', 'abandon'],
  ];
  const cells = grid.flatMap(([category, critical, major, minor]) =>
    (
      [
        ['critical', critical],
        ['major', major],
        ['minor', minor],
      ] as const
    ).map(([severity, expected]) => ({ category, severity, expected })),
  );

  it.each(cells)('$category × $severity → $expected', ({ category, severity, expected }) => {
    const classifier = createClassifier({ matchers: [() => category] });
    const { remedy: chosen, category: got } = classifier.classify(new Error('x'), { severity });
    const [kind, second, backoff] = expected.split(' ');
    expect(got).toBe(category);
    expect(chosen.kind).toBe(kind === 'circuit' ? 'circuit_break' : kind);
    if (kind === 'retry') expect([chosen.attempts, chosen.backoff]).toEqual([Number(second), backoff]);
    else expect(chosen.backoff).toBe('none');
    expect(chosen.circuit).toBe(kind === 'circuit' ? second : undefined);
    expect(chosen.attempts).toBe(kind === 'retry' ? Number(second) : kind === 'failover' ? 1 : 0);
  });

  it('has a remedy for all nine categories at all three severities', () => {
    expect(Object.keys(REMEDIES).sort()).toEqual([...CATEGORIES].sort());
    expect(cells).toHaveLength(27);
  });
});

describe('default severities', () => {
  const expected: Record<Category, Severity> = {
    initialization: 'critical',
    connection: 'major',
    communication: 'major',
    timeout: 'major',
    resource: 'critical',
    health_check: 'minor',
    session: 'minor',
    remote: 'major',
    system: 'critical',
  };
  it.each(CATEGORIES)('of %s', (category) => {
    expect(DEFAULT_SEVERITIES[category]).toBe(expected[category]);
    const classifier = createClassifier({ matchers: [() => category] });
    expect(classifier.classify(1).severity).toBe(expected[category]);
  });
});

describe('severity rules', () => {
  it('an explicit severity wins over every rule', () => {
    const context = { severity: 'minor', attempt: 9, affectingAll: true, userFacing: true } as const;
    expect(classify('timeout', context).severity).toBe('minor');
  });
  it.each([
    ['session_expired', 3, 'minor'],
    ['session_expired', 4, 'major'],
    ['timeout', 3, 'major'],
    ['timeout', 4, 'critical'],
    ['checkout_failed', 4, 'critical'],
  ] as const)('%s at attempt %i is %s: beyond three attempts one level up', (tag, attempt, severity) => {
    expect(classify(tag, { attempt }).severity).toBe(severity);
  });
  it('what affects all is critical', () => {
    expect(classify('session_expired', { affectingAll: true }).severity).toBe('critical');
  });
  it('beyond three attempts one level up, and no more, even if all are affected', () => {
    expect(classify('session_expired', { attempt: 4, affectingAll: true }).severity).toBe('major');
  });
  it('minor becomes major when a user waits, and major stays', () => {
    expect(classify('session_expired', { userFacing: true }).severity).toBe('major');
    expect(classify('timeout', { userFacing: true }).severity).toBe('major');
  });
  it('critical beyond attempt two is abandoned, whatever the grid says', () => {
    const context = { severity: 'critical' } as const;
    expect(classify('python_exception', { ...context, attempt: 2 }).remedy.kind).toBe('failover');
    expect(classify('python_exception', { ...context, attempt: 3 }).remedy).toBe(remedies.abandon);
    const own = createClassifier({
      matchers: [() => ({ category: 'connection', remedy: remedies.retry(9) })],
    });
    expect(own.classify(1, { ...context, attempt: 3 }).remedy).toBe(remedies.abandon);
  });
});

describe('raw tags', () => {
  it.each([
    ['init_failed', 'initialization/critical/circuit_break'],
    ['worker_init_failed', 'initialization/critical/circuit_break'],
    ['port_exited', 'connection/major/retry'],
    ['connect_failed', 'connection/major/retry'],
    ['connection_error', 'connection/major/retry'],
    ['encode_error', 'communication/major/retry'],
    ['decode_error', 'communication/major/retry'],
    ['protocol_error', 'communication/major/retry'],
    ['simple_error', 'communication/major/retry'],
    ['retryable_error', 'communication/major/retry'],
    ['any other text', 'communication/major/retry'],
    ['timeout', 'timeout/major/retry'],
    ['checkout_failed', 'resource/critical/circuit_break'],
    ['pool_exhausted', 'resource/critical/circuit_break'],
    ['resource_unavailable', 'resource/critical/circuit_break'],
    ['health_check_failed', 'health_check/minor/retry'],
    ['health_check_timeout', 'health_check/minor/retry'],
    ['session_not_found', 'session/minor/retry'],
    ['session_expired', 'session/minor/retry'],
    ['python_exception', 'remote/major/failover'],
    ['bridge_error', 'remote/major/failover'],
  ])('%s → %s', (tag, expected) => {
    expect(short(tag)).toBe(expected);
    expect(short({ error: { error: tag } })).toBe(expected);
    expect(short(new Error('outer', { cause: { error: tag } }))).toBe(expected);
  });

  it.each([[undefined], [null], [0], [137], [true], [Symbol('x')], [() => 1], [{}], [[]], [new Error('?')]])(
    'what nobody knows is a critical system failure, abandoned: %s',
    (malformed) => {
      expect(short(malformed)).toBe('system/critical/abandon');
    },
  );
});

describe('retryable', () => {
  it('lasts as long as the remedy has attempts, and failover is tried once', () => {
    const retryable = (tag: string, attempt: number) =>
      classify(tag, { attempt, severity: 'minor' }).retryable;
    expect([1, 2, 3, 4].map((n) => retryable('timeout', n))).toEqual([true, true, true, false]);
    const failover = (attempt: number) => classify('python_exception', { attempt }).retryable;
    expect([failover(1), failover(2)]).toEqual([true, false]);
    expect(classify('checkout_failed').retryable).toBe(false);
    expect(classify({}).retryable).toBe(false);
  });
});

describe('idempotence', () => {
  it('a classification is given back as it is, also a critical one, whatever the context', () => {
    const first = classify('checkout_failed');
    expect(classify(first)).toBe(first);
    expect(classify(first, { attempt: 9, severity: 'minor' })).toBe(first);
    expect(classify({ error: { error: first } })).toBe(first);
    expect(first.remedy.kind).toBe('circuit_break');
  });
  it('so is the one an error carries, however deep', () => {
    const first = classify('timeout');
    const error = carry(new Error('wrapped'), first);
    expect(classificationOf(error)).toBe(first);
    expect(classify(new Error('again', { cause: { error } }))).toBe(first);
    expect(JSON.stringify(error)).toBe('{}');
  });
  it('what is carried first stays, and frozen errors carry nothing', () => {
    const first = classify('timeout');
    const error = carry(new Error('x'), first);
    expect(classificationOf(carry(error, classify('port_exited')))).toBe(first);
    expect(classificationOf(carry(Object.freeze(new Error('x')), first))).toBeUndefined();
  });
  it('classifications are frozen and branded', () => {
    const first = classify('timeout');
    expect(Object.isFrozen(first) && Object.isFrozen(first.remedy)).toBe(true);
    expect(isClassification(first)).toBe(true);
    expect(isClassification({ ...first })).toBe(false);
    expect(isClassification({ category: 'system' })).toBe(false);
  });
});

describe('across realms', () => {
  it('errors of another realm are known by their data', () => {
    const foreign: unknown = runInNewContext(
      "Object.assign(new Error('x'), { cause: Object.assign(new Error('y'), { code: 'EPIPE' }) })",
    );
    expect(foreign).not.toBeInstanceOf(Error);
    expect(short(foreign)).toBe('connection/major/retry');
    const list: unknown = runInNewContext("new AggregateError([{ code: 'ETIMEDOUT' }])");
    expect(short(list)).toBe('timeout/major/retry');
  });
});

describe('extending the table', () => {
  it('a matcher may be a table of codes, names and tags, or a function', () => {
    class DeadlockError extends Error {
      override name = 'DeadlockError';
    }
    const classifier = createClassifier({
      matchers: [
        { '40001': { category: 'resource', severity: 'minor' }, DeadlockError: 'session' },
        (error) =>
          (error as { teapot?: true }).teapot ? { category: 'remote', retryAfterMs: 5 } : undefined,
      ],
    });
    expect(classifier.classify({ code: '40001' })).toMatchObject({ category: 'resource', severity: 'minor' });
    expect(classifier.classify(new DeadlockError())).toMatchObject({ category: 'session' });
    expect(classifier.classify({ teapot: true })).toMatchObject({ category: 'remote', retryAfterMs: 5 });
    expect(classifier.classify(coded('EPIPE')).category).toBe('connection');
  });
  it('its matchers come before the built-in ones, also for what an error wraps', () => {
    const classifier = createClassifier({ matchers: [{ PGCODE: 'session' }] });
    const wrapped = createError('ERR_CALLEE_ENDED', {}, { cause: coded('PGCODE') });
    expect(classifier.classify(wrapped).category).toBe('session');
    expect(classify(wrapped).category).toBe('connection');
  });
  it('severities and remedies replace cells, and leave the others', () => {
    const classifier = createClassifier({
      severities: { session: 'critical' },
      remedies: {
        session: { critical: remedies.circuitBreak('mine') },
        timeout: { major: remedies.named('flush') },
      },
    });
    expect(classifier.classify('session_expired')).toMatchObject({
      severity: 'critical',
      remedy: { kind: 'circuit_break', circuit: 'mine' },
    });
    expect(classifier.classify('timeout').remedy.kind).toBe('flush');
    expect(classifier.remedies.timeout.minor).toEqual(REMEDIES.timeout.minor);
    expect(defaultClassifier.remedies.timeout.major.kind).toBe('retry');
  });
  it('a matcher that throws or answers nonsense has said nothing', () => {
    const classifier = createClassifier({
      matchers: [
        () => {
          throw new Error('bug');
        },
        () => 'nonsense' as never,
        () => ({ category: 'timeout', severity: 'awful' as never, retryAfterMs: Number.NaN }),
      ],
    });
    expect(classifier.classify(1)).toMatchObject({
      category: 'timeout',
      severity: 'major',
      retryAfterMs: undefined,
    });
  });
  it.each([
    [{ matcher: [] }, 'ERR_OPTION_UNKNOWN'],
    [{ matchers: 'x' }, 'ERR_OPTION_INVALID'],
    [{ matchers: [1] }, 'ERR_OPTION_INVALID'],
    [{ matchers: [{ X: 'nonsense' }] }, 'ERR_OPTION_INVALID'],
    [{ severities: { session: 'awful' } }, 'ERR_OPTION_INVALID'],
    [{ severities: { sesion: 'minor' } }, 'ERR_OPTION_UNKNOWN'],
    [{ remedies: { session: { awful: remedies.abandon } } }, 'ERR_OPTION_UNKNOWN'],
    [{ remedies: { session: { minor: { kind: 'retry', attempts: -1 } } } }, 'ERR_OPTION_INVALID'],
    [{ remedies: { nothing: {} } }, 'ERR_OPTION_UNKNOWN'],
    [{ wall: 3 }, 'ERR_OPTION_INVALID'],
  ])('refuses %o with %s', (options, code) => {
    expect(() => createClassifier(options as never)).toThrow(expect.objectContaining({ code }) as Error);
  });
});

describe('log text', () => {
  it('carries category, severity, recovery, worker, session and attempt', () => {
    expect(describeClassification(classify('timeout', { worker: 'w-1', session: 's-9', attempt: 2 }))).toBe(
      'category=timeout severity=major recovery=retry worker=w-1 session=s-9 attempt=2',
    );
  });
  it('says N/A, N/A and 1 for what is absent', () => {
    expect(describeClassification(classify({}))).toBe(
      'category=system severity=critical recovery=abandon worker=N/A session=N/A attempt=1',
    );
  });
});
