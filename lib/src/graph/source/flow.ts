/**
 * Second and third transformer: loops, then branches become calls of the runtime with functions for their parts, and with
 * the variables that they change: the state that a graph has to carry.
 */
import type * as Typescript from "typescript";
import { ConversionError } from "./conversion-error.js";
import { effectsIn, namesIn } from "./names.js";
import { type Expression, lineOf, type Node, type Statement, type TS } from "./parse.js";

/** Under this name the converted code finds its runtime. */
export const RUNTIME = "graph$";

/** A stage: statements in, statements out. */
export type Stage = (
  ts: TS,
  file: Typescript.SourceFile,
  name: string,
  body: Typescript.Block,
) => Typescript.Block;

export const convertLoops: Stage = (ts, file, name, body) =>
  rewrite(
    ts,
    body,
    (node, flow) => {
      if (ts.isWhileStatement(node)) return flow.whileLoop(node);
      if (ts.isForOfStatement(node)) return flow.forOf(node);
      return null;
    },
    new Flow(ts, file, name, body),
  );

export const convertBranches: Stage = (ts, file, name, body) =>
  rewrite(
    ts,
    body,
    (node, flow) => (ts.isIfStatement(node) ? flow.branch(node) : null),
    new Flow(ts, file, name, body),
  );

type Rewrite = (node: Node, flow: Flow) => Node | null;

/** Rewrites from the innermost node outwards. */
function rewrite(ts: TS, body: Typescript.Block, change: Rewrite, flow: Flow): Typescript.Block {
  const { transformed } = ts.transform(body, [
    (context) => {
      const visit = (node: Node): Node => {
        const inner = ts.visitEachChild(node, visit, context);
        return change(inner, flow) ?? inner;
      };
      return (root) => ts.visitNode(root, visit) as Typescript.Block;
    },
  ]);
  return transformed[0];
}

class Flow {
  /** The function that is converted, as it was written. */
  private readonly whole: Node;
  private readonly f: Typescript.NodeFactory;

  constructor(
    private readonly ts: TS,
    private readonly file: Typescript.SourceFile,
    private readonly name: string,
    private readonly body: Typescript.Block,
  ) {
    this.f = ts.factory;
    const [statement] = file.statements;
    let whole: Node = (statement as Typescript.ExpressionStatement).expression;
    while (ts.isParenthesizedExpression(whole)) whole = whole.expression;
    this.whole = whole;
  }

  whileLoop(node: Typescript.WhileStatement): Statement {
    const state = this.stateOf(node, node.expression, node.statement);
    return this.call("loop", node, [
      this.arrow([], node.expression),
      this.arrow([], this.block(node.statement)),
      ...state,
    ]);
  }

  forOf(node: Typescript.ForOfStatement): Statement {
    const { ts, f } = this;
    if (!ts.isVariableDeclarationList(node.initializer))
      throw new ConversionError(
        `convert: ${this.name}, line ${lineOf(ts, node, this.file)}: declare the loop's variable: for (const x of …)`,
      );
    const [item] = node.initializer.declarations;
    const statements = [...this.block(node.statement).statements];
    const [first] = statements;
    const stops =
      first && ts.isIfStatement(first) && ts.isBreakStatement(first.thenStatement)
        ? first.expression
        : f.createFalse();
    if (stops !== undefined && first && ts.isIfStatement(first) && ts.isBreakStatement(first.thenStatement))
      statements.shift();
    const each = this.arrow(
      [f.createParameterDeclaration(undefined, undefined, item.name)],
      f.createBlock(statements, true),
    );
    return this.call("each", node, [node.expression, each, this.arrow([], stops)]);
  }

  branch(node: Typescript.IfStatement): Statement | null {
    const { ts, f } = this;
    if (ts.isBreakStatement(node.thenStatement)) return null; // of a loop that stops early; the loops' stage takes it
    const other = node.elseStatement ? this.block(node.elseStatement) : f.createBlock([]);
    const state = this.stateOf(node, node.thenStatement, ...(node.elseStatement ? [node.elseStatement] : []));
    return this.call("branch", node, [
      node.expression,
      this.arrow([], this.block(node.thenStatement)),
      this.arrow([], other),
      ...state,
    ]);
  }

  /** `() => [a, b]`, `(next) => [a, b] = next`, the names, those that are read later, and what the parts do besides. */
  private stateOf(node: Node, ...parts: readonly Node[]): Expression[] {
    const { ts, f } = this;
    const names = [...new Set(parts.flatMap((part) => [...namesIn(ts, part).assigned]))].sort();
    const list = f.createArrayLiteralExpression(names.map((name) => f.createIdentifier(name)));
    const set = f.createAssignment(list, f.createIdentifier("next$"));
    const effects = parts
      .flatMap((part) => effectsIn(ts, part))
      .map(({ node: at, what }) => `line ${lineOf(ts, at, this.file)} ${what}`);
    const strings = (texts: readonly string[]): Expression =>
      f.createArrayLiteralExpression(texts.map((text) => f.createStringLiteral(text)));
    return [
      this.arrow([], list),
      this.arrow(
        [f.createParameterDeclaration(undefined, undefined, "next$")],
        names.length > 0 ? set : f.createVoidZero(),
      ),
      strings(names),
      strings(names.filter((name) => this.readLater(name, node))),
      strings([...new Set(effects)]),
    ];
  }

  /** False for a variable that is only used inside of this statement, once: such a one need not leave it. */
  private readLater(name: string, node: Node): boolean {
    const { ts } = this;
    const original = ts.getOriginalNode(node);
    for (let at: Node | undefined = original.parent; at && at.parent && at !== this.whole; at = at.parent) {
      // the next round, or the next call, may read it
      if (ts.isIterationStatement(at, false) || ts.isFunctionLike(at)) return true;
    }
    let found = ts.isIterationStatement(original, false);
    const visit = (n: Node): void => {
      if (found || ts.getOriginalNode(n) === original) return;
      if (ts.isIdentifier(n) && n.text === name && !isDeclared(ts, n)) found = true;
      ts.forEachChild(n, visit);
    };
    visit(this.body);
    return found;
  }

  private call(method: string, node: Node, args: readonly Expression[]): Statement {
    const { ts, f } = this;
    const line = f.createNumericLiteral(lineOf(ts, node, this.file));
    const access = f.createPropertyAccessExpression(f.createIdentifier(RUNTIME), method);
    return ts.setOriginalNode(
      f.createExpressionStatement(f.createCallExpression(access, undefined, [line, ...args])),
      node,
    );
  }

  private arrow(parameters: Typescript.ParameterDeclaration[], body: Typescript.ConciseBody): Expression {
    const { ts, f } = this;
    const concise =
      ts.isBlock(body) || !ts.isObjectLiteralExpression(body) ? body : f.createParenthesizedExpression(body);
    return f.createArrowFunction(undefined, undefined, parameters, undefined, undefined, concise);
  }

  private block(statement: Statement): Typescript.Block {
    return this.ts.isBlock(statement) ? statement : this.f.createBlock([statement], true);
  }
}

/** The name in a declaration without value is no reading. */
function isDeclared(ts: TS, node: Typescript.Identifier): boolean {
  const { parent } = node as { parent?: Node };
  return parent !== undefined && ts.isVariableDeclaration(parent) && parent.name === node;
}

export function isRuntimeCall(ts: TS, node: Typescript.CallExpression): boolean {
  const { expression } = node;
  return (
    ts.isPropertyAccessExpression(expression) &&
    ts.isIdentifier(expression.expression) &&
    expression.expression.text === RUNTIME
  );
}
