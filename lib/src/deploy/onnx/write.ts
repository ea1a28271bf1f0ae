/** Writing ONNX models: a function, a module or a graph as nodes of ONNX, with its weights inside or beside it. */
import { mkdir, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { bytesPerElement } from "../../core/dtype.js";
import { MlsysError } from "../../core/errors.js";
import { pathsOf } from "../../core/tree.js";
import { Graph } from "../../ir/graph.js";
import { runPasses } from "../../ir/passes/index.js";
import { type DenseTensor, elementBytes } from "../../runtime/dense.js";
import { type Exportable, graphOf } from "../convert/exportable.js";
import { externalProto, protoOf } from "./elements.js";
import { Exporter, infoOf, type Shared } from "./export/exporter.js";
import { exportNode } from "./export/index.js";
import {
  encodeModel,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  OnnxError,
  type TensorProto,
} from "./schema.js";

/** Opsets that can be written, each with the version of the file format that came with it. */
const IR_VERSION: Readonly<Record<number, number>> = {
  ...{ 13: 7, 14: 7, 15: 8, 16: 8, 17: 8, 18: 8, 19: 9, 20: 9, 21: 10, 22: 10, 23: 11, 24: 12 },
};

export interface WriteOnnxOptions {
  /** 13 to 24. Default 20. */
  readonly opset?: number;
  /** Name of the graph. Default: the function's. */
  readonly name?: string;
  readonly inputNames?: readonly string[];
  readonly outputNames?: readonly string[];
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface SaveOnnxOptions extends WriteOnnxOptions {
  /**
   * Weights of at least so many bytes go to a file beside the model, one after the other. Default: none, unless the model
   * would be larger than protobuf's 2 GiB; then those of 1 KiB and more.
   */
  readonly externalFrom?: number;
}

/** Weights together with the rest stay below protobuf's 2 GiB. */
const MOST_INSIDE = 2 ** 31 - 2 ** 24;

/** ONNX asks that weights beside a model start at pages, so that they can be mapped. */
const ALIGNMENT = 4096;

/**
 * The bytes of an ONNX model.
 * @param args examples of the arguments; or their types as text, `"float32(n, 3)"`, whose names are sizes that stay open
 * @throws OnnxError naming the node, its line and the opset, for what ONNX can't say; ValueError for an unknown option.
 * @example deploy.readOnnx(deploy.writeOnnx((x: Tensor) => x.mul(2), ["float32(n, 3)"])).inputs[0].shape // ["n", 3]
 */
export function writeOnnx(
  model: Exportable,
  args: readonly unknown[] = [],
  options: WriteOnnxOptions = {},
): Uint8Array {
  const { proto, weights } = describe(model, args, options);
  if (bytesOf(weights.map(({ data }) => data)) > MOST_INSIDE)
    throw new OnnxError(
      "onnx: the weights take more than 2 GiB, which one file can't hold; use saveOnnx, which puts them beside it",
    );
  withInitializers(
    proto,
    weights.map(({ name, data }) => protoOf(name, data)),
  );
  return encodeModel(proto);
}

/**
 * Writes an ONNX model to a file, weights beside it in `FILE.data` if they are asked for there or too large. Files are
 * written beside their place first, so that a crash leaves the old ones whole.
 * @throws as `writeOnnx`.
 * @example await deploy.saveOnnx("/tmp/mlsys-example.onnx", (x: Tensor) => x.relu(), [tensor([1, -1])])
 */
export async function saveOnnx(
  file: string,
  model: Exportable,
  args: readonly unknown[] = [],
  options: SaveOnnxOptions = {},
): Promise<void> {
  const { proto, weights } = describe(model, args, options);
  const large = bytesOf(weights.map(({ data }) => data)) > MOST_INSIDE;
  const least = options.externalFrom ?? (large ? 1024 : Infinity);
  await mkdir(dirname(file), { recursive: true });
  const partial = `${file}.${process.pid}.partial`;
  const location = `${basename(file)}.data`;
  const partialData = `${partial}.data`;
  try {
    const outside = weights.filter(({ data }) => bytesOf([data]) >= least);
    const protos = new Map<string, TensorProto>();
    if (outside.length > 0) {
      const handle = await open(partialData, "w");
      try {
        let at = 0;
        for (const { name, data } of outside) {
          const bytes = elementBytes(data);
          at = Math.ceil(at / ALIGNMENT) * ALIGNMENT;
          for (let done = 0; done < bytes.length; ) {
            const { bytesWritten } = await handle.write(
              bytes,
              done,
              Math.min(bytes.length - done, 2 ** 30),
              at + done,
            );
            done += bytesWritten;
          }
          protos.set(name, externalProto(name, data, location, at, bytes.length));
          at += bytes.length;
        }
        await handle.sync();
      } finally {
        await handle.close();
      }
    }
    withInitializers(
      proto,
      weights.map(({ name, data }) => protos.get(name) ?? protoOf(name, data)),
    );
    const handle = await open(partial, "w");
    try {
      await handle.writeFile(encodeModel(proto));
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (outside.length > 0) await rename(partialData, join(dirname(file), location));
    await rename(partial, file);
  } catch (error) {
    await rm(partial, { force: true });
    await rm(partialData, { force: true });
    throw error;
  }
}

const bytesOf = (list: readonly DenseTensor[]): number =>
  list.reduce((sum, { size, dtype }) => sum + size * bytesPerElement(dtype), 0);

function withInitializers(proto: ModelProto, weights: readonly TensorProto[]): void {
  const graph = proto.graph as GraphProto;
  graph.initializer = [...weights, ...(graph.initializer ?? [])];
}

/** Without calls, its constants folded; a graph of open sizes stays as it is. */
function prepared(model: Exportable, args: readonly unknown[], name: string | undefined): Graph {
  const { graph, symbolic } = graphOf(model, args, name);
  if (symbolic) return graph;
  // a graph that is given was made as it is on purpose: quantized weights stay whole numbers
  return runPasses(
    graph,
    model instanceof Graph ? ["inline", "cse", "dce"] : ["inline", "fold", "cse", "dce"],
  );
}

interface Described {
  readonly proto: ModelProto;
  readonly weights: readonly { readonly name: string; readonly data: DenseTensor }[];
}

function describe(model: Exportable, args: readonly unknown[], options: WriteOnnxOptions): Described {
  const opset = options.opset ?? 20;
  if (!Object.hasOwn(IR_VERSION, opset))
    throw new OnnxError(
      `onnx: opset ${opset}; ${Object.keys(IR_VERSION)[0]} to ${Object.keys(IR_VERSION).at(-1)} can be written`,
    );
  const graph = prepared(model, args, options.name);
  const shared: Shared = {
    opset,
    names: new Set(),
    weights: [],
    small: [],
    constants: new Map(),
    symbols: new Map(),
    root: null,
  };
  const exporter = new Exporter(graph, shared, exportNode);
  const given = namesOf(options.inputNames, graph.params.length, "input");
  const wanted = namesOf(options.outputNames, graph.results.length, "output");
  const outputs = graph.results.map((_, i) => exporter.fresh(wanted?.[i] ?? resultName(graph, i)));
  const inputs = graph.params.map((param, i) => {
    const name = exporter.fresh(given?.[i] ?? param.name ?? `input${i}`);
    exporter.bind(param, name);
    return infoOf(name, param);
  });
  exporter.body().forEach((name, i) => {
    exporter.nodes.push({
      name: exporter.fresh("Identity"),
      op_type: "Identity",
      input: [name],
      output: [outputs[i]],
      attribute: [],
    });
  });
  const nodes = direct(needed(exporter.nodes, outputs), new Set(outputs));
  const used = usedNames(nodes);
  const proto: ModelProto = {
    ir_version: IR_VERSION[opset],
    producer_name: "mlsys",
    opset_import: [{ domain: "", version: opset }],
    metadata_props: Object.entries(options.metadata ?? {}).map(([key, value]) => ({ key, value })),
    graph: {
      name: graph.name,
      node: nodes,
      input: inputs,
      output: outputs.map((name, i) => infoOf(name, graph.results[i])),
      initializer: exporter.initializers.filter(({ name }) => used.has(name ?? "")),
    },
  };
  return { proto, weights: exporter.weights.filter(({ name }) => used.has(name)) };
}

function namesOf(
  given: readonly string[] | undefined,
  count: number,
  what: string,
): readonly string[] | null {
  if (given && given.length !== count)
    throw new MlsysError(`onnx: ${given.length} names for ${count} ${what}(s)`);
  if (given && new Set(given).size !== given.length)
    throw new MlsysError(`onnx: ${what} names stand twice: ${given.join(", ")}`);
  return given ?? null;
}

/** By the path in what the function returns: `output`, `output.0`, `output.loss`. */
function resultName(graph: Graph, i: number): string {
  const path = graph.origin.output
    ? pathsOf(graph.origin.output)[i]
    : graph.results.length === 1
      ? ""
      : String(i);
  return path === "" || path === undefined ? "output" : `output.${path}`;
}

/** Names that nodes read, those of graphs inside them too. */
function usedNames(nodes: readonly NodeProto[]): Set<string> {
  const used = new Set<string>();
  const visit = (list: readonly NodeProto[]): void => {
    for (const { input, attribute } of list) {
      for (const name of input ?? []) used.add(name);
      for (const { g } of attribute ?? []) if (g) visit(g.node ?? []);
    }
  };
  visit(nodes);
  return used;
}

/** Only nodes that an output needs. */
function needed(nodes: readonly NodeProto[], outputs: readonly string[]): NodeProto[] {
  const wanted = new Set(outputs);
  const kept: NodeProto[] = [];
  for (const node of [...nodes].reverse()) {
    if (!(node.output ?? []).some((name) => wanted.has(name))) continue;
    const inner = (node.attribute ?? []).map((attribute) =>
      attribute.g
        ? {
            ...attribute,
            g: {
              ...attribute.g,
              node: needed(
                attribute.g.node ?? [],
                (attribute.g.output ?? []).map(({ name }) => name ?? ""),
              ),
            },
          }
        : attribute,
    );
    const whole = { ...node, attribute: inner };
    kept.push(whole);
    for (const name of usedNames([whole])) wanted.add(name);
  }
  return kept.reverse();
}

/** An output that only renames what one node makes becomes that node's own output. */
function direct(nodes: readonly NodeProto[], outputs: ReadonlySet<string>): NodeProto[] {
  const readers = new Map<string, number>();
  const count = (list: readonly NodeProto[]): void => {
    for (const { input, attribute } of list) {
      for (const name of input ?? []) readers.set(name, (readers.get(name) ?? 0) + 1);
      for (const { g } of attribute ?? []) if (g) count(g.node ?? []);
    }
  };
  count(nodes);
  const makers = new Set(nodes.flatMap(({ output }) => output ?? []));
  const renamed = new Map<string, string>();
  const kept = nodes.filter(({ op_type, input, output }) => {
    const [from, to] = [input?.[0] ?? "", output?.[0] ?? ""];
    if (
      op_type !== "Identity" ||
      !outputs.has(to) ||
      outputs.has(from) ||
      !makers.has(from) ||
      readers.get(from) !== 1
    )
      return true;
    renamed.set(from, to);
    return false;
  });
  return kept.map((node) => ({
    ...node,
    output: (node.output ?? []).map((name) => renamed.get(name) ?? name),
  }));
}
