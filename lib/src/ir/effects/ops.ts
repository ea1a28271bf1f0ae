/**
 * Side effects in a pure graph: each takes a token and returns the next one, so that their order is data dependence, which
 * every pass keeps. `token` begins the chain; the last token is the graph's last result. (Book, chapter 4: side effects in
 * functional form; chapter 5: x = y; x = z; x = x − y. As StableHLO's tokens.)
 */
import { TransformError } from "../../core/errors.js";
import { formatType, sameShape, type TensorType } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { zeros } from "../../ops/create.js";
import { type Attrs, defineOp, NOT_DIFFERENTIABLE, type OpDef } from "../../ops/registry.js";
import { IRError } from "../graph.js";
import { effectHost } from "./host.js";

/** No elements: a token costs nothing at run time. */
export const TOKEN: TensorType = { shape: [0], dtype: "bool" };

export const isTokenType = ({ shape, dtype }: TensorType): boolean =>
  dtype === "bool" && shape.length === 1 && shape[0] === 0;

const token = (): Tensor => zeros([0], { dtype: "bool" });

/** Effects act on their host; none is a kernel. */
const unreachable = (): never => {
  throw new IRError("an effect has no kernel");
};

interface Effect<A extends Attrs> {
  readonly name: string;
  /** Operands behind the token. */
  readonly operands: number;
  /** Results behind the token. */
  readonly results: (operands: readonly TensorType[], attrs: A) => readonly TensorType[];
  readonly run: (operands: readonly Tensor[], attrs: A) => readonly Tensor[];
}

function defineEffect<A extends Attrs>({ name, operands, results, run }: Effect<A>): OpDef<A> {
  return defineOp<A>({
    name,
    kind: "control",
    type: (inputs, attrs) => {
      if (inputs.length !== operands + 1 || !isTokenType(inputs[0]))
        throw new IRError(
          `${name}: a token and ${operands} operand(s) were expected, got ${inputs.map(formatType).join(", ") || "nothing"}`,
        );
      return [TOKEN, ...results(inputs.slice(1), attrs)];
    },
    reference: unreachable,
    composite: ([, ...given], attrs) => [token(), ...run(given, attrs)],
    vjp: NOT_DIFFERENTIABLE,
    jvp: NOT_DIFFERENTIABLE,
    batch: () => {
      throw new TransformError(
        `${name}: vmap maps pure functions; examples of a batch have no order for effects`,
      );
    },
    samples: [],
  });
}

export const tokenOp: OpDef = defineOp({
  name: "token",
  kind: "control",
  type: () => [TOKEN],
  reference: unreachable,
  composite: () => [token()],
  vjp: NOT_DIFFERENTIABLE,
  jvp: NOT_DIFFERENTIABLE,
  batch: () => ({ outputs: [token()], axes: [null] }),
  samples: [],
});

export interface CellAttrs {
  readonly cell: string;
}
export interface ReadAttrs extends CellAttrs, TensorType {}

export const readOp: OpDef<ReadAttrs> = defineEffect<ReadAttrs>({
  name: "read",
  operands: 0,
  results: (_, { shape, dtype }) => [{ shape, dtype }],
  run: (_, { cell, shape, dtype }) => {
    const value = effectHost().read(cell);
    if (value.dtype !== dtype || !sameShape(value.shape, shape))
      throw new IRError(
        `read: the cell "${cell}" holds ${formatType(value)}, ${formatType({ shape, dtype })} was expected`,
      );
    return [value.reshape(shape)]; // a handle of its own
  },
});

export const assignOp: OpDef<CellAttrs> = defineEffect<CellAttrs>({
  name: "assign",
  operands: 1,
  results: () => [],
  run: ([value], { cell }) => {
    effectHost().assign(cell, value);
    return [];
  },
});

export const printOp: OpDef<{ readonly label: string }> = defineEffect<{ readonly label: string }>({
  name: "print",
  operands: 1,
  results: () => [],
  run: ([value], { label }) => {
    effectHost().print(label, value);
    return [];
  },
});

/** Ops that return a token first. */
export const EFFECTS: ReadonlySet<string> = new Set(["token", "read", "assign", "print"]);
