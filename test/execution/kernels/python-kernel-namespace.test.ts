/** The session kernel for Python, real, over its port: its names, carrying them elsewhere, and what code may do. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { requires } from '../../requirements.ts';
import { type PythonSession, PythonSessions } from './python-session.ts';

const sessions = new PythonSessions();

describe.skipIf(requires('python3').skip)('the namespace of the session kernel for Python', () => {
  let session: PythonSession;
  let bound: PythonSession;

  beforeAll(async () => {
    session = await sessions.start();
  });

  afterEach(() => sessions.sweep([session, bound]));
  afterAll(() => sessions.close());

  describe('the namespace', () => {
    const keep = (action: string, more: object = {}) => session.ask('namespace', { action, ...more });

    it('keeps its identity across merging, clearing and executing', async () => {
      await session.run('import builtins; builtins.first = globals(); x = 1');
      await keep('merge', { values: { y: [1] } });
      expect(await keep('clear')).toMatchObject({ changed: expect.arrayContaining(['x', 'y']) });
      expect(await session.value('first is globals() and "x" not in globals()')).toBe(true);
    });

    it('gives protected names back: user code may use them, not keep them', async () => {
      await session.run('5');
      await session.run('for _ in range(3): pass\nIn = Out = 0');
      expect(await session.value('[_, type(In) is dict]')).toEqual([5, true]);
      expect(await keep('merge', { values: { Out: 1, _exit_code: 2, fine: 3 } })).toEqual({
        changed: ['fine'],
      });
      expect(await keep('delete', { names: ['Out', 'fine'] })).toEqual({ changed: ['fine'] });
    });

    it.each([
      ['overwrite', { a: null, b: '', c: 2, d: 4 }, ['a', 'b', 'd']],
      ['preserve', { a: null, b: '', c: 2, d: 4 }, ['d']],
      ['smart', { a: null, b: '', c: 3, d: 4 }, ['c', 'd']],
    ])('merges by %s and tells what really changed', async (strategy, values, changed) => {
      await keep('clear');
      await session.run('a = 1; b = "text"; c = 2');
      expect(await keep('merge', { values, strategy })).toEqual({ changed });
    });

    it('lists names with types, sizes and what they are; gets values', async () => {
      await keep('clear');
      await session.run('n = 5; o = object()');
      expect(await keep('list')).toMatchObject([
        { name: 'n', type: 'int', size: expect.any(Number), repr: '5' },
        { name: 'o', type: 'object' },
      ]);
      expect(await keep('get', { names: ['n', 'o', 'none'] })).toMatchObject({
        n: { value: 5, serialisable: true },
        o: { value: null, serialisable: false },
      });
    });

    it('rolls back what the transaction says', async () => {
      await session.run('x = 1; y = [1]');
      expect(await session.run('x = 2; 1 / 0', { transaction: 'commit_always' })).toMatchObject({
        type: 'ZeroDivisionError',
      });
      await session.run('x = 3; y.append(2); z = 1; 1 / 0', { transaction: 'rollback_on_failure' });
      expect(await session.value('[x, y, "z" in globals()]')).toEqual([2, [1], false]);
      expect(await session.run('x = 4', { transaction: 'rollback_always' })).toMatchObject({ changed: [] });
      expect(await session.run('x = 5', { transaction: 'rollback_on_failure' })).toMatchObject({
        changed: ['x'],
      });
      expect(await session.value('x')).toBe(5);
    });
  });

  it('carries a namespace to another process, and says what it cannot carry', async () => {
    const from = await sessions.start();
    await from.run(
      'import math\nclass Box:\n    def __init__(self, n): self.n = n\ndef twice(n):\n    return 2 * n\nalso = twice; half = lambda n: n / 2\nbox = Box(7); data = {"é": [1, (2,)]}',
    );
    await from.run(
      'def local():\n    class Inner: pass\n    return Inner()\nfile = open("/dev/null"); inner = local(); big = "x" * 20_000_000\nimport threading; lock = threading.Lock()',
    );
    const taken = (await from.ask('checkpoint')) as {
      format: string;
      data: object;
      lost: { name: string; why: string }[];
    };
    expect(taken.lost.map(({ name }) => name).sort()).toEqual(['big', 'file', 'inner', 'lock']);
    expect(taken.lost.find(({ name }) => name === 'big')?.why).toMatch(/too large: \d+ bytes/);
    const to = await sessions.start();
    const { format, data } = taken;
    expect(await to.ask('restore', { format, data })).toMatchObject({ lost: [] });
    expect(
      await to.value('[box.n, twice(4), also is twice, half(4), math.floor(2.5), data, type(box) is Box]'),
    ).toEqual([7, 8, true, 2, 2, { é: [1, [2]] }, true]);
    expect(await to.ask('checkpoint', { names: ['twice', 'missing'] })).toMatchObject({
      kept: ['twice'],
      lost: [{ name: 'missing' }],
    });
    expect(await to.ask('restore', { format: 'other', data })).toMatchObject({ restored: [] });
  });

  describe('capabilities', () => {
    const inside = join(sessions.folder, 'inside');
    const policy = {
      level: 'standard',
      allow: ['store'],
      block: ['env'],
      roots: [{ path: inside, write: true }],
      hosts: ['*.example.org'],
      readMaxBytes: 100,
      input: false,
    };

    beforeAll(async () => {
      mkdirSync(inside, { recursive: true });
      writeFileSync(join(sessions.folder, 'outside.txt'), 'outside');
      writeFileSync(join(inside, 'here.txt'), 'here');
      writeFileSync(join(inside, 'large.txt'), 'x'.repeat(101));
      symlinkSync(join(sessions.folder, 'outside.txt'), join(inside, 'link'));
      symlinkSync(sessions.folder, join(inside, 'up'));
      bound = await sessions.start({ cwd: inside, open: { capabilities: policy } });
      bound.onChunk = (chunk) => {
        if (chunk.kind === 'request')
          bound.start('respond', { execution: 'asked', request: chunk['request'], value: chunk['args'] });
        return false;
      };
    });

    it.each([
      ['read_file("here.txt")', 'here'],
      ['open("here.txt").read()', 'here'],
      ['write_file("new.txt", "é"), read_file("new.txt")', [2, 'é']],
      ['store({"key": 1})', { key: 1 }],
      ['fetch("https://www.example.org/x")["url"]', 'https://www.example.org/x'],
    ])('allows %s, and is audited', async (code, value) => {
      const job = bound.begin(code, { execution: 'asked' });
      expect(await bound.answer(job)).toMatchObject({ value });
      expect(bound.chunks(job, 'audit')).not.toHaveLength(0);
      expect(bound.chunks(job, 'audit').every((chunk) => chunk['allowed'] === true)).toBe(true);
    });

    it.each([
      'read_file("link")',
      'read_file("up/outside.txt")',
      'open("../outside.txt")',
      'open("link", "w")',
      'write_file("up/made.txt", "x")',
      'open("../inside/../made.txt", "x")',
      'fetch("https://example.org.evil.net")',
      'fetch("file:///etc/passwd")',
      'approve("?")',
      'env("HOME")',
      'input()',
    ])('denies %s, and is audited', async (code) => {
      const job = bound.begin(code);
      expect(await bound.answer(job)).toMatchObject({ type: 'CapabilityDenied' });
      expect(bound.chunks(job, 'audit').at(-1)).toMatchObject({ allowed: false });
    });

    it('leaves what it denied untouched, and bounds what is read', async () => {
      expect(
        await bound.value(
          'import os; open.__module__, os.path.exists("../made.txt"), os.path.getsize("../outside.txt")',
        ),
      ).toMatchObject([expect.any(String), false, 7]);
      expect(await bound.run('read_file("large.txt")')).toMatchObject({
        type: 'OSError',
        message: expect.stringContaining('100 bytes'),
      });
    });

    it('keeps modules that lead outside from the lowest levels; unrestricted is the language as it is', async () => {
      const sandbox = await sessions.start({ open: { capabilities: { level: 'sandbox' } } });
      expect(await sandbox.run('import subprocess')).toMatchObject({ type: 'CapabilityDenied' });
      expect(await sandbox.run('import time')).toMatchObject({ type: 'CapabilityDenied' });
      expect(await sandbox.value('import json; json.dumps([1])')).toBe('[1]');
      const free = await sessions.start({ open: { capabilities: { level: 'unrestricted' } } });
      expect(await free.value('import builtins, io; open is io.open and __builtins__ is builtins')).toBe(
        true,
      );
    });

    it('shows things in order with what is printed', async () => {
      const job = bound.begin('print("a"); display({"text/html": "<b>"}); progress(0.5); print("b")');
      await bound.answer(job);
      const kinds = bound.chunks(job).map((chunk) => chunk.kind);
      expect(kinds.filter((kind) => kind !== 'audit')).toEqual(['output', 'display', 'progress', 'output']);
    });
  });
});
