/** A machine as a Mermaid diagram: what it shows is what the machine has, in words that Mermaid can read. */
import { describe, expect, it } from 'vitest';
import { type AnyStateMachine, createMachine } from 'xstate';
import { circuitBreakerMachine } from '../../actors/circuit-breaker.machine.ts';
import { poolWorkerMachine } from '../../actors/pool-worker.machine.ts';
import { type DrawnNode, toMermaid } from '../../src/chart/mermaid.ts';
import { drawChart } from '../../src/testing/arbitrary-chart.ts';

/** Every line that a diagram may have. */
const LINES = [
  /^stateDiagram-v2$/,
  /^ +state "[^":;{}<>%\\]*(#\d+;[^":;{}<>%\\]*)*" as [A-Za-z_]\w*( \{)?$/,
  /^ +(\[\*\]|[A-Za-z_]\w*) --> (\[\*\]|[A-Za-z_]\w*)( : ([^:;{}<>%"\\]|#\d+;)+)?$/,
  /^ +(--|\})$/,
  /^$/,
];

const nodesOf = (node: DrawnNode): readonly DrawnNode[] => [
  node,
  ...Object.values(node.states).flatMap(nodesOf),
];

const rootOf = (machine: AnyStateMachine): DrawnNode => machine.root as unknown as DrawnNode;

/** What a diagram shows, counted; and whether each line is one that Mermaid knows. */
const read = (machine: AnyStateMachine) => {
  const lines = toMermaid(machine as never).split('\n');
  for (const line of lines)
    expect(
      LINES.some((known) => known.test(line)),
      line,
    ).toBe(true);
  const ids = lines.flatMap((line) => / as (\w+)/.exec(line)?.[1] ?? []);
  expect(new Set(ids).size).toBe(ids.length);
  const arrows = lines.flatMap((line) => {
    const [, from, to, label = ''] = /^ +(\S+) --> (\S+)(?: : (.*))?$/.exec(line) ?? [];
    return from === undefined ? [] : [{ from, to, labels: label.split(', ') }];
  });
  for (const { from, to } of arrows) for (const id of [from, to]) if (id !== '[*]') expect(ids).toContain(id);
  expect(lines.filter((line) => line.endsWith('{'))).toHaveLength(
    lines.filter((line) => line.trim() === '}').length,
  );
  return { lines, ids, arrows };
};

describe('toMermaid', () => {
  it('draws the breaker', () => {
    const { arrows } = read(circuitBreakerMachine as never);
    expect(arrows).toContainEqual({
      from: 'open',
      to: 'half_open',
      labels: ['wait.elapsed [waitIsOver]', 'check.succeeded'],
    });
    expect(arrows).toContainEqual({ from: 'any_state', to: 'disposed', labels: ['dispose'] });
    expect(arrows).toContainEqual({ from: '[*]', to: 'closed', labels: [''] });
  });

  it('draws regions side by side', () => {
    const { lines, arrows } = read(poolWorkerMachine as never);
    expect(lines.filter((line) => line.trim() === '--')).toHaveLength(1);
    expect(arrows).toContainEqual({ from: '[*]', to: 'health_unknown', labels: [''] });
  });

  it('names timers, completion and eventless transitions, and escapes what Mermaid would take for its own', () => {
    const machine = createMachine({
      id: 'odd',
      initial: 'end',
      states: {
        end: { after: { 100: 'a:b', slow: 'a_b' }, on: { 'x;y': { actions: () => {} } } },
        'a:b': { initial: 'c', states: { c: { type: 'final' } }, onDone: 'a_b' },
        a_b: {
          always: {
            target: 'end',
            guard: function isLate() {
              return true;
            },
          },
        },
      },
    });
    const { lines, arrows } = read(machine);
    expect(lines.join('\n')).toContain('state "a#58;b" as a_b {');
    expect(lines.join('\n')).toContain('state "a_b" as a_b_2');
    expect(arrows).toEqual(
      expect.arrayContaining([
        { from: 'end_2', to: 'a_b', labels: ['after 100 ms'] },
        { from: 'end_2', to: 'a_b_2', labels: ['after slow'] },
        { from: 'end_2', to: 'end_2', labels: ['x#59;y'] },
        { from: 'a_b', to: 'a_b_2', labels: ['when done'] },
        { from: 'a_b_2', to: 'end_2', labels: ['always [isLate]'] },
        { from: 'a_b_c', to: '[*]', labels: [''] },
      ]),
    );
  });

  it('shows each state once and each transition once, of any machine', () => {
    for (let seed = 1; seed <= 50; seed++) {
      const { machine } = drawChart(
        Array.from({ length: 120 }, (_, at) => (seed * 31 + at * at * 7 + at * seed) % 97),
      );
      const { ids, arrows } = read(machine);
      const all = nodesOf(rootOf(machine));
      const anywhere = ids.filter((id) => id.startsWith('any_state')).length;
      const drawnRoot = toMermaid(machine as never).includes(`state "${machine.root.key}" as`) ? 1 : 0;
      expect(drawnRoot).toBeGreaterThanOrEqual(rootOf(machine).type === 'parallel' ? 1 : 0);
      expect(ids).toHaveLength(all.length - 1 + anywhere + drawnRoot);
      const transitions = all.flatMap((node) => [
        ...[...node.transitions.values()].flat(),
        ...(node.always ?? []),
      ]);
      const shown = arrows.filter(({ labels }) => labels[0] !== '').flatMap(({ labels }) => labels);
      const targets = transitions.map(({ target }) => Math.max(1, target?.length ?? 0));
      expect(shown).toHaveLength(targets.reduce((sum, count) => sum + count, 0));
      expect(toMermaid(machine as never)).toBe(toMermaid(machine as never));
    }
  });
});
