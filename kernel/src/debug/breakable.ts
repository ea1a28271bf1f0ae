/** Lines of a cell on which a breakpoint can stand, told before V8 has seen the cell. */
import { type Node, parse } from "acorn";
import { compileCell } from "../compile/cell.js";
import { readCell } from "../compile/magics.js";
import { walk } from "../compile/walk.js";
import type { Shadowed } from "./expressions.js";
import { cellMapping } from "./mapping.js";

/** Statements that V8 does not stop at. */
const SILENT = new Set([
  "FunctionDeclaration",
  "EmptyStatement",
  "BlockStatement",
  "LabeledStatement",
  "TryStatement",
]);

/** @returns lines from 0, in order; `undefined` when the cell cannot be compiled. */
export async function breakableLines(source: string, shadowed: Shadowed): Promise<number[] | undefined> {
  const compiled = await readCell(source, () => false)
    .then((cell) => compileCell(cell.code, shadowed))
    .catch(() => undefined);
  if (!compiled) return undefined;
  const { code } = compiled;
  const program = parse(code, { ecmaVersion: 2025, allowAwaitOutsideFunction: true });
  const starts: number[] = [];
  walk(program, (node) => {
    const start = stopIn(node);
    if (start !== undefined) starts.push(start);
    // A function stops at its end too.
    const { body } = node as { body?: Node };
    if (/Function/.test(node.type) && body?.type === "BlockStatement") starts.push(body.end - 1);
    if (node.type === "ArrowFunctionExpression" && body && body.type !== "BlockStatement")
      starts.push(body.start);
  });
  const mapping = cellMapping({ source, map: compiled.map, shifts: compiled.shifts }, "");
  const lineOf = lineCounter(code);
  const lines = starts.map((start) => mapping.toSource(lineOf(start))?.line);
  return [...new Set(lines.filter((line) => line !== undefined))].sort((a, b) => a - b);
}

function stopIn(node: Node): number | undefined {
  if (node.type === "VariableDeclaration") {
    const { declarations } = node as unknown as { declarations: { init: Node | null }[] };
    return declarations.find(({ init }) => init)?.init?.start;
  }
  return node.type.endsWith("Statement") && !SILENT.has(node.type) ? node.start : undefined;
}

function lineCounter(code: string): (offset: number) => { line: number; column: number } {
  const starts = [0];
  for (let at = code.indexOf("\n"); at >= 0; at = code.indexOf("\n", at + 1)) starts.push(at + 1);
  return (offset) => {
    const line = starts.findLastIndex((start) => start <= offset);
    return { line, column: offset - starts[line]! };
  };
}
