/**
 * Graphs from graphs: derivatives and batches, by walking the nodes with the rules of their ops. Control flow and calls
 * use them for their regions; nothing here needs a tape, for the graph is one.
 */
import { isFloat } from "../core/dtype.js";
import type { TensorType } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import { bind } from "../ops/bind.js";
import { full } from "../ops/create.js";
import { NOT_DIFFERENTIABLE } from "../ops/registry.js";
import { type Graph, typeOf, type Value } from "./graph.js";
import { type Environment, startEnvironment } from "./interpret.js";
import { eliminateDeadCode } from "./passes/dce.js";
import { type Step, stage } from "./trace.js";

/** Zeros of a type, in the memory of one element. */
export function zerosOf(type: TensorType): Tensor {
  return full([], 0, { dtype: type.dtype }).broadcastTo(type.shape);
}

/** Runs a graph forward so that it can be walked back: nodes get the residual outputs that their reverse rules want. */
export function runForReverse(graph: Graph, args: readonly Tensor[]): ReverseRun {
  const env = startEnvironment(graph, args);
  const steps: Step[] = [];
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((input) => env.get(input) as Tensor);
    const attrs = node.op.residuals?.(node.attrs) ?? node.attrs;
    const outputs = bind(node.op, inputs, attrs);
    steps.push({ node, attrs, inputs, outputs });
    node.outputs.forEach((output, i) => {
      env.set(output, outputs[i]);
    });
  }
  return { env, steps, results: graph.results.map((result) => env.get(result) as Tensor) };
}

export interface ReverseRun {
  readonly env: Environment;
  readonly steps: readonly Step[];
  readonly results: readonly Tensor[];
}

/**
 * Gradients of `wanted` values from those of others (`null`: zero), through the steps of a run in reverse order.
 * Only values between both are visited.
 * @param arrive called with a wanted value's gradient as soon as all that read the value have been passed
 */
export function walkGraphBack(
  steps: readonly Step[],
  seeds: readonly (readonly [Value, Tensor | null])[],
  wanted: readonly Value[],
  arrive?: (index: number, gradient: Tensor) => void,
): (Tensor | null)[] {
  const firstReads = arrive ? firstReadsOf(steps, wanted) : null;
  const active = new Set<Value>(wanted.filter((value) => isFloat(value.dtype)));
  for (const { node } of steps) {
    if (node.op.vjp === NOT_DIFFERENTIABLE || !node.inputs.some((input) => active.has(input))) continue;
    for (const output of node.outputs) if (isFloat(output.dtype)) active.add(output);
  }
  const gradients = new Map<Value, Tensor>();
  const add = (value: Value, g: Tensor | null): void => {
    if (!g || !active.has(value)) return;
    const before = gradients.get(value);
    gradients.set(value, before ? before.add(g) : g);
  };
  for (const [value, g] of seeds) add(value, g);
  for (let i = steps.length - 1; i >= 0; i--) {
    const { node, attrs, inputs, outputs } = steps[i];
    const { vjp } = node.op;
    const arrived = node.outputs.map((output) => gradients.get(output) ?? null);
    if (vjp !== NOT_DIFFERENTIABLE && arrived.some((g) => g !== null)) {
      const cotangents = outputs.map((_, k) => arrived[k] ?? null);
      const sent = vjp(cotangents, {
        inputs,
        outputs,
        inputTypes: inputs.map(typeOf),
        outputTypes: outputs.map(typeOf),
        attrs: attrs as never,
        needs: node.inputs.map((input) => active.has(input)),
      });
      node.inputs.forEach((input, k) => {
        add(input, sent[k] ?? null);
      });
    }
    for (const index of firstReads?.get(i) ?? []) {
      const g = gradients.get(wanted[index]);
      if (g) arrive?.(index, g);
    }
  }
  return wanted.map((value) => gradients.get(value) ?? null);
}

/** By step: the wanted values that it is the first to read. */
function firstReadsOf(steps: readonly Step[], wanted: readonly Value[]): Map<number, number[]> {
  const left = new Map(wanted.map((value, index) => [value, index]));
  const firsts = new Map<number, number[]>();
  steps.forEach(({ node }, i) => {
    for (const input of node.inputs) {
      const index = left.get(input);
      if (index === undefined) continue;
      left.delete(input);
      firsts.set(i, [...(firsts.get(i) ?? []), index]);
    }
  });
  return firsts;
}

/**
 * (inputs…, gradients of the results…) → (gradients of the inputs…): zeros where none arrive.
 * @example graph.vjpGraph(capture((x: Tensor) => x.square(), tensor([3]))).params.length // 2
 */
export const vjpGraph = derived((graph: Graph): Graph => {
  const count = graph.params.length;
  return tidied(
    stage(`${graph.name}_vjp`, [...graph.params, ...graph.results.map(typeOf)], (given) => {
      const run = runForReverse(graph, given.slice(0, count));
      const seeds = graph.results.map((result, i) => [result, given[count + i]] as const);
      const gradients = walkGraphBack(run.steps, seeds, graph.params);
      return gradients.map((g, i) => g ?? zerosOf(graph.params[i]));
    }).graph,
  );
});

/** A graph split for reverse mode. */
export interface Partitioned {
  /** (inputs…) → (results…, residuals…). */
  readonly forward: Graph;
  /** (inputs…, residuals…, gradients of the results…) → (gradients of the inputs…). */
  readonly backward: Graph;
}

/**
 * The forward part computes the results and what the backward part reads of it (but never computes again).
 * @example Object.keys(graph.partition(capture((x: Tensor) => x.sin(), tensor([1])))) // ["forward", "backward"]
 */
export const partition = derived((graph: Graph): Partitioned => {
  const inputs = graph.params.length;
  const joint = stage(`${graph.name}_joint`, [...graph.params, ...graph.results.map(typeOf)], (given) => {
    const run = runForReverse(graph, given.slice(0, inputs));
    const seeds = graph.results.map((result, i) => [result, given[inputs + i]] as const);
    const gradients = walkGraphBack(run.steps, seeds, graph.params);
    return [...run.results, ...gradients.map((g, i) => g ?? zerosOf(graph.params[i]))];
  }).graph;
  const late = new Set<Value>(joint.params.slice(inputs)); // what depends on the gradients given
  const backwardNodes = joint.nodes.filter((node) => {
    const isLate = node.inputs.some((input) => late.has(input));
    if (isLate) for (const output of node.outputs) late.add(output);
    return isLate;
  });
  const results = joint.results.slice(0, graph.results.length);
  const gradients = joint.results.slice(graph.results.length);
  const early = new Set(joint.nodes.flatMap((node) => (backwardNodes.includes(node) ? [] : node.outputs)));
  const residuals = [...new Set([...backwardNodes.flatMap((node) => node.inputs), ...gradients])].filter(
    (v) => early.has(v),
  );
  return {
    forward: eliminateDeadCode(
      joint.with({
        name: `${graph.name}_forward`,
        params: joint.params.slice(0, inputs),
        nodes: joint.nodes.filter((node) => !backwardNodes.includes(node)),
        results: [...results, ...residuals],
      }),
    ),
    backward: eliminateDeadCode(
      joint.with({
        name: `${graph.name}_backward`,
        params: [...joint.params.slice(0, inputs), ...residuals, ...joint.params.slice(inputs)],
        nodes: backwardNodes,
        results: gradients,
      }),
    ),
  };
});

/** Which inputs carry tangents, as a key: `"101"`. */
export type Mask = string;

export const maskOf = (given: readonly unknown[]): Mask =>
  given.map((x) => (x === null ? "0" : "1")).join("");

/** Results of a graph and their tangents, from arguments and theirs (`null`: zero). */
export function runWithTangents(
  graph: Graph,
  args: readonly Tensor[],
  directions: readonly (Tensor | null)[],
): { results: Tensor[]; tangents: (Tensor | null)[] } {
  const env = startEnvironment(graph, args);
  const tangents = new Map<Value, Tensor>();
  graph.params.forEach((param, i) => {
    const t = directions[i];
    if (t && isFloat(param.dtype)) tangents.set(param, t);
  });
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((input) => env.get(input) as Tensor);
    const outputs = bind(node.op, inputs, node.attrs);
    node.outputs.forEach((output, i) => {
      env.set(output, outputs[i]);
    });
    const given = node.inputs.map((input) => tangents.get(input) ?? null);
    if (node.op.jvp === NOT_DIFFERENTIABLE || given.every((t) => t === null)) continue;
    const found = node.op.jvp(inputs, given, outputs, node.attrs as never);
    node.outputs.forEach((output, i) => {
      const t = found[i];
      if (t && isFloat(output.dtype)) tangents.set(output, t);
    });
  }
  return {
    results: graph.results.map((result) => env.get(result) as Tensor),
    tangents: graph.results.map((result) => tangents.get(result) ?? null),
  };
}

/**
 * (inputs…, tangents of the masked inputs…) → (tangents of the results…): zeros where none arrive.
 * @example graph.jvpGraph(capture((x: Tensor) => x.square(), tensor([3])), "1").params.length // 2
 */
export const jvpGraph = derived((graph: Graph, mask: Mask): Graph => {
  const count = graph.params.length;
  const carried = graph.params.filter((_, i) => mask[i] === "1");
  return tidied(
    stage(`${graph.name}_jvp`, [...graph.params, ...carried.map(typeOf)], (given) => {
      let next = count;
      const directions = graph.params.map((_, i) => (mask[i] === "1" ? given[next++] : null));
      const { tangents } = runWithTangents(graph, given.slice(0, count), directions);
      return tangents.map((t, i) => t ?? zerosOf(graph.results[i]));
    }).graph,
  );
});

/**
 * (inputs…, the masked ones with a batch in front) → (results…, each with a batch in front).
 * @example graph.batchedGraph(capture((x: Tensor) => x.sin(), tensor([1, 2])), "1", 3).params[0].shape // [3, 2]
 */
export const batchedGraph = derived((graph: Graph, mask: Mask, size: number): Graph => {
  const types = graph.params.map((param, i) =>
    mask[i] === "1" ? { dtype: param.dtype, shape: [size, ...param.shape] } : typeOf(param),
  );
  return tidied(
    stage(`${graph.name}_batched`, types, (given) => {
      const env = startEnvironmentOfBatch(graph, given);
      const axes = new Map<Value, number | null>(
        graph.params.map((param, i) => [param, mask[i] === "1" ? 0 : null]),
      );
      for (const node of graph.nodes) {
        const inputs = node.inputs.map((input) => env.get(input) as Tensor);
        const at = node.inputs.map((input) => axes.get(input) ?? null);
        const batched = at.every((axis) => axis === null)
          ? { outputs: bind(node.op, inputs, node.attrs), axes: [] }
          : node.op.batch(inputs, at, node.attrs as never, size);
        node.outputs.forEach((output, i) => {
          env.set(output, batched.outputs[i]);
          axes.set(output, batched.axes[i] ?? null);
        });
      }
      return graph.results.map((result) =>
        inFront(env.get(result) as Tensor, axes.get(result) ?? null, size),
      );
    }).graph,
  );
});

/** The batch axis moved to the front; values without a batch are repeated. */
export function inFront(x: Tensor, axis: number | null, size: number): Tensor {
  if (axis === null) return x.broadcastTo([size, ...x.shape]);
  if (axis === 0) return x;
  return x.transpose([axis, ...x.shape.map((_, i) => i).filter((i) => i !== axis)]);
}

function startEnvironmentOfBatch(graph: Graph, given: readonly Tensor[]): Environment {
  const env: Environment = new Map();
  graph.params.forEach((param, i) => {
    env.set(param, given[i]);
  });
  for (const { value, data } of graph.constants) env.set(value, data);
  return env;
}

const tidied = (graph: Graph): Graph => eliminateDeadCode(graph);

/** Remembers what was derived from a graph for as long as the graph lives. */
export function derived<K extends readonly (string | number)[], R extends object>(
  make: (graph: Graph, ...key: K) => R,
): (graph: Graph, ...key: K) => R {
  const made = new WeakMap<Graph, Map<string, R>>();
  return (graph, ...key) => {
    let known = made.get(graph);
    if (!known) {
      known = new Map();
      made.set(graph, known);
    }
    const name = key.join("|");
    let result = known.get(name);
    if (!result) {
      result = make(graph, ...key);
      known.set(name, result);
    }
    return result;
  };
}
