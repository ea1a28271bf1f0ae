/**
 * SymbolicGraph: one graph for all sizes. Sizes in types and attributes may be symbols; guards say for which sizes it was
 * made. Before it runs it gets its sizes from the arguments, and each size's graph passes the verifier, whose type rules
 * are those of the ops. (Book, chapter 4: symbolic dimensions; as in torch.compile and jax.export.)
 */

import type { DType } from "../../core/dtype.js";
import { ShapeError } from "../../core/errors.js";
import { LruMap } from "../../core/lru.js";
import { formatShape, formatType, type Shape } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { defineOp, NOT_DIFFERENTIABLE, type OpDef } from "../../ops/registry.js";
import { call } from "../call.js";
import { constantOf } from "../data.js";
import { type Constant, Graph, type GraphNode, IRError, type Value } from "../graph.js";
import { type PrintOptions, printGraph } from "../print.js";
import { verify } from "../verify.js";
import { Dim, type Sizes } from "./dim.js";

/** A size is at least this. */
export interface Guard {
  readonly symbol: string;
  readonly least: number;
}

interface DimensionAttrs {
  readonly value: number;
  readonly reciprocal: boolean;
  readonly dtype: DType;
}

/** A number that depends on sizes: `n`, or 1/n as in a mean. With its size known it becomes a constant. */
export const dimensionOp: OpDef<DimensionAttrs> = defineOp<DimensionAttrs>({
  name: "dimension",
  kind: "control",
  type: (_, { dtype }) => [{ shape: [], dtype }],
  reference: (_, [out], { value, reciprocal }) => {
    out.data[0] = reciprocal ? 1 / value : value;
  },
  vjp: NOT_DIFFERENTIABLE,
  jvp: NOT_DIFFERENTIABLE,
  batch: (_inputs, _axes, attrs) => ({
    outputs: [constantOf([numberOf(attrs)], { shape: [], dtype: attrs.dtype })],
    axes: [null],
  }),
  samples: [],
});

const numberOf = ({ value, reciprocal }: DimensionAttrs): number => (reciprocal ? 1 / value : value);

/** Graphs that are kept: lengths of sentences come again, all that ever came would fill the memory. */
const MOST_SIZES = 64;

export class SymbolicGraph {
  /** With their compiled forms, which go with them. */
  private readonly known = new LruMap<string, Graph>(MOST_SIZES);

  constructor(
    /** Sizes in it that are symbols are `Dim`s in the place of numbers. */
    readonly template: Graph,
    readonly guards: readonly Guard[],
  ) {}

  /** Sizes for which there is a graph at the moment. */
  get instances(): number {
    return this.known.size;
  }

  /**
   * The graph of these sizes, verified.
   * @throws ShapeError if a guard does not hold; IRError if the graph is not well formed at these sizes.
   */
  at(sizes: Sizes): Graph {
    for (const { symbol, least } of this.guards) {
      if (!Number.isInteger(sizes[symbol]) || sizes[symbol] < least)
        throw new ShapeError(
          `graph ${this.template.name}: it was made for ${symbol} >= ${least}, and ${symbol} is ${sizes[symbol]}; capture one for that size`,
        );
    }
    const key = this.guards.map(({ symbol }) => sizes[symbol]).join();
    const found = this.known.get(key) ?? verify(instantiate(this.template, sizes));
    this.known.set(key, found);
    return found;
  }

  /**
   * What the symbols are for such arguments.
   * @throws ShapeError naming the argument, the axis, and both sizes, where they do not fit.
   */
  sizesOf(args: readonly Tensor[]): Sizes {
    const { params, name } = this.template;
    if (args.length !== params.length)
      throw new IRError(`graph ${name}: ${params.length} argument(s) expected, ${args.length} given`);
    const sizes: Record<string, number> = {};
    const from: Record<string, string> = {};
    const labelOf = (i: number): string => `argument ${i}${params[i].name ? ` (${params[i].name})` : ""}`;
    args.forEach((x, i) => {
      const wanted = params[i];
      if (x.dtype !== wanted.dtype || x.shape.length !== wanted.shape.length)
        throw new ShapeError(
          `graph ${name}: ${labelOf(i)} is ${formatType(x)}, ${formatType(wanted)} was expected`,
        );
      x.shape.forEach((size, axis) => {
        const dim = wanted.shape[axis] as unknown as Dim | number;
        if (typeof dim !== "number" && dim.name !== null && !(dim.name in sizes)) {
          sizes[dim.name] = size;
          from[dim.name] = `axis ${axis} of ${labelOf(i)}`;
        }
      });
    });
    args.forEach((x, i) => {
      x.shape.forEach((size, axis) => {
        const dim = params[i].shape[axis] as unknown as Dim | number;
        const expected = typeof dim === "number" ? dim : dim.at(sizes);
        if (size === expected) return;
        const reason =
          typeof dim === "number"
            ? ""
            : `, with ${dim.symbols.map((s) => `${s} = ${sizes[s]} by ${from[s]}`).join(", ")}`;
        throw new ShapeError(
          `graph ${name}: ${labelOf(i)} is ${formatType(x)}, ${formatType(params[i])} was expected: axis ${axis} is ${size}, not ${dim}${typeof dim === "number" ? "" : ` = ${expected}`}${reason}`,
        );
      });
    });
    return sizes;
  }

  /** Runs it: guards are checked, and the graph of these sizes is called as one op; derivatives pass through. */
  call(args: readonly Tensor[]): Tensor[] {
    return call(this.at(this.sizesOf(args)), args);
  }

  /** The text form: as a graph's, with guards behind the name. Large constants are left out; `text()` has them. */
  toString(): string {
    return this.withGuards(String(this.template));
  }

  /** The text form that `parseSymbolicGraph` reads back. */
  text(options: PrintOptions = {}): string {
    return this.withGuards(printGraph(this.template, options));
  }

  private withGuards(text: string): string {
    const guards = this.guards.map(({ symbol, least }) => `${symbol} >= ${least}`).join(", ");
    return text.replace("(", `<${guards}>(`);
  }
}

const sized = (value: unknown, sizes: Sizes): unknown => {
  if (value instanceof Dim) return value.at(sizes);
  if (value instanceof Graph) return instantiate(value, sizes);
  if (Array.isArray(value)) return value.map((entry) => sized(entry, sizes));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, sized(entry, sizes)]));
};

function instantiate(template: Graph, sizes: Sizes): Graph {
  const here = new Map<Value, Value>();
  const made = (value: Value): Value => {
    const shape = sized(value.shape, sizes) as Shape;
    if (shape.some((dim) => dim < 0))
      throw new ShapeError(`graph ${template.name}: %${value.id} would be ${formatShape(shape)}`);
    const found = { ...value, shape };
    here.set(value, found);
    return found;
  };
  const get = (value: Value): Value => here.get(value) as Value;
  const params = template.params.map(made);
  const constants: Constant[] = template.constants.map(({ value, data }) => ({ value: made(value), data }));
  const nodes: GraphNode[] = [];
  for (const node of template.nodes) {
    const attrs = sized(node.attrs, sizes) as object;
    if (node.op.name === "dimension") {
      const value = made(node.outputs[0]);
      constants.push({ value, data: constantOf([numberOf(attrs as DimensionAttrs)], value) });
    } else nodes.push({ ...node, inputs: node.inputs.map(get), attrs, outputs: node.outputs.map(made) });
  }
  return new Graph(template.name, params, constants, nodes, template.results.map(get), template.origin);
}
