import { describe, expect, it } from 'vitest';
import { application } from '../../src/application/application.ts';
import { resource } from '../../src/application/resource.ts';
import { createError, plainText, show } from '../../src/base/errors.ts';
import { fits, integer, listOf, refuse, resolveOptions, text } from '../../src/base/options.ts';
import { actor } from '../../src/kernel/actor.ts';
import { describeReason } from '../../src/kernel/reason.ts';
import { server } from '../../src/kernel/server.ts';
import { createCircuitBreaker } from '../../src/resilience/circuit-breaker.ts';
import { circuitBreaker } from '../../src/resilience/circuit-breaker-spec.ts';
import { supervisor } from '../../src/supervision/supervisor.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';
import { childProcess } from '../../src/work/child-process.ts';
import { inProcess } from '../../src/work/in-process.ts';

/** What running it raised. */
const raised = (run: () => unknown): { code: string; message: string; data: Record<string, unknown> } => {
  try {
    run();
  } catch (error) {
    return error as never;
  }
  throw new Error('nothing was raised');
};

const refusalOf = (value: unknown): string => raised(() => refuse('here', 'x', 'right', value)).message;

describe('what a refusal says it got', () => {
  it('tells a string from what is written the same', () => {
    expect(refusalOf('5')).toBe("here: x must be right, got '5' [ERR_OPTION_INVALID]");
    expect(refusalOf(5)).toBe('here: x must be right, got 5 [ERR_OPTION_INVALID]');
  });

  it('shows what is empty', () => {
    expect(refusalOf('')).toContain("got '' [");
    expect(refusalOf([])).toContain('got [] [');
    expect(refusalOf({})).toContain('got {} [');
  });

  it('shows lists as lists, and cuts what is long', () => {
    expect(refusalOf(['a', 1])).toContain("got ['a', 1] [");
    expect(refusalOf([1, 2, 3, 4, 5, 6, 7])).toContain('got [1, 2, 3, 4, 5, 6, …] [');
    expect(refusalOf('x'.repeat(500)).length).toBeLessThan(160);
  });
});

describe('the rule of a list', () => {
  it('speaks of several', () => {
    expect(listOf(text).expected).toBe('an array of non-empty strings');
    expect(listOf(integer(1, 5)).expected).toBe('an array of whole numbers from 1 to 5');
    expect(listOf(fits('a spec', () => true)).expected).toBe('an array, each a spec');
    expect(raised(() => supervisor('s', { children: [5] as never })).message).toBe(
      'supervisor s: children must be an array of specs, got [5] [ERR_OPTION_INVALID]',
    );
    const tree = supervisor('s', { children: [] });
    expect(raised(() => application(tree, { resources: [tree] as never })).message).toContain(
      'an array of resources, got',
    );
    const wants = { open: () => 1, close: () => 1, dependsOn: ['x'] as never };
    expect(raised(() => resource('r', wants)).message).toContain('an array of resources and specs, got [');
  });
});

describe('what a first use gets wrong is refused by the name of its field', () => {
  const cases: readonly [what: string, field: string, run: () => unknown][] = [
    ['an actor of a function', 'logic', () => actor('x', (() => 1) as never)],
    ['an actor of nothing', 'logic', () => actor('x', undefined as never)],
    ['a breaker without an id', 'id', () => (circuitBreaker as () => unknown)()],
    ['a breaker whose id was forgotten', 'id', () => circuitBreaker({ openMs: 5 } as never)],
    ['inProcess without options', 'handlers', () => (inProcess as () => unknown)()],
    ['inProcess without handlers', 'handlers', () => inProcess({} as never)],
    ['a module somewhere else', 'module', () => childProcess({ module: new URL('http://a.b/c.js') })],
    ['such a module as a string', 'module', () => childProcess({ module: 'https://a.b/c.js' })],
    ['a handler of calls that is none', 'call.a', () => server({ init: () => 1, call: { a: 5 } as never })],
    ['a handler of tells that is none', 'cast.b', () => server({ init: () => 1, cast: { b: '' } as never })],
    ['a server without init', 'init', () => server({} as never)],
  ];
  it.each(cases)('%s: %s', (_what, field, run) => {
    const { code, data } = raised(run);
    expect(code).toBe('ERR_OPTION_INVALID');
    expect(data['field']).toBe(field);
  });

  it('a signal that no process can catch', async () => {
    const app = application(supervisor('s', { children: [] }), { host: new SimulatedHost() });
    for (const signal of ['SIGKILL', 'SIGSTOP', 'SIGNOT'])
      await expect(app.run({ signals: [signal as never] })).rejects.toMatchObject({
        code: 'ERR_OPTION_INVALID',
        message: expect.stringContaining('an array of signals that a process can catch'),
        data: { field: 'signals' },
      });
  });
});

describe('the code at the end of a message', () => {
  const inner = createError('ERR_NOPROC', { target: 'a' });

  it('is left out where the message is quoted in another', () => {
    expect(plainText(inner)).toBe('a is not alive');
    expect(show(inner)).toBe('CallError: a is not alive');
    expect(describeReason({ error: inner })).toBe('error: a is not alive');
    const outer = createError('ERR_INIT_FAILED', { target: 'b', reason: describeReason({ error: inner }) });
    expect(outer.message).toBe('b failed to start: error: a is not alive [ERR_INIT_FAILED]');
  });
});

describe('the limit that is never reached', () => {
  it('is refused with what helps', () => {
    const { message } = raised(() => {
      const child = actor('c', server({ init: () => 1 }), { backoff: { baseMs: 60_000 } });
      supervisor('s', { children: [child], intensity: 3, periodMs: 5_000 });
    });
    expect(message).toContain('ERR_INTENSITY_UNREACHABLE');
    expect(message).toContain('shorten the backoff, lengthen periodMs, or set giveUp');
  });
});

describe('an unknown option', () => {
  it('of a guarded call comes with the one that was meant', async () => {
    const breaker = createCircuitBreaker({ host: new SimulatedHost() });
    await expect(breaker.execute(() => 1, { timeout: 4 } as never)).rejects.toMatchObject({
      code: 'ERR_OPTION_UNKNOWN',
      message: expect.stringContaining('unknown option timeout (did you mean timeoutMs?)'),
    });
  });

  it('of resolveOptions does so too', () => {
    expect(raised(() => resolveOptions('here', { nam: 1 }, { name: text }, {})).message).toContain(
      'did you mean name?',
    );
  });
});
