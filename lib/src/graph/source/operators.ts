/**
 * Fourth transformer: operators on values that may be tensors of a graph become calls of the runtime, which gives plain
 * values their plain meaning.
 */
import type * as Typescript from "typescript";
import { ConversionError } from "./conversion-error.js";
import { isRuntimeCall, RUNTIME, type Stage } from "./flow.js";
import { isAssignment, isStep } from "./names.js";
import { type Expression, lineOf, type Node } from "./parse.js";

const BINARY = new Set(["+", "-", "*", "/", "%", "**", "<", "<=", ">", ">=", "==", "!=", "===", "!=="]);

export const convertOperators: Stage = (ts, file, name, body) => {
  const f = ts.factory;
  const call = (method: string, ...args: Expression[]): Expression =>
    f.createCallExpression(
      f.createPropertyAccessExpression(f.createIdentifier(RUNTIME), method),
      undefined,
      args,
    );
  const later = (e: Expression): Expression =>
    f.createArrowFunction(
      undefined,
      undefined,
      [],
      undefined,
      undefined,
      ts.isObjectLiteralExpression(e) ? f.createParenthesizedExpression(e) : e,
    );
  const binary = (operator: string, a: Expression, b: Expression): Expression =>
    call("binary", f.createStringLiteral(operator), a, b);
  const step = (variable: Typescript.Identifier, operator: number): Expression =>
    f.createAssignment(
      variable,
      binary(operator === ts.SyntaxKind.PlusPlusToken ? "+" : "-", variable, f.createNumericLiteral(1)),
    );
  const change = (node: Node, original: Node): Node | null => {
    if (ts.isBinaryExpression(node)) {
      const operator = ts.tokenToString(node.operatorToken.kind) ?? "";
      if (operator === "&&") return call("and", node.left, later(node.right));
      if (operator === "||") return call("or", node.left, later(node.right));
      if (BINARY.has(operator)) return binary(operator, node.left, node.right);
      const compound = operator.endsWith("=") ? operator.slice(0, -1) : "";
      if (
        BINARY.has(compound) &&
        compound.length > 0 &&
        !["=", "==", "!", "!=", "<", ">"].includes(compound) &&
        ts.isIdentifier(node.left)
      )
        return f.createAssignment(node.left, binary(compound, node.left, node.right));
      return null;
    }
    if (ts.isPrefixUnaryExpression(node)) {
      if (node.operator === ts.SyntaxKind.ExclamationToken) return call("not", node.operand);
      if (node.operator === ts.SyntaxKind.MinusToken && !ts.isNumericLiteral(node.operand))
        return call("negate", node.operand);
    }
    if (
      (ts.isPrefixUnaryExpression(node) || ts.isPostfixUnaryExpression(node)) &&
      isStep(ts, node.operator) &&
      ts.isIdentifier(node.operand)
    ) {
      const next = f.createParenthesizedExpression(step(node.operand, node.operator));
      if (ts.isPrefixUnaryExpression(node)) return next;
      return f.createElementAccessExpression(f.createArrayLiteralExpression([node.operand, next]), 0);
    }
    if (ts.isConditionalExpression(node))
      return call("choose", node.condition, later(node.whenTrue), later(node.whenFalse));
    if (ts.isElementAccessExpression(node) && !node.questionDotToken && isRead(original))
      return call("at", node.expression, node.argumentExpression);
    if (ts.isCallExpression(node)) return changeCall(node);
    if (ts.isExpressionStatement(node) && ts.isElementAccessExpression(node.expression)) {
      // the old value of `i++`, which nobody reads
      const list = node.expression.expression;
      const next = ts.isArrayLiteralExpression(list) ? list.elements[1] : undefined;
      if (next && ts.isParenthesizedExpression(next) && next.pos < 0)
        return f.createExpressionStatement(next.expression);
    }
    if (ts.isSwitchStatement(node)) {
      const line = f.createNumericLiteral(lineOf(ts, original, file));
      return f.updateSwitchStatement(node, call("plain", line, node.expression), node.caseBlock);
    }
    return null;
  };
  const changeCall = (node: Typescript.CallExpression): Node | null => {
    const { expression } = node;
    if (!ts.isPropertyAccessExpression(expression) || isRuntimeCall(ts, node)) return null;
    const { expression: on, name: method } = expression;
    if (method.text === "item" && node.arguments.length === 0 && !node.questionDotToken)
      return call("item", on);
    if (ts.isIdentifier(on) && on.text === "Math") {
      if (node.arguments.some((a) => ts.isSpreadElement(a))) return null;
      return call("math", f.createStringLiteral(method.text), ...node.arguments);
    }
    return null;
  };
  /** False where a value is put: targets of assignments, operands of delete, functions that are called on their object. */
  const isRead = (node: Node): boolean => {
    const { parent } = node as { parent?: Node };
    if (!parent) return true;
    if (ts.isBinaryExpression(parent) && parent.left === node && isAssignment(ts, parent.operatorToken.kind))
      return false;
    if (ts.isCallExpression(parent) && parent.expression === node) return false;
    if (
      ts.isArrayLiteralExpression(parent) ||
      ts.isSpreadElement(parent) ||
      ts.isShorthandPropertyAssignment(parent)
    )
      return !inPattern(parent);
    return (
      !ts.isDeleteExpression(parent) &&
      !ts.isPrefixUnaryExpression(parent) &&
      !ts.isPostfixUnaryExpression(parent)
    );
  };
  const inPattern = (node: Node): boolean => {
    for (let at: Node | undefined = node; at?.parent; at = at.parent)
      if (
        ts.isBinaryExpression(at.parent) &&
        at.parent.left === at &&
        at.parent.operatorToken.kind === ts.SyntaxKind.EqualsToken
      )
        return true;
    return false;
  };
  const { transformed } = ts.transform(body, [
    (context) => {
      const visit = (node: Node): Node => {
        if (ts.isBigIntLiteral(node))
          throw new ConversionError(
            `convert: ${name}, line ${lineOf(ts, node, file)}: bigint has no place in a graph; use numbers`,
          );
        if (ts.isParameter(node)) return node;
        const inner = ts.visitEachChild(node, visit, context);
        return change(inner, ts.getOriginalNode(node)) ?? inner;
      };
      return (root) => ts.visitNode(root, visit) as Typescript.Block;
    },
  ]);
  return transformed[0];
};
