/**
 * Graphs as ops: `call` runs a graph as one op of an eager program or of another graph (mixed execution; book, chapter 3),
 * `fused` is what elementwise fusion leaves. Both can be differentiated and mapped like any other op.
 */
import { formatType, type TensorType } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import { bind } from "../ops/bind.js";
import { type Attrs, type BatchRule, defineOp, getOp, type JvpRule, type OpDef } from "../ops/registry.js";
import { tidy } from "../ops/tidy.js";
import { GraphBuilder } from "./builder.js";
import { batchedGraph, inFront, jvpGraph, maskOf, partition, vjpGraph, zerosOf } from "./derive.js";
import { type Graph, IRError, typeOf } from "./graph.js";
import { interpret } from "./interpret.js";
import { sameType } from "./verify.js";

export interface CallAttrs {
  readonly graph: Graph;
  /** Set when the call is to be differentiated: `graph` then has residuals behind its results, which this one reads. */
  readonly backward?: Graph;
  /** Number of results without residuals. */
  readonly results?: number;
}

type Runner = (graph: Graph, inputs: readonly Tensor[]) => readonly Tensor[];
let runner: Runner = runPlainly;

/** Says how graphs are run on tensors with memory: the executor registers itself here. */
export function setGraphRunner(run: Runner): void {
  runner = run;
}

/**
 * Runs a graph on tensors with memory. The results are the caller's own: none is an argument, a constant of the graph or
 * another result, so that each may be disposed alone.
 */
export function runRegion(graph: Graph, inputs: readonly Tensor[]): readonly Tensor[] {
  return runner(graph, inputs);
}

/** The plain way: op by op; what is no result is given back at the end. */
function runPlainly(graph: Graph, inputs: readonly Tensor[]): readonly Tensor[] {
  const taken = new Set<Tensor>([...inputs, ...graph.constants.map(({ data }) => data)]);
  return tidy(() =>
    interpret(graph, inputs).map((y) => {
      if (taken.has(y)) return y.reshape(y.shape);
      taken.add(y);
      return y;
    }),
  );
}

/** What a graph with such inputs returns. @throws IRError if the inputs do not fit its parameters. */
export function regionTypes(graph: Graph, inputs: readonly TensorType[], where: string): TensorType[] {
  if (inputs.length !== graph.params.length)
    throw new IRError(
      `${where}: region ${graph.name} takes ${graph.params.length} operand(s), ${inputs.length} given`,
    );
  inputs.forEach((input, i) => {
    if (!sameType(input, graph.params[i]))
      throw new IRError(
        `${where}: operand ${i} is ${formatType(input)}, region ${graph.name} takes ${formatType(graph.params[i])}`,
      );
  });
  return graph.results.map(typeOf);
}

/** Never run: ops with a region run other ops. */
export function noKernel(name: string) {
  return (): never => {
    throw new IRError(`${name} has no kernel: it runs other ops`);
  };
}

/** The given gradients, with zeros for those that are absent. */
export function filled(gradients: readonly (Tensor | null)[], types: readonly TensorType[]): Tensor[] {
  return types.map((type, i) => gradients[i] ?? zerosOf(type));
}

const jvp: JvpRule<CallAttrs> = (primals, tangents, _outputs, { graph }) => {
  const carried = tangents.filter((t) => t !== null);
  return bind(callOp, [...primals, ...carried], { graph: jvpGraph(graph, maskOf(tangents)) });
};

const batch: BatchRule<CallAttrs> = (inputs, axes, { graph }, size) => {
  const given = inputs.map((x, i) => (axes[i] === null ? x : inFront(x, axes[i], size)));
  const outputs = bind(callOp, given, { graph: batchedGraph(graph, maskOf(axes), size) });
  return { outputs, axes: outputs.map(() => 0) };
};

export const callOp: OpDef<CallAttrs> = defineOp<CallAttrs>({
  name: "call",
  kind: "control",
  type: (inputs, { graph }) => regionTypes(graph, inputs, "call"),
  reference: noKernel("call"),
  composite: (inputs, { graph }) => runner(graph, inputs),
  residuals: ({ graph }) => {
    const { forward, backward } = partition(graph);
    return { graph: forward, backward, results: graph.results.length };
  },
  saves: { inputs: "all", outputs: true },
  vjp: (gradients, { inputs, outputs, outputTypes, attrs }) => {
    const { graph, backward, results = graph.results.length } = attrs;
    const given = filled(gradients, outputTypes.slice(0, results));
    if (!backward) return bind(callOp, [...inputs, ...given], { graph: vjpGraph(graph) });
    return bind(callOp, [...inputs, ...outputs.slice(results), ...given], { graph: backward });
  },
  jvp,
  batch,
  samples: [],
});

/** A region of elementwise ops over one shape: executors run it as one kernel where they can. */
export const fusedOp: OpDef<CallAttrs> = defineOp<CallAttrs>({
  name: "fused",
  kind: "control",
  type: (inputs, { graph }) => regionTypes(graph, inputs, "fused"),
  reference: noKernel("fused"),
  composite: (inputs, { graph }) => runner(graph, inputs),
  saves: { inputs: "all" },
  vjp: (gradients, { inputs, outputTypes, attrs: { graph } }) =>
    bind(callOp, [...inputs, ...filled(gradients, outputTypes)], { graph: vjpGraph(graph) }),
  jvp,
  batch,
  samples: [],
});

export interface ManyAttrs {
  /** Regions of the same ops and constants, each for operands of its own. */
  readonly graphs: readonly Graph[];
}

/** A graph that does what each region does, one after the other. */
export function sideBySide({ graphs }: ManyAttrs): Graph {
  const builder = new GraphBuilder("fusedMany");
  const inputs = graphs.map((graph) => graph.params.map((param) => builder.param(param, param.name)));
  const results = graphs.flatMap((graph, k) =>
    builder.node(callOp as unknown as OpDef, inputs[k], { graph }),
  );
  return builder.finish(results);
}

/**
 * Several fused groups of one program, on operands of other shapes: executors run them as one job (multi-tensor apply).
 * Operands and results stand region by region.
 */
export const fusedManyOp: OpDef<ManyAttrs> = defineOp<ManyAttrs>({
  name: "fusedMany",
  kind: "control",
  type: (inputs, { graphs }) =>
    eachRegion(graphs, inputs).flatMap(([graph, own]) => regionTypes(graph, own, "fusedMany")),
  reference: noKernel("fusedMany"),
  composite: (inputs, { graphs }) =>
    eachRegion(graphs, inputs).flatMap(([graph, own]) => [...runner(graph, own)]),
  saves: { inputs: "all" },
  vjp: (gradients, { inputs, outputTypes, attrs }) =>
    bind(callOp, [...inputs, ...filled(gradients, outputTypes)], { graph: vjpGraph(sideBySide(attrs)) }),
  jvp: (primals, tangents, outputs, attrs) => jvp(primals, tangents, outputs, { graph: sideBySide(attrs) }),
  batch: (inputs, axes, attrs, size) => batch(inputs, axes, { graph: sideBySide(attrs) }, size),
  samples: [],
});

export interface ContractionAttrs {
  /** Name and attributes of the op that comes first. */
  readonly op: "matmul" | "conv2d";
  readonly attrs: Attrs;
  /** What is done with its result, its first operand; the others come from outside. */
  readonly graph: Graph;
}

/** The same as two ops. */
export function apartOf({ op, attrs, graph }: ContractionAttrs, inputs: readonly TensorType[]): Graph {
  const builder = new GraphBuilder("fusedContraction");
  const values = inputs.map((type) => builder.param(typeOf(type)));
  const product = builder.node(getOp(op), values.slice(0, 2), attrs);
  return builder.finish(
    builder.node(callOp as unknown as OpDef, [...product, ...values.slice(2)], { graph }),
  );
}

/**
 * A product or convolution with elementwise ops on its result (bias, activation, sum with another value), which are
 * applied to each block of it while that is in the cache.
 */
export const fusedContractionOp: OpDef<ContractionAttrs> = defineOp<ContractionAttrs>({
  name: "fusedContraction",
  kind: "control",
  type: (inputs, attrs) => apartOf(attrs, inputs).results.map(typeOf),
  reference: noKernel("fusedContraction"),
  composite: (inputs, attrs) => runner(apartOf(attrs, inputs), inputs),
  saves: { inputs: "all" },
  vjp: (gradients, { inputs, outputTypes, attrs }) =>
    bind(callOp, [...inputs, ...filled(gradients, outputTypes)], { graph: vjpGraph(apartOf(attrs, inputs)) }),
  jvp: (primals, tangents, outputs, attrs) =>
    jvp(primals, tangents, outputs, { graph: apartOf(attrs, primals) }),
  batch: (inputs, axes, attrs, size) => {
    const one = inputs.map((x, i) =>
      axes[i] === null ? x : { dtype: x.dtype, shape: x.shape.filter((_, d) => d !== axes[i]) },
    );
    return batch(inputs, axes, { graph: apartOf(attrs, one) }, size);
  },
  samples: [],
});

/** The regions with the operands of each. */
export function eachRegion<T>(graphs: readonly Graph[], inputs: readonly T[]): [Graph, T[]][] {
  let at = 0;
  return graphs.map((graph) => {
    const own = inputs.slice(at, at + graph.params.length);
    at += graph.params.length;
    return [graph, own];
  });
}

/**
 * Runs a graph as one op: on tensors, and under any transformation.
 * @example graph.call(capture((x: Tensor) => x.mul(2), tensor([1])), [tensor([21])])[0] // [42]
 */
export function call(graph: Graph, inputs: readonly Tensor[]): Tensor[] {
  return bind(callOp, inputs, { graph });
}
