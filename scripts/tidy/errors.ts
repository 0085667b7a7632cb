/** The rules about the table of errors: every code is raised somewhere, and with every fact that its message names. */
import ts from 'typescript';
import { isWithin, lineOf, type Rule, type Source, type Violation, visitAll } from './source.ts';

const TABLE = 'src/base/errors.ts';
/** The position of the message among the arguments of an entry. */
const MESSAGE = 2;

interface Entry {
  readonly line: number;
  readonly facts: readonly string[];
}

const readTable = ({ ast }: Source): Map<string, Entry> => {
  const entries = new Map<string, Entry>();
  visitAll(ast, (node) => {
    if (!ts.isPropertyAssignment(node) || !ts.isCallExpression(node.initializer)) return;
    const message = node.initializer.arguments[MESSAGE];
    if (message === undefined || !ts.isStringLiteralLike(message)) return;
    const facts = [...message.text.matchAll(/\{(\w+)\}/g)].map(([, fact = '']) => fact);
    entries.set(node.name.getText(ast), { line: lineOf(ast, node), facts });
  });
  return entries;
};

/** The keys of an object literal, or `undefined` where they cannot be seen. */
const keysOf = (node: ts.Expression | undefined): string[] | undefined => {
  if (node === undefined || !ts.isObjectLiteralExpression(node)) return undefined;
  const keys: string[] = [];
  for (const property of node.properties) {
    if (ts.isSpreadAssignment(property) || property.name === undefined) return undefined;
    keys.push(property.name.getText());
  }
  return keys;
};

const missingFacts = ({ path, ast }: Source, table: ReadonlyMap<string, Entry>): Violation[] => {
  const violations: Violation[] = [];
  visitAll(ast, (node) => {
    if (!ts.isCallExpression(node) || node.expression.getText(ast) !== 'createError') return;
    const [code, data] = node.arguments;
    if (code === undefined || !ts.isStringLiteralLike(code)) return;
    const keys = keysOf(data);
    const missing = table.get(code.text)?.facts.filter((fact) => keys !== undefined && !keys.includes(fact));
    if (missing !== undefined && missing.length > 0)
      violations.push({
        file: path,
        line: lineOf(ast, node),
        rule: 'error-facts',
        what: `${code.text} lacks ${missing.join(', ')}, which its message names`,
        fix: 'give every fact of the message in the data',
      });
  });
  return violations;
};

const unraised = (sources: readonly Source[], table: ReadonlyMap<string, Entry>): Violation[] => {
  const said = new Set<string>();
  for (const { ast } of sources)
    visitAll(ast, (node) => {
      if (ts.isStringLiteralLike(node)) said.add(node.text);
    });
  return [...table]
    .filter(([code]) => !said.has(code))
    .map(([code, { line }]) => ({
      file: TABLE,
      line,
      rule: 'unraised-errors',
      what: `${code} is raised nowhere`,
      fix: 'raise it, or take it out of the table',
    }));
};

export const errorTable: Rule = ({ sources }) => {
  const source = sources.get(TABLE);
  if (source === undefined) return [];
  const table = readTable(source);
  const others = [...sources.values()].filter(
    ({ path }) => (isWithin(path, 'src') || isWithin(path, 'actors')) && path !== TABLE,
  );
  return [...others.flatMap((other) => missingFacts(other, table)), ...unraised(others, table)];
};
