/**
 * One row of the import table: what an ONNX op is in ops of this library. Rows compute on tensors, so that a model can be
 * run op by op, captured, differentiated and mapped; what depends on shapes and constants alone is computed meanwhile.
 */
import { type Shape, sizeOf } from "../../../core/shape.js";
import type { Tensor } from "../../../core/tensor.js";
import { concrete } from "../../../ops/read.js";
import { type GraphProto, OnnxError } from "../schema.js";
import type { Attributes } from "./attributes.js";

/** Runs a graph that is a node's attribute, where the node stands: it sees the values around. */
export type Subgraph = (inputs: readonly Tensor[]) => Tensor[];

export interface NodeContext {
  readonly opset: number;
  /** `null` where an optional input is left out; missing ones behind the last are absent. */
  readonly inputs: readonly (Tensor | null)[];
  readonly attributes: Attributes;
  /** Number of outputs that the node names, gaps included. */
  readonly outputs: number;
  /** Elements that one result may have. */
  readonly mostElements: number;
  subgraph(graph: GraphProto): Subgraph;
}

export class RowContext {
  readonly attributes: Attributes;
  readonly opset: number;
  readonly outputs: number;

  constructor(private readonly node: NodeContext) {
    this.attributes = node.attributes;
    this.opset = node.opset;
    this.outputs = node.outputs;
  }

  get inputs(): readonly (Tensor | null)[] {
    return this.node.inputs;
  }

  /** @throws OnnxError if the input is left out. */
  input(i: number): Tensor {
    const found = this.node.inputs[i];
    if (!found) throw new OnnxError(`input ${i} is missing`);
    return found;
  }

  optional(i: number): Tensor | null {
    return this.node.inputs[i] ?? null;
  }

  /** The numbers of an input that must be known before the model runs: a shape, axes, pads. */
  numbers(i: number, what: string): number[] {
    const values = concrete(this.input(i));
    if (!values)
      throw new OnnxError(
        `input ${i} (${what}) depends on the model's input values; shapes must be known when the graph is captured. Run the model op by op instead: model.call(…)`,
      );
    return Array.from(values.toTypedArray());
  }

  optionalNumbers(i: number, what: string): number[] | null {
    return this.optional(i) ? this.numbers(i, what) : null;
  }

  number(i: number, what: string): number {
    return this.numbers(i, what)[0];
  }

  /** What older opsets have as an attribute, newer ones as an input. */
  numbersOrInts(i: number, name: string): number[] | null {
    return this.attributes.ints(name) ?? this.optionalNumbers(i, name);
  }

  /** An axis, negative ones counted from the end. @throws OnnxError outside the range. */
  axis(given: number, rank: number): number {
    const axis = given < 0 ? given + rank : given;
    if (!Number.isInteger(axis) || axis < 0 || axis >= rank)
      throw new OnnxError(`axis ${given} is outside of ${rank} axes`);
    return axis;
  }

  axes(given: readonly number[], rank: number): number[] {
    return given.map((axis) => this.axis(axis, rank));
  }

  subgraph(name: string): Subgraph {
    return this.node.subgraph(this.attributes.graph(name));
  }

  /** @throws OnnxError if a result of such a shape would be larger than a model may ask for. */
  room(shape: Shape): Shape {
    if (!shape.every((dim) => Number.isSafeInteger(dim) && dim >= 0))
      throw new OnnxError(`the result would have the shape [${shape.slice(0, 8).join(", ")}]`);
    if (sizeOf(shape) > this.node.mostElements)
      throw new OnnxError(
        `the result would have ${sizeOf(shape)} elements, more than the ${this.node.mostElements} that are allowed (mostElements)`,
      );
    return shape;
  }
}

export interface ImportRow {
  readonly op: string;
  /** Default: ONNX's own ops. */
  readonly domain?: string;
  readonly run: (c: RowContext) => Tensor | readonly Tensor[];
}

/** Rows of ops whose meaning is one function of their inputs. */
export function plainRows(functions: Readonly<Record<string, (...inputs: Tensor[]) => Tensor>>): ImportRow[] {
  return Object.entries(functions).map(([op, f]) => ({
    op,
    run: (c) => f(...Array.from({ length: f.length }, (_, i) => c.input(i))),
  }));
}
