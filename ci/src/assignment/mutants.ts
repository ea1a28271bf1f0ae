/**
 * Mutants of a reference answer: the same program with one small mistake, as a tired learner makes them. Tests that no
 * mutant fails check less than they seem to.
 */
import type { Node, SyntaxKind } from "typescript";
import { ts } from "./typescript.js";

export interface Mutant {
  /** What was changed to what. */
  change: string;
  /** From 1, in the cell. */
  line: number;
  /** The whole cell. */
  source: string;
}

/** One way to be wrong: what to put in a node's place, `undefined` for nodes that it does not concern. */
type Operator = (node: Node, text: string) => string | undefined;

const SWAPPED: Partial<Record<SyntaxKind, string>> = {
  [ts.SyntaxKind.PlusToken]: "-",
  [ts.SyntaxKind.MinusToken]: "+",
  [ts.SyntaxKind.AsteriskToken]: "/",
  [ts.SyntaxKind.SlashToken]: "*",
  [ts.SyntaxKind.PercentToken]: "*",
  [ts.SyntaxKind.LessThanToken]: "<=",
  [ts.SyntaxKind.LessThanEqualsToken]: "<",
  [ts.SyntaxKind.GreaterThanToken]: ">=",
  [ts.SyntaxKind.GreaterThanEqualsToken]: ">",
  [ts.SyntaxKind.EqualsEqualsEqualsToken]: "!==",
  [ts.SyntaxKind.ExclamationEqualsEqualsToken]: "===",
  [ts.SyntaxKind.AmpersandAmpersandToken]: "||",
  [ts.SyntaxKind.BarBarToken]: "&&",
  [ts.SyntaxKind.QuestionQuestionToken]: "&&",
  [ts.SyntaxKind.PlusEqualsToken]: "-=",
  [ts.SyntaxKind.MinusEqualsToken]: "+=",
  [ts.SyntaxKind.AsteriskEqualsToken]: "/=",
};

const METHODS: Record<string, string> = {
  max: "min",
  min: "max",
  push: "unshift",
  unshift: "push",
  shift: "pop",
  pop: "shift",
  every: "some",
  some: "every",
  floor: "ceil",
  ceil: "floor",
};

const operators: Operator[] = [
  // Another operator.
  (node, text) => {
    if (!ts.isBinaryExpression(node)) return undefined;
    const swapped = SWAPPED[node.operatorToken.kind];
    if (swapped === undefined) return undefined;
    const at = node.operatorToken.getStart() - node.getStart();
    return text.slice(0, at) + swapped + text.slice(at + node.operatorToken.getText().length);
  },
  // A number that is off by one, a truth that is none.
  (node, text) => (ts.isNumericLiteral(node) && /^\d+$/.test(text) ? String(Number(text) + 1) : undefined),
  (node) => (node.kind === ts.SyntaxKind.TrueKeyword ? "false" : undefined),
  (node) => (node.kind === ts.SyntaxKind.FalseKeyword ? "true" : undefined),
  // A condition turned round.
  (node, text) => {
    const { parent } = node;
    const isCondition =
      (ts.isIfStatement(parent) && parent.expression === node) ||
      (ts.isWhileStatement(parent) && parent.expression === node) ||
      (ts.isConditionalExpression(parent) && parent.condition === node);
    return isCondition ? `!(${text})` : undefined;
  },
  // A statement forgotten.
  (node) => (ts.isExpressionStatement(node) && ts.isBlock(node.parent) ? ";" : undefined),
  // The sign forgotten; one step the other way.
  (node) =>
    ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.MinusToken
      ? node.operand.getText()
      : undefined,
  (node, text) =>
    ts.isPostfixUnaryExpression(node) && !ts.isForStatement(node.parent)
      ? text.replace(/\+\+$|--$/, (sign) => (sign === "++" ? "--" : "++"))
      : undefined,
  // A method that is nearly the right one.
  (node) =>
    ts.isIdentifier(node) && ts.isPropertyAccessExpression(node.parent) && node.parent.name === node
      ? METHODS[node.text]
      : undefined,
  // Only one of the elements that are spread, or none.
  (node) => (ts.isSpreadElement(node) && ts.isArrayLiteralExpression(node.parent) ? "" : undefined),
];

/** All mutants of a cell, in the order of the text. */
export function mutantsOf(source: string): Mutant[] {
  const file = ts.createSourceFile("answer.ts", source, ts.ScriptTarget.ESNext, true, ts.ScriptKind.TS);
  const mutants: Mutant[] = [];
  const visit = (node: Node): void => {
    // Types are not run, and a message may be worded in many ways.
    if (ts.isTypeNode(node) || ts.isThrowStatement(node) || ts.isImportDeclaration(node)) return;
    if (node !== file) {
      const text = node.getText(file);
      for (const operator of operators) {
        const replaced = operator(node, text);
        if (replaced === undefined || replaced === text) continue;
        const start = node.getStart(file);
        mutants.push({
          change: `${short(text)} → ${short(replaced)}`,
          line: file.getLineAndCharacterOfPosition(start).line + 1,
          source: source.slice(0, start) + replaced + source.slice(node.end),
        });
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return mutants;
}

function short(text: string): string {
  const line = text.replace(/\s+/g, " ");
  return line.length > 60 ? `${line.slice(0, 60)}…` : line || "nothing";
}
