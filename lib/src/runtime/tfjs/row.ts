/** A row of the device's table: an op of the registry as calls of TensorFlow.js. */
import type { DType } from "../../core/dtype.js";
import type { DeviceArray, RemoteType } from "../remote.js";
import type { Piece } from "./memory.js";
import type { Tfjs, TfTensor } from "./tfjs.js";
import { viewed } from "./view.js";

type Results = TfTensor | readonly TfTensor[];

export interface Row<A = never> {
  /**
   * The op; what it makes on the way is disposed of. Results take the shape and dtype of the op's outputs, if they have as many
   * elements or broadcast to them.
   */
  readonly run: (
    t: Tfjs,
    inputs: readonly DeviceArray<Piece>[],
    attrs: A,
    outputs: readonly RemoteType[],
  ) => Results;
  /** Dtypes that inputs may have. */
  readonly takes: readonly DType[];
  /** Kernels that some backend lacks. */
  readonly needs?: readonly string[];
  /** It wants TensorFlow itself, by tfjs-node. */
  readonly tensorflow?: boolean;
  readonly supports?: (inputs: readonly RemoteType[], attrs: A) => boolean;
}

/** The op on tensors of the inputs' shapes, which is all that most ops want to know. */
export type Call<A = object> = (
  t: Tfjs,
  inputs: readonly TfTensor[],
  attrs: A,
  outputs: readonly RemoteType[],
) => Results;

interface More<A> extends Pick<Row<A>, "needs" | "supports" | "tensorflow"> {
  /** Inputs may come with size 1 where they repeat: the call broadcasts. */
  readonly broadcasts?: boolean;
}

const rowOf =
  (takes: readonly DType[]) =>
  <A = object>(call: Call<A>, { broadcasts = false, ...more }: More<A> = {}): Row =>
    ({
      takes,
      run: (t, inputs, attrs, outputs) =>
        call(
          t,
          inputs.map((x) => viewed(t, x, !broadcasts)),
          attrs,
          outputs,
        ),
      ...more,
    }) satisfies Row<A> as Row;

export const float = rowOf(["float32"]);
export const integers = rowOf(["int32"]);
export const number = rowOf(["float32", "int32"]);
export const any = rowOf(["float32", "int32", "bool"]);

/** 0 or 1 as bool: what is not 0, NaN too. */
export const truth = (t: Tfjs, x: TfTensor): TfTensor => (x.dtype === "bool" ? x : t.notEqual(x, 0));

/** Bool as int32; others as they are. */
export const counted = (t: Tfjs, x: TfTensor): TfTensor => (x.dtype === "bool" ? t.cast(x, "int32") : x);
