/** Which names a piece of code declares itself, so that a rule about globals leaves a parameter called `process` alone. */
import ts from 'typescript';

const bound = (name: ts.BindingName): string[] =>
  ts.isIdentifier(name)
    ? [name.text]
    : name.elements.flatMap((element) => (ts.isOmittedExpression(element) ? [] : bound(element.name)));

const ofList = (list: ts.VariableDeclarationList): string[] =>
  list.declarations.flatMap((declaration) => bound(declaration.name));

const ofImport = ({ importClause }: ts.ImportDeclaration): string[] => {
  const { name, namedBindings } = importClause ?? {};
  const named =
    namedBindings === undefined
      ? []
      : ts.isNamespaceImport(namedBindings)
        ? [namedBindings.name.text]
        : namedBindings.elements.map((element) => element.name.text);
  return name === undefined ? named : [name.text, ...named];
};

const ofStatement = (statement: ts.Statement): string[] => {
  if (ts.isVariableStatement(statement)) return ofList(statement.declarationList);
  if (ts.isImportDeclaration(statement)) return ofImport(statement);
  if (ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement))
    return statement.name === undefined ? [] : [statement.name.text];
  return [];
};

/** The names that a node brings into being for what lies within it. */
const declaredBy = (node: ts.Node): string[] => {
  if (ts.isSourceFile(node) || ts.isBlock(node) || ts.isModuleBlock(node) || ts.isCaseOrDefaultClause(node))
    return node.statements.flatMap(ofStatement);
  if (ts.isFunctionLike(node))
    return node.parameters.flatMap((parameter) => bound(parameter.name as ts.BindingName));
  if (ts.isForStatement(node) || ts.isForOfStatement(node) || ts.isForInStatement(node))
    return node.initializer !== undefined && ts.isVariableDeclarationList(node.initializer)
      ? ofList(node.initializer)
      : [];
  if (ts.isCatchClause(node) && node.variableDeclaration !== undefined)
    return bound(node.variableDeclaration.name);
  return [];
};

/** Whether the code around an identifier declares its name. */
const isDeclared = (identifier: ts.Identifier): boolean => {
  for (let node: ts.Node = identifier.parent; node !== undefined; node = node.parent) {
    if (declaredBy(node).includes(identifier.text)) return true;
  }
  return false;
};

/** Whether an identifier stands for a value here: neither a type, nor a key, nor the name of a declaration. */
const isValue = (identifier: ts.Identifier): boolean => {
  const { parent } = identifier;
  if (ts.isTypeNode(parent) || ts.isQualifiedName(parent) || ts.isExpressionWithTypeArguments(parent))
    return ts.isExpressionWithTypeArguments(parent) && parent.parent.kind === ts.SyntaxKind.HeritageClause;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === identifier;
  if (ts.isShorthandPropertyAssignment(parent)) return true;
  if (ts.isBindingElement(parent)) return parent.initializer === identifier;
  if (ts.isImportSpecifier(parent) || ts.isExportSpecifier(parent)) return false;
  if ('name' in parent && parent.name === identifier) return false;
  return !ts.isLabeledStatement(parent) && !ts.isBreakOrContinueStatement(parent);
};

/** Whether an identifier reads a global. */
export const isGlobalUse = (identifier: ts.Identifier): boolean =>
  isValue(identifier) && !isDeclared(identifier);
