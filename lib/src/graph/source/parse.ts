/** From a function to its syntax tree: source text, tokens, tree, and the names it takes from outside. */
import { createRequire } from "node:module";
import type * as Typescript from "typescript";
import { ConversionError } from "./conversion-error.js";

export type TS = typeof Typescript;
export type Node = Typescript.Node;
export type Statement = Typescript.Statement;
export type Expression = Typescript.Expression;
export type FunctionNode = Typescript.ArrowFunction | Typescript.FunctionExpression;

let loaded: TS | null = null;

/** The TypeScript compiler, loaded when it is first needed: that takes a fifth of a second. */
export function typescript(): TS {
  loaded ??= createRequire(import.meta.url)("typescript") as TS;
  return loaded;
}

export interface ParsedFunction {
  readonly file: Typescript.SourceFile;
  readonly fn: FunctionNode;
}

/**
 * The syntax tree of a function.
 * @throws ConversionError for what is no plain function with source: classes, methods that use `this`, native code.
 */
export function parseFunction(source: string, name: string): ParsedFunction {
  const ts = typescript();
  if (/\{\s*\[native code\]\s*\}\s*$/.test(source))
    throw new ConversionError(`convert: ${name} has no source: it is native code or a bound function`);
  for (const text of [`(${source})`, `(function ${source})`]) {
    const file = ts.createSourceFile(`${name}.js`, text, ts.ScriptTarget.ESNext, true, ts.ScriptKind.JS);
    const { parseDiagnostics } = file as unknown as { parseDiagnostics: readonly unknown[] };
    const [statement] = file.statements;
    if (parseDiagnostics.length > 0 || !ts.isExpressionStatement(statement)) continue; // a method has no `function` in front
    let fn: Node = statement.expression;
    while (ts.isParenthesizedExpression(fn)) fn = fn.expression;
    if (!ts.isArrowFunction(fn) && !ts.isFunctionExpression(fn)) break;
    refuse(ts, fn, file, name);
    return { file, fn };
  }
  throw new ConversionError(
    `convert: ${name} is no function that can be read; convert takes functions and arrow functions`,
  );
}

/** Refuses what no transformer handles, wherever it stands. */
function refuse(ts: TS, fn: FunctionNode, file: Typescript.SourceFile, name: string): void {
  const fail = (node: Node, what: string): never => {
    throw new ConversionError(`convert: ${name}, line ${lineOf(ts, node, file)}: ${what}`);
  };
  if (fn.modifiers?.some((m) => m.kind === ts.SyntaxKind.AsyncKeyword))
    fail(fn, "asynchronous functions cannot become graphs");
  if (fn.asteriskToken) fail(fn, "generators cannot become graphs");
  const visit = (node: Node): void => {
    if (node.kind === ts.SyntaxKind.ThisKeyword)
      fail(node, "`this` is not known to the converted function; pass what it stands for as an argument");
    if (ts.isIdentifier(node) && node.text === "arguments" && !ts.isPropertyAccessExpression(node.parent))
      fail(node, "`arguments` cannot be converted; use a rest parameter");
    if (ts.isAwaitExpression(node) || ts.isYieldExpression(node))
      fail(node, "`await` and `yield` cannot become part of a graph");
    if (ts.isForInStatement(node))
      fail(node, "`for … in` cannot be converted; use Object.keys and `for … of`");
    if (ts.isLabeledStatement(node))
      fail(node, "labels cannot be converted; put the inner loop into a function");
    if (ts.isVariableDeclarationList(node) && !(node.flags & ts.NodeFlags.BlockScoped))
      fail(node, "`var` cannot be converted; use `let` or `const`");
    ts.forEachChild(node, visit);
  };
  visit(fn.body);
}

/** Line of a node in the function's text, from 1; of what it was made from, if a transformer made it. */
export function lineOf(ts: TS, node: Node, file: Typescript.SourceFile): number {
  let at = ts.getOriginalNode(node);
  while (at.pos < 0 && at.parent) at = at.parent;
  return at.pos < 0 ? 1 : file.getLineAndCharacterOfPosition(at.getStart(file)).line + 1;
}

/** The lexer's view: kinds and texts, in order. */
export function tokensOf(text: string): { kind: string; text: string }[] {
  const ts = typescript();
  const scanner = ts.createScanner(ts.ScriptTarget.ESNext, true, ts.LanguageVariant.Standard, text);
  const tokens: { kind: string; text: string }[] = [];
  for (let kind = scanner.scan(); kind !== ts.SyntaxKind.EndOfFileToken; kind = scanner.scan()) {
    const group =
      kind === ts.SyntaxKind.Identifier
        ? "identifier"
        : kind >= ts.SyntaxKind.FirstKeyword && kind <= ts.SyntaxKind.LastKeyword
          ? "keyword"
          : kind >= ts.SyntaxKind.FirstLiteralToken && kind <= ts.SyntaxKind.LastLiteralToken
            ? "literal"
            : "punctuation";
    tokens.push({ kind: group, text: scanner.getTokenText() });
  }
  return tokens;
}

/** The parser's view: the kinds of the nodes, indented; leaves with their text. */
export function treeText(node: Node, indent = ""): string {
  const ts = typescript();
  const children: Node[] = [];
  ts.forEachChild(node, (child) => void children.push(child));
  const kind = ts.SyntaxKind[node.kind].replace(/^FirstLiteralToken$/, "NumericLiteral");
  const operator = ts.isBinaryExpression(node) ? ` ${node.operatorToken.getText()}` : "";
  const leaf = children.length === 0 && node.getText() !== "" ? ` ${node.getText()}` : operator;
  const inner = children
    .filter((child) => !(ts.isBinaryExpression(node) && child === node.operatorToken))
    .map((child) => treeText(child, `${indent}  `));
  return [`${indent}${kind}${leaf}`, ...inner].join("\n");
}
