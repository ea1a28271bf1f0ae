/** Plans found by cost: for a function on a mesh, and for a graph as a pipeline of meshes. */
import { ValueError } from "../../../core/errors.js";
import { capture } from "../../../graph/capture.js";
import { Graph, type GraphNode, type Value } from "../../../ir/graph.js";
import { bytesOf, type ClusterCost, DEFAULT_CLUSTER } from "../cost.js";
import { type LogicalMesh, logicalMesh } from "../mesh.js";
import { flopsOf } from "../plan.js";
import { prepared, ShardedProgram } from "../program.js";
import { type Sharding, type ShardSpec, shardingOf } from "../sharding.js";
import { pipelineStages, type Stage } from "./inter-op.js";
import { type FoundPlan, searchPlan } from "./intra-op.js";

export interface AutoOptions {
  readonly mesh: LogicalMesh;
  /** What computing and communicating cost, and a device's memory. */
  readonly cluster?: Partial<ClusterCost>;
  /** Parameters that lie as they must; the others are chosen. */
  readonly inputs?: (parameter: Value, position: number) => ShardSpec | undefined;
  /** Results (by position) that are to lie as a parameter does: new weights, or gradients. */
  readonly tied?: readonly (readonly [result: number, parameter: number])[];
}

/** A program whose plan was found by the search. */
export class AutoShardedProgram<A extends unknown[] = unknown[], R = unknown> extends ShardedProgram<A, R> {
  constructor(
    readonly found: FoundPlan,
    tied: readonly (readonly [number, number])[] = [],
  ) {
    const { graph, values } = found.plan;
    const results = new Map(tied.map(([result, param]) => [result, values.get(graph.params[param])]));
    super(
      found.plan,
      graph.results.map((_, i) => results.get(i)),
    );
  }
}

/**
 * Captures `f` and finds the plan that costs least: how parameters lie, how each op is cut. Data parallelism, tensor
 * parallelism as Megatron's and mixtures come out where they are best.
 * @example distributed.autoSharded({ mesh: distributed.logicalMesh({ x: 2 }) }, (x, w) => x.matmul(w), ones([4, 4]), ones([4, 4])).found.choice.optimal // true
 * @throws ValueError if nothing fits into a device's memory; as `capture`
 */
export function autoSharded<A extends unknown[], R>(
  options: AutoOptions,
  f: (...args: A) => R,
  ...args: A
): AutoShardedProgram<A, R> {
  const { mesh, inputs, tied = [] } = options;
  const graph = prepared(capture(f, ...args));
  const cluster = { ...DEFAULT_CLUSTER, ...options.cluster };
  const given = new Map<Value, Sharding>();
  graph.params.forEach((param, i) => {
    const spec = inputs?.(param, i);
    if (spec) given.set(param, shardingOf(mesh, param.shape, spec));
  });
  const pairs = tied.map(([result, param]) => [graph.results[result], graph.params[param]] as const);
  return new AutoShardedProgram<A, R>(searchPlan(graph, { mesh, cluster, given, tied: pairs }), tied);
}

export interface PipelineSearch {
  readonly devices: number;
  /** Micro-batches of a batch. The graph is for one of them. */
  readonly microBatches: number;
  readonly cluster?: Partial<ClusterCost>;
  /** Groups of consecutive ops between which stages may end. Default 8. */
  readonly layers?: number;
  /** How many devices a stage may have. Default: powers of two; `[1]`: ops are not split. */
  readonly groups?: readonly number[];
}

export interface GraphStage extends Stage {
  /** The stage's part of the graph. */
  readonly graph: Graph;
  /** How its ops are cut on its devices. */
  readonly found: FoundPlan;
  /** Bytes that come from stages before it (Send and Recv). */
  readonly received: number;
}

/**
 * Cuts a graph into pipeline stages, each with its own devices and the best plan on them: Alpa's two levels.
 * @throws ValueError if no cut fits into the devices' memory
 * @example distributed.pipelinePlan(graph.capture((x: Tensor, w: Tensor) => x.matmul(w).relu(), ones([4, 4]), ones([4, 4])), { devices: 1, microBatches: 4 }).stages.length // 1
 */
export function pipelinePlan(
  graph: Graph,
  options: PipelineSearch,
): { readonly stages: readonly GraphStage[]; readonly time: number } {
  const cluster = { ...DEFAULT_CLUSTER, ...options.cluster };
  const layers = layersOf(graph, options.layers ?? 8);
  const known = new Map<string, { found: FoundPlan; part: Graph; received: number } | null>();
  const planOf = (first: number, end: number, devices: number) => {
    const key = `${first} ${end} ${devices}`;
    let plan = known.get(key);
    if (plan === undefined) {
      const part = subgraph(graph, layers.slice(first, end).flat());
      try {
        const found = searchPlan(part.graph, { mesh: logicalMesh(devices), cluster });
        plan = { found, part: part.graph, received: part.received };
      } catch (error) {
        if (!(error instanceof ValueError)) throw error;
        plan = null; // it does not fit
      }
      known.set(key, plan);
    }
    return plan;
  };
  const { stages, time } = pipelineStages({
    layers: layers.length,
    devices: options.devices,
    microBatches: options.microBatches,
    groups: options.groups,
    cost: (first, end, devices) => {
      const plan = planOf(first, end, devices);
      if (!plan) return null;
      const sent = plan.received > 0 ? cluster.alpha + plan.received * cluster.beta : 0;
      return plan.found.choice.cost + sent;
    },
  });
  return {
    time,
    stages: stages.map((stage) => {
      const plan = planOf(stage.first, stage.end, stage.devices) as NonNullable<ReturnType<typeof planOf>>;
      return { ...stage, graph: plan.part, found: plan.found, received: plan.received };
    }),
  };
}

/** Consecutive nodes in groups of about the same work. */
function layersOf(graph: Graph, most: number): GraphNode[][] {
  const work = graph.nodes.map((node) => flopsOf(node) + 1);
  const whole = work.reduce((a, b) => a + b, 0);
  const layers: GraphNode[][] = [];
  let [current, done, end] = [[] as GraphNode[], 0, whole / most];
  graph.nodes.forEach((node, i) => {
    current.push(node);
    done += work[i];
    if (done < end * (1 - 1e-9) && i < graph.nodes.length - 1) return;
    layers.push(current);
    current = [];
    while (end <= done) end += whole / most;
  });
  if (current.length > 0) layers.push(current);
  return layers;
}

/** Some nodes as a graph of their own, and the bytes that they need from nodes before them. */
function subgraph(graph: Graph, nodes: readonly GraphNode[]): { graph: Graph; received: number } {
  const inside = new Set(nodes);
  const made = new Set(nodes.flatMap(({ outputs }) => outputs));
  const reads = [...new Set(nodes.flatMap(({ inputs }) => inputs))].filter((value) => !made.has(value));
  const constants = graph.constants.filter(({ value }) => reads.includes(value));
  const fixed = new Set(constants.map(({ value }) => value));
  const params = reads.filter((value) => !fixed.has(value));
  const results = [...made].filter(
    (value) => graph.results.includes(value) || graph.users(value).some((user) => !inside.has(user)),
  );
  const received = params.reduce((sum, value) => sum + (graph.producer(value) ? bytesOf(value) : 0), 0);
  return { graph: new Graph(graph.name, params, constants, nodes, results), received };
}
