/**
 * Graphs as JSON, for deployment: one self-contained, versioned document with the constants in it. Values that a graph
 * captured from around it (a model's variables) become constants, with the values that they have now.
 */
import { isDType } from "../core/dtype.js";
import { formatType, type TensorType } from "../core/shape.js";
import { concrete } from "../ops/read.js";
import { getOp } from "../ops/registry.js";
import { decodeElements, encodeElements } from "./data.js";
import { type Constant, Graph, type GraphNode, IRError, type Value } from "./graph.js";
import { verify } from "./verify.js";

/** Raised when the meaning of the document changes; older versions stay readable. */
export const JSON_VERSION = 1;

interface JsonValue {
  id: number;
  name?: string;
  dtype: string;
  shape: readonly number[];
}

interface JsonBody {
  name: string;
  params: JsonValue[];
  constants: (JsonValue & { data: string })[];
  nodes: { op: string; inputs: number[]; attrs: unknown; outputs: JsonValue[]; loc?: string }[];
  results: number[];
}

export interface GraphJson extends JsonBody {
  format: "mlsys-graph";
  version: number;
}

/**
 * @throws IRError if the graph captured values of a running transformation.
 * @example graph.graphFromJson(graph.graphToJson(capture((x: Tensor) => x.sin(), tensor([1])))).nodes.length // 1
 */
export function graphToJson(graph: Graph): GraphJson {
  return { format: "mlsys-graph", version: JSON_VERSION, ...encodeBody(freeze(graph)) };
}

/**
 * The graph of a document, verified.
 * @throws IRError if the document is of another format or version, or describes no well-formed graph.
 * @example graph.graphFromJson(graph.graphToJson(capture((x: Tensor) => x.sin(), tensor([1])))).params.length // 1
 */
export function graphFromJson(json: unknown): Graph {
  const document = json as Partial<GraphJson> | null;
  if (typeof document !== "object" || document === null || document.format !== "mlsys-graph") {
    throw new IRError(
      'graphFromJson: this is not a graph: a document with "format": "mlsys-graph" was expected',
    );
  }
  if (document.version !== JSON_VERSION) {
    throw new IRError(
      `graphFromJson: the document has version ${document.version}, this library reads version ${JSON_VERSION}`,
    );
  }
  try {
    return verify(decodeBody(document as JsonBody));
  } catch (error) {
    if (error instanceof IRError) throw error;
    throw new IRError(`graphFromJson: the document is damaged: ${(error as Error).message}`);
  }
}

/**
 * The graph with the values that it captured turned into constants.
 * @example graph.freeze(capture((x: Tensor) => x.mul(variable([2])), tensor([1]))).params.length // 1
 */
export function freeze(graph: Graph): Graph {
  const captured = graph.origin.captured ?? [];
  if (captured.length === 0) return graph;
  const first = graph.params.length - captured.length;
  const constants: Constant[] = captured.map((tensor, i) => {
    const data = concrete(tensor);
    if (!data)
      throw new IRError(
        `graph ${graph.name}: it captured a ${formatType(tensor)} of a running transformation, which has no value to store`,
      );
    const own = data.retained();
    own.collectable(); // it goes with the graph
    return { value: graph.params[first + i], data: own };
  });
  return graph.with({
    params: graph.params.slice(0, first),
    constants: [...constants, ...graph.constants],
    origin: { ...graph.origin, captured: [] },
  });
}

function encodeBody(graph: Graph): JsonBody {
  return {
    name: graph.name,
    params: graph.params.map(encodeValue),
    constants: graph.constants.map(({ value, data }) => ({
      ...encodeValue(value),
      data: encodeElements(data),
    })),
    nodes: graph.nodes.map(({ op, inputs, attrs, outputs, loc }) => ({
      op: op.name,
      inputs: inputs.map((input) => input.id),
      attrs: encodeAttribute(attrs),
      outputs: outputs.map(encodeValue),
      ...(loc ? { loc } : {}),
    })),
    results: graph.results.map((result) => result.id),
  };
}

function encodeValue({ id, name, dtype, shape }: Value): JsonValue {
  return { id, ...(name === null ? {} : { name }), dtype, shape };
}

/** JSON has neither graphs nor infinities: both become objects with one marked key, graphs what `onGraph` gives. */
export function encodeAttribute(
  value: unknown,
  onGraph: (graph: Graph) => unknown = (graph) => encodeBody(graph),
): unknown {
  if (value instanceof Graph) return { $graph: onGraph(value) };
  if (typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0)))
    return { $number: Object.is(value, -0) ? "-0" : String(value) };
  if (Array.isArray(value)) return value.map((entry) => encodeAttribute(entry, onGraph));
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(
      Object.entries(value).map(([key, entry]) => [key, encodeAttribute(entry, onGraph)]),
    );
  return value;
}

/** What `encodeAttribute` made of it; graphs by `onGraph`. */
export function decodeAttribute(
  value: unknown,
  onGraph: (body: unknown) => Graph = (body) => decodeBody(body as JsonBody),
): unknown {
  if (Array.isArray(value)) return value.map((entry) => decodeAttribute(entry, onGraph));
  if (typeof value !== "object" || value === null) return value;
  if ("$graph" in value) return onGraph(value.$graph);
  if ("$number" in value) return Number(value.$number);
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => [key, decodeAttribute(entry, onGraph)]),
  );
}

function decodeBody(body: JsonBody): Graph {
  const values = new Map<number, Value>();
  const define = (json: JsonValue): Value => {
    if (values.has(json.id)) throw new IRError(`%${json.id} is defined twice`);
    const value: Value = { id: json.id, name: json.name ?? null, ...decodeType(json) };
    values.set(json.id, value);
    return value;
  };
  const use = (id: number): Value => {
    const value = values.get(id);
    if (!value) throw new IRError(`%${id} is used before it is defined`);
    return value;
  };
  const params = body.params.map(define);
  const constants: Constant[] = body.constants.map((json) => {
    const value = define(json);
    return { value, data: decodeElements(json.data, value) };
  });
  const nodes: GraphNode[] = body.nodes.map((json) => ({
    op: getOp(json.op),
    inputs: json.inputs.map(use),
    attrs: decodeAttribute(json.attrs) as object,
    outputs: json.outputs.map(define),
    loc: json.loc ?? null,
  }));
  return new Graph(body.name, params, constants, nodes, body.results.map(use));
}

function decodeType({ dtype, shape }: JsonValue): TensorType {
  const sizes = Array.isArray(shape) && shape.every((dim) => Number.isInteger(dim) && dim >= 0);
  if (!isDType(dtype) || !sizes) throw new IRError(`${JSON.stringify({ dtype, shape })} is no type`);
  return { dtype, shape };
}
