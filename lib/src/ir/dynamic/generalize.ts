/**
 * From graphs of one program at several sizes to one with symbols: what is the same in all stays, numbers that differ become
 * polynomials of the sizes. A program whose graph has another structure at another size does not generalize.
 */

import type { OpDef } from "../../ops/registry.js";
import { readElements } from "../../runtime/dense.js";
import { type Constant, Graph, type GraphNode, IRError, type Value } from "../graph.js";
import type { Dim, Sizes } from "./dim.js";
import { fit } from "./dim.js";
import { dimensionOp } from "./symbolic-graph.js";

/** @throws IRError naming the first place that does not generalize. */
export function generalize(graphs: readonly Graph[], points: readonly Sizes[]): Graph {
  const [first] = graphs;
  const fail = (where: string, values: readonly unknown[]): never => {
    const shown = points
      .slice(0, 3)
      .map((point, k) => `${values[k]} at ${JSON.stringify(point).replaceAll('"', "")}`);
    throw new IRError(`graph ${first.name} does not generalize: ${where} is ${shown.join(", ")}`);
  };
  const same = <T>(where: string, of: (graph: Graph) => T): T => {
    const values = graphs.map(of);
    return values.every((value) => value === values[0]) ? values[0] : fail(where, values);
  };
  const number = (where: string, values: readonly number[]): number => {
    if (values.every((value) => Object.is(value, values[0]))) return values[0];
    return (fit(values, points) ?? fail(where, values)) as number; // a Dim, in a number's place
  };
  const any = (where: string, values: readonly unknown[]): unknown => {
    const [value] = values;
    if (typeof value === "number") return number(where, values as number[]);
    if (value instanceof Graph) return generalize(values as Graph[], points);
    if (typeof value !== "object" || value === null)
      return values.every((v) => v === value) ? value : fail(where, values);
    const keys = Object.keys(value);
    if (!values.every((v) => Object.keys(v as object).join() === keys.join()))
      fail(
        where,
        values.map((v) => JSON.stringify(v)),
      );
    const entries = keys.map(
      (key) =>
        [
          key,
          any(
            `${where}.${key}`,
            values.map((v) => (v as Record<string, unknown>)[key]),
          ),
        ] as const,
    );
    return Array.isArray(value) ? entries.map(([, entry]) => entry) : Object.fromEntries(entries);
  };

  for (const part of ["params", "constants", "nodes", "results"] as const)
    same(`the number of ${part}`, (g) => g[part].length);
  const here = new Map<number, Value>();
  const define = (values: readonly Value[], where: string): Value => {
    const [{ id, name, dtype }] = values;
    if (!values.every((v) => v.id === id && v.dtype === dtype && v.shape.length === values[0].shape.length))
      fail(
        where,
        values.map((v) => `%${v.id} ${v.dtype} of ${v.shape.length} axes`),
      );
    const shape = values[0].shape.map((_, axis) =>
      number(
        `axis ${axis} of ${where}`,
        values.map((v) => v.shape[axis]),
      ),
    );
    const made: Value = { id, name, dtype, shape };
    here.set(id, made);
    return made;
  };
  const get = (id: number): Value => here.get(id) as Value;

  const params = first.params.map((param, i) =>
    define(
      graphs.map((g) => g.params[i]),
      `parameter ${param.name ?? i}`,
    ),
  );
  const constants: Constant[] = [];
  const nodes: GraphNode[] = [];
  first.constants.forEach(({ value, data }, i) => {
    const all = graphs.map((g) => g.constants[i]);
    const where = `constant %${value.id}`;
    const made = define(
      all.map((c) => c.value),
      where,
    );
    const elements = all.map((c) => Array.from(readElements(c.data)));
    if (
      elements.every(
        (list) => list.length === elements[0].length && list.every((x, k) => Object.is(x, elements[0][k])),
      )
    ) {
      constants.push({ value: made, data });
      return;
    }
    if (made.shape.length > 0)
      fail(
        where,
        elements.map((list) => `[${list.slice(0, 4).join(", ")}${list.length > 4 ? ", …" : ""}]`),
      );
    const numbers = elements.map(([x]) => x);
    const inverse = numbers.map((x) => Math.round(1 / x));
    const whole = fit(numbers, points);
    const rounded = (x: number): number => (value.dtype === "float32" ? Math.fround(x) : x);
    const reciprocal =
      whole === null && inverse.every((d, k) => rounded(1 / d) === numbers[k]) ? fit(inverse, points) : null;
    const found = whole ?? reciprocal ?? fail(where, numbers);
    const attrs = { value: found as Dim | number, reciprocal: whole === null, dtype: value.dtype };
    nodes.push({ op: dimensionOp as unknown as OpDef, inputs: [], attrs, outputs: [made], loc: null });
  });
  first.nodes.forEach((node, i) => {
    const where = `${node.op.name} (%${node.outputs[0]?.id})${node.loc ? ` at ${node.loc}` : ""}`;
    same(`the op of ${where}`, (g) => g.nodes[i].op.name);
    same(`the operands of ${where}`, (g) => g.nodes[i].inputs.map(({ id }) => id).join());
    same(`the number of results of ${where}`, (g) => g.nodes[i].outputs.length);
    nodes.push({
      ...node,
      inputs: node.inputs.map(({ id }) => get(id)),
      attrs: any(
        `an attribute of ${where}`,
        graphs.map((g) => g.nodes[i].attrs),
      ) as object,
      outputs: node.outputs.map((_, k) =>
        define(
          graphs.map((g) => g.nodes[i].outputs[k]),
          where,
        ),
      ),
    });
  });
  const results = first.results.map((_, i) => get(same(`result ${i}`, (g) => g.results[i].id)));
  return new Graph(first.name, params, constants, nodes, results);
}
