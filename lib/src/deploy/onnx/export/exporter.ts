/** What export rows write into: nodes, constants and names of an ONNX graph that is being made. */
import type { DType } from "../../../core/dtype.js";
import type { TensorType } from "../../../core/shape.js";
import type { Dim } from "../../../ir/dynamic/dim.js";
import type { Graph, GraphNode, Value } from "../../../ir/graph.js";
import { tensor } from "../../../ops/convert.js";
import { type DenseTensor, elementBytes } from "../../../runtime/dense.js";
import { codeOf } from "../elements.js";
import {
  ATTRIBUTE,
  type AttributeProto,
  type GraphProto,
  type NodeProto,
  OnnxError,
  type TensorProto,
  type ValueInfoProto,
} from "../schema.js";

/** A number that ONNX wants as a float; plain numbers are whole. */
export class Float {
  constructor(readonly value: number) {}
}

export type AttributeValue = number | string | Float | readonly number[] | readonly string[] | GraphProto;

/** A size: a number, or what it is in terms of sizes that are left open. */
export type Size = number | Dim;

/** Ends of slices with negative steps that go past the first element. */
const LEAST = -(2n ** 63n);

export interface InitializerSource {
  readonly name: string;
  readonly data: DenseTensor;
}

/** Shared by a graph and those inside it: names are unique in all of them, constants stand in the outermost. */
export interface Shared {
  readonly opset: number;
  readonly names: Set<string>;
  readonly weights: InitializerSource[];
  readonly small: TensorProto[];
  readonly constants: Map<string, string>;
  readonly symbols: Map<string, string>;
  /** Graph whose parameters have the open sizes. */
  readonly root: Exporter | null;
}

export type ExportNode = (node: GraphNode, exporter: Exporter) => readonly string[];

export class Exporter {
  nodes: NodeProto[] = [];
  private readonly byValue = new Map<Value, string>();
  private readonly shared: Shared;

  constructor(
    readonly graph: Graph,
    shared: Shared,
    private readonly exportNode: ExportNode,
  ) {
    this.shared = shared.root ? shared : { ...shared, root: this };
  }

  get opset(): number {
    return this.shared.opset;
  }

  get weights(): readonly InitializerSource[] {
    return this.shared.weights;
  }

  get initializers(): readonly TensorProto[] {
    return this.shared.small;
  }

  /** The name of a value that was written. */
  nameOf(value: Value): string {
    const name = this.byValue.get(value);
    if (name === undefined) throw new OnnxError(`%${value.id} has no name yet`);
    return name;
  }

  bind(value: Value, name: string): void {
    this.byValue.set(value, name);
  }

  /** A name that nothing has yet, like the wanted one. */
  fresh(wanted: string): string {
    const { names } = this.shared;
    const base = wanted === "" ? "value" : wanted;
    let name = base;
    for (let i = 1; names.has(name); i++) name = `${base}_${i}`;
    names.add(name);
    return name;
  }

  /** Writes a node. Returns the names of its outputs. */
  emit(
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, AttributeValue>> = {},
    outputs = 1,
  ): string[] {
    const name = this.fresh(op);
    const made = Array.from({ length: outputs }, (_, i) =>
      this.fresh(outputs === 1 ? `${name}_out` : `${name}_out${i}`),
    );
    this.nodes.push({
      name,
      op_type: op,
      input: [...inputs],
      output: made,
      attribute: Object.entries(attributes).map(([key, value]) => attributeOf(key, value)),
    });
    return made;
  }

  /** The only output of a node. */
  one(
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, AttributeValue>> = {},
  ): string {
    return this.emit(op, inputs, attributes)[0];
  }

  /** A constant of a few numbers; without a shape it is a scalar. */
  constant(values: readonly (number | bigint)[], dtype: DType, shape: readonly number[] = []): string {
    const key = `${dtype}[${shape}]${values.map((v) => (Object.is(v, -0) ? "-0" : String(v)))}`;
    const known = this.shared.constants.get(key);
    if (known !== undefined) return known;
    const name = this.fresh("const");
    this.shared.small.push({ name, dims: [...shape], data_type: codeOf(dtype), ...fieldOf(values, dtype) });
    this.shared.constants.set(key, name);
    return name;
  }

  scalar(value: number, dtype: DType): string {
    return this.constant([value], dtype);
  }

  ints(values: readonly (number | bigint)[]): string {
    return this.constant(values, "int64", [values.length]);
  }

  /** A tensor of the model. */
  weight(data: DenseTensor, wanted: string): string {
    const known = this.shared.weights.find((other) => other.data === data);
    if (known) return known.name;
    const name = this.fresh(wanted);
    this.shared.weights.push({ name, data });
    return name;
  }

  /** Sizes as an input: a constant, or computed from the shapes of the model's inputs. */
  sizes(dims: readonly Size[]): string {
    if (dims.every((dim) => typeof dim === "number")) return this.ints(dims as number[]);
    const parts = dims.map((dim) => this.size(dim));
    return parts.length === 1 ? parts[0] : this.one("Concat", parts, { axis: 0 });
  }

  /** The ends of slices: start + size · step. */
  ends(starts: readonly Size[], sizes: readonly Size[], steps: readonly number[]): string {
    if ([...starts, ...sizes].every((dim) => typeof dim === "number")) {
      const ends = starts.map((start, i) => (start as number) + (sizes[i] as number) * steps[i]);
      return this.ints(ends.map((end) => (end < 0 ? LEAST : end)));
    }
    return this.one("Add", [this.sizes(starts), this.one("Mul", [this.sizes(sizes), this.ints(steps)])]);
  }

  /** One size as int64(1). */
  private size(dim: Size): string {
    if (typeof dim === "number") return this.ints([dim]);
    const terms = dim.terms.map(({ coefficient, symbols }) =>
      symbols.reduce(
        (product, symbol) => this.one("Mul", [product, this.symbol(symbol)]),
        this.ints([coefficient]),
      ),
    );
    return terms.reduce((sum, term) => this.one("Add", [sum, term]));
  }

  /** An open size, read once from the parameter that has it. */
  private symbol(symbol: string): string {
    const known = this.shared.symbols.get(symbol);
    if (known !== undefined) return known;
    const root = this.shared.root ?? this;
    for (const param of root.graph.params) {
      const axis = (param.shape as readonly Size[]).findIndex(
        (dim) => typeof dim !== "number" && dim.name === symbol,
      );
      if (axis < 0) continue;
      const name = root.one("Gather", [root.one("Shape", [root.nameOf(param)]), root.ints([axis])], {
        axis: 0,
      });
      this.shared.symbols.set(symbol, name);
      return name;
    }
    throw new OnnxError(`the size ${symbol} is no axis of an input`);
  }

  /** Writes the nodes of the graph, whose parameters have names. Returns the names of its results, each of a node of its own. */
  body(): string[] {
    for (const { value, data } of this.graph.constants) {
      const small = data.size === 1 && data.ndim === 0 && data.dtype !== "int64";
      this.bind(
        value,
        small ? this.constant([data.item()], data.dtype) : this.weight(data, value.name ?? "weight"),
      );
    }
    for (const node of this.graph.nodes) {
      const names = this.exportNode(node, this);
      node.outputs.forEach((output, i) => {
        this.bind(output, names[i]);
      });
    }
    return this.graph.results.map((result) => this.nameOf(result));
  }

  /** A closed graph as the body of a node: its parameters are the given names, or new inputs where there is none. */
  region(graph: Graph, given: readonly (string | null)[], extra: RegionExtras = {}): GraphProto {
    const inner = new Exporter(graph, this.shared, this.exportNode);
    const inputs = [...(extra.inputs ?? [])];
    graph.params.forEach((param, i) => {
      const known = given[i];
      const name = known ?? this.fresh(param.name ?? "state");
      if (known === null) inputs.push(infoOf(name, param));
      inner.bind(param, name);
    });
    const results = inner.body();
    const outputs = [
      ...(extra.before?.(inner, results) ?? []),
      ...results.map((name, i) => ({ name, type: graph.results[i] as TensorType })),
    ];
    return {
      name: this.fresh(graph.name),
      input: inputs,
      output: outputs.map(({ name, type }) => infoOf(inner.own(name, "result"), type)),
      node: inner.nodes,
    };
  }

  /** An exporter whose nodes stand where this one's do, for the values of another graph. */
  inside(graph: Graph): Exporter {
    const inner = new Exporter(graph, this.shared, this.exportNode);
    inner.nodes = this.nodes;
    return inner;
  }

  /** A graph without inputs, which `write` fills. */
  written(
    name: string,
    types: readonly TensorType[],
    write: (inner: Exporter) => readonly string[],
  ): GraphProto {
    const inner = new Exporter(this.graph, this.shared, this.exportNode);
    const results = write(inner);
    return {
      name: this.fresh(name),
      input: [],
      output: results.map((result, i) => infoOf(inner.own(result, "result"), types[i])),
      node: inner.nodes,
    };
  }

  /** The same value under a name of its own: graphs return what they make, each once. */
  own(name: string, wanted: string): string {
    const fresh = this.fresh(wanted);
    this.nodes.push({
      name: this.fresh("Identity"),
      op_type: "Identity",
      input: [name],
      output: [fresh],
      attribute: [],
    });
    return fresh;
  }
}

export interface RegionExtras {
  /** In front of the graph's own. */
  readonly inputs?: readonly ValueInfoProto[];
  /** Results in front of the graph's own. */
  readonly before?: (inner: Exporter, results: readonly string[]) => { name: string; type: TensorType }[];
}

/** What a value is, for readers of the file. */
export function infoOf(name: string, { shape, dtype }: TensorType): ValueInfoProto {
  const dim = (shape as readonly Size[]).map((size) =>
    typeof size === "number" ? { dim_value: size } : { dim_param: String(size) },
  );
  return { name, type: { tensor_type: { elem_type: codeOf(dtype), shape: { dim } } } };
}

export function attributeOf(name: string, value: AttributeValue): AttributeProto {
  const text = new TextEncoder();
  if (value instanceof Float) return { name, type: ATTRIBUTE.float, f: value.value };
  if (typeof value === "number") return { name, type: ATTRIBUTE.int, i: value };
  if (typeof value === "string") return { name, type: ATTRIBUTE.string, s: text.encode(value) };
  if (!Array.isArray(value)) return { name, type: ATTRIBUTE.graph, g: value as GraphProto };
  if (typeof value[0] === "string")
    return { name, type: ATTRIBUTE.strings, strings: (value as string[]).map((s) => text.encode(s)) };
  return { name, type: ATTRIBUTE.ints, ints: value as number[] };
}

function fieldOf(values: readonly (number | bigint)[], dtype: DType): TensorProto {
  if (dtype === "int64")
    return { raw_data: new Uint8Array(BigInt64Array.from(values, (v) => BigInt(v)).buffer) };
  const numbers = values.map(Number);
  if (dtype === "float32") return { raw_data: new Uint8Array(Float32Array.from(numbers).buffer) };
  if (dtype === "float64") return { raw_data: new Uint8Array(Float64Array.from(numbers).buffer) };
  if (dtype === "float16" || dtype === "bfloat16")
    return { raw_data: elementBytes(tensor(numbers, { dtype }) as DenseTensor) };
  return { int32_data: numbers };
}
