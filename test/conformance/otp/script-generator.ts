/**
 * Random scripts of the conformance suite: random trees, faults, operations, in four flavours.
 *
 * Invariant: what it makes has one outcome on Erlang too, or is seen to have none (`concurrent-faults.ts`). It leaves out the killing
 * of supervisors. What a flavour adds it adds alone, so that what comes of it stays comparable: links, held inits, several faults
 * at once. Names, monitors and nested templates are everywhere.
 */
import fc from 'fast-check';
import type { Script, ScriptNode, ScriptOp } from './script-format.ts';
import { fitted, isSupervisor, nameAt, type Supervised, trees, worker } from './tree-generator.ts';

export const FLAVOURS = ['plain', 'links', 'held', 'together'] as const;
export type Flavour = (typeof FLAVOURS)[number];

/** A place that ops can be aimed at. */
interface Place {
  readonly path: string;
  readonly node: ScriptNode;
  readonly parent: Supervised | undefined;
}

const REASON = fc.constantFrom('normal', 'shutdown', '{shutdown,x}', 'oops');
/** Keys of dynamic children; below other dynamic children fewer, so that faults meet who is there. */
const KEYS = [0, 1, 2];

const placesOf = (node: ScriptNode, path: string, parent?: Supervised): readonly Place[] => {
  const here = { path, node, parent };
  if (!isSupervisor(node)) return [here];
  const isDynamic = node.strategy === 'simple_one_for_one';
  const keys = path.includes('#') ? KEYS.slice(1) : KEYS;
  const below = (node.children ?? []).flatMap((child) =>
    isDynamic
      ? keys.flatMap((key) => placesOf(child, `${path}/${child.id}#k${key}`, node))
      : placesOf(child, `${path}/${child.id}`, node),
  );
  return [here, ...below];
};

const isStatic = ({ node }: Place): boolean => isSupervisor(node) && node.strategy !== 'simple_one_for_one';

/** A worker that would hang for ever is not told to end by itself with `shutdown`. */
const ownEnd = (kind: 'exit' | 'stop', { path, node }: Place, reason: string): ScriptOp => ({
  op: kind,
  path,
  reason: reason === 'shutdown' && node.on_shutdown === 'hang' ? 'normal' : reason,
});

const faults = (at: fc.Arbitrary<Place>): fc.Arbitrary<ScriptOp> =>
  fc.oneof(
    at.map(({ path }) => ({ op: 'kill', path }) as const),
    fc.tuple(at, REASON).map(([place, reason]) => ownEnd('exit', place, reason)),
  );

/** Two different workers; a filter that nothing passes never ends. */
const pairs = (workers: readonly Place[]): fc.Arbitrary<readonly [Place, Place]> =>
  fc
    .tuple(fc.constantFrom(...workers), fc.nat(Math.max(0, workers.length - 2)))
    .map(([one, shift]) => [one, workers[(workers.indexOf(one) + 1 + shift) % workers.length] as Place]);

const opsFor = (places: readonly Place[], flavour: Flavour): fc.Arbitrary<ScriptOp> => {
  const workers = places.filter(({ node }) => !isSupervisor(node));
  const supervisors = places.filter(isStatic);
  const templates = places.filter(({ node }) => node.strategy === 'simple_one_for_one');
  const at = (candidates: readonly Place[]): fc.Arbitrary<Place> => fc.constantFrom(...candidates);
  const weighted: fc.WeightedArbitrary<ScriptOp>[] = [
    { weight: 3, arbitrary: fc.integer({ min: 1, max: 6 }).map((s) => ({ op: 'advance', s })) },
    {
      weight: 1,
      arbitrary: fc.tuple(at(places), REASON).map(([place, reason]) => ownEnd('stop', place, reason)),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(at(places), REASON)
        .map(([{ path }, reason]) => ({ op: 'signal', path, reason }) as const),
    },
    { weight: 2, arbitrary: reads(at(supervisors.concat(templates))) },
    { weight: 3, arbitrary: operations(at(supervisors)) },
    { weight: 1, arbitrary: additions(at(supervisors), flavour === 'held') },
  ];
  const named = workers.filter(({ node }) => node.name !== undefined);
  if (named.length > 0)
    weighted.push({
      weight: 4,
      arbitrary: at(named).map(({ path }) => ({ op: 'whereis', name: nameAt(path) }) as const),
    });
  if (workers.length > 0) weighted.push({ weight: 12, arbitrary: faults(at(workers)) });
  if (workers.length > 1) weighted.push(...betweenWorkers(workers, flavour));
  if (templates.length > 0)
    weighted.push({
      weight: 6,
      arbitrary: fc
        .tuple(at(templates), fc.nat(2))
        .map(([{ path }, key]) => ({ op: 'start_dyn', sup: path, key: `k${key}` }) as const),
    });
  return fc.oneof(...weighted);
};

const betweenWorkers = (
  workers: readonly Place[],
  flavour: Flavour,
): readonly fc.WeightedArbitrary<ScriptOp>[] => {
  const relate = (op: 'monitor' | 'link' | 'unlink') =>
    pairs(workers).map(([from, to]) => ({ op, path: from.path, to: to.path }) as const);
  const monitors = { weight: 1, arbitrary: relate('monitor') };
  if (flavour === 'links')
    return [monitors, { weight: 8, arbitrary: relate('link') }, { weight: 1, arbitrary: relate('unlink') }];
  if (flavour !== 'together') return [monitors];
  const several = fc
    .uniqueArray(faults(fc.constantFrom(...workers)), {
      minLength: 2,
      maxLength: 3,
      selector: ({ path }) => path,
    })
    .map((ops) => ({ op: 'together', ops }) as const);
  return [monitors, { weight: 12, arbitrary: several }];
};

const reads = (at: fc.Arbitrary<Place>): fc.Arbitrary<ScriptOp> =>
  fc
    .tuple(fc.constantFrom('which_children', 'count_children'), at)
    .map(([op, { path }]) => ({ op, sup: path }) as const);

const operations = (at: fc.Arbitrary<Place>): fc.Arbitrary<ScriptOp> =>
  fc
    .tuple(fc.constantFrom('terminate_child', 'restart_child', 'delete_child'), at, fc.nat(4))
    .map(([op, { path, node }, which]) => ({
      op,
      sup: path,
      child: node.children?.[which]?.id ?? `n${which % 2}`,
    }));

/** A worker to be added; it goes without a name, which a second one of its place would find taken. */
const addition = (held: boolean): fc.Arbitrary<ScriptNode> =>
  fc
    .nat(1)
    .chain((i) => worker(`n${i}`, { held, inTemplate: false }))
    .map(({ name: _, ...spec }) => spec);

const additions = (at: fc.Arbitrary<Place>, held: boolean): fc.Arbitrary<ScriptOp> =>
  fc.tuple(at, addition(held)).map(([{ path, node }, spec]) => ({
    op: 'start_child' as const,
    sup: path,
    spec: fitted(spec, node),
  }));

/** What is asked of the supervisor that waits for a held init: often about the very child. */
const ASK: fc.Arbitrary<ScriptOp> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(
        fc.constantFrom('terminate_child', 'restart_child', 'delete_child'),
        fc.constantFrom('*', '*', 'w0', 'w1', 'w2', 's1', 'n0'),
      )
      .map(([op, child]) => ({ op, child }) as const),
  },
  {
    weight: 1,
    arbitrary: addition(true).map((spec) => ({ op: 'start_child', spec: fitted(spec, {}) }) as const),
  },
  {
    weight: 4,
    arbitrary: fc.constantFrom('which_children', 'count_children').map((op) => ({ op }) as const),
  },
);
const ASKS = fc.array(fc.array(ASK, { maxLength: 3 }), { maxLength: 6 });

/** OTP knows no keys: one that is started twice would be two children at one place. */
const withFreshKeys = (ops: readonly ScriptOp[]): readonly ScriptOp[] => {
  const used = new Set<string>();
  return ops.filter((op) => {
    if (op.op !== 'start_dyn') return true;
    const key = `${op.sup} ${op.key}`;
    return !used.has(key) && used.add(key);
  });
};

/** The first child of each template, outer ones first, so that what follows meets somebody. */
const firstStarts = (places: readonly Place[]): readonly ScriptOp[] =>
  places
    .filter(({ node }) => node.strategy === 'simple_one_for_one')
    .map(({ path }) => ({ op: 'start_dyn', sup: path, key: 'k1' }) as const);

/** Links between workers who are there: the static ones, and the first of each template. */
const firstLinks = (workers: readonly Place[]): fc.Arbitrary<readonly ScriptOp[]> => {
  const present = workers.filter(({ path }) => !path.includes('#') || !/#k[^1]/.test(path));
  const links = pairs(present.length > 1 ? present : workers).map(
    ([from, to]) => ({ op: 'link', path: from.path, to: to.path }) as const,
  );
  return fc.array(links, { minLength: 1, maxLength: 4 });
};

const flavoured = (flavour: Flavour): fc.Arbitrary<Script> =>
  trees(flavour === 'held').chain((tree) => {
    const places = placesOf(tree, 'root');
    const workers = places.filter(({ node }) => !isSupervisor(node));
    return fc
      .tuple(
        fc.constantFrom([], firstStarts(places)),
        flavour === 'links' && workers.length > 1 ? firstLinks(workers) : fc.constant([]),
        fc.array(opsFor(places, flavour), { minLength: 1, maxLength: 12 }),
        flavour === 'held' ? ASKS : fc.constant(undefined),
      )
      .map(([starts, links, ops, held]) => ({
        id: 0,
        tree,
        ops: withFreshKeys([...starts, ...links, ...ops]),
        ...(held === undefined ? {} : { held }),
      }));
  });

/** One script; its id is for whoever runs it to give. */
export const scriptsOf = (flavours: readonly Flavour[]): fc.Arbitrary<Script> =>
  fc.oneof(...flavours.map(flavoured));
