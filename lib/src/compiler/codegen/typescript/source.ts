/**
 * Loop IR as scalar TypeScript: one statement a line, no vectors, no threads. What it computes is the oracle for the
 * other targets, and what a reader follows in a debugger.
 */
import type { Affine, Atom } from "../../loop/affine.js";
import {
  type Buffer,
  type Condition,
  type Expr,
  LoopError,
  type LoopKernel,
  type LoopType,
  type Stmt,
} from "../../loop/ir.js";
import { operator } from "../../loop/operators.js";
import { typeOf } from "../../loop/types.js";

/** How elements of each type lie in memory. bfloat16: the upper half of a float32; float16: its bits. */
const ARRAYS: Record<LoopType, string> = {
  float32: "Float32Array",
  float64: "Float64Array",
  int32: "Int32Array",
  int8: "Int8Array",
  uint8: "Uint8Array",
  bool: "Uint8Array",
  bfloat16: "Uint16Array",
  float16: "Uint16Array",
};

export type ElementArray = Float32Array | Float64Array | Int32Array | Int8Array | Uint8Array | Uint16Array;

const PRELUDE = `const word = new Uint32Array(1);
const real = new Float32Array(word.buffer);
function fromBfloat16(bits) {
  word[0] = bits << 16;
  return real[0];
}
function toBfloat16(x) {
  real[0] = x;
  if (x !== x) return 0x7fc0;
  return (word[0] + 0x7fff + ((word[0] >>> 16) & 1)) >>> 16; // to nearest, ties to even
}
function fromFloat16(bits) {
  const [sign, exponent, fraction] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}
function toFloat16(x) {
  if (x !== x) return 0x7e00;
  real[0] = x;
  const sign = (word[0] >>> 16) & 0x8000;
  const size = Math.abs(real[0]);
  if (size >= 65520) return sign | 0x7c00;
  const step = 2 ** (Math.max(-14, Math.floor(Math.log2(size || 1))) - 10);
  const steps = size / step; // exact: the step is a power of two
  const low = Math.floor(steps);
  const up = steps - low > 0.5 || (steps - low === 0.5 && low % 2 === 1) ? 1 : 0;
  const whole = (low + up) * step;
  if (whole < 2 ** -14) return sign | (whole * 2 ** 24);
  const exponent = Math.floor(Math.log2(whole));
  return sign | ((exponent + 15) << 10) | ((whole / 2 ** exponent - 1) * 1024);
}
`;

/**
 * The kernel as a TypeScript function of its buffers (typed arrays) and sizes.
 * @example typescriptSource(loop.matmul(2, 2, 2)).startsWith("function matmul(A: Float32Array") // true
 */
export function typescriptSource(kernel: LoopKernel): string {
  return source(kernel, true);
}

function source(kernel: LoopKernel, types: boolean): string {
  const params = [
    ...kernel.params.map((b) => `${b.name}${types ? `: ${ARRAYS[b.dtype]}` : ""}`),
    ...kernel.sizes.map((name) => `${name}${types ? ": number" : ""}`),
  ];
  return `function ${kernel.name}(${params.join(", ")})${types ? ": void" : ""} {\n${block(kernel.body, "  ")}}\n`;
}

/**
 * The kernel as a function of this engine: buffers by name (one typed array each, elements from its beginning), then sizes.
 * @throws LoopError naming a buffer or a size that is missing.
 * @example
 * const [a, b, c] = [new Float32Array([2]), new Float32Array([3]), new Float32Array(1)];
 * typescriptFunction(loop.matmul(1, 1, 1))({ A: a, B: b, C: c });
 * c[0] // 6
 */
export function typescriptFunction(
  kernel: LoopKernel,
): (buffers: Readonly<Record<string, ElementArray>>, sizes?: Readonly<Record<string, number>>) => void {
  const make = new Function(`${PRELUDE}${source(kernel, false)}return ${kernel.name};`) as () => (
    ...x: unknown[]
  ) => void;
  const run = make();
  return (buffers, sizes = {}) => {
    const arrays = kernel.params.map((b) => {
      const array = buffers[b.name];
      if (!array) throw new LoopError(`${kernel.name}: the buffer "${b.name}" is missing`);
      if (array.constructor.name !== ARRAYS[b.dtype])
        throw new LoopError(
          `${kernel.name}: "${b.name}" is ${b.dtype}, which lies in a ${ARRAYS[b.dtype]}, not in a ${array.constructor.name}`,
        );
      return array;
    });
    const numbers = kernel.sizes.map((name) => {
      const value = sizes[name];
      if (!Number.isInteger(value))
        throw new LoopError(`${kernel.name}: the size "${name}" is ${value}, not a whole number`);
      return value;
    });
    run(...arrays, ...numbers);
  };
}

function block(body: readonly Stmt[], indent: string): string {
  return body.map((s) => stmt(s, indent)).join("");
}

function stmt(s: Stmt, indent: string): string {
  switch (s.kind) {
    case "for": {
      const note = s.loop === "serial" ? "" : ` // ${s.loop}`;
      const { variable: v } = s;
      return `${indent}for (let ${v} = ${index(s.from)}, end = ${index(s.to)}; ${v} < end; ${v}++) {${note}\n${block(s.body, `${indent}  `)}${indent}}\n`;
    }
    case "if":
      return `${indent}if (${conditions(s.conditions)}) {\n${block(s.body, `${indent}  `)}${indent}}\n`;
    case "let":
      return `${indent}const ${s.name} = ${expr(s.value)};\n`;
    case "alloc": {
      const size = s.buffer.shape.length === 0 ? "1" : s.buffer.shape.map(factor).join(" * ");
      const undefinedValue = s.buffer.dtype === "float32" || s.buffer.dtype === "float64" ? ".fill(NaN)" : "";
      return `${indent}const ${s.buffer.name} = new ${ARRAYS[s.buffer.dtype]}(${size})${undefinedValue};\n`;
    }
    case "store":
      return `${indent}${element(s.buffer, s.indices)} = ${expr(s.value)};\n`;
    case "reduce": {
      const target = element(s.buffer, s.indices);
      const value: Expr = {
        kind: "op",
        op: s.op,
        args: [{ kind: "load", buffer: s.buffer, indices: s.indices }, s.value],
      };
      const sign = s.buffer.dtype === "int32" ? undefined : operator(s.op).sign;
      return `${indent}${sign ? `${target} ${sign}= ${expr(s.value)}` : `${target} = ${expr(value)}`};\n`;
    }
  }
}

function element(buffer: Buffer, indices: readonly Affine[]): string {
  if (indices.length === 0) return `${buffer.name}[0]`;
  if (buffer.strides) {
    const parts = indices.map((i, d) => {
      const stride = buffer.strides![d];
      if (stride.isConstant && stride.constant === 1) return index(i);
      return `${factor(i)} * ${factor(stride)}`;
    });
    return `${buffer.name}[${parts.join(" + ")}]`;
  }
  // Row-major: ((i₀ · d₁ + i₁) · d₂ + i₂) …
  const position = indices.reduce(
    (sum, i, d) =>
      d === 0
        ? index(i)
        : `${/^\w+$/.test(sum) ? sum : `(${sum})`} * ${factor(buffer.shape[d])} + ${index(i)}`,
    "",
  );
  return `${buffer.name}[${position}]`;
}

const factor = (e: Affine): string => (/^\w+$/.test(index(e)) ? index(e) : `(${index(e)})`);

function conditions(list: readonly Condition[]): string {
  return list.map(({ left, right }) => `${index(left)} < ${index(right)}`).join(" && ");
}

/** An index expression as JavaScript. */
function index(e: Affine): string {
  let out = "";
  for (const { atom, coefficient } of e.terms) {
    const magnitude = Math.abs(coefficient);
    const sign = out === "" ? (coefficient < 0 ? "-" : "") : coefficient < 0 ? " - " : " + ";
    out += `${sign}${magnitude === 1 ? "" : `${magnitude} * `}${atomText(atom)}`;
  }
  if (out === "") return String(e.constant);
  return e.constant === 0 ? out : `${out} ${e.constant < 0 ? "-" : "+"} ${Math.abs(e.constant)}`;
}

function atomText(atom: Atom): string {
  if (atom.kind === "var") return atom.name;
  if (atom.kind === "min" || atom.kind === "max")
    return `Math.${atom.kind}(${atom.of.map(index).join(", ")})`;
  const quotient = `Math.floor((${index(atom.of)}) / ${atom.by})`;
  return atom.kind === "floordiv" ? quotient : `(${index(atom.of)} - ${atom.by} * ${quotient})`;
}

function expr(e: Expr): string {
  switch (e.kind) {
    case "constant":
      if (Number.isNaN(e.value)) return "NaN";
      return Object.is(e.value, -0) ? "-0" : e.value < 0 ? `(${e.value})` : String(e.value);
    case "name":
      return e.name;
    case "load":
      return element(e.buffer, e.indices);
    case "index":
      return `(${index(e.of)})`;
    case "select":
      return `(${expr(e.args[0])} ? ${expr(e.args[1])} : ${expr(e.args[2])})`;
    case "when":
      return `(${conditions(e.conditions)} ? ${expr(e.yes)} : ${expr(e.no)})`;
    case "cast":
      return castText(typeOf(e.of), e.dtype, expr(e.of));
    case "op": {
      const row = operator(e.op);
      const type = typeOf(e.args[0]);
      const args = e.args.map(expr);
      const text = ((type === "int32" && row.jsInt) || row.js).replace(/\$(\d)/g, (_, i) => args[Number(i)]);
      if (type === "float32" && row.result === "same") return `Math.fround(${text})`;
      return type === "int32" && row.result === "same" ? `(${text} | 0)` : `(${text})`;
    }
  }
}

function castText(from: LoopType, to: LoopType, value: string): string {
  if (from === to) return value;
  const number =
    from === "bfloat16" ? `fromBfloat16(${value})` : from === "float16" ? `fromFloat16(${value})` : value;
  switch (to) {
    case "float64":
      return number;
    case "float32":
      return from === "float64" || from === "int32" ? `Math.fround(${number})` : number;
    case "bfloat16":
      return `toBfloat16(${number})`;
    case "float16":
      return `toFloat16(${number})`;
    case "bool":
      return `(${number} !== 0 ? 1 : 0)`;
    case "int8":
      return `(${number} << 24 >> 24)`;
    case "uint8":
      return `(${number} & 255)`;
    default:
      return from === "float32" || from === "float64"
        ? `Math.max(-2147483648, Math.min(2147483647, Math.trunc(${number}))) | 0`
        : number;
  }
}
