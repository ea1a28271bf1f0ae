/** Decides what a cell's syntax tree needs: types to strip, and types to check. */
import type { BinaryExpression, CallExpression, Expression, MemberExpression, Node, Program } from "acorn";
import { walk } from "./walk.js";

/**
 * `f<T>(x)` is a call in TypeScript and two comparisons in JavaScript. A cell that holds both `<` and `>` as
 * operators is therefore left to the TypeScript transpiler, although it parses as JavaScript.
 */
export function mayHideTypeArguments(program: Program): boolean {
  let less = false;
  let greater = false;
  walk(program, (node) => {
    if (node.type !== "BinaryExpression") return;
    const { operator } = node as BinaryExpression;
    if (operator.startsWith("<")) less = true;
    if (operator.startsWith(">")) greater = true;
  });
  return less && greater;
}

/**
 * Whether a cell is made of literals only (`1 + 1`, `console.log("hello")`): nothing in it can be mistyped,
 * so it need not wait for the type checker.
 */
export function isEvidentlyTyped(program: Program): boolean {
  return program.body.every(
    (statement) =>
      statement.type === "EmptyStatement" ||
      (statement.type === "ExpressionStatement" &&
        (isLiteral(statement.expression) || isLogOfLiterals(statement.expression))),
  );
}

function isLiteral(node: Expression | Node): boolean {
  switch (node.type) {
    case "Literal":
      return true;
    case "TemplateLiteral":
      return (node as unknown as { expressions: Node[] }).expressions.every(isLiteral);
    case "BinaryExpression": {
      const { operator, left, right } = node as BinaryExpression;
      return /^(\+|-|\*|\/|%|\*\*)$/.test(operator) && isNumber(left) && isNumber(right);
    }
    default:
      return isNumber(node);
  }
}

function isNumber(node: Expression | Node): boolean {
  if (node.type === "Literal") return typeof (node as unknown as { value: unknown }).value === "number";
  if (node.type === "BinaryExpression") return isLiteral(node);
  if (node.type === "UnaryExpression") {
    const { operator, argument } = node as unknown as { operator: string; argument: Node };
    return /^[-+~]$/.test(operator) && isNumber(argument);
  }
  return false;
}

function isLogOfLiterals(node: Expression): boolean {
  if (node.type !== "CallExpression") return false;
  const { callee, arguments: args } = node as CallExpression;
  if (callee.type !== "MemberExpression") return false;
  const { object, property, computed } = callee as MemberExpression;
  return (
    !computed &&
    object.type === "Identifier" &&
    object.name === "console" &&
    property.type === "Identifier" &&
    /^(log|info|debug|warn|error)$/.test(property.name) &&
    args.every(isLiteral)
  );
}
