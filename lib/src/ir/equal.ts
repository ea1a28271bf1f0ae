/** Equality of graphs up to the numbers and names of their values. */
import { sizeOf } from "../core/shape.js";
import { readElements } from "../runtime/dense.js";
import { type Constant, Graph, type Value } from "./graph.js";
import { sameType } from "./verify.js";

/** Constants of more elements are equal only if they share their memory. */
const COMPARED = 4096;

/**
 * True if both graphs apply the same ops to the same operands in the same order.
 * @example const f = (x: Tensor) => x.sin().add(1); graph.equalGraphs(capture(f, tensor([1])), capture(f, tensor([2]))) // true
 */
export function equalGraphs(a: Graph, b: Graph): boolean {
  if (a === b) return true;
  const lengths = (g: Graph) => [g.params.length, g.constants.length, g.nodes.length, g.results.length];
  const other = lengths(b);
  if (lengths(a).some((n, i) => n !== other[i])) return false;
  const twin = new Map<Value, Value>();
  const pair = (x: Value, y: Value): boolean => {
    twin.set(x, y);
    return sameType(x, y);
  };
  const agree = (x: Value, y: Value): boolean => twin.get(x) === y;
  return (
    a.params.every((param, i) => pair(param, b.params[i])) &&
    a.constants.every((c, i) => pair(c.value, b.constants[i].value) && equalConstants(c, b.constants[i])) &&
    a.nodes.every((node, i) => {
      const like = b.nodes[i];
      return (
        ((node === like && node.inputs.every((input) => agree(input, input))) ||
          (node.op === like.op &&
            node.inputs.length === like.inputs.length &&
            node.inputs.every((input, k) => agree(input, like.inputs[k])) &&
            node.outputs.length === like.outputs.length &&
            equalAttributes(node.attrs, like.attrs))) &&
        node.outputs.every((output, k) => pair(output, like.outputs[k]))
      );
    }) &&
    a.results.every((result, i) => agree(result, b.results[i]))
  );
}

/** True for attributes of the same entries; graphs among them are compared by `equalGraphs`, numbers by `Object.is`. */
export function equalAttributes(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (a instanceof Graph || b instanceof Graph)
    return a instanceof Graph && b instanceof Graph && equalGraphs(a, b);
  if (Array.isArray(a) || Array.isArray(b))
    return (
      Array.isArray(a) &&
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((entry, i) => equalAttributes(entry, b[i]))
    );
  const [x, y] = [a, b].map((object) => Object.entries(object).filter(([, value]) => value !== undefined));
  const right = new Map(y);
  return (
    x.length === y.length &&
    x.every(([key, value]) => right.has(key) && equalAttributes(value, right.get(key)))
  );
}

function equalConstants({ data: a }: Constant, { data: b }: Constant): boolean {
  if (a === b) return true;
  const sameLayout = a.offset === b.offset && a.strides.every((step, i) => step === b.strides[i]);
  if (a.storage === b.storage && sameLayout) return true;
  if (sizeOf(a.shape) > COMPARED) return false;
  const [x, y] = [readElements(a), readElements(b)];
  return x.every((element, i) => Object.is(element, y[i]));
}
