/** A convolution or a product whose weight is constant, and what quantizing makes of it. */
import type { GraphEditor } from "../../ir/edit.js";
import type { GraphNode, Value } from "../../ir/graph.js";
import type { DenseTensor } from "../../runtime/dense.js";
import { dequantized, quantizedValue } from "./nodes.js";
import type { QuantParams } from "./scheme.js";
import type { QuantizedWeight } from "./weights.js";

export interface Target {
  readonly node: GraphNode;
  readonly weight: DenseTensor;
  readonly name: string | null;
}

/** What is known of a layer before the graph is changed. */
export interface Plan {
  readonly target: Target;
  readonly weight: QuantizedWeight;
  readonly input: QuantParams | null;
  readonly range: readonly [number, number] | null;
}

/** The layer on quantized weights and, where there is a range, on a quantized input. */
export function layerOf(editor: GraphEditor, node: GraphNode, { weight, input }: Plan, x: Value): Value {
  const given = input ? dequantized(editor, quantizedValue(editor, x, input), input) : x;
  return editor.emit(node.op, [given, weight.emit(editor)], node.attrs, node.loc)[0];
}
