/** The rules about size. Doc comments are free: a file may explain itself at any length. */
import ts from 'typescript';
import { lineOf, type Rule, type Source, type Violation, visitAll } from './source.ts';

/** Beyond this a file holds more than one decision. */
const FILE_LINES = 400;
/** Beyond this a function does not fit a screen. */
const FUNCTION_LINES = 70;
/** What the formatter keeps code to; it cannot break strings and comments. */
const LINE_LENGTH = 110;
/** For each line, whether it belongs to a doc comment. */
const docLines = (lines: readonly string[]): boolean[] => {
  let inside = false;
  return lines.map((line) => {
    const begins = !inside && line.trimStart().startsWith('/**');
    const isDoc = inside || begins;
    inside = isDoc && !line.includes('*/');
    return isDoc;
  });
};

/** One literal, an address, or the name of a test, which the formatter keeps on the line of its call. */
const isUnbreakable = (line: string): boolean =>
  /^\s*(?:[\w'-]+: )?(['"`]).*\1[,;)]*$/.test(line) ||
  /https?:\/\//.test(line) ||
  /^\s*(?:test|it|describe)\b.*=> \{$/.test(line);

const nameOf = (node: ts.FunctionLikeDeclaration): string => {
  if (node.name !== undefined) return node.name.getText();
  const { parent } = node;
  if (ts.isVariableDeclaration(parent) || ts.isPropertyAssignment(parent) || ts.isPropertyDeclaration(parent))
    return parent.name.getText();
  return ts.isConstructorDeclaration(node) ? 'constructor' : 'a function';
};

/** The callback of `describe` and its like holds tests, not logic. */
const groupsTests = ({ parent }: ts.Node): boolean =>
  ts.isCallExpression(parent) && /^(?:describe|suite)\b/.test(parent.expression.getText());

const isFunction = (node: ts.Node): node is ts.FunctionLikeDeclaration =>
  ts.isFunctionLike(node) && 'body' in node && node.body !== undefined;

const functionFaults = (source: Source, isDoc: readonly boolean[]): Violation[] => {
  const { path, ast } = source;
  const violations: Violation[] = [];
  visitAll(ast, (node) => {
    if (!isFunction(node)) return;
    const first = lineOf(ast, node);
    const last = ast.getLineAndCharacterOfPosition(node.getEnd()).line + 1;
    const length = isDoc.slice(first - 1, last).filter((doc) => !doc).length;
    if (length > FUNCTION_LINES && !groupsTests(node))
      violations.push({
        file: path,
        line: first,
        rule: 'function-size',
        what: `${nameOf(node)} has ${length} lines (at most ${FUNCTION_LINES})`,
        fix: 'carve a decision out: parents branch, leaves compute',
      });
  });
  return violations;
};

const faultsOf = (source: Source): Violation[] => {
  const { path, lines } = source;
  const isDoc = docLines(lines);
  const violations = functionFaults(source, isDoc);
  const length = isDoc.filter((doc, i) => !doc && (i < lines.length - 1 || lines[i] !== '')).length;
  if (length > FILE_LINES)
    violations.push({
      file: path,
      line: FILE_LINES,
      rule: 'file-size',
      what: `has ${length} lines without its doc comments (at most ${FILE_LINES})`,
      fix: 'carve a decision out into a file of its own',
    });
  lines.forEach((line, i) => {
    if (line.length > LINE_LENGTH && !isDoc[i] && !isUnbreakable(line))
      violations.push({
        file: path,
        line: i + 1,
        rule: 'line-length',
        what: `has ${line.length} characters (at most ${LINE_LENGTH})`,
        fix: 'break the comment, or shorten the text',
      });
  });
  return violations;
};

/** Tables of plain data: an entry is a fact, and splitting them would only hide that they belong together. */
const TABLES = new Set(['src/base/errors.ts']);

export const sizes: Rule = ({ sources }) =>
  [...sources.values()]
    .flatMap(faultsOf)
    .filter(({ file, rule }) => !(rule === 'file-size' && TABLES.has(file)));
