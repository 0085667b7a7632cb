import { describe, expect, it } from 'vitest';
import { createError, ERRORS, type ErrorCode } from '../../src/base/errors.ts';
import { defaultClassifier } from '../../src/recovery/classification.ts';
import { knownMatch } from '../../src/recovery/known-errors.ts';
import { CATEGORIES } from '../../src/recovery/remedy.ts';

const classify = (error: unknown) => defaultClassifier.classify(error);
const coded = (code: string): Error => Object.assign(new Error(code), { code });
const short = (error: unknown): string => {
  const { category, severity, remedy: chosen } = classify(error);
  return `${category}/${severity}/${chosen.kind}`;
};

describe('built-in matchers', () => {
  it.each([
    ['ECONNREFUSED', 'connection'],
    ['ECONNRESET', 'connection'],
    ['EPIPE', 'connection'],
    ['EHOSTUNREACH', 'connection'],
    ['ENOTFOUND', 'connection'],
    ['EAI_AGAIN', 'connection'],
    ['UND_ERR_SOCKET', 'connection'],
    ['ETIMEDOUT', 'timeout'],
    ['UND_ERR_CONNECT_TIMEOUT', 'timeout'],
    ['EMFILE', 'resource'],
    ['ENFILE', 'resource'],
    ['ENOSPC', 'resource'],
    ['ENOMEM', 'resource'],
    ['EPROTO', 'communication'],
    ['EADDRINUSE', 'initialization'],
  ])('%s → %s', (code, category) => {
    expect(classify(coded(code))).toMatchObject({ category, code });
  });

  it('a fetch that failed is what its cause is', () => {
    const failed = new TypeError('fetch failed', { cause: coded('ECONNREFUSED') });
    expect(classify(failed)).toMatchObject({ category: 'connection', code: 'ECONNREFUSED', error: failed });
  });
  it('of an aggregate the first member that is known decides', () => {
    const both = new AggregateError([new Error('?'), coded('ETIMEDOUT'), coded('EPIPE')]);
    expect(short(both)).toBe('timeout/major/retry');
  });
  it('the outermost known error decides', () => {
    expect(short(Object.assign(coded('ETIMEDOUT'), { cause: coded('EPIPE') }))).toBe('timeout/major/retry');
  });
  it("the caller's own abort is no failure of anything, a TimeoutError is", () => {
    expect(short(AbortSignal.abort().reason)).toBe('system/minor/abandon');
    expect(short(new DOMException('late', 'TimeoutError'))).toBe('timeout/major/retry');
  });
  it('a program that cannot be executed is a failed start', () => {
    const error = Object.assign(coded('ENOENT'), { syscall: 'spawn nowhere' });
    expect(short({ code: null, signal: null, error })).toBe('initialization/critical/circuit_break');
    expect(short(coded('ENOENT'))).toBe('system/critical/abandon');
  });

  it.each([
    [{ code: 139, signal: null }, 'remote/major/failover'],
    [{ code: 134, signal: null }, 'remote/major/failover'],
    [{ code: 137, signal: null }, 'resource/major/failover'],
    [{ code: -9, signal: null }, 'resource/major/failover'],
    [{ code: null, signal: 'SIGKILL' }, 'resource/major/failover'],
    [{ code: null, signal: 'SIGSEGV' }, 'remote/major/failover'],
    [{ code: null, signal: 'SIGABRT' }, 'remote/major/failover'],
    [{ exitCode: null, signalCode: 'SIGBUS' }, 'remote/major/failover'],
    [{ code: null, signal: 'SIGTERM' }, 'connection/major/retry'],
    [{ code: 1, signal: null }, 'connection/major/retry'],
    [{ exitCode: 0 }, 'connection/major/retry'],
    [{ code: 127, signal: null }, 'initialization/critical/circuit_break'],
    // A bare numeric code is a gRPC status or anything else, not an exit.
    [{ code: 14 }, 'system/critical/abandon'],
  ])('an OS process that ended as %o → %s', (end, expected) => {
    expect(short(end)).toBe(expected);
    expect(short({ error: end })).toBe(expected);
  });

  it.each([
    [408, 'timeout/major/retry'],
    [429, 'resource/minor/retry'],
    [500, 'remote/major/failover'],
    [502, 'connection/major/retry'],
    [503, 'resource/minor/retry'],
    [504, 'timeout/major/retry'],
    [599, 'remote/major/failover'],
    [404, 'system/critical/abandon'],
    [200, 'system/critical/abandon'],
  ])('HTTP %i → %s', (status, expected) => {
    expect(short({ status })).toBe(expected);
    expect(short({ statusCode: status })).toBe(expected);
    expect(short(Object.assign(new Error('client'), { response: { status } }))).toBe(expected);
  });

  it.each([
    ['normal', 'system/minor/abandon'],
    ['shutdown', 'system/minor/abandon'],
    [{ shutdown: 'deploy' }, 'system/minor/abandon'],
    ['killed', 'connection/major/retry'],
    ['noproc', 'connection/major/retry'],
    [{ gaveUp: { last: { error: coded('ECONNRESET') } } }, 'connection/major/retry'],
    [{ gaveUp: { last: { error: new TypeError('bug') } } }, 'system/critical/abandon'],
  ])('the exit reason %o → %s', (reason, expected) => {
    expect(short(reason)).toBe(expected);
  });
});

describe('our own codes', () => {
  it.each(Object.keys(ERRORS) as ErrorCode[])('%s has a class, with its brand and without', (code) => {
    const match = knownMatch(createError(code, {}), undefined);
    expect(CATEGORIES).toContain(match?.category);
    expect(knownMatch(structuredClone({ code }), undefined)).toEqual(match);
    expect(knownMatch({ code: `${code}_X` }, undefined)).toBeUndefined();
  });
  it('the rejection by an open breaker can be outlasted: it says for how long', () => {
    const rejected = createError('ERR_BREAKER_OPEN', { breaker: 'b', retryAfterMs: 700 });
    expect(classify(rejected)).toMatchObject({ category: 'connection', retryable: true, retryAfterMs: 700 });
  });
  it('a restarting target is away for a while', () => {
    const rejected = createError('ERR_RESTARTING', { target: 't', retryAfterMs: 40 });
    expect(classify(rejected)).toMatchObject({ retryable: true, retryAfterMs: 40 });
  });
  it("a caller's own abort and a shutdown are never fought", () => {
    for (const code of ['ERR_CALL_ABORTED', 'ERR_JOB_ABORTED', 'ERR_STOPPING', 'ERR_POOL_DRAINING'] as const)
      expect(short(createError(code, {}))).toBe('system/minor/abandon');
  });
});
