/** Quantizing and dequantizing as nodes of a graph, in the form that the ONNX writer knows again. */
import type { GraphEditor } from "../../ir/edit.js";
import type { Value } from "../../ir/graph.js";
import type { DenseTensor } from "../../runtime/dense.js";
import type { QuantParams } from "./scheme.js";

/** cast(clip(round(x / scale) + zero)). */
export function quantizedValue(
  editor: GraphEditor,
  x: Value,
  { scale, zero, low, high, dtype }: QuantParams,
): Value {
  const one = (op: string, inputs: Value[], attrs: object = {}): Value => editor.emit(op, inputs, attrs)[0];
  const whole = one("round", [one("div", [x, editor.constant(scale as DenseTensor)])]);
  const moved = one("add", [whole, editor.constant(zero.cast("float32") as DenseTensor)]);
  return one("cast", [one("clip", [moved], { low, high })], { dtype });
}

/** (cast(q) − zero) · scale. */
export function dequantized(editor: GraphEditor, q: Value, { scale, zero }: QuantParams): Value {
  const one = (op: string, inputs: Value[], attrs: object = {}): Value => editor.emit(op, inputs, attrs)[0];
  const wide = one("cast", [q], { dtype: "float32" });
  const centred = one("sub", [wide, editor.constant(zero.cast("float32") as DenseTensor)]);
  return one("mul", [centred, editor.constant(scale as DenseTensor)]);
}
