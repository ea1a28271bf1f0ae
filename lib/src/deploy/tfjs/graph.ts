/** Graph models: nodes of a TensorFlow graph, run in an order in which they can. */
import { isDType } from "../../core/dtype.js";
import { MlsysError } from "../../core/errors.js";
import type { Tensor } from "../../core/tensor.js";
import { GraphNode } from "./node.js";
import { NODES } from "./nodes.js";
import type { Program, TfjsValue } from "./topology.js";
import { isJson, type Json, shown, TfjsError } from "./weights.js";

const table = new Map(NODES.map((row) => [row.op, row]));

interface NodeJson {
  readonly name: string;
  readonly op: string;
  readonly input: readonly string[];
  readonly attr: Json;
}

const FLAT: Readonly<Record<string, string>> = {
  DT_FLOAT: "float32",
  DT_INT32: "int32",
  DT_BOOL: "bool",
  "1": "float32",
  "3": "int32",
  "10": "bool",
};

/** `name:1` is the second result of a node; `^name` only says that the node comes first. */
const splitName = (input: string): [name: string, output: number] => {
  const [name, output = "0"] = input.split(":");
  return [name, Number(output)];
};

/** @throws TfjsError naming the node that is unknown, malformed, or reads what nothing makes. */
export function graphProgram(json: Json, weights: ReadonlyMap<string, Tensor>, where: string): Program {
  const nodes = nodesOf(json, where);
  const order = sorted(nodes, where);
  for (const node of order)
    if (!["Placeholder", "PlaceholderWithDefault", "Const"].includes(node.op) && !table.has(node.op))
      throw new TfjsError(
        `${where}: node ${shown(node.name)} is a ${shown(node.op).slice(1, -1)}, which is not among the ops that can be read`,
      );
  const inputs = order.filter(({ op }) => op === "Placeholder");
  const { wanted, names } = outputsOf(json, nodes, where);
  const given = order.filter(({ op }) => op === "Const");
  for (const { name } of given)
    if (!weights.has(name))
      throw new TfjsError(`${where}: node ${shown(name)} (Const): its weight is not in the manifest`);
  return {
    inputs: inputs.map((node) => inputOf(node, where)),
    outputs: names,
    run: (args) => {
      const values = new Map<string, readonly Tensor[]>(
        given.map(({ name }) => [name, [weights.get(name) as Tensor]]),
      );
      inputs.forEach(({ name }, i) => {
        values.set(name, [args[i]]);
      });
      const get = (input: string): Tensor => {
        const [name, output] = splitName(input);
        const value = values.get(name)?.[output];
        if (!value) throw new TfjsError(`${where}: ${shown(input)} is made by no node`);
        return value;
      };
      for (const node of order) if (!values.has(node.name)) values.set(node.name, run(node, get, where));
      return wanted.map(get);
    },
  };
}

function run(
  { name, op, input, attr }: NodeJson,
  get: (input: string) => Tensor,
  where: string,
): readonly Tensor[] {
  const inputs = input.filter((one) => !one.startsWith("^")).map(get);
  if (op === "PlaceholderWithDefault") return inputs;
  const node = new GraphNode(op, name, attr, inputs, where);
  const row = table.get(op);
  try {
    const found = row?.run(node) ?? [];
    return Array.isArray(found) ? (found as readonly Tensor[]) : [found as Tensor];
  } catch (error) {
    if (error instanceof TfjsError || !(error instanceof MlsysError)) throw error;
    throw new TfjsError(`${node.where}: ${error.message}`, { cause: error });
  }
}

function nodesOf(json: Json, where: string): Map<string, NodeJson> {
  const topology = json.modelTopology;
  const list = isJson(topology) ? topology.node : null;
  if (!Array.isArray(list)) throw new TfjsError(`${where}: the topology has no nodes`);
  const nodes = new Map<string, NodeJson>();
  for (const found of list as unknown[]) {
    const ok = isJson(found) && typeof found.name === "string" && typeof found.op === "string";
    if (!ok) throw new TfjsError(`${where}: no node: ${shown(found)}`);
    const {
      name,
      op,
      input = [],
      attr = {},
    } = found as { name: string; op: string; input?: unknown; attr?: unknown };
    if (!Array.isArray(input) || !input.every((one) => typeof one === "string") || !isJson(attr))
      throw new TfjsError(`${where}: node ${shown(name)} is malformed`);
    if (nodes.has(name)) throw new TfjsError(`${where}: node ${shown(name)} is there twice`);
    nodes.set(name, { name, op, input, attr });
  }
  return nodes;
}

/** What the signature names; without one, what nobody reads. */
function outputsOf(
  json: Json,
  nodes: ReadonlyMap<string, NodeJson>,
  where: string,
): { wanted: string[]; names: string[] } {
  const signature =
    json.signature ?? (isJson(json.userDefinedMetadata) ? json.userDefinedMetadata.signature : undefined);
  const named = isJson(signature) && isJson(signature.outputs) ? Object.entries(signature.outputs) : [];
  if (named.length > 0)
    return {
      names: named.map(([name]) => name),
      wanted: named.map(([name, info]) => {
        if (isJson(info) && typeof info.name === "string") return info.name;
        throw new TfjsError(`${where}: output ${shown(name)} of the signature names no node`);
      }),
    };
  const read = new Set(
    [...nodes.values()].flatMap(({ input }) => input.map((one) => splitName(one.replace("^", ""))[0])),
  );
  const ends = [...nodes.values()]
    .filter(({ name, op }) => !read.has(name) && op !== "Const" && op !== "NoOp")
    .map(({ name }) => name);
  return { wanted: ends, names: ends };
}

function inputOf({ name, attr }: NodeJson, where: string): TfjsValue {
  const type = isJson(attr.dtype) ? attr.dtype.type : "DT_FLOAT";
  const dtype = FLAT[String(type)];
  if (!isDType(dtype)) throw new TfjsError(`${where}: input ${shown(name)} has dtype ${shown(type)}`);
  const shape = isJson(attr.shape) && isJson(attr.shape.shape) ? attr.shape.shape : null;
  if (!shape || shape.unknownRank === true) return { name, dtype, shape: null };
  const dims = Array.isArray(shape.dim) ? shape.dim : [];
  return {
    name,
    dtype,
    shape: dims.map((dim: unknown) => {
      const size = isJson(dim) ? Number(dim.size ?? -1) : -1;
      return Number.isSafeInteger(size) && size >= 0 ? size : null;
    }),
  };
}

/** An order in which each node comes behind what it reads. @throws TfjsError for a cycle, or a node that is not there. */
function sorted(nodes: ReadonlyMap<string, NodeJson>, where: string): NodeJson[] {
  const order: NodeJson[] = [];
  const state = new Map<string, "open" | "done">();
  for (const start of nodes.values()) {
    // a stack of one's own: graphs are deeper than the host's allows
    const stack: { node: NodeJson; next: number }[] = [{ node: start, next: 0 }];
    while (stack.length > 0) {
      const top = stack[stack.length - 1];
      const { node } = top;
      if (top.next === 0 && state.get(node.name) === "done") {
        stack.pop();
        continue;
      }
      state.set(node.name, "open");
      if (top.next === node.input.length) {
        state.set(node.name, "done");
        order.push(node);
        stack.pop();
        continue;
      }
      const [name] = splitName(node.input[top.next++].replace("^", ""));
      const before = nodes.get(name);
      if (!before)
        throw new TfjsError(`${where}: node ${shown(node.name)} reads ${shown(name)}, which is not there`);
      if (state.get(name) === "open")
        throw new TfjsError(`${where}: node ${shown(node.name)} is part of a cycle`);
      if (state.get(name) !== "done") stack.push({ node: before, next: 0 });
    }
  }
  return order;
}
