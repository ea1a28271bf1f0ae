/** The form of JAX's jaxprs: typed, pure, each equation one primitive. (Book, chapter 4; JAX's documentation of jaxprs.) */
import type { TensorType } from "../../core/shape.js";
import { type Graph, type GraphNode, regionsOf, type Value } from "../graph.js";
import { plainAttrs, pointed, shortDType } from "./names.js";
import type { Rendering } from "./rendering.js";

/** JAX's names of ops that have others here. */
const PRIMITIVES: Readonly<Record<string, string>> = {
  ...{
    sum: "reduce_sum",
    max: "reduce_max",
    min: "reduce_min",
    prod: "reduce_prod",
    any: "reduce_or",
    all: "reduce_and",
  },
  ...{
    matmul: "dot_general",
    cast: "convert_element_type",
    broadcastTo: "broadcast_in_dim",
    where: "select_n",
  },
  ...{
    less: "lt",
    lessEqual: "le",
    greater: "gt",
    greaterEqual: "ge",
    equal: "eq",
    notEqual: "ne",
    maximum: "max",
  },
  ...{ minimum: "min", sigmoid: "logistic", call: "pjit", switch: "cond", stopGradient: "stop_gradient" },
};

const typeText = ({ shape, dtype }: TensorType): string => `${shortDType(dtype)}[${shape.join(",")}]`;

/** a, b, …, z, ba, bb, … as JAX counts. */
function letters(i: number): string {
  const last = String.fromCharCode(97 + (i % 26));
  return i < 26 ? last : letters(Math.floor(i / 26)) + last;
}

function pythonText(value: unknown): string {
  if (Array.isArray(value)) return `(${value.map(pythonText).join(", ")}${value.length === 1 ? "," : ""})`;
  if (typeof value === "boolean") return value ? "True" : "False";
  return value === null ? "None" : String(value);
}

function jaxprText(graph: Graph, indent: string): string {
  const names = new Map<Value, string>();
  const define = (value: Value): string => {
    names.set(value, letters(names.size));
    return `${names.get(value)}:${typeText(value)}`;
  };
  const scalars = new Map(
    graph.constants
      .filter(({ data }) => data.ndim === 0)
      .map((constant) => [constant.value, pointed(constant)]),
  );
  const use = (value: Value): string => scalars.get(value) ?? (names.get(value) as string);
  const arrays = graph.constants.filter(({ data }) => data.ndim > 0);
  const constants = arrays.map(({ value }) => define(value)).join(" ");
  const params = graph.params.map(define).join(" ");
  const inner = `${indent}    `;
  const equations = graph.nodes.map((node) => {
    const inputs = node.inputs.map(use).join(" ");
    const name = PRIMITIVES[node.op.name] ?? node.op.name;
    const text = `${name}${attrsText(node, inner)}${inputs ? ` ${inputs}` : ""}`;
    return `${inner}${node.outputs.map(define).join(" ")} = ${text}`;
  });
  const results = graph.results.map(use);
  const end = `(${results.join(", ")}${results.length === 1 ? "," : ""})`;
  const head = `{ lambda ${constants}${constants ? " " : ""}; ${params}. let`;
  return equations.length === 0
    ? `${head} in ${end} }`
    : `${head}\n${equations.join("\n")}\n${indent}  in ${end} }`;
}

function attrsText(node: GraphNode, indent: string): string {
  const plain = plainAttrs(node)
    .filter(([key, value]) => !(key === "keepDims" && value === false))
    .map(([key, value]) => `${key}=${pythonText(value)}`);
  const regions = regionsOf(node.attrs).map(
    ([path, region]) => `${path.replace(/\W/g, "_")}=${jaxprText(region, `${indent}  `)}`,
  );
  const all = [...plain, ...regions];
  if (all.length === 0) return "";
  if (regions.length === 0) return `[${all.join(" ")}]`;
  return `[\n${all.map((part) => `${indent}  ${part}`).join("\n")}\n${indent}]`;
}

export const jaxpr: Rendering = {
  name: "jaxpr",
  summary: "as JAX writes it: { lambda ; inputs. let equations in (results,) }",
  render: (graph) => jaxprText(graph, ""),
};
