/** OnnxModel: a model file that was read. It is a function of tensors, which any transformation sees through. */
import type { DType } from "../../core/dtype.js";
import { formatShape, formatType } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { captureWith } from "../../graph/capture.js";
import { captureSymbolic } from "../../graph/dynamic.js";
import { toStatic } from "../../graph/static.js";
import type { SymbolicGraph } from "../../ir/dynamic/symbolic-graph.js";
import type { Graph } from "../../ir/graph.js";
import { freeze } from "../../ir/json.js";
import { zeros } from "../../ops/create.js";
import type { Evaluator } from "./evaluate.js";
import { OnnxError, quoted } from "./schema.js";

/** An input or an output: sizes that the file leaves open are names, or `null` without one. */
export interface OnnxValue {
  readonly name: string;
  readonly dtype: DType;
  /** `null`: the file does not say how many axes there are. */
  readonly shape: readonly (number | string | null)[] | null;
}

export interface OnnxDescription {
  readonly name: string;
  /** Of ONNX's own ops. */
  readonly opset: number;
  /** Of other domains. */
  readonly opsets: Readonly<Record<string, number>>;
  readonly producer: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
}

export class OnnxModel {
  private readonly compiled: (...args: Tensor[]) => unknown;

  constructor(
    readonly description: OnnxDescription,
    private readonly evaluator: Evaluator,
  ) {
    this.compiled = toStatic((...args: Tensor[]) => this.call(...args));
  }

  get inputs(): readonly OnnxValue[] {
    return this.description.inputs;
  }

  get outputs(): readonly OnnxValue[] {
    return this.description.outputs;
  }

  /** The model's weights by name. */
  get weights(): ReadonlyMap<string, Tensor> {
    return this.evaluator.weights;
  }

  /**
   * The outputs for these inputs, in order, computed op by op. Differentiable, and can be captured.
   * @throws OnnxError naming the node, its op and the opset, if a node can't be computed; or the input that does not fit.
   */
  call(...args: Tensor[]): Tensor[] {
    this.check(args);
    return this.evaluator.run(args);
  }

  /**
   * The outputs by name for inputs by name; compiled once for each signature.
   * @throws OnnxError for an input that is missing, unknown or does not fit; as `call` otherwise.
   */
  run(feeds: Readonly<Record<string, Tensor>>): Record<string, Tensor> {
    const known = new Set(this.inputs.map(({ name }) => name));
    const other = Object.keys(feeds).find((name) => !known.has(name));
    if (other !== undefined)
      throw new OnnxError(
        `model ${quoted(this.description.name)} has no input ${quoted(other)}; it has ${[...known].map(quoted).join(", ")}`,
      );
    const args = this.inputs.map(({ name }) => {
      if (!Object.hasOwn(feeds, name))
        throw new OnnxError(`model ${quoted(this.description.name)}: input ${quoted(name)} is missing`);
      return feeds[name];
    });
    this.check(args);
    const results = this.compiled(...args) as Tensor[];
    return Object.fromEntries(this.outputs.map(({ name }, i) => [name, results[i]]));
  }

  /**
   * The graph for inputs of these sizes: names of sizes with a number each.
   * @throws OnnxError if a size is left open.
   */
  graph(sizes: Readonly<Record<string, number>> = {}): Graph {
    const examples = this.inputs.map(({ name, dtype, shape }) => {
      const dims = (shape ?? []).map((dim, axis) => {
        const size = typeof dim === "string" ? sizes[dim] : dim;
        if (size === undefined || size === null)
          throw new OnnxError(
            `model ${quoted(this.description.name)}: axis ${axis} of input ${quoted(name)} is open${dim === null ? "" : `; give a size for ${quoted(String(dim))}`}`,
          );
        return size;
      });
      return zeros(dims, { dtype });
    });
    return freeze(
      captureWith(
        { name: this.description.name, locations: false },
        (...args: Tensor[]) => this.call(...args),
        ...examples,
      ),
    );
  }

  /** One graph for all sizes that the file leaves open. @throws IRError if the model differs from size to size in more than sizes. */
  symbolic(): SymbolicGraph {
    const types = this.inputs.map(({ dtype, shape }, i) => {
      const dims = (shape ?? []).map((dim, axis) => (dim === null ? `d${i}_${axis}` : String(dim)));
      return `${dtype}(${dims.join(", ")})`;
    });
    return captureSymbolic((...args: Tensor[]) => this.call(...args), ...types);
  }

  private check(args: readonly Tensor[]): void {
    const name = `model ${quoted(this.description.name)}`;
    if (args.length !== this.inputs.length)
      throw new OnnxError(`${name}: ${this.inputs.length} input(s) expected, ${args.length} given`);
    const sizes = new Map<string, number>();
    this.inputs.forEach((wanted, i) => {
      const x = args[i];
      const fits =
        x.dtype === wanted.dtype &&
        (wanted.shape === null ||
          (x.ndim === wanted.shape.length &&
            wanted.shape.every((dim, axis) => {
              if (typeof dim !== "string") return dim === null || dim === x.shape[axis];
              if (!sizes.has(dim)) sizes.set(dim, x.shape[axis]);
              return sizes.get(dim) === x.shape[axis];
            })));
      if (!fits)
        throw new OnnxError(
          `${name}: input ${quoted(wanted.name)} is ${formatType(x)}, ${wanted.dtype}${wanted.shape ? formatShape(wanted.shape.map((dim) => dim ?? "?") as never) : ""} was expected`,
        );
    });
  }
}
