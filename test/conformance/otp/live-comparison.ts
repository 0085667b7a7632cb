/**
 * Fresh random scripts on Erlang and on troupe. A mismatch is made small: whatever can be taken out of its script without the
 * two agreeing is taken out, all candidates of a round in one Erlang.
 */
import fc from 'fast-check';
import { runOnErlang } from './erlang.ts';
import type { Script, ScriptNode, ScriptOp } from './script-format.ts';
import { scripts } from './script-generator.ts';
import { runScript, type Trace } from './script-runner.ts';
import { type Difference, differenceOf } from './trace-comparison.ts';

export interface Mismatch {
  readonly script: Script;
  readonly difference: Difference;
}

export interface Comparison {
  readonly release: string;
  readonly runs: number;
  readonly mismatches: readonly Mismatch[];
}

/** Rounds of making one mismatch smaller. */
const ROUNDS = 40;

/** Compares scripts that are given. */
export const compareScripts = async (given: readonly Script[]): Promise<Comparison> => {
  const { release, traces } = runOnErlang(given);
  const mismatches: Mismatch[] = [];
  for (const [i, script] of given.entries()) {
    const difference = differenceOf(traces[i] as Trace, await runScript(script));
    if (difference !== undefined) mismatches.push({ script, difference });
  }
  return { release, runs: given.length, mismatches };
};

/** Compares fresh ones. */
export const compareFresh = (options: {
  readonly runs: number;
  readonly seed: number;
}): Promise<Comparison> => {
  const { runs, seed } = options;
  return compareScripts(fc.sample(scripts, { numRuns: runs, seed }).map((script, id) => ({ ...script, id })));
};

const without = <T>(items: readonly T[], at: number): readonly T[] => items.filter((_, i) => i !== at);

/** A node with one child, or one key, fewer. */
const smallerNodes = (node: ScriptNode, isRoot = false): readonly ScriptNode[] => {
  const children = node.children ?? [];
  const fewer = node.strategy === 'simple_one_for_one' ? [] : children.map((_, i) => without(children, i));
  const inside = children.flatMap((child, i) =>
    smallerNodes(child).map((smaller) => children.map((other, j) => (i === j ? smaller : other))),
  );
  const needed = [
    'id',
    'type',
    'children',
    ...(node.type === 'supervisor' ? ['auto_shutdown', 'strategy'] : []),
  ];
  const plain = Object.keys(node)
    .filter((key) => !needed.includes(key) && !(isRoot && key === 'restart'))
    .filter((key) => !(key === 'restart' && node.significant === true))
    .map((key) => Object.fromEntries(Object.entries(node).filter(([other]) => other !== key)));
  return [
    ...[...fewer, ...inside].map((some) => ({ ...node, children: some })),
    ...(plain as unknown as ScriptNode[]),
  ];
};

const smallerScripts = (script: Script): readonly Script[] => [
  ...script.ops.map((_, i) => ({ ...script, ops: without<ScriptOp>(script.ops, i) })),
  ...smallerNodes(script.tree, true).map((tree) => ({ ...script, tree })),
];

/** The smallest script found that still differs. */
export const shrink = async (mismatch: Mismatch): Promise<Mismatch> => {
  let smallest = mismatch;
  for (let round = 0; round < ROUNDS; round++) {
    const candidates = smallerScripts(smallest.script);
    if (candidates.length === 0) break;
    const [first] = (await compareScripts(candidates)).mismatches;
    if (first === undefined) break;
    smallest = first;
  }
  return smallest;
};

export const describeMismatch = ({ script, difference }: Mismatch): string => {
  const { step, field, otp, ours } = difference;
  return [
    JSON.stringify(script),
    `  step ${step}, ${field}`,
    `    otp  ${JSON.stringify(otp)}`,
    `    ours ${JSON.stringify(ours)}`,
  ].join('\n');
};
