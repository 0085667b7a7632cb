/**
 * The rule that the chart decides and the code performs: code branches on what a chart's actions write, never on the name
 * of a state. It knows the states from the charts themselves, and takes a comparison for a branch on one only where
 * both the literal is the name of a state and the other side speaks of a snapshot, a state or a `.value`.
 */
import ts from 'typescript';
import { isWithin, lineOf, type Rule, type Source, visitAll } from './source.ts';

const FIX =
  'let an entry action of the chart write a verdict and branch on that; a state’s name is for people and histories';

/** The names of all states that the charts declare. */
export const stateNames = (sources: Iterable<Source>): Set<string> => {
  const names = new Set<string>();
  for (const { path, ast } of sources) {
    if (!path.endsWith('.machine.ts')) continue;
    visitAll(ast, (node) => {
      if (!ts.isPropertyAssignment(node) || node.name.getText(ast) !== 'states') return;
      if (!ts.isObjectLiteralExpression(node.initializer)) return;
      for (const { name } of node.initializer.properties)
        if (name !== undefined && (ts.isIdentifier(name) || ts.isStringLiteral(name))) names.add(name.text);
    });
  }
  return names;
};

/** Whether an expression ends in a word for where a chart stands: `snapshot.value`, `this.#state`, `workerState`. */
const speaksOfState = (expression: ts.Expression): boolean => {
  const plain = ts.isParenthesizedExpression(expression) ? expression.expression : expression;
  if (ts.isElementAccessExpression(plain)) return speaksOfState(plain.expression);
  if (ts.isCallExpression(plain)) return speaksOfState(plain.expression);
  if (ts.isNonNullExpression(plain) || ts.isAsExpression(plain)) return speaksOfState(plain.expression);
  if (ts.isIdentifier(plain)) return /(?:^s|S)(?:tate|napshot)$/.test(plain.text);
  if (!ts.isPropertyAccessExpression(plain)) return false;
  return /(?:^#?s|S)(?:tate|napshot)$|^(?:getS|#?s)napshot$|^#?value$/.test(plain.name.text);
};

const EQUALITIES = new Set([
  ts.SyntaxKind.EqualsEqualsEqualsToken,
  ts.SyntaxKind.ExclamationEqualsEqualsToken,
  ts.SyntaxKind.EqualsEqualsToken,
  ts.SyntaxKind.ExclamationEqualsToken,
]);

/** The state that a node branches on, if it does. */
const branchOn = (node: ts.Node, names: ReadonlySet<string>): string | undefined => {
  const stateIn = (part: ts.Node | undefined): string | undefined =>
    part !== undefined && ts.isStringLiteralLike(part) && names.has(part.text) ? part.text : undefined;
  if (ts.isBinaryExpression(node) && EQUALITIES.has(node.operatorToken.kind)) {
    const [name, other] =
      stateIn(node.right) === undefined ? [stateIn(node.left), node.right] : [stateIn(node.right), node.left];
    return name !== undefined && speaksOfState(other) ? name : undefined;
  }
  if (ts.isCaseClause(node))
    return speaksOfState(node.parent.parent.expression) ? stateIn(node.expression) : undefined;
  if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return undefined;
  const [argument] = node.arguments;
  if (argument === undefined) return undefined;
  const { expression, name: method } = node.expression;
  if (method.text === 'matches') return firstState(argument, stateIn);
  if (method.text === 'includes' && speaksOfState(argument)) return firstState(expression, stateIn);
  return undefined;
};

const firstState = (within: ts.Node, stateIn: (part: ts.Node) => string | undefined): string | undefined => {
  let found: string | undefined;
  visitAll(within, (part) => {
    found ??= stateIn(part) ?? (ts.isPropertyAssignment(part) ? stateIn(part.initializer) : undefined);
  });
  return found;
};

/** What speaks of any chart whatever: the seam itself, and its proofs. */
const GENERIC = ['src/chart', 'src/testing'];

export const chartStates: Rule = ({ sources }) => {
  const names = stateNames(sources.values());
  return [...sources.values()]
    .filter(({ path }) => isWithin(path, 'src') && !GENERIC.some((folder) => isWithin(path, folder)))
    .flatMap(({ path, ast }) => {
      const lines = new Map<number, string>();
      visitAll(ast, (node) => {
        const state = branchOn(node, names);
        if (state !== undefined) lines.set(lineOf(ast, node), state);
      });
      return [...lines].map(([line, state]) => ({
        file: path,
        line,
        rule: 'chart-states',
        what: `branches on the chart state '${state}'`,
        fix: FIX,
      }));
    });
};
