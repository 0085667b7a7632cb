/**
 * Reads what a user typed: parses it, goes through it, and says in which mode it has to run (behaviours: `top_level_await`,
 * `async_def`, `blocking_sync`, `simple_sync`, `unknown`). Awaits inside of functions do not count; names that the code itself
 * declares are its own.
 */
import { type Node, type Program, parse } from 'acorn';

export type Mode = 'top_level_await' | 'async_def' | 'blocking_sync' | 'simple_sync' | 'unknown';

/** Any node, with its parts by name. */
export type AnyNode = Node & { readonly [part: string]: unknown };

/** @throws SyntaxError */
export const parseCode = (code: string): Program =>
  parse(code, {
    ecmaVersion: 'latest',
    sourceType: 'script',
    allowAwaitOutsideFunction: true,
    allowImportExportEverywhere: true,
    allowHashBang: true,
  });

const isNode = (value: unknown): value is AnyNode =>
  typeof value === 'object' && value !== null && typeof (value as AnyNode).type === 'string';

/** The parts of a node that are nodes, in the order of the text. */
export const partsOf = (node: AnyNode): AnyNode[] => {
  const parts: AnyNode[] = [];
  for (const key of Object.keys(node)) {
    const part = node[key];
    if (Array.isArray(part)) {
      for (const each of part) if (isNode(each)) parts.push(each);
    } else if (isNode(part)) parts.push(part);
  }
  return parts;
};

export const isFunction = ({ type }: AnyNode): boolean =>
  type === 'FunctionDeclaration' || type === 'FunctionExpression' || type === 'ArrowFunctionExpression';

/** Bodies with a `this` and an `await` of their own, besides functions. */
const isBoundary = (node: AnyNode): boolean =>
  isFunction(node) || node.type === 'StaticBlock' || node.type === 'PropertyDefinition';

/** Goes through a tree, parents first; `depth` counts the functions around. It needs no stack of its own for deep trees. */
export const visit = (root: AnyNode, seen: (node: AnyNode, depth: number) => void): void => {
  const waiting: [AnyNode, number][] = [[root, 0]];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const [node, depth] = next;
    seen(node, depth);
    const below = depth + (isBoundary(node) ? 1 : 0);
    const parts = partsOf(node);
    for (let i = parts.length - 1; i >= 0; i--) {
      const part = parts[i] as AnyNode;
      // A computed key and a superclass belong to what is around.
      const isOutside = node.type === 'PropertyDefinition' && part === node['key'];
      waiting.push([part, isOutside ? depth : below]);
    }
  }
};

/** The names that a pattern binds. */
export const boundNames = (pattern: AnyNode | null): string[] => {
  if (pattern === null) return [];
  switch (pattern.type) {
    case 'Identifier':
      return [pattern['name'] as string];
    case 'ObjectPattern':
      return (pattern['properties'] as AnyNode[]).flatMap((property) =>
        boundNames((property['value'] ?? property['argument']) as AnyNode),
      );
    case 'ArrayPattern':
      return (pattern['elements'] as (AnyNode | null)[]).flatMap(boundNames);
    case 'AssignmentPattern':
      return boundNames(pattern['left'] as AnyNode);
    case 'RestElement':
      return boundNames(pattern['argument'] as AnyNode);
    default:
      return [];
  }
};

/** Modules whose use holds the thread, or waits for something outside. */
const BLOCKING_MODULES: ReadonlySet<string> = new Set([
  'child_process',
  'fs',
  'http',
  'https',
  'net',
  'tls',
  'dgram',
  'sqlite',
  'better-sqlite3',
  'sqlite3',
  'pg',
  'mysql2',
  'mongodb',
  'redis',
  'axios',
  'sync-request',
]);
const BLOCKING_CALLS: ReadonlySet<string> = new Set(['prompt', 'alert', 'confirm', 'sleep', 'wait']);

export interface Features {
  readonly awaits: boolean;
  readonly definesAsync: boolean;
  readonly blocks: boolean;
}

/** What in a program decides on its mode. */
export const featuresOf = (program: AnyNode, declared: ReadonlySet<string>): Features => {
  const found = { awaits: false, definesAsync: false, blocks: false };
  visit(program, (node, depth) => {
    if (depth === 0 && isAwait(node)) found.awaits = true;
    if (isFunction(node) && node['async'] === true) found.definesAsync = true;
    if (!found.blocks && isBlocking(node, declared)) found.blocks = true;
  });
  return found;
};

const isAwait = (node: AnyNode): boolean =>
  node.type === 'AwaitExpression' ||
  node.type === 'ImportDeclaration' ||
  (node.type === 'ForOfStatement' && node['await'] === true) ||
  (node.type === 'VariableDeclaration' && node['kind'] === 'await using');

const isBlocking = (node: AnyNode, declared: ReadonlySet<string>): boolean => {
  if (node.type === 'ImportDeclaration' || node.type === 'ImportExpression')
    return isBlockingModule(node['source'] as AnyNode);
  if (node.type !== 'CallExpression') return false;
  const callee = node['callee'] as AnyNode;
  const [first] = node['arguments'] as AnyNode[];
  if (callee.type === 'Identifier') {
    const name = callee['name'] as string;
    if (declared.has(name)) return false;
    return name === 'require' ? first !== undefined && isBlockingModule(first) : isBlockingName(name);
  }
  const property = callee['property'] as AnyNode | undefined;
  return callee.type === 'MemberExpression' && property?.type === 'Identifier'
    ? isBlockingName(property['name'] as string)
    : false;
};

const isBlockingName = (name: string): boolean => BLOCKING_CALLS.has(name) || name.endsWith('Sync');

const isBlockingModule = (source: AnyNode): boolean =>
  typeof source['value'] === 'string' &&
  BLOCKING_MODULES.has(source['value'].replace(/^node:/, '').replace(/\/promises$/, ''));

export const modeOf = ({ awaits, definesAsync, blocks }: Features): Mode =>
  awaits ? 'top_level_await' : definesAsync ? 'async_def' : blocks ? 'blocking_sync' : 'simple_sync';
