/**
 * The repository as the rules of tidy see it: its files, parsed once, with what each imports.
 *
 * Invariant: paths are relative to the root and written with `/`. It judges nothing.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import ts from 'typescript';

/** Something that is not as it should be, and what to do about it. */
export interface Violation {
  readonly file: string;
  readonly line: number;
  readonly rule: string;
  readonly what: string;
  readonly fix: string;
}

export interface Import {
  readonly specifier: string;
  readonly line: number;
  /** The file of the repository that it names, if it is a relative one; it need not exist. */
  readonly target: string | undefined;
  /** `import type`: gone at run time. */
  readonly erased: boolean;
}

export interface Source {
  readonly path: string;
  readonly lines: readonly string[];
  readonly ast: ts.SourceFile;
  readonly imports: readonly Import[];
}

export interface Tree {
  readonly root: string;
  /** Every file below the folders that are ours, parsed or not. */
  readonly paths: readonly string[];
  readonly sources: ReadonlyMap<string, Source>;
}

/** Rules look at one tree and say what is wrong with it. */
export type Rule = (tree: Tree) => readonly Violation[];

const FOLDERS = ['actors', 'bench', 'examples', 'property-tests', 'scripts', 'src', 'test'];
/** What tools put there. */
const SKIPPED = new Set(['node_modules', 'dist', '__pycache__', '__snapshots__']);
const PARSED = /\.(?:tsx?|mts|js|mjs)$/;

const walk = (root: string, folder: string): string[] =>
  readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (SKIPPED.has(entry.name) || entry.name.startsWith('.')) return [];
    return entry.isDirectory() ? walk(root, path) : [path];
  });

export const readTree = (root: string): Tree => {
  const paths = FOLDERS.filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) => walk(root, folder))
    .sort();
  const sources = paths
    .filter((path) => PARSED.test(path))
    .map((path) => parse(path, readFileSync(join(root, path), 'utf8')));
  return { root, paths, sources: new Map(sources.map((source) => [source.path, source])) };
};

/** Parses one file, and one beside the folders too, such as `tsup.config.ts`. */
export const parse = (path: string, text: string): Source => {
  const ast = ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true);
  return { path, lines: text.split('\n'), ast, imports: importsOf(path, ast) };
};

export const lineOf = (ast: ts.SourceFile, node: ts.Node): number =>
  ast.getLineAndCharacterOfPosition(node.getStart(ast)).line + 1;

/** Calls `visit` with every node of a tree, parents first. */
export const visitAll = (node: ts.Node, visit: (node: ts.Node) => void): void => {
  visit(node);
  ts.forEachChild(node, (child) => visitAll(child, visit));
};

/** The module that a node imports, in whatever way it is written. */
const importedBy = (node: ts.Node): ts.Expression | undefined => {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return node.moduleSpecifier;
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
    return node.arguments[0];
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument))
    return node.argument.literal as ts.Expression;
  return undefined;
};

const isErased = (node: ts.Node): boolean =>
  ts.isImportTypeNode(node) ||
  (ts.isImportDeclaration(node) && node.importClause?.isTypeOnly === true) ||
  (ts.isExportDeclaration(node) && node.isTypeOnly);

const importsOf = (path: string, ast: ts.SourceFile): Import[] => {
  const imports: Import[] = [];
  visitAll(ast, (node) => {
    const named = importedBy(node);
    if (named === undefined || !ts.isStringLiteralLike(named)) return;
    const specifier = named.text;
    const target = specifier.startsWith('.') ? posix.join(dirname(path), specifier) : undefined;
    imports.push({ specifier, line: lineOf(ast, node), target, erased: isErased(node) });
  });
  return imports;
};

/** Whether a path lies in a folder, or is the very file. */
export const isWithin = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(`${folder}/`);
