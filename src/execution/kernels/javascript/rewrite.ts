/**
 * Rewrites what a user typed so that it runs as one function and its names outlive it.
 *
 * Invariants: every expression is evaluated once, in the order that was written; lines stay where they are; names declared at the top
 * level become properties of the global object (so a later execution may declare them again), names declared in blocks and functions
 * stay theirs; each loop looks at the request to stop, and no `catch` of the user's holds that request up.
 *
 * Function declarations of the top level are taken into a text of their own, evaluated first: so they are known before the first
 * statement, and all code sees the function that bears the name now.
 */
import type { Program } from 'acorn';
import { blank, Edits } from './edits.ts';
import { type AnyNode, boundNames, featuresOf, type Mode, modeOf, visit } from './syntax.ts';

/** What the rewritten code calls of the kernel: names that nobody types by accident. */
export const KERNEL = 'ɵtroupe';
/** The cells whose third says whether to stop. */
export const CELLS = 'ɵcells';
/** The execution that a piece of code belongs to. */
export const TASK = 'ɵtask';

export interface Rewritten {
  readonly mode: Mode;
  /** Whether it has to run as an async function. */
  readonly awaits: boolean;
  /** The body, without the function around it. */
  readonly body: string;
  /** The function declarations, or `undefined` where there are none. */
  readonly functions: string | undefined;
  /** Names that it declares at its top level. */
  readonly declared: readonly string[];
  /** Those that are known, as `undefined`, before it runs. */
  readonly hoisted: readonly string[];
}

export interface RewriteOptions {
  /** The file or folder that imports are relative to. */
  readonly base: string;
}

export const rewrite = (code: string, program: Program, { base }: RewriteOptions): Rewritten => {
  const root = program as unknown as AnyNode;
  const statements = root['body'] as AnyNode[];
  const strict = statements.some((each) => each['directive'] === 'use strict');
  const rewriting = new Rewriting(code, JSON.stringify(base), strict);
  if (code.startsWith('#!')) rewriting.edits.insert(0, '//');
  visit(root, (node, depth) => rewriting.each(node, depth));
  statements.forEach((node, i) => {
    rewriting.statement(node, i === lastOf(statements));
  });
  const declared = [...rewriting.declared];
  const features = featuresOf(root, new Set(declared));
  return {
    mode: modeOf(features),
    awaits: features.awaits,
    ...rewriting.texts(),
    declared,
    hoisted: strict ? declared : [...rewriting.hoisted],
  };
};

const lastOf = (statements: readonly AnyNode[]): number => {
  let last = statements.length - 1;
  while (last >= 0 && statements[last]?.type === 'EmptyStatement') last -= 1;
  return last;
};

const LOOPS: ReadonlySet<string> = new Set([
  'WhileStatement',
  'DoWhileStatement',
  'ForStatement',
  'ForInStatement',
  'ForOfStatement',
]);
const CHECK = `if(${CELLS}[2])${KERNEL}.check();`;

class Rewriting {
  readonly edits = new Edits();
  readonly declared = new Set<string>();
  readonly hoisted = new Set<string>();
  readonly #code: string;
  readonly #base: string;
  readonly #strict: boolean;
  /** Where the function declarations of the top level are. */
  readonly #functions: AnyNode[] = [];
  /** Declarations that are heads of loops: no statements of their own. */
  readonly #heads = new Set<AnyNode>();

  constructor(code: string, base: string, strict: boolean) {
    this.#code = code;
    this.#base = base;
    this.#strict = strict;
  }

  texts(): Pick<Rewritten, 'body' | 'functions'> {
    if (this.#functions.length === 0) return { body: this.edits.apply(this.#code), functions: undefined };
    let body = '';
    let functions = '';
    let done = 0;
    for (const { start, end } of this.#functions) {
      body += this.edits.apply(this.#code, done, start) + blank(this.#code.slice(start, end));
      functions += blank(this.#code.slice(done, start)) + this.edits.apply(this.#code, start, end);
      done = end;
    }
    return { body: body + this.edits.apply(this.#code, done), functions };
  }

  /** What is done to a node wherever it stands. */
  each(node: AnyNode, depth: number): void {
    if (LOOPS.has(node.type)) this.#loop(node, depth);
    else if (node.type === 'CatchClause') this.#catch(node);
    else if (node.type === 'ImportExpression')
      this.edits.replace(this.#code, node.start, node.start + 6, `${KERNEL}.load(${this.#base})`);
    else if (node.type === 'MetaProperty' && (node['meta'] as AnyNode)['name'] === 'import')
      this.edits.replace(this.#code, node.start, node.end, `${KERNEL}.meta(${this.#base})`);
    else if (node.type === 'AwaitExpression' && depth === 0)
      this.#wrap(node['argument'] as AnyNode, `${TASK}.pause((`, '))');
    else if (node.type === 'VariableDeclaration' && depth === 0 && node['kind'] === 'var')
      this.#variables(node);
  }

  /** What is done to a statement of the top level. */
  statement(node: AnyNode, isLast: boolean): void {
    switch (node.type) {
      case 'VariableDeclaration':
        if (node['kind'] === 'let' || node['kind'] === 'const') this.#variables(node);
        break;
      case 'ClassDeclaration':
        this.#class(node);
        break;
      case 'FunctionDeclaration':
        this.#function(node);
        break;
      case 'ImportDeclaration':
        this.#import(node);
        break;
      case 'ExportNamedDeclaration':
      case 'ExportDefaultDeclaration':
      case 'ExportAllDeclaration':
        this.#export(node);
        break;
      case 'ExpressionStatement':
        if (isLast && isResult(node['expression'] as AnyNode)) this.#result(node);
    }
  }

  #wrap({ start, end }: AnyNode, before: string, after: string): void {
    this.edits.insert(start, before);
    this.edits.insertBefore(end, after);
  }

  #loop(node: AnyNode, depth: number): void {
    const body = node['body'] as AnyNode;
    if (body.type === 'BlockStatement') this.edits.insert(body.start + 1, CHECK);
    else this.#wrap(body, `{${CHECK}`, '}');
    for (const head of [node['init'], node['left']])
      if ((head as AnyNode | null | undefined)?.type === 'VariableDeclaration')
        this.#heads.add(head as AnyNode);
    if (node['await'] === true && depth === 0) this.#wrap(node['right'] as AnyNode, `${TASK}.each((`, '))');
  }

  #catch(node: AnyNode): void {
    const body = node['body'] as AnyNode;
    const param = node['param'] as AnyNode | null;
    if (param !== null && param.type !== 'Identifier') return;
    const name = param === null ? 'ɵerror' : (param['name'] as string);
    if (param === null) this.edits.insert(body.start, `(${name})`);
    this.edits.insert(body.start + 1, `${KERNEL}.pass(${name});`);
  }

  /** `const a = 1, {b} = c` becomes `void(a = 1, {b} = c)`. */
  #variables(node: AnyNode): void {
    const declarators = node['declarations'] as AnyNode[];
    const kind = node['kind'] as string;
    for (const declarator of declarators) {
      const names = boundNames(declarator['id'] as AnyNode);
      for (const name of names) {
        this.declared.add(name);
        if (kind === 'var') this.hoisted.add(name);
      }
      if (declarator['init'] === null && kind !== 'var') this.edits.insert(declarator.end, '=void 0');
    }
    const first = declarators[0] as AnyNode;
    if (this.#heads.has(node)) {
      this.edits.replace(this.#code, node.start, first.start, '');
      return;
    }
    this.edits.replace(this.#code, node.start, first.start, 'void(');
    const last = declarators[declarators.length - 1] as AnyNode;
    this.edits.insert(last.end, this.#endsItself(node) ? ')' : ');');
  }

  #endsItself(node: AnyNode): boolean {
    return this.#code[node.end - 1] === ';';
  }

  #class(node: AnyNode, before = ''): void {
    const name = (node['id'] as AnyNode)['name'] as string;
    this.declared.add(name);
    this.edits.insert(node.start, `${before}${name}=`);
    this.edits.insertBefore(node.end, ';');
  }

  #function(node: AnyNode): void {
    const name = (node['id'] as AnyNode)['name'] as string;
    this.declared.add(name);
    // Strict code keeps its functions to itself: they are handed out one by one.
    if (this.#strict) this.edits.insert(node.end, `;globalThis.${name}=${name};`);
    else this.#functions.push(node);
  }

  #import(node: AnyNode): void {
    const source = node['source'] as AnyNode;
    const specifiers = node['specifiers'] as AnyNode[];
    const wanted: string[] = [];
    let namespace = '';
    const taken = specifiers.map((specifier) => {
      const local = (specifier['local'] as AnyNode)['name'] as string;
      this.declared.add(local);
      if (specifier.type === 'ImportNamespaceSpecifier') {
        namespace = `${local}=`;
        return '';
      }
      const imported = specifier['imported'] as AnyNode | undefined;
      const name = String(imported === undefined ? 'default' : (imported['name'] ?? imported['value']));
      wanted.push(name);
      return `${JSON.stringify(name)}:${local}`;
    });
    const pattern = wanted.length === 0 ? '' : `{${taken.filter((each) => each !== '').join(',')}}=`;
    const specifier = JSON.stringify(source['value']);
    const module = this.#load(`${specifier},${this.#attributes(node)}`);
    const picked = `${KERNEL}.pick(${module},${JSON.stringify(wanted)},${specifier})`;
    this.edits.replace(this.#code, node.start, node.end, `void(${pattern}${namespace}${picked});`);
  }

  #load(given: string): string {
    return `await ${TASK}.pause(${KERNEL}.load(${this.#base})(${given}))`;
  }

  #attributes(node: AnyNode): string {
    const attributes = (node['attributes'] ?? []) as AnyNode[];
    if (attributes.length === 0) return 'undefined';
    const pairs = attributes.map((each) => {
      const key = each['key'] as AnyNode;
      const value = each['value'] as AnyNode;
      return `${JSON.stringify(key['name'] ?? key['value'])}:${JSON.stringify(value['value'])}`;
    });
    return `{with:{${pairs.join(',')}}}`;
  }

  /** Nobody imports what was typed: an export is what it exports. */
  #export(node: AnyNode): void {
    const declaration = node['declaration'] as AnyNode | null | undefined;
    const source = node['source'] as AnyNode | null | undefined;
    if (declaration === null || declaration === undefined) {
      const load = source ? this.#load(JSON.stringify(source['value'])) : '';
      this.edits.replace(this.#code, node.start, node.end, `${load};`);
      return;
    }
    const isNamed = !('id' in declaration) || declaration['id'] !== null;
    const isDeclaration = declaration.type.endsWith('Declaration') && isNamed;
    this.edits.replace(this.#code, node.start, declaration.start, isDeclaration ? '' : 'void(');
    if (isDeclaration) this.statement(declaration, false);
    else this.edits.insert(declaration.end, this.#code[declaration.end] === ';' ? ')' : ');');
  }

  #result(node: AnyNode): void {
    this.edits.insertBefore(node.start, `return ${TASK}.result((`);
    const end = this.#endsItself(node) ? node.end - 1 : node.end;
    this.edits.insert(end, this.#endsItself(node) ? '))' : '));');
  }
}

/** Assignments give nothing to show, as in every console that numbers its results. */
const isResult = (expression: AnyNode): boolean => expression.type !== 'AssignmentExpression';
