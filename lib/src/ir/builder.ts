/** GraphBuilder: makes a graph node by node; types come from the ops' own rules. */
import type { DType } from "../core/dtype.js";
import { formatType, type TensorType } from "../core/shape.js";
import type { Attrs, OpDef } from "../ops/registry.js";
import type { DenseTensor } from "../runtime/dense.js";
import { type Constant, Graph, type GraphNode, type GraphOrigin, IRError, type Value } from "./graph.js";

export class GraphBuilder {
  private readonly params: Value[] = [];
  private readonly constants: Constant[] = [];
  private readonly nodes: GraphNode[] = [];
  private readonly known = new Set<Value>();
  private readonly interned = new Map<DenseTensor | string, Value>();
  private next = 0;

  constructor(private readonly name = "f") {}

  /** A new parameter, after those there are. */
  param(type: TensorType, name: string | null = null): Value {
    const value = this.value(type, name);
    this.params.push(value);
    return value;
  }

  /** A constant with these elements; the same tensor, or a scalar of the same value, gives the same constant. */
  constant(data: DenseTensor, name: string | null = null): Value {
    const key = internKey(data);
    const seen = this.interned.get(key);
    if (seen) return seen;
    const value = this.value(data, name);
    const own = data.retained();
    own.collectable(); // it goes with the graph
    this.constants.push({ value, data: own });
    this.interned.set(key, value);
    return value;
  }

  /**
   * Applies an op.
   * @throws ShapeError or DTypeError from the op's type rule; IRError for an operand of another graph.
   */
  node(op: OpDef, inputs: readonly Value[], attrs: Attrs = {}, loc: string | null = null): readonly Value[] {
    inputs.forEach((input, i) => {
      this.check(input, () => `operand ${i} of ${op.name}`);
    });
    const outputs = op.type(inputs, attrs).map((type) => this.value(type, null));
    this.nodes.push({ op, inputs, attrs, outputs, loc });
    return outputs;
  }

  /** The newest node. */
  last(): GraphNode {
    return this.nodes[this.nodes.length - 1];
  }

  /** The graph that returns these values. */
  finish(results: readonly Value[], origin: GraphOrigin = {}): Graph {
    results.forEach((result, i) => {
      this.check(result, () => `result ${i}`);
    });
    return new Graph(this.name, [...this.params], [...this.constants], [...this.nodes], [...results], origin);
  }

  private value({ shape, dtype }: { shape: readonly number[]; dtype: DType }, name: string | null): Value {
    const value: Value = { id: this.next++, shape, dtype, name };
    this.known.add(value);
    return value;
  }

  private check(value: Value, where: () => string): void {
    if (!this.known.has(value))
      throw new IRError(
        `${this.name}: ${where()}, %${value.id} : ${formatType(value)}, belongs to another graph; make it a parameter`,
      );
  }
}

function internKey(data: DenseTensor): DenseTensor | string {
  if (data.size !== 1 || data.ndim !== 0) return data;
  const host = data.host();
  const value = host.data[host.offset];
  return `${data.dtype}:${Object.is(value, -0) ? "-0" : value}`;
}
