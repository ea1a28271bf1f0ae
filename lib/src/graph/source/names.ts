/** Which names a piece of syntax declares, changes and reads: what branches and loops have to carry. */
import type { Node, TS } from "./parse.js";

export interface Names {
  /** Declared outside and changed inside. */
  readonly assigned: ReadonlySet<string>;
  /** Declared outside and mentioned inside. */
  readonly mentioned: ReadonlySet<string>;
}

/** The names bound by a pattern or an identifier. */
export function boundNames(ts: TS, name: Node): string[] {
  if (ts.isIdentifier(name)) return [name.text];
  const found: string[] = [];
  const visit = (node: Node): void => {
    if (ts.isBindingElement(node)) found.push(...boundNames(ts, node.name));
    else ts.forEachChild(node, visit);
  };
  ts.forEachChild(name, visit);
  return found;
}

/** Names of the variables and functions that a list of statements declares. */
export function declaredBy(ts: TS, nodes: readonly Node[]): string[] {
  return nodes.flatMap((node) => {
    if (ts.isVariableStatement(node))
      return node.declarationList.declarations.flatMap((d) => boundNames(ts, d.name));
    if (ts.isVariableDeclarationList(node)) return node.declarations.flatMap((d) => boundNames(ts, d.name));
    if ((ts.isFunctionDeclaration(node) || ts.isClassDeclaration(node)) && node.name) return [node.name.text];
    return [];
  });
}

/** What is free in these nodes, taken as one block. */
export function namesIn(ts: TS, ...nodes: readonly Node[]): Names {
  const assigned = new Set<string>();
  const mentioned = new Set<string>();
  const visit = (node: Node, scope: ReadonlySet<string>): void => {
    const inner = scopeOf(ts, node, scope);
    if (ts.isIdentifier(node)) {
      if (!scope.has(node.text)) mentioned.add(node.text);
      return;
    }
    for (const target of targetsOf(ts, node)) if (!inner.has(target)) assigned.add(target);
    if (ts.isPropertyAccessExpression(node)) {
      visit(node.expression, inner);
      return;
    }
    if (ts.isPropertyAssignment(node)) {
      if (ts.isComputedPropertyName(node.name)) visit(node.name, inner);
      visit(node.initializer, inner);
      return;
    }
    if (ts.isMethodDeclaration(node) && ts.isIdentifier(node.name)) {
      for (const part of [...node.parameters, ...(node.body ? [node.body] : [])]) visit(part, inner);
      return;
    }
    if (ts.isBindingElement(node)) {
      if (node.initializer) visit(node.initializer, inner);
      if (!ts.isIdentifier(node.name)) visit(node.name, inner);
      return;
    }
    ts.forEachChild(node, (child) => {
      visit(child, inner);
    });
  };
  const scope = new Set(declaredBy(ts, nodes));
  for (const node of nodes) visit(node, scope);
  return { assigned, mentioned };
}

/** The scope inside of a node. */
function scopeOf(ts: TS, node: Node, scope: ReadonlySet<string>): ReadonlySet<string> {
  let own: string[] = [];
  if (ts.isBlock(node) || ts.isSourceFile(node) || ts.isCaseBlock(node)) {
    own = declaredBy(
      ts,
      ts.isCaseBlock(node) ? node.clauses.flatMap((clause) => [...clause.statements]) : node.statements,
    );
  } else if (ts.isFunctionLike(node)) {
    own = node.parameters.flatMap((p) => boundNames(ts, p.name));
    if (ts.isFunctionExpression(node) && node.name) own.push(node.name.text);
  } else if ((ts.isForStatement(node) || ts.isForOfStatement(node)) && node.initializer) {
    own = declaredBy(ts, [node.initializer]);
  } else if (ts.isCatchClause(node) && node.variableDeclaration) {
    own = boundNames(ts, node.variableDeclaration.name);
  }
  return own.length > 0 ? new Set([...scope, ...own]) : scope;
}

/** Names that an expression gives a new value. */
function targetsOf(ts: TS, node: Node): string[] {
  if (ts.isBinaryExpression(node) && isAssignment(ts, node.operatorToken.kind))
    return patternNames(ts, node.left);
  if ((ts.isPrefixUnaryExpression(node) || ts.isPostfixUnaryExpression(node)) && isStep(ts, node.operator))
    return patternNames(ts, node.operand);
  if (ts.isForOfStatement(node) && !ts.isVariableDeclarationList(node.initializer))
    return patternNames(ts, node.initializer);
  return [];
}

export const isAssignment = (ts: TS, kind: number): boolean =>
  kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment;

export const isStep = (ts: TS, operator: number): boolean =>
  operator === ts.SyntaxKind.PlusPlusToken || operator === ts.SyntaxKind.MinusMinusToken;

/** The variables in the target of an assignment: `a`, `[a, b]`, `{ a, b: c }`. */
function patternNames(ts: TS, target: Node): string[] {
  if (ts.isIdentifier(target)) return [target.text];
  if (ts.isParenthesizedExpression(target)) return patternNames(ts, target.expression);
  if (ts.isArrayLiteralExpression(target)) return target.elements.flatMap((e) => patternNames(ts, e));
  if (ts.isSpreadElement(target)) return patternNames(ts, target.expression);
  if (ts.isBinaryExpression(target)) return patternNames(ts, target.left);
  if (ts.isObjectLiteralExpression(target))
    return target.properties.flatMap((p) =>
      ts.isShorthandPropertyAssignment(p)
        ? [p.name.text]
        : ts.isPropertyAssignment(p)
          ? patternNames(ts, p.initializer)
          : [],
    );
  return [];
}

/** What cannot be undone or repeated: a branch of a graph must not do it. */
export function effectsIn(ts: TS, node: Node): { node: Node; what: string }[] {
  const found: { node: Node; what: string }[] = [];
  const isMember = (n: Node): boolean => ts.isPropertyAccessExpression(n) || ts.isElementAccessExpression(n);
  const visit = (n: Node): void => {
    if (ts.isBinaryExpression(n) && isAssignment(ts, n.operatorToken.kind) && isMember(n.left))
      found.push({ node: n, what: "changes a part of an object" });
    else if (
      (ts.isPrefixUnaryExpression(n) || ts.isPostfixUnaryExpression(n)) &&
      isStep(ts, n.operator) &&
      isMember(n.operand)
    )
      found.push({ node: n, what: "changes a part of an object" });
    else if (ts.isDeleteExpression(n)) found.push({ node: n, what: "deletes a part of an object" });
    else if (ts.isThrowStatement(n)) found.push({ node: n, what: "throws" });
    else if (ts.isTryStatement(n)) found.push({ node: n, what: "catches errors" });
    ts.forEachChild(n, visit);
  };
  visit(node);
  return found;
}
