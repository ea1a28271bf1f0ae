/** A row of the device's table: an op of the registry as calls of TensorFlow.js. */
import type { DType } from "../../core/dtype.js";
import type { RemoteType } from "../remote.js";
import type { Tfjs, TfTensor } from "./tfjs.js";

/**
 * The op on tensors of the inputs' shapes; what it makes on the way is disposed of. Results take the shape and dtype of the
 * op's outputs, if they have as many elements.
 */
export type Call<A = object> = (
  t: Tfjs,
  inputs: readonly TfTensor[],
  attrs: A,
  outputs: readonly RemoteType[],
) => TfTensor | readonly TfTensor[];

export interface Row<A = never> {
  readonly call: Call<A>;
  /** Dtypes that inputs may have. */
  readonly takes: readonly DType[];
  /** Inputs may come with size 1 where they repeat: the call broadcasts. */
  readonly broadcasts?: boolean;
  /** Kernels that some backend lacks. */
  readonly needs?: readonly string[];
  readonly supports?: (inputs: readonly RemoteType[], attrs: A) => boolean;
}

type More<A> = Omit<Row<A>, "call" | "takes">;

const rowOf =
  (takes: readonly DType[]) =>
  <A = object>(call: Call<A>, more: More<A> = {}): Row =>
    ({ takes, call, ...more }) as Row;

export const float = rowOf(["float32"]);
export const number = rowOf(["float32", "int32"]);
export const any = rowOf(["float32", "int32", "bool"]);

/** Elementwise rows. */
export const spread = (rows: Readonly<Record<string, Row>>): Record<string, Row> =>
  Object.fromEntries(Object.entries(rows).map(([op, row]) => [op, { broadcasts: true, ...row }]));

/** 0 or 1 as bool: what is not 0, NaN too. */
export const truth = (t: Tfjs, x: TfTensor): TfTensor => (x.dtype === "bool" ? x : t.notEqual(x, 0));

/** Bool as int32; others as they are. */
export const counted = (t: Tfjs, x: TfTensor): TfTensor => (x.dtype === "bool" ? t.cast(x, "int32") : x);
