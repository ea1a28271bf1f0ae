/** Loop IR as text. `parseKernel` reads the same kernel back. */
import type { Buffer, Condition, Expr, LoopKernel, Stmt } from "./ir.js";
import { operator } from "./operators.js";

const SUFFIX: Record<string, string> = {
  float32: "f32",
  float64: "f64",
  int32: "i32",
  int8: "i8",
  uint8: "u8",
  bfloat16: "bf16",
  float16: "f16",
};

/**
 * The text form of a kernel.
 * @example printKernel(matmul(4, 4, 4)).split("\n")[1] // "  for i_0 in 0..4 {"
 */
export function printKernel(kernel: LoopKernel): string {
  const sizes = kernel.sizes.length > 0 ? `${kernel.sizes.join(", ")}; ` : "";
  const params = kernel.params.map((b) => `${b.output ? "out " : ""}${printBuffer(b)}`).join(", ");
  return `kernel ${kernel.name}(${sizes}${params}) {\n${printBlock(kernel.body, "  ")}}\n`;
}

/** Statements as text, for messages and notebooks. */
export function printBlock(body: readonly Stmt[], indent = ""): string {
  return body.map((s) => printStmt(s, indent)).join("");
}

function printBuffer({ name, dtype, shape, strides }: Buffer): string {
  return `${name}: ${dtype}[${shape.join(", ")}]${strides ? ` strides [${strides.join(", ")}]` : ""}`;
}

const KEYWORD = {
  serial: "for",
  parallel: "parallel for",
  vectorized: "vectorized for",
  unrolled: "unrolled for",
  block: "block for",
  thread: "thread for",
} as const;

function printStmt(s: Stmt, indent: string): string {
  switch (s.kind) {
    case "for":
      return `${indent}${KEYWORD[s.loop]} ${s.variable} in ${s.from}..${s.to} {\n${printBlock(s.body, `${indent}  `)}${indent}}\n`;
    case "if":
      return `${indent}if ${printConditions(s.conditions)} {\n${printBlock(s.body, `${indent}  `)}${indent}}\n`;
    case "store":
      return `${indent}${s.buffer.name}[${s.indices.join(", ")}] = ${printExpr(s.value)}\n`;
    case "reduce": {
      const sign = operator(s.op).sign;
      return `${indent}${s.buffer.name}[${s.indices.join(", ")}] ${sign ? `${sign}=` : `${s.op}=`} ${printExpr(s.value)}\n`;
    }
    case "let":
      return `${indent}let ${s.name} = ${printExpr(s.value)}\n`;
    case "alloc":
      return `${indent}${s.buffer.scope} ${printBuffer(s.buffer)}\n`;
  }
}

export function printConditions(conditions: readonly Condition[]): string {
  return conditions.map(({ left, right }) => `${left} < ${right}`).join(" and ");
}

export function printExpr(e: Expr): string {
  switch (e.kind) {
    case "constant":
      return e.dtype === "bool" ? (e.value ? "true" : "false") : `${printNumber(e.value)}${SUFFIX[e.dtype]}`;
    case "name":
      return e.name;
    case "load":
      return `${e.buffer.name}[${e.indices.join(", ")}]`;
    case "index":
      return `index(${e.of})`;
    case "cast":
      return `${e.dtype}(${printExpr(e.of)})`;
    case "select":
      return `select(${e.args.map(printExpr).join(", ")})`;
    case "when":
      return `when(${printConditions(e.conditions)}, ${printExpr(e.yes)}, ${printExpr(e.no)})`;
    case "op": {
      const { sign } = operator(e.op);
      if (!sign) return `${e.op}(${e.args.map(printExpr).join(", ")})`;
      return e.args
        .map((a) => (a.kind === "op" && operator(a.op).sign ? `(${printExpr(a)})` : printExpr(a)))
        .join(` ${sign} `);
    }
  }
}

function printNumber(x: number): string {
  if (Number.isNaN(x)) return "nan_";
  if (!Number.isFinite(x)) return x < 0 ? "-inf_" : "inf_";
  return Object.is(x, -0) ? "-0" : String(x);
}
