/** TypeScript that the reader types into the debugger, made into what V8 evaluates in a frame. */
import { parseExpressionAt } from "acorn";
import { compileCell } from "../compile/cell.js";
import { RUNTIME } from "../compile/scope.js";
import { DapError } from "./dap.js";

/** The reader's names that stand for a global of Node's; see `compile/shadow.ts`. */
export type Shadowed = ReadonlySet<string>;

/** @throws DapError with the place of a syntax error. */
export async function compileCode(text: string, shadowed: Shadowed): Promise<string> {
  // `{ a: 1 }` is an object to whoever asks for its value.
  if (text.trimStart().startsWith("{")) {
    const whole = await compileCell(`(${text})`, shadowed).catch(() => undefined);
    if (whole) return whole.code;
  }
  try {
    return (await compileCell(text, shadowed)).code;
  } catch (error) {
    throw new DapError(`"${text}" cannot be evaluated: ${(error as Error).message}`);
  }
}

/** @throws DapError unless it is one expression. */
export async function compileExpression(text: string, shadowed: Shadowed): Promise<string> {
  const code = (await compileCode(text, shadowed)).trim().replace(/;+$/, "");
  try {
    if (parseExpressionAt(code, 0, { ecmaVersion: 2025, preserveParens: true }).end === code.length)
      return code;
  } catch {
    // said below
  }
  throw new DapError(`"${text}" is not an expression.`);
}

export interface BreakpointRules {
  condition?: string;
  /** `5`, `== 5`, `>= 5`, `> 5`, `< 5`, `<= 5`, or `% 5`: every fifth. */
  hitCondition?: string;
  /** Printed in the place of a stop; what stands in braces is evaluated. */
  logMessage?: string;
}

const HIT = /^(==?|>=|>|<=|<|%)?\s*(\d+)$/;

/** The condition under which V8 stops, `undefined` for always. @throws DapError naming the part that is wrong. */
export async function breakpointCondition(
  id: number,
  rules: BreakpointRules,
  shadowed: Shadowed,
): Promise<string | undefined> {
  const parts: string[] = [];
  if (rules.condition?.trim()) parts.push(`(${await compileExpression(rules.condition, shadowed)})`);
  if (rules.hitCondition?.trim()) parts.push(hitTest(id, rules.hitCondition.trim()));
  if (rules.logMessage) parts.push(`(${await logCall(rules.logMessage, shadowed)}, false)`);
  if (parts.length === 0) return undefined;
  // An arrow function, so that `this` and `arguments` are the frame's.
  const body = `try { return ${parts.join(" && ")} } catch (error) { return ${RUNTIME}.debug.failed(${id}, error) }`;
  return `(() => { ${body} })()`;
}

function hitTest(id: number, text: string): string {
  const [, operator = "==", count] = HIT.exec(text) ?? [];
  if (count === undefined)
    throw new DapError(`The hit condition "${text}" is not understood: expected 5, >= 5, < 5 or % 5.`);
  const hit = `${RUNTIME}.debug.hit(${id})`;
  if (operator === "%") return `${hit} % ${count} === 0`;
  return `${hit} ${operator.startsWith("=") ? "===" : operator} ${count}`;
}

async function logCall(message: string, shadowed: Shadowed): Promise<string> {
  const parts = message.split(/\{([^{}]*)\}/);
  const compiled = await Promise.all(
    parts.map((part, index) => (index % 2 ? compileExpression(part, shadowed) : JSON.stringify(part))),
  );
  return `${RUNTIME}.debug.log([${compiled.join(", ")}])`;
}
