/**
 * Random trees of the conformance suite: every strategy, templates of workers, of supervisors and of templates.
 *
 * Invariant: they leave out what never ends (a worker that hangs with an infinite allowance), a template whose restart ignores, of
 * which OTP 25 dies (fixed later), and below templates names (each child would take the same one) and held inits (troupe's
 * dynamic children do not wait for each other).
 */
import fc from 'fast-check';
import type { InitOutcome, ScriptNode } from './script-format.ts';

export type Supervised = ScriptNode & { readonly type: 'supervisor' };

const RESTART = fc.constantFrom('permanent', 'transient', 'temporary');
/** Below the root: how deep supervisors stand in each other. */
const DEPTH = 2;

/** What the workers of a tree may be, by where they are. */
export interface Surroundings {
  /** Inits may wait to be released. */
  readonly held: boolean;
  readonly inTemplate: boolean;
}

const OUTCOME: fc.Arbitrary<InitOutcome> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<InitOutcome>('ok') },
  { weight: 3, arbitrary: fc.constantFrom<InitOutcome[]>('error', 'ignore') },
  { weight: 1, arbitrary: fc.constantFrom<InitOutcome[]>('normal', 'shutdown', 'raise', 'bad') },
);
const HELD_OUTCOME = fc.oneof(
  { weight: 1, arbitrary: OUTCOME },
  { weight: 2, arbitrary: fc.constantFrom<InitOutcome[]>('hold', 'hold_error', 'hold_error') },
);
/** Mostly ok at first, so that the tree comes up. */
const initOf = (outcome: fc.Arbitrary<InitOutcome>) =>
  fc.oneof(
    { weight: 4, arbitrary: fc.constant<InitOutcome[]>([]) },
    {
      weight: 3,
      arbitrary: fc
        .array(outcome, { minLength: 1, maxLength: 3 })
        .map((later): InitOutcome[] => ['ok', ...later]),
    },
    { weight: 1, arbitrary: fc.array(outcome, { minLength: 1, maxLength: 3 }) },
  );
const INIT = initOf(OUTCOME);
const HELD_INIT = initOf(HELD_OUTCOME);
/** Replaced by a name of the worker's own once its place is known. */
const NAMED = fc.oneof(
  { weight: 3, arbitrary: fc.constant(undefined) },
  { weight: 1, arbitrary: fc.constant('named') },
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

export const isSupervisor = (node: ScriptNode): node is Supervised => node.type === 'supervisor';

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

export const worker = (id: string, { held, inTemplate }: Surroundings): fc.Arbitrary<ScriptNode> =>
  fc
    .record({
      restart: RESTART,
      significant: fc.boolean(),
      shutdown: SHUTDOWN,
      trap: fc.boolean().map((isOff) => !isOff),
      init: held && !inTemplate ? HELD_INIT : INIT,
      on_shutdown: ON_SHUTDOWN,
      name: inTemplate ? fc.constant(undefined) : NAMED,
    })
    .map(({ shutdown, name, ...node }) => ({
      id,
      ...node,
      ...(shutdown === undefined || (shutdown === 'infinity' && node.on_shutdown === 'hang')
        ? {}
        : { shutdown }),
      ...(name === undefined ? {} : { name }),
    }));

/** What OTP would refuse, or is known to die of, is left out. */
export const fitted = (
  child: ScriptNode,
  parent: Pick<ScriptNode, 'auto_shutdown' | 'strategy'>,
): ScriptNode => {
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

const childrenOf = (depth: number, around: Surroundings): fc.Arbitrary<readonly ScriptNode[]> =>
  fc
    .array(depth > 0 ? fc.constantFrom('w', 'w', 'w', 's', 'd') : fc.constant('w'), { maxLength: 4 })
    .chain((kinds) =>
      fc.tuple(
        ...kinds.map((kind, i) => {
          if (kind === 'w') return worker(`w${i}`, around);
          return kind === 's' ? supervised(`s${i}`, depth - 1, around) : dynamic(`d${i}`, depth - 1, around);
        }),
      ),
    );

const supervised = (id: string, depth: number, around: Surroundings): fc.Arbitrary<ScriptNode> =>
  fc.tuple(rules, childrenOf(depth, around)).map(([own, children]) => ({
    id,
    type: 'supervisor' as const,
    ...own,
    children: children.map((child) => fitted(child, own)),
  }));

/** A template is a worker, a whole supervisor, or a template again. */
const templateOf = (depth: number, around: Surroundings): fc.Arbitrary<ScriptNode> => {
  const inside = { ...around, inTemplate: true };
  if (depth === 0) return worker('t', inside);
  return fc.oneof(
    { weight: 3, arbitrary: worker('t', inside) },
    { weight: 2, arbitrary: supervised('t', depth, inside) },
    { weight: 1, arbitrary: dynamic('t', depth - 1, inside) },
  );
};

const dynamic = (id: string, depth: number, around: Surroundings): fc.Arbitrary<ScriptNode> =>
  fc.tuple(rules, templateOf(depth, around)).map(([own, template]) => {
    const strategy = 'simple_one_for_one' as const;
    return {
      id,
      type: 'supervisor' as const,
      ...own,
      strategy,
      children: [fitted(template, { ...own, strategy })],
    };
  });

/** The name of a worker at a place; no two workers of a script share one. */
export const nameAt = (path: string): string => path.replaceAll('/', '_');

export const named = (node: ScriptNode, path: string): ScriptNode => ({
  ...node,
  ...(node.name === undefined ? {} : { name: nameAt(path) }),
  ...(node.children === undefined
    ? {}
    : { children: node.children.map((child) => named(child, `${path}/${child.id}`)) }),
});

/** A whole tree, its root at `root`. */
export const trees = (held: boolean): fc.Arbitrary<ScriptNode> =>
  supervised('root', DEPTH, { held, inTemplate: false }).map((tree) => ({
    ...named(tree, 'root'),
    restart: 'permanent',
    significant: false,
  }));
