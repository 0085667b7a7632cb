import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { folder, start, unopened } from './javascript-stage.ts';
import type { DrivenKernel, Failure } from './kernel-driver.ts';

describe('before it is open', () => {
  it('a session answers pings, refuses jobs, and leaves when it is told to', async () => {
    const kernel = unopened();
    await kernel.worker.until('ready');
    kernel.worker.port.ping(1);
    await kernel.worker.until('pong', ([, id]) => id === 1);
    expect(await kernel.run('1')).toMatchObject({ type: 'NotOpen' });
    expect(await kernel.job('namespace', { action: 'list' })).toMatchObject({ type: 'NotOpen' });
    kernel.worker.port.close();
    expect(await kernel.worker.end()).toMatchObject({ code: 0 });
    const other = await start();
    expect(await other.job('open', { session: 'again' })).toMatchObject({ type: 'AlreadyOpen' });
  });
});

describe('a JavaScript session', () => {
  let kernel: DrivenKernel;
  beforeAll(async () => {
    kernel = unopened();
    const info = await kernel.open();
    expect(info).toMatchObject({ language: 'javascript', pid: kernel.worker.port.pid });
  });
  afterAll(() => kernel.end());

  const failure = async (code: string, more = {}) => (await kernel.run(code, more)) as Failure;

  it('announces what it can do and which jobs it takes', async () => {
    const [, info] = await kernel.worker.until('ready');
    expect(info.capabilities).toEqual(['stream', 'progress', 'interrupt', 'session']);
    expect(info.handlers).toEqual(expect.arrayContaining(['open', 'execute', 'checkpoint', 'stats']));
  });

  it('keeps names of every kind, which may be declared again', async () => {
    await kernel.run(
      'let a = 1; const b = [a], { c, ...d } = { c: 2, e: 3 }; var f = 4; class G { h() { return c; } }',
    );
    expect(await kernel.value('[a, b, c, d, f, new G().h()]')).toEqual([1, [1], 2, { e: 3 }, 4, 2]);
    await kernel.run('const a = "again"; let G = 5; function f() { return a }');
    expect(await kernel.value('f() + G')).toBe('again5');
    await kernel.run('for (var turns = 0; turns < 3; turns++) { let inner = turns }');
    expect(await kernel.value('[turns, typeof inner]')).toEqual([3, 'undefined']);
  });

  it('has functions call the function that bears a name now, and knows them before the first statement', async () => {
    await kernel.run(
      'const early = twice(2); function twice(n) { return helper(n) } function helper(n) { return 2 * n }',
    );
    await kernel.run('function helper(n) { return 20 * n }');
    expect(await kernel.value('[early, twice(2)]')).toEqual([4, 40]);
  });

  it.each([
    ['await Promise.resolve(1)', 'top_level_await'],
    ['[await 1].map((x) => x)', 'top_level_await'],
    ['for await (const x of [1]) x', 'top_level_await'],
    ['import { join } from "node:path"', 'top_level_await'],
    ['async () => await 1', 'async_def'],
    ['class A1 { async m() { await 1 } }', 'async_def'],
    ['require("fs").readFileSync("/dev/null")', 'blocking_sync'],
    ['require("child_process")', 'blocking_sync'],
    ['function prompt2() {} prompt2()', 'simple_sync'],
    ['const sleep = () => 1; sleep()', 'simple_sync'],
    ['1 + 1', 'simple_sync'],
  ])('finds the mode of %s', async (code, mode) => {
    expect(await kernel.run(code)).toMatchObject({ mode });
  });

  it('really awaits at the top level, and keeps the names declared there', async () => {
    const code =
      'const got = await new Promise((r) => setTimeout(r, 5, "later")); let { x1 } = await { x1: 1 }; got + x1';
    expect(await kernel.run(code)).toMatchObject({ mode: 'top_level_await', value: 'later1' });
    expect(await kernel.value('got')).toBe('later');
    expect(
      await kernel.value('const r1 = []; for await (const x of [Promise.resolve(1), 2]) r1.push(x); r1'),
    ).toEqual([1, 2]);
  });

  it('evaluates the last expression once, and gives a promise as a promise', async () => {
    await kernel.run('var count1 = 0');
    expect(await kernel.value('++count1')).toBe(1);
    expect(await kernel.value('await 1; ++count1')).toBe(2);
    expect(await kernel.run('await 1; Promise.resolve(5)')).toMatchObject({
      type: 'Promise',
      serialisable: false,
    });
    expect(await kernel.value('count1')).toBe(2);
  });

  it('takes braces for an object where they are one, and for a block where they are not', async () => {
    expect(await kernel.value('{ a: 1 }')).toEqual({ a: 1 });
    expect(await kernel.run('{ let a9 = 1; a9 }')).toMatchObject({ hasValue: false });
  });

  it('shows values that are no JSON', async () => {
    for (const [code, repr] of [
      ['new Map([[1, 2]])', 'Map(1) { 1 => 2 }'],
      ['10n', '10n'],
      ['NaN', 'NaN'],
      ['(() => 1)', '[Function (anonymous)]'],
      ['const ring = {}; ring.ring = ring; ring', '<ref *1> { ring: [Circular *1] }'],
      ['({ get a() { throw new Error("no") } })', '{ a: [Getter] }'],
      ['({ constructor: 1 })', '{ constructor: 1 }'],
    ])
      expect(await kernel.run(code as string)).toMatchObject({
        hasValue: true,
        value: null,
        serialisable: false,
        repr,
      });
    expect(await kernel.run('undefined')).toMatchObject({ hasValue: false });
    expect(await kernel.run('null')).toMatchObject({ hasValue: true, value: null, serialisable: true });
    expect(
      await kernel.run('({ [require("util").inspect.custom]() { throw new Error("sulks") } })'),
    ).toMatchObject({
      repr: expect.stringContaining('sulks'),
    });
  });

  it('tells errors with the frames of the user’s code only, on the lines that were written', async () => {
    await kernel.run('function fails() {\n  for (const x of [1]) {\n    throw new RangeError("deep") } }', {
      filename: 'lib.js',
    });
    const told = await failure('\n\nfails()');
    expect(told).toMatchObject({ type: 'RangeError', message: 'deep' });
    expect(told.traceback).toMatch(/at fails \(lib\.js:3:\d+\)\n {4}at <input-\d+>:3:\d+$/);
    expect(
      (await failure('await 1;\nthrow new Error("late", { cause: new TypeError("why") })')).traceback,
    ).toMatch(/<input-\d+>:2:[\s\S]*Caused by: TypeError: why/);
    expect(await failure('throw 42')).toMatchObject({ type: 'number', message: 'thrown: 42' });
    expect(await failure('x.y.(')).toMatchObject({ type: 'SyntaxError' });
    expect(await failure('let q1; let q1')).toMatchObject({
      type: 'SyntaxError',
      message: expect.stringContaining('q1'),
    });
    expect(await failure('require("./absent.js")')).toMatchObject({
      message: expect.stringContaining('absent.js'),
    });
  });

  it('survives deep recursion', async () => {
    expect(await failure('(function deep() { deep(); deep() })()')).toMatchObject({ type: 'RangeError' });
    expect(await failure(`${'('.repeat(20_000)}1${')'.repeat(20_000)}`)).toMatchObject({
      type: 'RangeError',
    });
    expect(await kernel.value('1')).toBe(1);
  });

  it('numbers the values of expressions, and only those', async () => {
    const fresh = await start();
    for (const code of ['1', '2', 'x = 9', 'undefined', '3', 'let y = 4', '4']) await fresh.run(code);
    expect(await fresh.value('[_, __, ___, Out.length, Out[3], In[0], _i]')).toEqual([
      4,
      3,
      2,
      4,
      4,
      '1',
      '4',
    ]);
    expect(await fresh.run('_ = 1')).toMatchObject({ type: 'TypeError' });
    expect(await fresh.run('Out.push(1)')).toMatchObject({ type: 'TypeError' });
    expect(await fresh.job('history', { from: 1, to: 2 })).toEqual([
      { index: 1, code: '2', repr: '2' },
      { index: 2, code: '3', repr: '3' },
    ]);
  });

  it('imports relative to its folder, in all ways', async () => {
    writeFileSync(join(folder, 'part.mjs'), 'export const one = 1; export default 2;');
    writeFileSync(join(folder, 'part.cjs'), 'module.exports = { three: 3 };');
    writeFileSync(join(folder, 'data.json'), '{"four":4}');
    await kernel.run('import two, { one as uno } from "./part.mjs"; import * as all from "./part.mjs"');
    expect(await kernel.value('[uno, two, all.one, require("./part.cjs").three]')).toEqual([1, 2, 1, 3]);
    expect(await kernel.value('(await import("./data.json", { with: { type: "json" } })).default.four')).toBe(
      4,
    );
    expect(await failure('import { absent } from "./part.mjs"')).toMatchObject({ type: 'SyntaxError' });
    expect(await kernel.value('import.meta.dirname')).toBe(folder);
  });

  it('keeps background work and says what goes wrong in it, in the next execution', async () => {
    const first = kernel.begin(
      'setTimeout(() => { console.log("from behind"); throw new Error("behind") }, 1); Promise.reject(new Error("floating")); 1',
    );
    await kernel.worker.answer(first);
    const job = kernel.begin('await new Promise((r) => setTimeout(r, 20)); console.log("in front")');
    expect(await kernel.worker.answer(job)).toMatchObject({ hasValue: false });
    const all = kernel.printed(first) + kernel.printed(job);
    expect(all).toContain('Error: floating');
    expect(all.indexOf('from behind')).toBeGreaterThanOrEqual(0);
    expect(all.indexOf('from behind')).toBeLessThan(all.indexOf('Error: behind'));
    expect(all.indexOf('Error: behind')).toBeLessThan(all.indexOf('in front'));
  });

  it('keeps a bounded part of what is printed while nothing is executed, and tells what it dropped', async () => {
    const fresh = await start();
    const noise =
      'Promise.resolve().then(() => { for (let i = 0; i < 2000; i++) i % 2 ? console.log(i) : console.error(i) })';
    await fresh.run(noise);
    const job = fresh.begin('1');
    await fresh.worker.answer(job);
    const chunks = fresh.chunks(job, 'output');
    expect(chunks).toHaveLength(1_024);
    expect(chunks[0]?.dropped).toBe(2_000 - 1_024);
    expect(chunks.at(-1)?.text).toBe('1999\n');
    expect(await fresh.job('stats')).toMatchObject({ droppedChunks: 2_000 - 1_024 });
  });

  it('keeps the order of both streams, and everything before the answer', async () => {
    const job = kernel.begin(
      'for (let i = 0; i < 300; i++) i % 3 ? console.log(i) : console.error(i); "done"',
    );
    await kernel.worker.answer(job);
    const told = kernel.told.filter((each) => each[1] === job).map(([kind]) => kind);
    expect(told.at(-1)).toBe('succeeded');
    const lines = kernel.printed(job).trim().split('\n').map(Number);
    expect(lines).toEqual(Array.from({ length: 300 }, (_, i) => i));
  });

  it('never splits a character, neither by size nor by how it was printed', async () => {
    const job = kernel.begin(
      'const text9 = "a" + "😀ä".repeat(60000); process.stdout.write(text9); process.stdout.write("\\n\\ud83d"); process.stdout.write("\\ude00"); for (const byte of Buffer.from("é€")) process.stdout.write(Buffer.of(byte))',
    );
    await kernel.worker.answer(job);
    expect(kernel.printed(job)).toBe(`a${'😀ä'.repeat(60_000)}\n😀é€`);
    for (const { text } of kernel.chunks(job, 'output')) {
      expect(Buffer.byteLength(text as string)).toBeLessThanOrEqual(65_536);
      expect(text).not.toMatch(/^[\udc00-\udfff]|[\ud800-\udbff]$/);
    }
  });

  it('takes output by every way of Node’s, also of processes that it starts', async () => {
    const job = kernel.begin(`
      const fs9 = require('node:fs'); const cp9 = require('node:child_process');
      fs9.writeSync(1, 'one\\n'); fs9.writeFileSync('/dev/stderr', 'two\\n');
      cp9.execSync('echo three; echo four >&2', { stdio: 'inherit' });
      const shell9 = cp9.spawn('sh', ['-c', 'echo five; echo six >&2'], { stdio: 'inherit' });
      await new Promise((r) => shell9.on('close', r));
      cp9.execFileSync('echo', ['seven'])+''`);
    expect(await kernel.worker.answer(job)).toMatchObject({ value: 'seven\n' });
    expect(kernel.printed(job, 'stdout')).toBe('one\nthree\nfive\n');
    expect(kernel.printed(job, 'stderr')).toBe('two\nfour\nsix\n');
  });

  it('takes no harm from code that closes descriptors or prints frames', async () => {
    const job = kernel.begin(
      'const fs8 = require("fs"); for (const fd of [0, 1, 2, 3, 4]) try { fs8.closeSync(fd) } catch (e) { console.log(fd, e.code) }\nprocess.stdout.write(Buffer.from([0, 0, 0, 2, 123, 125])); try { fs8.writeSync(4, "x") } catch (e) { console.log(e.code) }',
    );
    await kernel.worker.answer(job);
    expect(kernel.printed(job)).toBe('0 EBADF\n3 EBADF\n4 EBADF\n\u0000\u0000\u0000\u0002{}EBADF\n');
    expect(await kernel.value('2')).toBe(2);
    expect(kernel.worker.all('broke')).toEqual([]);
  });

  it('asks for input, in both ways, one at a time', async () => {
    const job = kernel.begin(
      'const said = [prompt("Name? ")]; said.push(await input("Word? ", { secret: true })); said',
    );
    const first = await kernel.chunk(job, ({ kind }) => kind === 'input');
    expect(first).toMatchObject({ prompt: 'Name? ', secret: false });
    expect(await kernel.job('input_response', { execution: 'e', request: 9_999, text: 'x' })).toBe(false);
    expect(await kernel.job('input_response', { execution: 'e', request: first.request, text: 'Ada' })).toBe(
      true,
    );
    const second = await kernel.chunk(job, ({ kind, secret }) => kind === 'input' && secret === true);
    expect(await kernel.job('input_response', { execution: 'e', request: first.request, text: 'x' })).toBe(
      false,
    );
    expect(await kernel.job('input_response', { execution: 'e', request: second.request, text: null })).toBe(
      true,
    );
    expect(await kernel.worker.answer(job)).toMatchObject({ value: ['Ada', null] });
    const both = kernel.begin(
      'const one9 = input("1"); try { await input("2") } catch (e) { console.log(e.message) } await one9',
    );
    const asked = await kernel.chunk(both, ({ kind }) => kind === 'input');
    await kernel.chunk(both, ({ text }) => text?.includes('only one at a time') === true);
    await kernel.job('input_response', { execution: 'e', request: asked.request, text: '1' });
    expect(await kernel.worker.answer(both)).toMatchObject({ value: '1' });
  });

  it('gives lines to whoever reads the standard input', async () => {
    const job = kernel.begin(
      'const rl9 = require("readline/promises").createInterface({ input: process.stdin }); const line9 = await rl9.question("? "); rl9.close(); line9',
    );
    const { request } = await kernel.chunk(job, ({ kind }) => kind === 'input');
    await kernel.job('input_response', { execution: 'e', request, text: 'typed' });
    expect(await kernel.worker.answer(job)).toMatchObject({ value: 'typed' });
  });

  it('ends no session by process.exit', async () => {
    expect(await failure('process.exit(3)')).toMatchObject({
      message: expect.stringContaining('closing it'),
    });
    expect(await kernel.value('3')).toBe(3);
  });

  it('lists, gives, merges and deletes names, by strategy', async () => {
    const fresh = await start();
    const names = (args: Readonly<Record<string, unknown>>) => fresh.job('namespace', args);
    await fresh.run('var a = 1; var list = [1, 2]; var same = globalThis; function fun() {}');
    expect(await names({ action: 'list' })).toEqual(
      expect.arrayContaining([
        { name: 'a', type: 'number', size: 8, repr: '1' },
        expect.objectContaining({ name: 'fun', type: 'function' }),
      ]),
    );
    expect(await names({ action: 'get', names: ['a', 'fun', 'none'] })).toEqual({
      a: { value: 1, serialisable: true, repr: '1', type: 'number' },
      fun: { value: null, serialisable: false, repr: '[Function: fun]', type: 'function' },
    });
    const values = { a: 2, list: [], fresh: null, _: 7, Out: 8 };
    expect(await names({ action: 'merge', values, strategy: 'preserve' })).toEqual({ changed: ['fresh'] });
    expect(await names({ action: 'merge', values, strategy: 'smart' })).toEqual({ changed: ['a'] });
    expect(await names({ action: 'merge', values: { list: 5 } })).toEqual({ changed: ['list'] });
    expect(await names({ action: 'delete', names: ['a', '_', 'In'] })).toEqual({ changed: ['a'] });
    expect(await fresh.value('[typeof a, list, same === globalThis]')).toEqual(['undefined', 5, true]);
    await names({ action: 'clear' });
    expect(await names({ action: 'list' })).toEqual([]);
    expect(await fresh.value('[typeof fun, typeof Out, typeof require]')).toEqual([
      'undefined',
      'object',
      'function',
    ]);
  });

  it('rolls transactions back, deeply', async () => {
    await kernel.run('var kept9 = { list: [1] }; var shared9 = kept9.list');
    const failed = 'kept9.list.push(2); var fresh9 = 1; throw new Error("no")';
    await kernel.run(failed, { transaction: 'rollback_on_failure' });
    expect(await kernel.value('[kept9, kept9.list === shared9, typeof fresh9]')).toEqual([
      { list: [1] },
      true,
      'undefined',
    ]);
    await kernel.run('kept9.list.push(3)', { transaction: 'rollback_on_failure' });
    const always = await kernel.run('kept9 = 0; 5', { transaction: 'rollback_always' });
    expect(always).toMatchObject({ value: 5, changed: [] });
    await kernel.run(failed);
    expect(await kernel.value('kept9.list')).toEqual([1, 3, 2]);
  });

  it('keeps what it can of its names in a checkpoint, and says what is lost', async () => {
    const fresh = await start();
    await fresh.run(
      'var m = new Map([[{ a: 1 }, new Date(5)]]); var big = 7n; var f = () => 1; class K {} var k = [new K()]; var p = Promise.resolve()',
    );
    const taken = (await fresh.job('checkpoint')) as {
      format: string;
      data: object;
      kept: string[];
      lost: object[];
    };
    expect([...taken.kept].sort()).toEqual(['big', 'm']);
    expect(taken.lost).toEqual(
      expect.arrayContaining([
        { name: 'f', why: 'functions cannot be kept' },
        { name: 'k', why: 'a K cannot be kept' },
        { name: 'p', why: 'a Promise cannot be kept' },
      ]),
    );
    const other = await start();
    const restored = await other.job('restore', {
      format: taken.format,
      data: { ...taken.data, bad: 'AAAA' },
    });
    expect(restored).toMatchObject({ restored: ['m', 'big'], lost: [{ name: 'bad' }] });
    expect(await other.run('[m, big]')).toMatchObject({
      repr: '[ Map(1) { { a: 1 } => 1970-01-01T00:00:00.005Z }, 7n ]',
    });
    expect(await other.job('restore', { format: 'pickle', data: {} })).toMatchObject({
      type: 'InvalidArguments',
    });
  });

  it('looks programs up before it parses them, and keeps a hundred', async () => {
    const fresh = await start();
    for (let i = 0; i < 101; i++) await fresh.run(`${i}`);
    for (const code of ['100', '1', '0']) await fresh.run(code);
    expect(await fresh.job('stats')).toMatchObject({
      executions: 104,
      cache: { hits: 2, misses: 102, size: 100 },
    });
  });
});
