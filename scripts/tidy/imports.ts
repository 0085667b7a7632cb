/** The rules about who may import whom: ranks, cycles, charts, XState's engine, and files that nobody imports. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { type Import, isWithin, parse, type Rule, type Source, type Violation, visitAll } from './source.ts';

/** A file imports from folders of lower rank and its own only. `Infinity`: nobody of the product may import it. */
export const RANKS: Readonly<Record<string, number>> = {
  actors: 0,
  'src/base': 0,
  'src/chart': 1,
  'src/kernel': 1,
  'src/resilience': 2,
  'src/xstate': 2,
  'src/supervision': 3,
  'src/coordination': 4,
  'src/work': 4,
  'src/execution': 5,
  'src/recovery': 5,
  'src/application': 6,
  'src/telemetry': 7,
  'src/explorer': 7,
  'src/cluster': 7,
  'src/testing': Number.POSITIVE_INFINITY,
};
/** Files of `src/` itself: they put together what the folders offer. */
const TOP_RANK = 8;

const isProduct = (path: string): boolean => isWithin(path, 'src') || isWithin(path, 'actors');

const folderOf = (path: string): string =>
  isWithin(path, 'actors') ? 'actors' : path.split('/').slice(0, 2).join('/');

const rankOf = (path: string): number | undefined =>
  path.split('/').length === 2 && isWithin(path, 'src') ? TOP_RANK : RANKS[folderOf(path)];

const product = (sources: ReadonlyMap<string, Source>): Source[] =>
  [...sources.values()].filter(({ path }) => isProduct(path));

const flag = (
  { path, imports }: Source,
  fault: Pick<Violation, 'rule' | 'fix'>,
  isWrong: (imported: Import) => boolean,
): Violation[] =>
  imports
    .filter(isWrong)
    .map(({ line, specifier }) => ({ file: path, line, what: `imports ${specifier}`, ...fault }));

const layerFault = (path: string, target: string): Pick<Violation, 'what' | 'fix'> | undefined => {
  const own = rankOf(path);
  const other = rankOf(target);
  const [from, to] = [folderOf(path), folderOf(target)];
  if (from === to) return undefined;
  if (!isProduct(target))
    return { what: `imports ${target}`, fix: 'the product imports only from src/ and actors/' };
  if (to === 'src/testing')
    return {
      what: `imports ${target}`,
      fix: 'only tests import src/testing/; move what is needed out of it',
    };
  if (own === undefined || other === undefined || other < own) return undefined;
  return {
    what: `${from} (rank ${own}) imports ${to} (rank ${other})`,
    fix: 'move the code down to the lower rank, or hand it in as a parameter from above',
  };
};

export const layers: Rule = ({ sources }) =>
  product(sources).flatMap(({ path, imports }) => {
    const violations: Violation[] = [];
    if (rankOf(path) === undefined)
      violations.push({
        file: path,
        line: 1,
        rule: 'layers',
        what: `${folderOf(path)} has no rank`,
        fix: 'give the folder a rank in scripts/tidy/imports.ts, or put the file where it belongs',
      });
    for (const { target, line } of imports) {
      const fault = target === undefined ? undefined : layerFault(path, target);
      if (fault !== undefined) violations.push({ file: path, line, rule: 'layers', ...fault });
    }
    return violations;
  });

/** A query asks for another copy of a module; what is built need not be there yet. */
const isThere = (target: string, paths: ReadonlySet<string>, root: string): boolean => {
  const file = target.replace(/\?.*$/, '');
  return paths.has(file) || isWithin(file, 'dist') || (/\.\w+$/.test(file) && existsSync(join(root, file)));
};

export const importPaths: Rule = ({ sources, paths, root }) => {
  const known = new Set(paths);
  return [...sources.values()].flatMap((source) =>
    flag(
      source,
      { rule: 'import-paths', fix: 'name a file that is there, with its ending: .ts for our own' },
      ({ target }) => target !== undefined && !isThere(target, known, root),
    ),
  );
};

/** The shortest way from one file back to itself, along imports. */
const wayBack = (start: string, sources: ReadonlyMap<string, Source>): string[] | undefined => {
  const cameFrom = new Map<string, string>();
  const queue = [start];
  for (const path of queue) {
    for (const { target, erased } of sources.get(path)?.imports ?? []) {
      // Types of one folder may know each other; what counts there is the order of loading.
      if (erased && target !== undefined && dirname(target) === dirname(path)) continue;
      if (target === start) {
        const way = [path];
        for (let at = path; at !== start; at = way[0] as string) way.unshift(cameFrom.get(at) as string);
        return way;
      }
      if (target === undefined || cameFrom.has(target)) continue;
      cameFrom.set(target, path);
      queue.push(target);
    }
  }
  return undefined;
};

/** Each ring is told once, at the first of its files in the order of the alphabet. */
export const cycles: Rule = ({ sources }) => {
  const told = new Set<string>();
  const violations: Violation[] = [];
  for (const { path, imports } of product(sources)) {
    const way = wayBack(path, sources);
    if (way === undefined || way.some((file) => told.has(file))) continue;
    for (const file of way) told.add(file);
    const next = way[1] ?? path;
    violations.push({
      file: path,
      line: imports.find(({ target }) => target === next)?.line ?? 1,
      rule: 'cycles',
      what: `imports itself: ${[...way, path].join(' → ')}`,
      fix: 'carve out what both need into a file that imports neither',
    });
  }
  return violations;
};

const isXState = (specifier: string): boolean => /^(?:xstate|@xstate)(?:\/|$)/.test(specifier);

export const chartImports: Rule = ({ sources }) =>
  [...sources.values()]
    .filter(({ path }) => isWithin(path, 'actors'))
    .flatMap((source) =>
      flag(
        source,
        {
          rule: 'chart-imports',
          fix: 'a chart imports only xstate: it names its actions and guards, and src/ provides for them',
        },
        ({ specifier }) => specifier !== 'xstate',
      ),
    );

const TOUCHES_XSTATE = ['src/chart', 'src/xstate', 'src/testing'];

export const xstateImports: Rule = ({ sources }) =>
  [...sources.values()]
    .filter(({ path }) => isWithin(path, 'src') && !TOUCHES_XSTATE.some((folder) => isWithin(path, folder)))
    .flatMap((source) =>
      flag(
        source,
        {
          rule: 'xstate-imports',
          fix: 'only src/chart/ and src/xstate/ know XState; go through src/chart/chart.ts',
        },
        ({ specifier }) => isXState(specifier),
      ),
    );

/** The files that tsup starts from. */
const entryPoints = (root: string): string[] => {
  const config = join(root, 'tsup.config.ts');
  if (!existsSync(config)) return [];
  const entries: string[] = [];
  visitAll(parse('tsup.config.ts', readFileSync(config, 'utf8')).ast, (node) => {
    if (!ts.isPropertyAssignment(node) || node.name.getText() !== 'entry') return;
    visitAll(node.initializer, (inner) => {
      if (ts.isStringLiteralLike(inner) && /\.tsx?$/.test(inner.text)) entries.push(inner.text);
    });
  });
  return entries;
};

const reachedFrom = (entries: Iterable<string>, sources: ReadonlyMap<string, Source>): Set<string> => {
  const reached = new Set(entries);
  for (const path of reached) {
    for (const { target } of sources.get(path)?.imports ?? []) if (target !== undefined) reached.add(target);
  }
  return reached;
};

/** What ships has to be reached from an entry point; what only tests use may be reached from a test. */
export const deadFiles: Rule = ({ root, sources }) => {
  const entries = entryPoints(root);
  const shipped = reachedFrom(entries, sources);
  const tested = reachedFrom(
    [...sources.keys()].filter((path) => !isProduct(path)),
    sources,
  );
  const missing = entries
    .filter((entry) => !sources.has(entry))
    .map((entry) => ({
      file: 'tsup.config.ts',
      line: 1,
      rule: 'dead-files',
      what: `the entry point ${entry} does not exist`,
      fix: 'write it, or take it out of tsup.config.ts',
    }));
  const dead = product(sources)
    .filter(({ path }) => !shipped.has(path) && !(isWithin(path, 'src/testing') && tested.has(path)))
    .map(({ path }) => ({
      file: path,
      line: 1,
      rule: 'dead-files',
      what: 'no entry point of tsup.config.ts reaches it',
      fix: 'import it where it is needed, or delete it',
    }));
  return [...missing, ...dead];
};
