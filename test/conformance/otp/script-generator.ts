/**
 * Random scripts of the conformance suite: trees of every strategy, faults, operations.
 *
 * Invariant: what it makes has one outcome on Erlang too. It leaves out what OTP itself leaves to chance (killing a
 * supervisor, two faults at once), what never ends (a worker that hangs with an infinite allowance), and a template whose restart
 * ignores, of which OTP 25 dies (fixed later).
 */
import fc from 'fast-check';
import type { InitOutcome, Script, ScriptNode, ScriptOp } from './script-format.ts';

type Supervised = ScriptNode & { readonly type: 'supervisor' };
/** A place that ops can be aimed at. */
interface Place {
  readonly path: string;
  readonly node: ScriptNode;
  readonly parent: Supervised | undefined;
}

const RESTART = fc.constantFrom('permanent', 'transient', 'temporary');
const OUTCOME: fc.Arbitrary<InitOutcome> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<InitOutcome>('ok') },
  { weight: 3, arbitrary: fc.constantFrom<InitOutcome[]>('error', 'ignore') },
  { weight: 1, arbitrary: fc.constantFrom<InitOutcome[]>('normal', 'shutdown', 'raise', 'bad') },
);
/** Mostly ok at first, so that the tree comes up. */
const INIT = fc.oneof(
  { weight: 4, arbitrary: fc.constant<InitOutcome[]>([]) },
  {
    weight: 3,
    arbitrary: fc
      .array(OUTCOME, { minLength: 1, maxLength: 3 })
      .map((later): InitOutcome[] => ['ok', ...later]),
  },
  { weight: 1, arbitrary: fc.array(OUTCOME, { minLength: 1, maxLength: 3 }) },
);
const ON_SHUTDOWN = fc.oneof(
  { weight: 5, arbitrary: fc.constant('ok') },
  { weight: 3, arbitrary: fc.constantFrom('hang', 'oops', 'normal', '{shutdown,x}') },
);
const SHUTDOWN = fc.oneof(
  { weight: 4, arbitrary: fc.constant(undefined) },
  {
    weight: 2,
    arbitrary: fc.constantFrom<('infinity' | 'brutal_kill' | 100)[]>('infinity', 'brutal_kill', 100),
  },
);
const REASON = fc.constantFrom('normal', 'shutdown', '{shutdown,x}', 'oops');

const isSupervisor = (node: ScriptNode): node is Supervised => node.type === 'supervisor';

/** Without the keys whose value is the default, so that scripts are short to read. */
const compact = (node: ScriptNode): ScriptNode =>
  Object.fromEntries(
    Object.entries(node).filter(
      ([key, value]) =>
        value !== undefined &&
        !(key === 'init' && (value as readonly unknown[]).length === 0) &&
        !(key === 'on_shutdown' && value === 'ok') &&
        !(key === 'trap' && value === true) &&
        !(key === 'significant' && value === false),
    ),
  ) as unknown as ScriptNode;

const worker = (id: string): fc.Arbitrary<ScriptNode> =>
  fc
    .record({
      restart: RESTART,
      significant: fc.boolean(),
      shutdown: SHUTDOWN,
      trap: fc.boolean().map((isOff) => !isOff),
      init: INIT,
      on_shutdown: ON_SHUTDOWN,
    })
    .map(({ shutdown, ...node }) => ({
      id,
      ...node,
      ...(shutdown === undefined || (shutdown === 'infinity' && node.on_shutdown === 'hang')
        ? {}
        : { shutdown }),
    }));

/** What OTP would refuse, or is known to die of, is left out. */
const fitted = (child: ScriptNode, parent: Pick<ScriptNode, 'auto_shutdown' | 'strategy'>): ScriptNode => {
  const canEnd = (parent.auto_shutdown ?? 'never') !== 'never' && child.restart !== 'permanent';
  const isTemplate = parent.strategy === 'simple_one_for_one';
  const init = child.init?.map((outcome, i) =>
    isTemplate && i > 0 && outcome === 'ignore' ? 'ok' : outcome,
  );
  return compact({
    ...child,
    significant: child.significant === true && canEnd,
    ...(init === undefined ? {} : { init }),
  });
};

const rules = fc.record({
  strategy: fc.constantFrom('one_for_one', 'one_for_all', 'rest_for_one'),
  intensity: fc.nat(4),
  period: fc.integer({ min: 1, max: 5 }),
  auto_shutdown: fc.constantFrom('never', 'never', 'any_significant', 'all_significant'),
  restart: RESTART,
  significant: fc.boolean(),
});

const childrenOf = (depth: number): fc.Arbitrary<readonly ScriptNode[]> =>
  fc
    .array(depth > 0 ? fc.constantFrom('w', 'w', 'w', 's', 'd') : fc.constant('w'), { maxLength: 4 })
    .chain((kinds) =>
      fc.tuple(
        ...kinds.map((kind, i) => {
          if (kind === 'w') return worker(`w${i}`);
          return kind === 's' ? supervised(`s${i}`, depth - 1) : dynamic(`d${i}`, depth - 1);
        }),
      ),
    );

const supervised = (id: string, depth: number): fc.Arbitrary<ScriptNode> =>
  fc.tuple(rules, childrenOf(depth)).map(([own, children]) => ({
    id,
    type: 'supervisor' as const,
    ...own,
    children: children.map((child) => fitted(child, own)),
  }));

/** A template is a worker, or a whole supervisor. */
const dynamic = (id: string, depth: number): fc.Arbitrary<ScriptNode> =>
  fc
    .tuple(rules, depth > 0 ? fc.oneof(worker('t'), worker('t'), supervised('t', 0)) : worker('t'))
    .map(([own, template]) => {
      const strategy = 'simple_one_for_one' as const;
      return {
        id,
        type: 'supervisor' as const,
        ...own,
        strategy,
        children: [fitted(template, { ...own, strategy })],
      };
    });

const placesOf = (node: ScriptNode, path: string, parent?: Supervised): readonly Place[] => {
  const here = { path, node, parent };
  if (!isSupervisor(node)) return [here];
  const isDynamic = node.strategy === 'simple_one_for_one';
  const below = (node.children ?? []).flatMap((child) =>
    isDynamic
      ? [0, 1, 2].flatMap((key) => placesOf(child, `${path}/${child.id}#k${key}`, node))
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

const opsFor = (places: readonly Place[]): fc.Arbitrary<ScriptOp> => {
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
    { weight: 1, arbitrary: additions(at(supervisors)) },
  ];
  if (workers.length > 0)
    weighted.push(
      { weight: 6, arbitrary: at(workers).map(({ path }) => ({ op: 'kill', path }) as const) },
      {
        weight: 6,
        arbitrary: fc.tuple(at(workers), REASON).map(([place, reason]) => ownEnd('exit', place, reason)),
      },
    );
  // A filter that nothing passes never ends.
  if (workers.length > 1)
    weighted.push({
      weight: 1,
      arbitrary: fc
        .tuple(at(workers), at(workers))
        .filter(([from, to]) => from.path !== to.path)
        .map(([from, to]) => ({ op: 'monitor', path: from.path, to: to.path }) as const),
    });
  if (templates.length > 0)
    weighted.push({
      weight: 6,
      arbitrary: fc
        .tuple(at(templates), fc.nat(2))
        .map(([{ path }, key]) => ({ op: 'start_dyn', sup: path, key: `k${key}` }) as const),
    });
  return fc.oneof(...weighted);
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

const additions = (at: fc.Arbitrary<Place>): fc.Arbitrary<ScriptOp> =>
  fc
    .tuple(
      at,
      fc.nat(1).chain((i) => worker(`n${i}`)),
    )
    .map(([{ path, node }, spec]) => ({
      op: 'start_child' as const,
      sup: path,
      spec: fitted(spec, node),
    }));

/** OTP knows no keys: one that is started twice would be two children at one place. */
const withFreshKeys = (ops: readonly ScriptOp[]): readonly ScriptOp[] => {
  const used = new Set<string>();
  return ops.filter((op) => {
    if (op.op !== 'start_dyn') return true;
    const key = `${op.sup} ${op.key}`;
    return !used.has(key) && used.add(key);
  });
};

/** One script; its id is for whoever runs it to give. */
export const scripts: fc.Arbitrary<Script> = supervised('root', 2).chain((tree) =>
  fc.array(opsFor(placesOf(tree, 'root')), { minLength: 1, maxLength: 12 }).map((ops) => ({
    id: 0,
    tree: { ...tree, restart: 'permanent', significant: false },
    ops: withFreshKeys(ops),
  })),
);
