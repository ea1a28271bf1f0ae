/** Random graphs that a pattern matches, so that every rule can be tested on what it is for. */
import type { DType } from "../../core/dtype.js";
import { ShapeError } from "../../core/errors.js";
import { sizeOf } from "../../core/shape.js";
import { getOp } from "../../ops/registry.js";
import { GraphBuilder } from "../builder.js";
import { constantOf } from "../data.js";
import type { Graph, Value } from "../graph.js";
import type { OperandClass, Pattern } from "./pattern.js";

type Random = () => number;

const FLOATS: readonly DType[] = ["float64", "float64", "float64", "float32"];

const CONSTANTS = [2, 0.5, 3, -1, 4, -2, 1.5, 0.25, 8];
const UNARY = ["sin", "tanh", "exp", "relu"];
const BINARY = ["add", "sub", "mul", "maximum"];

const shuffled = (count: number, random: Random): number[] =>
  Array.from({ length: count }, (_, i) => ({ i, key: random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ i }) => i);

function lastAxis(shape: readonly number[]): Record<string, unknown> {
  if (shape.length === 0) throw new ShapeError("softmax: there is no axis");
  return { axis: shape.length - 1 };
}

/** Attributes of ops that need some, for an operand of such a shape. */
const ATTRS: Readonly<Record<string, (shape: readonly number[], random: Random) => Record<string, unknown>>> =
  {
    transpose: (shape, random) => ({ axes: shuffled(shape.length, random) }),
    reshape: (shape, random) => {
      const size = sizeOf(shape);
      return { shape: [[size], [1, size], shape, [...shape].reverse()][Math.floor(random() * 4)] };
    },
    broadcastTo: (shape, random) => ({ shape: random() < 0.5 ? shape : [2, ...shape] }),
    cast: (_shape, random) => ({
      dtype: ["float64", "float32", "float64", "int32"][Math.floor(random() * 4)],
    }),
    sum: (shape, random) => ({
      axes: shape.flatMap((_, i) => (random() < 0.6 ? [i] : [])),
      keepDims: random() < 0.3,
    }),
    softmax: lastAxis,
  };

/** A graph whose one result is an instance of the pattern; `null` where the choices do not fit together. */
export function instanceOf(pattern: Pattern, random: Random, dtypes = FLOATS): Graph | null {
  const b = new GraphBuilder("instance");
  const names = new Map<string, Value>();
  const bound = new Map<string, unknown>();
  const dtype = dtypes[Math.floor(random() * dtypes.length)];
  const square = random() < 0.5;
  const shapeOf = (of: OperandClass | null): number[] => {
    if (of === "scalar") return [];
    return random() < 0.75
      ? square
        ? [3, 3]
        : [3, 4]
      : [[1, square ? 3 : 4], [], [square ? 3 : 4]][Math.floor(random() * 3)];
  };
  const number = (value: number, shape: number[]): Value =>
    b.constant(constantOf(new Array<number>(sizeOf(shape)).fill(value), { shape, dtype }));
  const make = (part: Pattern): Value => {
    if (part.kind === "number") {
      const inBool = part.value === 0 || part.value === 1 ? isBoolPlace(pattern, part) : false;
      if (inBool) return b.constant(constantOf([part.value], { shape: [], dtype: "bool" }));
      return number(part.value, random() < 0.7 ? [] : [3, square ? 3 : 4]);
    }
    if (part.kind === "any") {
      const known = names.get(part.name);
      if (known) return known;
      const value =
        part.of === "const"
          ? number(CONSTANTS[Math.floor(random() * CONSTANTS.length)], [])
          : b.param(
              {
                shape: shapeOf(part.of),
                dtype: part.of === "bool" ? "bool" : part.of === "int" ? "int32" : dtype,
              },
              part.name,
            );
      names.set(part.name, value);
      return value;
    }
    const inputs = part.operands.map(make);
    const pool = inputs.length === 1 ? UNARY : BINARY;
    const op = getOp(part.variable ? pool[Math.floor(random() * pool.length)] : part.op);
    const attrs: Record<string, unknown> = ATTRS[op.name]?.(inputs[0].shape, random) ?? {};
    for (const [key, name] of Object.entries(part.attrs)) {
      if (bound.has(name)) attrs[key] = bound.get(name);
      else bound.set(name, attrs[key]);
    }
    if (op.name === "transpose" && (attrs.axes as unknown[]).length !== inputs[0].shape.length)
      throw new ShapeError("transpose: a bound order of another rank");
    return b.node(op, inputs, attrs)[0];
  };
  try {
    return b.finish([make(pattern)]);
  } catch {
    return null;
  }
}

/** True if the number stands where its op takes a bool: a condition, or an operand of a logical op. */
function isBoolPlace(pattern: Pattern, part: Pattern): boolean {
  if (pattern.kind !== "op") return false;
  const at = pattern.operands.indexOf(part);
  if (at >= 0) return (pattern.op === "where" && at === 0) || pattern.op.startsWith("logical");
  return pattern.operands.some((operand) => isBoolPlace(operand, part));
}
