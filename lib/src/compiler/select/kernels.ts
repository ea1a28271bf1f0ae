/**
 * Kernel selection: each node gets the kernel (device, dtype, layout) with which the whole graph costs least: kernels,
 * casts, changes of layout and copies between devices together. The choice is exact: costs are summed out node by node
 * (bucket elimination, Dechter 1999). (Book, chapter 5: op information, device → dtype and format → cast.)
 */
import { ValueError } from "../../core/errors.js";
import { type Dag, predecessors } from "../../graph/dag.js";

/** What a kernel reads and writes. */
export interface KernelFormat {
  readonly device: string;
  readonly dtype: string;
  readonly layout: string;
}

/** A row of the table of kernels. */
export interface KernelInfo extends KernelFormat {
  readonly op: string;
  /** Milliseconds, or any other unit that the conversions have too. */
  readonly cost: number;
}

/** A node to be placed. */
export interface SelectionNode {
  readonly op: string;
  /** What the program says: results should have this precision. */
  readonly dtype: string;
  /** Bytes of its result. */
  readonly bytes: number;
}

export interface SelectionOptions {
  /** Cost of turning `bytes` of one format into another; 0 for equal ones. Default: `conversionCost`. */
  readonly convert?: (from: KernelFormat, to: KernelFormat, bytes: number) => number;
  /** What a kernel of another precision than the program's costs besides, in the same unit. Default 0.01 per step of precision. */
  readonly precision?: (wanted: string, kernel: string) => number;
}

/** What is put on an edge. */
export interface Conversion {
  readonly from: string;
  readonly to: string;
  /** In this order. */
  readonly steps: readonly ("copy" | "cast" | "layout")[];
  readonly before: KernelFormat;
  readonly after: KernelFormat;
}

export interface Selection {
  readonly kernels: ReadonlyMap<string, KernelInfo>;
  readonly conversions: readonly Conversion[];
  readonly cost: number;
}

const BITS: Readonly<Record<string, number>> = {
  float64: 64,
  float32: 32,
  bfloat16: 16,
  float16: 16,
  int8: 8,
};
const MAX_TABLE = 1 << 20;

/**
 * Rough milliseconds: 10 GB/s for casts and layouts, 2 GB/s and 20 µs between devices.
 * @example compiler.conversionCost({ device: "cpu", dtype: "float32", layout: "NCHW" }, { device: "cpu", dtype: "float16", layout: "NCHW" }, 1e7) // 1
 */
export function conversionCost(from: KernelFormat, to: KernelFormat, bytes: number): number {
  const passes = Number(from.dtype !== to.dtype) + Number(from.layout !== to.layout);
  const copy = from.device === to.device ? 0 : 0.02 + bytes / 2e6;
  return copy + (passes * bytes) / 1e7;
}

const precisionCost = (wanted: string, kernel: string): number =>
  0.01 * Math.abs(Math.log2((BITS[wanted] ?? 32) / (BITS[kernel] ?? 32)));

/**
 * @param nodes by the names of the graph; nodes without predecessors read what the program gives them, in its dtype
 * @throws ValueError naming an op that no kernel does; or for a graph so entangled that the tables would not fit.
 * @example
 * const kernels = [{ op: "conv2d", device: "npu", dtype: "float16", layout: "5HD", cost: 1 }, { op: "relu", device: "npu", dtype: "float16", layout: "5HD", cost: 0.1 }];
 * const node = (op: string) => ({ op, dtype: "float32", bytes: 1000 });
 * compiler.selectKernels(graph.dag("a->b"), { a: node("conv2d"), b: node("relu") }, kernels).conversions.length // 0
 */
export function selectKernels(
  dag: Dag,
  nodes: Readonly<Record<string, SelectionNode>>,
  kernels: readonly KernelInfo[],
  options: SelectionOptions = {},
): Selection {
  const { convert = conversionCost, precision = precisionCost } = options;
  const candidates = dag.nodes.map((name) => {
    const { op } = nodes[name] ?? { op: "" };
    const found = kernels.filter((kernel) => kernel.op === op);
    if (found.length === 0)
      throw new ValueError(
        `selectKernels: no kernel does ${op || "nothing"} (${name}); there are kernels for ${[...new Set(kernels.map((k) => k.op))].join(", ")}`,
      );
    return found;
  });
  const at = new Map(dag.nodes.map((name, i) => [name, i]));
  const factors: Factor[] = dag.nodes.map((name, i) => ({
    variables: [i],
    costs: candidates[i].map((kernel) => kernel.cost + precision(nodes[name].dtype, kernel.dtype)),
  }));
  const edges = [...new Map(dag.edges.map(([from, to]) => [`${from} ${to}`, [from, to] as const])).values()];
  for (const [from, to] of edges) {
    const [i, j] = [at.get(from) as number, at.get(to) as number];
    const costs = candidates[i].flatMap((a) => candidates[j].map((b) => convert(a, b, nodes[from].bytes)));
    factors.push({ variables: [i, j], costs });
  }
  const chosen = eliminate(
    factors,
    candidates.map((list) => list.length),
  );
  const kernelOf = new Map(dag.nodes.map((name, i) => [name, candidates[i][chosen[i]]]));
  const before = predecessors(dag);
  const conversions = dag.nodes.flatMap((to) =>
    [...new Set(before.get(to))].flatMap((from): Conversion[] => {
      const [a, b] = [kernelOf.get(from) as KernelInfo, kernelOf.get(to) as KernelInfo];
      const steps = stepsBetween(a, b);
      return steps.length === 0 ? [] : [{ from, to, steps, before: formatOf(a), after: formatOf(b) }];
    }),
  );
  const cost = factors.reduce(
    (sum, factor) =>
      sum +
      entryOf(
        factor,
        chosen,
        candidates.map((c) => c.length),
      ),
    0,
  );
  return { kernels: kernelOf, conversions, cost };
}

const formatOf = ({ device, dtype, layout }: KernelInfo): KernelFormat => ({ device, dtype, layout });

/** Fewer bytes are moved: down-casts come before copies, up-casts behind. */
function stepsBetween(a: KernelFormat, b: KernelFormat): Conversion["steps"] {
  const cast = a.dtype === b.dtype ? [] : (["cast"] as const);
  const copy = a.device === b.device ? [] : (["copy"] as const);
  const layout = a.layout === b.layout ? [] : (["layout"] as const);
  const down = (BITS[b.dtype] ?? 32) < (BITS[a.dtype] ?? 32);
  return down ? [...cast, ...copy, ...layout] : [...copy, ...cast, ...layout];
}

/** A table of costs over some variables' choices, the last variable fastest. */
interface Factor {
  readonly variables: readonly number[];
  readonly costs: readonly number[];
}

function entryOf({ variables, costs }: Factor, choice: readonly number[], sizes: readonly number[]): number {
  return costs[variables.reduce((index, v) => index * sizes[v] + choice[v], 0)];
}

/** The choice with the least sum of all factors: variables are minimized out, those with the fewest neighbours first. */
function eliminate(factors: readonly Factor[], sizes: readonly number[]): number[] {
  let open = [...factors];
  const rest = new Set(sizes.keys());
  const decided: { variable: number; among: readonly Factor[] }[] = [];
  const around = (variable: number): number[] =>
    [...new Set(open.filter((f) => f.variables.includes(variable)).flatMap((f) => f.variables))].filter(
      (v) => v !== variable,
    );
  while (rest.size > 0) {
    const variable = [...rest].reduce((best, v) => (around(v).length < around(best).length ? v : best));
    const scope = around(variable);
    const entries = scope.reduce((product, v) => product * sizes[v], 1);
    if (entries * sizes[variable] > MAX_TABLE)
      throw new ValueError(
        `selectKernels: a table over ${scope.length + 1} nodes would have more than ${MAX_TABLE} entries`,
      );
    const among = open.filter((f) => f.variables.includes(variable));
    const choice = new Array<number>(sizes.length).fill(0);
    const costs = Array.from({ length: entries }, (_, entry) => {
      let left = entry;
      for (const v of [...scope].reverse()) {
        choice[v] = left % sizes[v];
        left = Math.floor(left / sizes[v]);
      }
      return Math.min(...choicesOf(variable, among, choice, sizes));
    });
    open = [...open.filter((f) => !among.includes(f)), { variables: scope, costs }];
    decided.push({ variable, among });
    rest.delete(variable);
  }
  const choice = new Array<number>(sizes.length).fill(0);
  for (const { variable, among } of decided.reverse()) {
    const costs = choicesOf(variable, among, choice, sizes);
    choice[variable] = costs.indexOf(Math.min(...costs));
  }
  return choice;
}

/** Cost of each choice of one variable, the others as they are. */
function choicesOf(
  variable: number,
  among: readonly Factor[],
  choice: number[],
  sizes: readonly number[],
): number[] {
  return Array.from({ length: sizes[variable] }, (_, value) => {
    choice[variable] = value;
    return among.reduce((sum, factor) => sum + entryOf(factor, choice, sizes), 0);
  });
}
