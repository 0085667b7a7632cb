/** The traces recorded from Erlang/OTP, and what `npm run -s conform` does with scripts, good and bad. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { MalformedScript, parseScript } from './script-format.ts';
import { runScript, type Trace } from './script-runner.ts';
import { differenceOf, judge } from './trace-comparison.ts';

const lines = (name: string): string[] =>
  readFileSync(new URL(name, import.meta.url), 'utf8')
    .trim()
    .split('\n');

const scripts = lines('scripts.jsonl').map(parseScript);
const golden = new Map(
  lines('traces.jsonl')
    .map((line) => JSON.parse(line) as Trace)
    .map((trace) => [trace.id, trace]),
);

describe('the traces recorded from Erlang/OTP 25.2.3', () => {
  it('are 248, one for each script', () => {
    expect(scripts).toHaveLength(248);
    expect(new Set(scripts.map(({ id }) => id))).toEqual(new Set(golden.keys()));
  });

  it.each(scripts.map((script) => [script.id, script] as const))(
    'agree with ours: %s',
    async (id, script) => {
      const difference = differenceOf(script, golden.get(id) as Trace, await runScript(script));
      expect(difference).toBeUndefined();
    },
  );
});

describe('the traces recorded from Erlang/OTP 25.2.3 beyond that format', () => {
  const beyond = lines('beyond.jsonl').map(parseScript);
  const traces = lines('beyond-traces.jsonl').map((line) => JSON.parse(line) as Trace);

  it.each(beyond.map((script, i) => [script.id, script, i] as const))(
    'agree with ours: %s',
    async (_, script, i) => {
      expect(differenceOf(script, traces[i] as Trace, await runScript(script))).toBeUndefined();
    },
  );
});

describe.each(['links', 'names', 'held inits', 'templates in templates', 'several faults'])(
  'random scripts beyond that format, as Erlang/OTP 25.2.3 ran them: %s',
  (kind) => {
    const all = lines('widened.jsonl').map(parseScript);
    const traces = lines('widened-traces.jsonl').map((line) => JSON.parse(line) as Trace);
    const ofKind = all.flatMap((script, i) =>
      String(script.id).startsWith(kind) ? [[script.id, script, traces[i] as Trace] as const] : [],
    );

    it('are two dozen', () => {
      expect(ofKind).toHaveLength(24);
    });

    it.each(ofKind)('agree with ours: %s', async (_, script, trace) => {
      const { difference, openFrom } = judge(script, trace, await runScript(script));
      expect({ difference, openFrom }).toEqual({ difference: undefined, openFrom: undefined });
    });
  },
);

describe('a malformed script', () => {
  const worker = { id: 'w' };
  const tree = { id: 'root', type: 'supervisor', children: [worker] };
  const script = { id: 1, tree, ops: [] };
  it.each([
    ['script', 'no JSON'],
    ['id', JSON.stringify({ ...script, id: undefined })],
    ['tree', JSON.stringify({ ...script, tree: undefined })],
    ['tree.type', JSON.stringify({ ...script, tree: worker })],
    ['ops', JSON.stringify({ ...script, ops: {} })],
    ['extra', JSON.stringify({ ...script, extra: 1 })],
    ['tree.strategy', JSON.stringify({ ...script, tree: { ...tree, strategy: 'one' } })],
    ['tree.period', JSON.stringify({ ...script, tree: { ...tree, period: 0 } })],
    ['tree.children[0].init[1]', JSON.stringify({ ...script, tree: withChild({ init: ['ok', 'no'] }) })],
    ['tree.children[0].restart', JSON.stringify({ ...script, tree: withChild({ restart: 'often' }) })],
    ['tree.children[0].shutdwn', JSON.stringify({ ...script, tree: withChild({ shutdwn: 1 }) })],
    ['tree.children[0].significant', JSON.stringify({ ...script, tree: withChild({ significant: true }) })],
    [
      'tree.children',
      JSON.stringify({ ...script, tree: { ...tree, strategy: 'simple_one_for_one', children: [] } }),
    ],
    ['tree.children[1].id', JSON.stringify({ ...script, tree: { ...tree, children: [worker, worker] } })],
    ['ops[0].op', JSON.stringify({ ...script, ops: [{ op: 'explode' }] })],
    ['ops[0].path', JSON.stringify({ ...script, ops: [{ op: 'kill' }] })],
    ['ops[0].s', JSON.stringify({ ...script, ops: [{ op: 'advance', s: 0.5 }] })],
    ['ops[0].ops[1].op', JSON.stringify({ ...script, ops: [together('kill', 'link')] })],
    ['held[0][1].op', JSON.stringify({ ...script, held: [[{ op: 'which_children' }, { op: 'kill' }]] })],
    ['held[0][0].sup', JSON.stringify({ ...script, held: [[{ op: 'count_children', sup: 'root' }]] })],
    ['ops[0].spec.id', JSON.stringify({ ...script, ops: [{ op: 'start_child', sup: 'root', spec: {} }] })],
  ])('is refused by its field: %s', (field, line) => {
    const refused = ((): unknown => {
      try {
        return parseScript(line);
      } catch (error) {
        return error;
      }
    })();
    expect(refused).toBeInstanceOf(MalformedScript);
    expect((refused as MalformedScript).field).toBe(field);
  });

  it('is named by its line on stderr, prints nothing, and lets conform exit with 2', () => {
    const input = [JSON.stringify(script), '{"id":2}', JSON.stringify({ ...script, id: 3 })].join('\n');
    const repository = fileURLToPath(new URL('../../..', import.meta.url));
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ['--import', 'tsx', 'scripts/conform.ts'],
      { cwd: repository, input, encoding: 'utf8' },
    );
    expect(stderr).toBe('conform: line 2: tree: expected an object, got nothing\n');
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as Trace).id),
    ).toEqual([1, 3]);
    expect(status).toBe(2);
  });

  function together(...ops: string[]): object {
    return { op: 'together', ops: ops.map((op) => ({ op, path: 'root/w' })) };
  }

  function withChild(fields: object): object {
    return { ...tree, children: [{ ...worker, ...fields }] };
  }
});
