/**
 * Fresh random scripts on Erlang and on troupe. A mismatch is made small: whatever can be taken out of its script without the
 * two agreeing is taken out, all candidates of a round in one Erlang.
 */
import fc from 'fast-check';
import { runOnErlang } from './erlang.ts';
import { judgeAgainst } from './releases.ts';
import { parseScript, type Script, type ScriptNode, type ScriptOp } from './script-format.ts';
import { FLAVOURS, type Flavour, scriptsOf } from './script-generator.ts';
import { runScript, type Trace } from './script-runner.ts';
import type { Difference } from './trace-comparison.ts';

export interface Mismatch {
  readonly script: Script;
  readonly difference: Difference;
}

export interface Comparison {
  readonly release: string;
  readonly runs: number;
  readonly mismatches: readonly Mismatch[];
  /** Steps of several faults that were compared, and scripts that Erlang leaves to chance from some step on. */
  readonly concurrent: number;
  readonly open: number;
}

/** Rounds of making one mismatch smaller. */
const ROUNDS = 40;

/** Compares scripts that are given. */
export const compareScripts = async (given: readonly Script[]): Promise<Comparison> => {
  const { release, traces } = runOnErlang(given);
  const mismatches: Mismatch[] = [];
  let concurrent = 0;
  let open = 0;
  for (const [i, script] of given.entries()) {
    const verdict = judgeAgainst(release, script, [traces[i] as Trace, await runScript(script)]);
    concurrent += verdict.concurrent;
    if (verdict.openFrom !== undefined) open += 1;
    if (verdict.difference !== undefined) mismatches.push({ script, difference: verdict.difference });
  }
  return { release, runs: given.length, mismatches, concurrent, open };
};

/** Compares fresh ones. */
export const compareFresh = (options: {
  readonly runs: number;
  readonly seed: number;
  readonly flavours?: readonly Flavour[];
}): Promise<Comparison> => {
  const { runs, seed, flavours = FLAVOURS } = options;
  return compareScripts(
    fc.sample(scriptsOf(flavours), { numRuns: runs, seed }).map((script, id) => ({ ...script, id })),
  );
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

/** A list with one item fewer, or with one that is smaller. */
const smallerList = <T>(
  items: readonly T[],
  smaller: (item: T) => readonly T[],
): readonly (readonly T[])[] => [
  ...items.map((_, i) => without(items, i)),
  ...items.flatMap((item, i) => smaller(item).map((one) => items.map((other, j) => (i === j ? one : other)))),
];

const smallerOps = (op: ScriptOp): readonly ScriptOp[] => [
  ...(op.ops ?? []).map((_, i) => ({ ...op, ops: without(op.ops ?? [], i) })),
  ...(op.spec === undefined ? [] : smallerNodes(op.spec).map((spec) => ({ ...op, spec }))),
];

const isWellFormed = (script: Script): boolean => {
  try {
    parseScript(JSON.stringify(script));
    return true;
  } catch {
    return false;
  }
};

const smallerScripts = (script: Script): readonly Script[] => {
  const { held } = script;
  const all = [
    ...smallerList(script.ops, smallerOps).map((ops) => ({ ...script, ops })),
    ...(held === undefined
      ? []
      : smallerList(held, (asks) => smallerList(asks, smallerOps)).map((lists) => ({
          ...script,
          held: lists,
        }))),
    ...smallerNodes(script.tree, true).map((tree) => ({ ...script, tree })),
  ];
  return all.filter(isWellFormed);
};

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
