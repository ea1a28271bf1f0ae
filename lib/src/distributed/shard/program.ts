/** A function partitioned over a mesh: captured, its shardings found, one graph for each device. */

import { ValueError } from "../../core/errors.js";
import type { Tensor } from "../../core/tensor.js";
import { flatten, type TreeDef, unflatten } from "../../core/tree.js";
import { capture, capturedValues } from "../../graph/capture.js";
import type { Graph, Value } from "../../ir/graph.js";
import { eliminateDeadCode } from "../../ir/passes/dce.js";
import { inlineCalls } from "../../ir/passes/inline.js";
import { concrete } from "../../ops/read.js";
import { concat, slice } from "../../ops/shape.js";
import { displaySymbol, escapeHtml, type MimeBundle } from "../../viz/bundle.js";
import { type Drawing, type DrawOptions, drawGraph } from "../../viz/graph.js";
import type { ProcessGroup } from "../group/process-group.js";
import { type ClusterCost, DEFAULT_CLUSTER } from "./cost.js";
import { explainNodes, explainPlan } from "./explain.js";
import { combined, lockstep, type Traffic } from "./lockstep.js";
import type { LogicalMesh } from "./mesh.js";
import { deviceGraph } from "./partition.js";
import { costOfPlan, type PlanCost, planFrom, type ShardingPlan } from "./plan.js";
import { propagate } from "./propagate.js";
import { RankProgram } from "./ranks.js";
import {
  formatDims,
  localShape,
  localStart,
  replicated,
  type Sharding,
  type ShardSpec,
  shardingOf,
} from "./sharding.js";

export interface PartitionOptions {
  readonly mesh: LogicalMesh;
  /** How parameters lie, by position or by a function of each (its name says what it is); free where undefined. */
  readonly inputs?:
    | readonly (ShardSpec | undefined)[]
    | ((parameter: Value, position: number) => ShardSpec | undefined);
  /** How results are to lie, by position; as found where undefined. */
  readonly outputs?: readonly (ShardSpec | undefined)[];
  /** What communication costs: decides which operand moves and which collectives are cheapest. */
  readonly cluster?: Partial<ClusterCost>;
}

/**
 * Captures `f` for such arguments, finds from its annotations how every value lies (`shard`, `shardOp`, `inputs`), and writes
 * each device's graph with the collectives that are needed.
 * @example distributed.partitioned({ mesh: distributed.logicalMesh({ data: 2 }), inputs: [["data"]] }, (x) => x.mul(2).sum(), ones([4])).run(tensor([1, 2, 3, 4])) // 20
 * @throws ShapeError for dimensions that do not divide; ValueError for unknown axes; as `capture`
 */
export function partitioned<A extends unknown[], R>(
  options: PartitionOptions,
  f: (...args: A) => R,
  ...args: A
): ShardedProgram<A, R> {
  const graph = prepared(capture(f, ...args));
  const { mesh, inputs } = options;
  const cluster = { ...DEFAULT_CLUSTER, ...options.cluster };
  const specs = typeof inputs === "function" ? graph.params.map(inputs) : inputs;
  const plan = planFrom(mesh, cluster, graph, propagate(mesh, graph, specs, options.outputs));
  const outputs = graph.results.map(({ shape }, i) => {
    const spec = options.outputs?.[i];
    return spec && shardingOf(mesh, shape, spec);
  });
  return new ShardedProgram(plan, outputs);
}

/** Calls are opened, so that what they do can be cut, and what no result needs goes. */
export const prepared = (graph: Graph): Graph =>
  eliminateDeadCode(inlineCalls(graph, Number.POSITIVE_INFINITY));

export class ShardedProgram<A extends unknown[] = unknown[], R = unknown> {
  /** How each result lies. */
  readonly results: readonly Sharding[];
  private readonly graphs = new Map<number, Graph>();

  /** @param results how results are to lie; as the plan has them where undefined */
  constructor(
    readonly plan: ShardingPlan,
    results: readonly (Sharding | undefined)[] = [],
  ) {
    this.results = plan.graph.results.map((result, i) => results[i] ?? this.shardingOf(result));
  }

  get mesh(): LogicalMesh {
    return this.plan.mesh;
  }

  /** As captured: for one device. */
  get graph(): Graph {
    return this.plan.graph;
  }

  /** How a value of `graph` lies. */
  shardingOf(value: Value): Sharding {
    return this.plan.values.get(value) ?? replicated(value.shape.length);
  }

  /** The plan as text: how each value lies, what is moved for each op, what that costs. */
  explain(): string {
    return explainPlan(this.plan);
  }

  toString(): string {
    return this.explain();
  }

  /** The captured graph with how its values lie; ops around which something is moved stand out. */
  draw(options: DrawOptions = {}): Drawing {
    const moved = new Set(
      explainNodes(this.plan).flatMap(({ node, before, after }) =>
        [...before, ...after].some(({ steps }) => steps.some((step) => !/^(slice|mask)/.test(step)))
          ? [node]
          : [],
      ),
    );
    return drawGraph(this.graph, {
      note: (value) => formatDims(this.shardingOf(value)),
      colour: (node) => (moved.has(node) ? COMMUNICATES : undefined),
      ...options,
    });
  }

  /** Notebooks show the drawing, and the plan as text. */
  async [displaySymbol](): Promise<MimeBundle> {
    const svg = await this.draw().svg();
    const text = this.explain();
    return { "text/html": `${svg}<pre>${escapeHtml(text)}</pre>`, "text/plain": text };
  }

  /** What the plan takes, by the cluster's figures. */
  get cost(): PlanCost {
    return costOfPlan(this.plan);
  }

  /** One device's graph. */
  device(device: number): Graph {
    if (!Number.isInteger(device) || device < 0 || device >= this.mesh.size)
      throw new ValueError(`device: ${device} is not one of the ${this.mesh.size} of mesh ${this.mesh}`);
    const graph = this.graphs.get(device) ?? deviceGraph(this.plan, device, this.results);
    this.graphs.set(device, graph);
    return graph;
  }

  /** This device's parts of whole arguments. */
  parts(device: number, args: A): Tensor[] {
    return this.partsOf(device, this.values(args));
  }

  private partsOf(device: number, values: readonly Tensor[]): Tensor[] {
    return values.map((x, i) => {
      const param = this.graph.params[i];
      const sharding = this.shardingOf(param);
      const starts = localStart(this.mesh, param.shape, sharding, device);
      const sizes = localShape(this.mesh, param.shape, sharding);
      return slice(x, ...starts.map((start, axis) => [start, start + sizes[axis]] as const));
    });
  }

  /**
   * Runs all devices on this thread, side by side: for notebooks and tests.
   * @returns what the function returns
   */
  run(...args: A): R {
    return this.traced(args).result;
  }

  /** `run`, and the collectives that it took. */
  traced(args: A): { readonly result: R; readonly traffic: readonly Traffic[] } {
    const traffic: Traffic[] = [];
    const whole = this.outputs(this.values(args), (one) => traffic.push(one));
    return { result: this.tree(whole), traffic };
  }

  /** `run` on the graph's parameters, in their order. */
  outputs(values: readonly Tensor[], onTraffic?: (traffic: Traffic) => void): Tensor[] {
    const devices = Array.from({ length: this.mesh.size }, (_, device) => device);
    const found = lockstep(
      this.mesh,
      devices.map((device) => this.device(device)),
      devices.map((device) => this.partsOf(device, values)),
      onTraffic,
    );
    return this.results.map((sharding, i) =>
      assembled(
        this.mesh,
        sharding,
        found.map((results) => results[i]),
      ),
    );
  }

  /**
   * This rank's part of the program. Every member of the group calls it; the group's ranks are the mesh's devices.
   * @returns a function from whole arguments to the whole result; it blocks this thread at collectives
   * @throws ValueError if the group has another size than the mesh
   */
  onRank(group: ProcessGroup): (...args: A) => R {
    if (group.size !== this.mesh.size)
      throw new ValueError(
        `onRank: the group has ${group.size} members, the mesh ${this.mesh} ${this.mesh.size} devices`,
      );
    const whole = this.graph.results.map(({ shape }) => replicated(shape.length));
    const program = new RankProgram(deviceGraph(this.plan, group.rank, whole), this.mesh, group);
    return (...args) => this.tree(program.run(this.parts(group.rank, args)));
  }

  /** Arguments as the captured graph takes them, with the present values of variables. */
  private values(args: A): Tensor[] {
    const flat = flatten(args);
    const given = flat.leaves.length === this.graph.params.length ? [] : capturedValues(this.graph);
    const all = [...flat.leaves, ...given];
    if (all.length !== this.graph.params.length)
      throw new ValueError(
        `${this.graph.name}: ${this.graph.params.length} tensors are wanted as captured, ${all.length} were given`,
      );
    return all.map((x) => concrete(x) ?? x);
  }

  private tree(results: readonly Tensor[]): R {
    return unflatten(this.graph.origin.output as TreeDef, results) as R;
  }
}

/** Fill colour of ops around which something is moved. */
const COMMUNICATES = "#f5c2a5";

/** A whole tensor from the devices' parts. */
function assembled(mesh: LogicalMesh, { dims, partial }: Sharding, locals: readonly Tensor[]): Tensor {
  const build = (dim: number, devices: readonly number[]): Tensor => {
    if (dim < dims.length) {
      const count = mesh.count(dims[dim]);
      const rows = Array.from({ length: count }, (_, part) =>
        build(
          dim + 1,
          devices.filter((device) => mesh.position(device, dims[dim]) === part),
        ),
      );
      return rows.length === 1 ? rows[0] : concat(rows, dim);
    }
    // copies are alike: one along each axis that is left; terms of a sum are added
    const terms = mesh
      .group(devices[0], partial)
      .filter((device) => devices.includes(device))
      .map((device) => locals[device]);
    return combined(terms, "sum");
  };
  return build(
    0,
    locals.map((_, device) => device),
  );
}
