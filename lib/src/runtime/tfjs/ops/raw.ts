/**
 * Ops that TensorFlow.js has no function for and TensorFlow has: called by their names through tfjs-node's backend, which other
 * backends can't. https://www.tensorflow.org/api_docs/python/tf/raw_ops
 */
import { float, integers, number, type Row } from "../row.js";
import type { Tfjs, TfTensor } from "../tfjs.js";

/** The part of tfjs-node's backend that executes ops of TensorFlow. */
interface NodeBackend {
  readonly binding: Readonly<Record<"TF_ATTR_BOOL" | "TF_ATTR_TYPE" | "TF_FLOAT" | "TF_INT32", number>>;
  executeMultipleOutputs(
    op: string,
    attrs: readonly { name: string; type: number; value: unknown }[],
    inputs: readonly TfTensor[],
    outputs: number,
  ): TfTensor[];
}

/** True if TensorFlow itself computes. */
export const isTensorFlow = (t: Tfjs): boolean =>
  typeof (t.backend() as Partial<NodeBackend>).executeMultipleOutputs === "function";

interface Options {
  readonly outputs?: number;
  readonly flags?: Readonly<Record<string, boolean>>;
  /** Dtypes of inputs that have an attribute of their own. */
  readonly types?: Readonly<Record<string, "TF_FLOAT" | "TF_INT32">>;
}

function execute(
  t: Tfjs,
  op: string,
  inputs: readonly TfTensor[],
  { outputs = 1, flags = {}, types = {} }: Options = {},
): TfTensor[] {
  const backend = t.backend() as unknown as NodeBackend;
  const { TF_ATTR_BOOL, TF_ATTR_TYPE } = backend.binding;
  const dtype = inputs[0].dtype === "int32" ? "TF_INT32" : "TF_FLOAT";
  const attrs = [
    ...Object.entries({ T: dtype, ...types } as const).map(([name, type]) => ({
      name,
      type: TF_ATTR_TYPE,
      value: backend.binding[type],
    })),
    ...Object.entries(flags).map(([name, value]) => ({ name, type: TF_ATTR_BOOL, value })),
  ];
  return backend.executeMultipleOutputs(op, attrs, inputs, outputs);
}

const raw = (make: typeof float, op: string, options?: Options): Row =>
  make((t, inputs) => execute(t, op, inputs, options), { broadcasts: true, tensorflow: true });

/** Batches of matrices: their inputs are whole. */
const matrices = (op: string, options?: Options): Row =>
  float((t, inputs) => execute(t, op, inputs, options), { tensorflow: true });

interface Triangular {
  readonly lower: boolean;
  readonly transpose: boolean;
  readonly unitDiagonal: boolean;
}

export const RAW: Readonly<Record<string, Row>> = {
  bitwiseAnd: raw(integers, "BitwiseAnd"),
  bitwiseOr: raw(integers, "BitwiseOr"),
  bitwiseXor: raw(integers, "BitwiseXor"),
  leftShift: raw(integers, "LeftShift"),
  rightShift: raw(integers, "RightShift"),

  digamma: float(
    (t, [x]) => t.where(t.equal(x, 0), t.neg(t.reciprocal(x)), execute(t, "Digamma", [x])[0]), // NaN at 0 in TensorFlow
    { broadcasts: true, tensorflow: true },
  ),
  erfc: raw(float, "Erfc"),
  erfinv: raw(float, "Erfinv"),
  lgamma: raw(float, "Lgamma"),
  polygamma: float<{ order: number }>(
    (t, [x], { order }) => execute(t, "Polygamma", [t.fill(x.shape, order), x]),
    { tensorflow: true },
  ),
  fmod: number(
    (t, [a, b]) => {
      if (a.dtype === "float32") return execute(t, "TruncateMod", [a, b]);
      const none = t.equal(b, 0); // of integers the reference makes 0, TensorFlow an error
      const [y] = execute(t, "TruncateMod", [a, t.where(none, t.onesLike(b), b)]);
      return t.where(none, t.zerosLike(y), y);
    },
    { broadcasts: true, tensorflow: true },
  ),

  cholesky: float(
    (t, [x]) => {
      const order = x.shape.map((_, i) => i);
      const swapped = t.transpose(x, [...order.slice(0, -2), order.length - 1, order.length - 2]);
      return execute(t, "Cholesky", [t.mul(t.add(x, swapped), 0.5)]);
    },
    { tensorflow: true },
  ),
  det: matrices("MatrixDeterminant"),
  inv: matrices("MatrixInverse", { flags: { adjoint: false } }),
  slogdet: matrices("LogMatrixDeterminant", { outputs: 2 }),
  solve: matrices("MatrixSolve", { flags: { adjoint: false } }),
  triangularSolve: float<Triangular>(
    (t, inputs, { lower, transpose }) =>
      execute(t, "MatrixTriangularSolve", inputs, { flags: { lower, adjoint: transpose } }),
    { tensorflow: true, supports: (_, { unitDiagonal }) => !unitDiagonal },
  ),

  // Of positions that repeat the last one counts: per element the largest number of a value that goes there, or none.
  replace: number(
    (t, [x, index, values]) => {
      if (index.size === 0) return x;
      const places = t.range(0, index.size, 1, "int32");
      const count = t.scalar(x.size, "int32");
      const types = { Tindices: "TF_INT32", Tnumsegments: "TF_INT32" } as const;
      const [last] = execute(t, "UnsortedSegmentMax", [places, index, count], { types });
      const found = t.gather(values, t.maximum(last, t.scalar(0, "int32")));
      return t.where(t.greaterEqual(last, 0), found, x);
    },
    { tensorflow: true },
  ),
};
