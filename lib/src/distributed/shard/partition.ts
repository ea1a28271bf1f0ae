/** The partitioner: writes each device's graph, with the collectives between, from a plan. (GSPMD: SPMD partitioning.) */
import { GraphBuilder } from "../../ir/builder.js";
import { constantOf } from "../../ir/data.js";
import { type Graph, type GraphNode, IRError, type Value } from "../../ir/graph.js";
import { eliminateDeadCode } from "../../ir/passes/dce.js";
import { verify } from "../../ir/verify.js";
import { getOp } from "../../ops/registry.js";
import type { ReduceOp } from "../transport/reduce-op.js";
import { COLLECTIVES, type CollectiveAttrs } from "./collective-ops.js";
import { legal } from "./factors.js";
import { layoutsOf, type ShardingPlan } from "./plan.js";
import { type ReshardStep, reshard } from "./reshard.js";
import { ruleOf } from "./rules/index.js";
import { type LocalView, localAttrs } from "./rules/rule.js";
import { keyOf, localShape, replicated, type Sharding } from "./sharding.js";

/** One device's graph. All devices' graphs have the same nodes in the same order; numbers in them may differ. */
export function deviceGraph(plan: ShardingPlan, device: number, results: readonly Sharding[]): Graph {
  const writer = new DeviceWriter(plan, device);
  const { graph } = plan;
  for (const param of graph.params) writer.parameter(param);
  for (const { value, data } of graph.constants)
    writer.hold(value, replicated(value.shape.length), writer.builder.constant(data));
  for (const node of graph.nodes) writer.node(node);
  const local = graph.results.map((result, i) => writer.at(result, results[i]));
  return verify(eliminateDeadCode(writer.builder.finish(local)));
}

interface Copy {
  readonly sharding: Sharding;
  readonly local: Value;
}

class DeviceWriter {
  readonly builder: GraphBuilder;
  /** What there is of each value, by sharding. */
  private readonly copies = new Map<Value, Map<string, Copy>>();

  constructor(
    private readonly plan: ShardingPlan,
    private readonly device: number,
  ) {
    this.builder = new GraphBuilder(`${plan.graph.name}.${device}`);
  }

  private decided(value: Value): Sharding {
    return this.plan.values.get(value) ?? replicated(value.shape.length);
  }

  parameter(param: Value): void {
    const sharding = this.decided(param);
    const shape = localShape(this.plan.mesh, param.shape, sharding);
    this.hold(param, sharding, this.builder.param({ shape, dtype: param.dtype }, param.name));
  }

  hold(value: Value, sharding: Sharding, local: Value): void {
    const known = this.copies.get(value) ?? new Map<string, Copy>();
    this.copies.set(value, known);
    known.set(keyOf(sharding), { sharding, local });
  }

  /** A value as it is wanted; collectives are added from what there is, the cheapest way, once. */
  at(value: Value, wanted: Sharding): Value {
    const { mesh, cluster } = this.plan;
    const known = this.copies.get(value) as Map<string, Copy>;
    const ready = known.get(keyOf(wanted));
    if (ready) return ready.local;
    const ways = [...known.values()].map((copy) => ({
      copy,
      way: reshard(mesh, value, copy.sharding, wanted, cluster),
    }));
    const best = ways.reduce((a, b) => (b.way.cost < a.way.cost ? b : a));
    return this.moved(value, best.copy, best.way, "sum");
  }

  private moved(
    value: Value,
    { local }: Copy,
    { steps, states }: ReturnType<typeof reshard>,
    op: ReduceOp,
  ): Value {
    return steps.reduce((now, step, i) => {
      const next = this.step(now, step, op);
      // terms of a maximum are no terms of a sum: only what is finished is kept for others
      if (op === "sum" || states[i].partial.length === 0) this.hold(value, states[i], next);
      return next;
    }, local);
  }

  private step(x: Value, step: ReshardStep, op: ReduceOp): Value {
    const { mesh } = this.plan;
    const size = mesh.count(step.axes);
    const position = mesh.position(this.device, step.axes);
    if (step.kind === "slice") {
      const sizes = x.shape.map((n, i) => (i === step.dim ? n / size : n));
      const starts = sizes.map((n, i) => (i === step.dim ? n * position : 0));
      return this.builder.node(getOp("slice"), [x], { starts, sizes, steps: sizes.map(() => 1) })[0];
    }
    if (step.kind === "mask") {
      const one = constantOf([position === 0 ? 1 : 0], { shape: [], dtype: x.dtype });
      return this.builder.node(getOp("mul"), [x, this.builder.constant(one)])[0];
    }
    const { kind, axes, ...where } = step;
    const combined = kind === "allReduce" || kind === "reduceScatter" ? { op } : {};
    const attrs: CollectiveAttrs = { axes, size, ...where, ...combined };
    return this.builder.node(COLLECTIVES[kind], [x], attrs)[0];
  }

  node(node: GraphNode): void {
    const { mesh, cluster, cuts } = this.plan;
    const rule = ruleOf(node);
    const cut = cuts.get(node) ?? legal(mesh, rule, []);
    const layouts = layoutsOf(
      node,
      cut,
      node.inputs.map((x) => this.decided(x)),
    );
    const inputs = node.inputs.map((x, i) => this.at(x, layouts.inputs[i]));
    const shapes = node.outputs.map((y, i) => localShape(mesh, y.shape, layouts.outputs[i]));
    const view: LocalView = {
      parts: (factor) => mesh.count(cut[factor]),
      part: (factor) => mesh.position(this.device, cut[factor]),
      outputs: shapes,
    };
    const written = this.write(node, inputs, view);
    node.outputs.forEach((y, i) => {
      if (written[i].shape.join() !== shapes[i].join())
        throw new IRError(
          `partition: ${node.op.name} gives (${written[i].shape}) on device ${this.device}, its rule (${shapes[i]})`,
        );
      const natural = layouts.outputs[i];
      const wanted = this.decided(y);
      const finished = layouts.op === "sum" ? wanted : { ...wanted, partial: [] };
      if (layouts.op === "sum" || natural.partial.length === 0) this.hold(y, natural, written[i]);
      const way = reshard(mesh, y, natural, finished, cluster);
      this.moved(y, { sharding: natural, local: written[i] }, way, layouts.op);
      this.at(y, wanted);
    });
  }

  private write(node: GraphNode, inputs: readonly Value[], view: LocalView): readonly Value[] {
    const rule = ruleOf(node);
    if (node.op.name === "shard") return inputs; // it has done its work
    if (rule.write) return rule.write(this.builder, inputs, view);
    return this.builder.node(node.op, inputs, rule.attrs?.(view) ?? localAttrs(node, view), node.loc);
  }
}
