/**
 * Draws docs/pictures/ and docs/CHARTS.md: every chart of actors/, and the tree of the README. `npm run docs:pictures`; a test holds the
 * pictures to the charts.
 */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { chartPicture } from '../src/explorer/draw/chart-picture.ts';
import { type Subject, subjectsIn } from '../src/explorer/draw/subjects.ts';
import { treeOfSpec } from '../src/explorer/draw/tree-node.ts';
import { treePicture } from '../src/explorer/draw/tree-picture.ts';
import {
  actor,
  circuitBreaker,
  dynamicSupervisor,
  inProcess,
  pool,
  recovery,
  server,
  supervisor,
} from '../src/index.ts';

const ACTORS = fileURLToPath(new URL('../actors/', import.meta.url));
const PICTURES = fileURLToPath(new URL('../docs/pictures/', import.meta.url));
const ENDING = '.machine.ts';

const clerk = server({ init: () => ({}) });

/** A tree in which every part stands once. */
export const picturedTree = () => {
  const prices = circuitBreaker('prices', { description: 'refuses calls while the upstream is down' });
  return supervisor('shop', {
    children: [
      prices,
      pool('documents', {
        size: 4,
        worker: inProcess({ handlers: { count: () => 0 } }),
        description: 'leases workers',
      }),
      recovery('mending', { playbook: [], description: 'turns classified errors into remedies' }),
      actor('till', clerk, { dependsOn: prices, description: 'held back while prices is open' }),
      supervisor('back office', {
        strategy: 'rest_for_one',
        children: [actor('ledger', clerk), actor('auditor', clerk, { restart: 'transient' })],
      }),
      dynamicSupervisor('carts', { description: 'children come and go' }),
    ],
  });
};

type Chart = Extract<Subject, { readonly kind: 'chart' }>;

const chartsOf = async (): Promise<readonly Chart[]> => {
  const files = readdirSync(ACTORS)
    .filter((name) => name.endsWith(ENDING))
    .sort();
  const modules = await Promise.all(
    files.map((name) => import(pathToFileURL(ACTORS + name).href) as Promise<Record<string, unknown>>),
  );
  return modules
    .flatMap((exported) => subjectsIn(exported))
    .filter((one): one is Chart => one.kind === 'chart');
};

const rowOf = ({ definition: { id, description } }: Chart): string =>
  [
    `## ${id}`,
    ...(description === undefined ? [] : ['', description]),
    '',
    `![The statechart ${id}](pictures/${id}.svg)`,
    '',
  ].join('\n');

/** The files as they must be, by their paths below `docs/`. */
export const pictures = async (): Promise<ReadonlyMap<string, string>> => {
  const charts = await chartsOf();
  const page = [
    '# Charts',
    '',
    'Every lifecycle in troupe is one of these statecharts, and this is what runs: `actors/*.machine.ts`, drawn by',
    '`npx troupe draw` ([how to draw your own](guides/drawing.md)). Printed by `npm run docs:pictures`.',
    '',
    ...charts.map(rowOf),
  ].join('\n');
  return new Map([
    ['CHARTS.md', page],
    ['pictures/tree.svg', treePicture(treeOfSpec(picturedTree()))],
    ...charts.map(({ definition }) => [`pictures/${definition.id}.svg`, chartPicture(definition)] as const),
  ]);
};

const main = async (): Promise<void> => {
  const files = await pictures();
  mkdirSync(PICTURES, { recursive: true });
  for (const name of readdirSync(PICTURES))
    if (name.endsWith('.svg') && !files.has(`pictures/${name}`)) rmSync(PICTURES + name);
  for (const [path, content] of files) writeFileSync(new URL(`../docs/${path}`, import.meta.url), content);
};

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
