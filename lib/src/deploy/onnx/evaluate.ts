/** Runs the nodes of an ONNX graph by the import table: each value is a tensor, or stands for one. */
import { MlsysError } from "../../core/errors.js";
import type { Tensor } from "../../core/tensor.js";
import type { DenseTensor } from "../../runtime/dense.js";
import { type ExternalReader, tensorOf } from "./elements.js";
import { Attributes } from "./import/attributes.js";
import { importRow, keyOf } from "./import/index.js";
import { RowContext } from "./import/row.js";
import {
  type AttributeProto,
  type FunctionProto,
  type GraphProto,
  type NodeProto,
  OnnxError,
  quoted,
  type TensorProto,
} from "./schema.js";

export interface EvaluatorOptions {
  readonly opsets: ReadonlyMap<string, number>;
  readonly functions: readonly FunctionProto[];
  readonly external: ExternalReader | null;
  readonly mostElements: number;
}

/** Values by name; inner graphs see those around them. */
type Scope = ReadonlyMap<string, Tensor>;

/** Functions that call functions: deeper ones call themselves. */
const MOST_NESTED = 32;

export class Evaluator {
  readonly weights: ReadonlyMap<string, Tensor>;
  private readonly functions: ReadonlyMap<string, FunctionProto>;
  private readonly tensors = new WeakMap<TensorProto, DenseTensor>();

  constructor(
    private readonly graph: GraphProto,
    private readonly options: EvaluatorOptions,
    private readonly where: string,
  ) {
    this.functions = new Map(options.functions.map((f) => [keyOf(f.domain, f.name ?? ""), f]));
    this.weights = this.initializers(graph);
    checkGraph(graph, [], (node) => this.describe(node));
    this.checkOps(graph.node ?? []);
    for (const f of options.functions) this.checkOps(f.node ?? []);
    this.loadConstants(graph);
  }

  /** The outputs for the inputs that are no initializers, in order. */
  run(args: readonly Tensor[]): Tensor[] {
    const names = inputsOf(this.graph);
    const scope = new Map(this.weights);
    names.forEach((name, i) => {
      scope.set(name, args[i]);
    });
    return this.runGraph(this.graph, scope);
  }

  private runGraph(graph: GraphProto, scope: Map<string, Tensor>): Tensor[] {
    for (const node of graph.node ?? []) this.runNode(node, scope, 0, this.options.opsets);
    return (graph.output ?? []).map(({ name }) => find(scope, name ?? "", `output ${quoted(name)}`));
  }

  private runNode(
    node: NodeProto,
    scope: Map<string, Tensor>,
    depth: number,
    opsets: ReadonlyMap<string, number>,
  ): void {
    const inputs = (node.input ?? []).map((name) =>
      name === "" ? null : find(scope, name, this.describe(node)),
    );
    const domain = node.domain === "ai.onnx" ? "" : (node.domain ?? "");
    const f = this.functions.get(keyOf(node.domain, node.op_type ?? ""));
    const outputs = f
      ? this.callFunction(f, node, inputs, depth)
      : this.runRow(node, inputs, scope, opsets.get(domain) ?? 0);
    (node.output ?? []).forEach((name, i) => {
      if (name === "") return;
      if (!outputs[i])
        throw new OnnxError(`${this.describe(node)}: its output ${i}, ${quoted(name)}, is not supported`);
      scope.set(name, outputs[i]);
    });
  }

  private runRow(
    node: NodeProto,
    inputs: readonly (Tensor | null)[],
    scope: Scope,
    opset: number,
  ): readonly Tensor[] {
    const row = importRow(node.domain, node.op_type ?? "");
    if (!row) throw this.unknown(node);
    const context = new RowContext({
      opset,
      inputs,
      attributes: new Attributes(node.attribute ?? [], (proto) => this.tensorOf(proto)),
      outputs: node.output?.length ?? 0,
      mostElements: this.options.mostElements,
      subgraph: (graph) => {
        const constants = this.initializers(graph);
        return (args) => {
          const inner = new Map([...scope, ...constants]);
          const names = graph.input ?? [];
          if (names.length !== args.length)
            throw new OnnxError(
              `graph ${quoted(graph.name)} takes ${names.length} value(s), ${args.length} given`,
            );
          names.forEach(({ name }, i) => {
            inner.set(name ?? "", args[i]);
          });
          return this.runGraph(graph, inner);
        };
      },
    });
    try {
      const found = row.run(context);
      return Array.isArray(found) ? (found as readonly Tensor[]) : [found as Tensor];
    } catch (error) {
      if (!(error instanceof MlsysError)) throw error;
      if (error instanceof OnnxError && error.message.startsWith(this.where)) throw error; // of a node inside
      throw new OnnxError(`${this.describe(node)}: ${error.message}`, { cause: error });
    }
  }

  /** A function of the model's own: its nodes, with the caller's attributes in their places. */
  private callFunction(
    f: FunctionProto,
    node: NodeProto,
    inputs: readonly (Tensor | null)[],
    depth: number,
  ): Tensor[] {
    if (depth > MOST_NESTED) throw new OnnxError(`${this.describe(node)}: the function calls itself`);
    const scope = new Map<string, Tensor>();
    (f.input ?? []).forEach((name, i) => {
      const given = inputs[i];
      if (given) scope.set(name, given);
    });
    const given = new Map([...(f.attribute_proto ?? []), ...(node.attribute ?? [])].map((a) => [a.name, a]));
    const own = (f.opset_import ?? []).map(({ domain, version }): [string, number] => [
      domain ?? "",
      Number(version ?? 0),
    ]);
    for (const inner of f.node ?? [])
      this.runNode(withAttributes(inner, given), scope, depth + 1, new Map([...this.options.opsets, ...own]));
    return (f.output ?? []).map((name) => find(scope, name, `function ${quoted(f.name)}`));
  }

  private initializers(graph: GraphProto): Map<string, Tensor> {
    if ((graph.sparse_initializer ?? []).length > 0)
      throw new OnnxError(
        `${this.where}: graph ${quoted(graph.name)} has sparse initializers, which this library lacks`,
      );
    return new Map((graph.initializer ?? []).map((proto) => [proto.name ?? "", this.tensorOf(proto)]));
  }

  /** Each tensor of the file is made once. */
  private tensorOf(proto: TensorProto): DenseTensor {
    const known = this.tensors.get(proto);
    if (known) return known;
    const own = tensorOf(proto, this.where, this.options.external).retained();
    own.collectable(); // it goes with the model, whatever scope it was read in
    this.tensors.set(proto, own);
    return own;
  }

  /** Reads every tensor now: files beside the model need not stay open, and damage shows at once. */
  private loadConstants(graph: GraphProto): void {
    for (const proto of graph.initializer ?? []) this.tensorOf(proto);
    for (const node of graph.node ?? [])
      for (const attribute of node.attribute ?? []) {
        if (attribute.t) this.tensorOf(attribute.t);
        if (attribute.g) this.loadConstants(attribute.g);
      }
  }

  /** @throws OnnxError listing every op that the table lacks. */
  private checkOps(nodes: readonly NodeProto[]): void {
    const missing = new Map<string, NodeProto>();
    const visit = (list: readonly NodeProto[]): void => {
      for (const node of list) {
        const key = keyOf(node.domain, node.op_type ?? "");
        if (!this.functions.has(key) && !importRow(node.domain, node.op_type ?? "")) missing.set(key, node);
        for (const { g } of node.attribute ?? []) if (g) visit(g.node ?? []);
      }
    };
    visit(nodes);
    const [first, ...others] = missing.values();
    if (!first) return;
    const error = this.unknown(first);
    if (others.length > 0)
      error.message += `; nor are ${others
        .slice(0, 12)
        .map((node) => quoted(node.op_type))
        .join(", ")}`;
    throw error;
  }

  private unknown(node: NodeProto): OnnxError {
    return new OnnxError(
      `${this.describe(node)}: this op is not among those that can be read${node.domain ? ` (domain ${quoted(node.domain)})` : ""}`,
    );
  }

  private describe(node: NodeProto): string {
    const domain = node.domain === "ai.onnx" ? "" : (node.domain ?? "");
    return `${this.where}: node ${quoted(node.name || node.output?.[0])} (${quoted(node.op_type).slice(1, -1)}, opset ${this.options.opsets.get(domain) ?? "?"})`;
  }
}

/** Names of the inputs that a caller gives: older files list initializers among them. */
export function inputsOf(graph: GraphProto): string[] {
  const initial = new Set((graph.initializer ?? []).map(({ name }) => name));
  return (graph.input ?? []).filter(({ name }) => !initial.has(name)).map(({ name }) => name ?? "");
}

function find(scope: Scope, name: string, where: string): Tensor {
  const value = scope.get(name);
  if (value) return value;
  throw new OnnxError(`${where} reads ${quoted(name)}, which no input, initializer or earlier node makes`);
}

function withAttributes(node: NodeProto, given: ReadonlyMap<string | undefined, AttributeProto>): NodeProto {
  const attribute = (node.attribute ?? []).flatMap((own) => {
    if (!own.ref_attr_name) return [own];
    const found = given.get(own.ref_attr_name);
    return found ? [{ ...pick(found), name: own.name }] : [];
  });
  return {
    input: node.input,
    output: node.output,
    name: node.name,
    op_type: node.op_type,
    domain: node.domain,
    attribute,
  };
}

/** Messages keep what they lack on their prototype. */
const pick = ({
  type,
  f,
  i,
  s,
  t,
  g,
  floats,
  ints,
  strings,
  tensors,
  graphs,
}: AttributeProto): AttributeProto => ({
  ...{ type, f, i, s, t, g, floats, ints, strings, tensors, graphs },
});

/** @throws OnnxError if a node reads what is not made before it (a cycle, a missing node), or a value is made twice. */
function checkGraph(
  graph: GraphProto,
  around: readonly string[],
  describe: (node: NodeProto) => string,
): void {
  const made = new Set(around);
  for (const { name } of graph.input ?? []) made.add(name ?? "");
  for (const { name } of graph.initializer ?? []) made.add(name ?? "");
  const later = new Set((graph.node ?? []).flatMap((node) => node.output ?? []));
  for (const node of graph.node ?? []) {
    for (const name of node.input ?? [])
      if (name !== "" && !made.has(name))
        throw new OnnxError(
          `${describe(node)} reads ${quoted(name)}, ${later.has(name) ? "which only a later node makes: the graph has a cycle or is out of order" : "which nothing makes"}`,
        );
    for (const { g } of node.attribute ?? []) if (g) checkGraph(g, [...made], describe);
    for (const name of node.output ?? []) {
      if (name !== "" && made.has(name) && !around.includes(name))
        throw new OnnxError(`${describe(node)} makes ${quoted(name)}, which is made before`);
      made.add(name);
    }
  }
  for (const { name } of graph.output ?? [])
    if (!made.has(name ?? ""))
      throw new OnnxError(`output ${quoted(name)} of graph ${quoted(graph.name)} is made by nothing`);
}
