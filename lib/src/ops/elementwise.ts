/** Elementwise ops from a row of data: the op with all its rules, its method of Tensor, and its function. */
import { isFloat } from "../core/dtype.js";
import { broadcastShapes } from "../core/shape.js";
import { Tensor } from "../core/tensor.js";
import { apply } from "./bind.js";
import { asFloat, asTensor, promote, type TensorLike } from "./convert.js";
import { defineOp, NOT_DIFFERENTIABLE, type OpDef, type OpSample, type VjpContext } from "./registry.js";
import { elementwiseBatch, mapReference } from "./rules.js";

export interface UnaryRow {
  readonly f: (x: number) => number;
  /** Derivative from the input `x` and the output `y`; absent: constant almost everywhere. */
  readonly derivative?: (x: Tensor, y: Tensor) => Tensor | number;
  /** What `derivative` reads. */
  readonly reads?: "x" | "y" | "both";
  /** Integers become float32 first. */
  readonly float?: boolean;
  /** The result is bool. */
  readonly bool?: boolean;
  /** Where the gradient check draws its inputs. */
  readonly range?: readonly [number, number];
  /** Another such range: the other side of a kink, another branch of the algorithm. */
  readonly also?: readonly [number, number];
}

/** Defines an op of one operand; it becomes a method of Tensor of the same name. */
export function unaryOp(name: string, row: UnaryRow): (x: TensorLike) => Tensor {
  const { derivative, reads, range = [-2, 2] } = row;
  const scale = (g: Tensor | null, x: Tensor, y: Tensor): Tensor | null =>
    g && derivative ? g.mul(derivative(x, y)) : null;
  const def: OpDef<object> = defineOp<object>({
    name,
    kind: "elementwise",
    type: ([x]) => [{ shape: x.shape, dtype: row.bool ? "bool" : x.dtype }],
    reference: mapReference(row.f),
    saves: {
      inputs: reads === "x" || reads === "both" ? "all" : [],
      outputs: reads === "y" || reads === "both",
    },
    vjp: derivative ? ([g], { inputs: [x], outputs: [y] }) => [scale(g, x, y)] : NOT_DIFFERENTIABLE,
    jvp: derivative ? ([x], [t], [y]) => [scale(t, x, y)] : NOT_DIFFERENTIABLE,
    batch: elementwiseBatch(() => def),
    samples: [
      { shapes: [[2, 3]], ranges: [range] },
      { shapes: [[]], ranges: [range] },
      { shapes: [[0, 3]] },
      ...(row.also ? [{ shapes: [[5]], ranges: [row.also] }] : []),
    ],
  });
  const f = (x: TensorLike): Tensor => apply(def, [row.float ? asFloat(x) : asTensor(x)], {});
  attach(name, function (this: Tensor) {
    return f(this);
  });
  return f;
}

/** A partial derivative times `g`, before summing over broadcast axes. */
type Partial = (g: Tensor, a: Tensor, b: Tensor, y: Tensor) => Tensor;

export interface BinaryRow {
  readonly f: (a: number, b: number) => number;
  /** Absent: constant almost everywhere. */
  readonly partials?: readonly [Partial, Partial];
  /** What the partials read. Default: both inputs. */
  readonly saves?: { readonly inputs?: readonly number[] | "all"; readonly outputs?: boolean };
  /** Integers become float32 first. */
  readonly float?: boolean;
  /** The result is bool. */
  readonly bool?: boolean;
  /** Refuses dtypes, with an error. */
  readonly check?: (a: Tensor, b: Tensor) => void;
  /** Booleans stay so (else they count as int32). */
  readonly onBools?: boolean;
  readonly ranges?: OpSample<object>["ranges"];
  /** Other ranges: of other signs, beyond a kink. */
  readonly also?: OpSample<object>["ranges"];
  /** Of the samples' inputs; default float64. */
  readonly dtypes?: OpSample<object>["dtypes"];
}

/** Defines an op of two operands with NumPy's broadcasting; it becomes a method of Tensor of the same name. */
export function binaryOp(name: string, row: BinaryRow): (a: TensorLike, b: TensorLike) => Tensor {
  const { partials, ranges, dtypes, saves = { inputs: "all" } } = row;
  const vjp = ([g]: readonly (Tensor | null)[], c: VjpContext<object>): (Tensor | null)[] => {
    if (!g || !partials) return [null, null];
    const [a, b] = c.inputs;
    return partials.map((partial, i) =>
      c.needs[i] ? partial(g, a, b, c.outputs[0]).sumTo(c.inputTypes[i].shape) : null,
    );
  };
  const sample = (...shapes: number[][]): OpSample<object> => ({ shapes, ranges, dtypes });
  const def: OpDef<object> = defineOp<object>({
    name,
    kind: "elementwise",
    type: ([a, b]) => [
      { shape: broadcastShapes([a.shape, b.shape], name), dtype: row.bool ? "bool" : a.dtype },
    ],
    reference: mapReference(row.f as (...x: number[]) => number),
    saves: partials ? saves : {},
    vjp: partials ? vjp : NOT_DIFFERENTIABLE,
    jvp: partials
      ? ([a, b], tangents, [y]) => {
          const parts = tangents.map((t, i) => t && partials[i](t, a, b, y));
          const [p, q] = parts;
          const sum = p && q ? p.add(q) : (p ?? q);
          return [sum && sum.broadcastTo(y.shape)];
        }
      : NOT_DIFFERENTIABLE,
    batch: elementwiseBatch(() => def),
    samples: [
      sample([2, 3], [2, 3]),
      sample([3, 1, 2], [4, 1]),
      sample([], [3]),
      sample([3, 0], [1]),
      ...(row.also ? [{ shapes: [[3], [3]], ranges: row.also, dtypes }] : []),
    ],
  });
  const f = (a: TensorLike, b: TensorLike): Tensor => {
    let [x, y] = promote(a, b);
    row.check?.(x, y);
    if (row.float && !isFloat(x.dtype)) [x, y] = [asFloat(x), asFloat(y)];
    else if (x.dtype === "bool" && !row.bool && !row.onBools) [x, y] = [x.cast("int32"), y.cast("int32")];
    return apply(def, [x, y], {});
  };
  attach(name, function (this: Tensor, other: TensorLike) {
    return f(this, other);
  });
  return f;
}

/** The declarations beside each op's definition say what `method` is. */
function attach(name: string, method: unknown): void {
  (Tensor.prototype as unknown as Record<string, unknown>)[name] = method;
}
