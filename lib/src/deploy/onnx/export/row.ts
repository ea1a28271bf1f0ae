/** One row of the export table: how an op of this library is written in ops of ONNX. */
import type { DType } from "../../../core/dtype.js";
import type { GraphNode, Value } from "../../../ir/graph.js";
import type { AttributeValue, Exporter } from "./exporter.js";

export class NodeExport {
  readonly inputs: readonly string[];

  constructor(
    readonly node: GraphNode,
    readonly exporter: Exporter,
  ) {
    this.inputs = node.inputs.map((input) => exporter.nameOf(input));
  }

  /** Attributes of the node, as its op has them. */
  attrs<A>(): A {
    return this.node.attrs as A;
  }

  value(i: number): Value {
    return this.node.inputs[i];
  }

  get dtype(): DType {
    return this.node.inputs[0].dtype;
  }

  get rank(): number {
    return this.node.inputs[0].shape.length;
  }

  emit(
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, AttributeValue>> = {},
  ): string {
    return this.exporter.one(op, inputs, attributes);
  }

  /** A number beside the first operand, or of another dtype. */
  number(value: number, dtype: DType = this.dtype): string {
    return this.exporter.scalar(value, dtype);
  }
}

export interface ExportRow {
  readonly op: string;
  /** Oldest opset that has what is written. */
  readonly since?: number;
  readonly write: (n: NodeExport) => string | readonly string[];
}

/** Ops that are one op of ONNX under another name. */
export const renamed = (names: Readonly<Record<string, string>>): ExportRow[] =>
  Object.entries(names).map(([op, onnx]) => ({ op, write: (n) => n.emit(onnx, n.inputs) }));
