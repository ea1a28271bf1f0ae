/**
 * The cheapest sharding plan of a graph: each op's strategy, with its computation, the sums that it leaves and the resharding
 * between ops, within a device's memory. (Alpa's intra-operator pass: Zheng et al. 2022, §4; there an integer program.)
 */
import type { Graph, GraphNode, Value } from "../../../ir/graph.js";
import type { ClusterCost } from "../cost.js";
import type { FactorAxes } from "../factors.js";
import type { LogicalMesh } from "../mesh.js";
import { computeCost, heldBytes, type ShardingPlan } from "../plan.js";
import { reshard } from "../reshard.js";
import { ruleOf } from "../rules/index.js";
import { replicated, type Sharding } from "../sharding.js";
import type { Choice, ChoiceProblem, Pair } from "./problem.js";
import { solve } from "./solve.js";
import { followed, followingStrategy, type NodeStrategy, ownStrategies, shardingsOf } from "./strategies.js";

export interface SearchOptions {
  readonly mesh: LogicalMesh;
  readonly cluster: ClusterCost;
  /** Shardings that are given: of parameters, for example. */
  readonly given?: ReadonlyMap<Value, Sharding>;
  /** Pairs of values that are to lie alike at the end: a weight and its gradient. */
  readonly tied?: readonly (readonly [Value, Value])[];
  /** Ops that keep their operand's dimensions follow it. Default true; false: every op decides, which finds no worse plan. */
  readonly follow?: boolean;
}

export interface FoundPlan {
  readonly plan: ShardingPlan;
  /** Seconds, by the model; whether nothing better exists among the strategies. */
  readonly choice: Choice;
  /** Variables and the strategies of all of them together. */
  readonly variables: number;
  readonly strategies: number;
}

/** A value or a node, as a function of its variable's value. */
interface Dependent<T> {
  readonly variable: number;
  readonly at: readonly T[];
}

/** @throws ValueError if nothing fits into memory */
export function searchPlan(graph: Graph, options: SearchOptions): FoundPlan {
  const { mesh, cluster } = options;
  const space = new SearchSpace(graph, options);
  const problem = space.problem();
  const choice = solve(problem);
  const values = new Map<Value, Sharding>();
  for (const [value, { variable, at }] of space.values) values.set(value, at[choice.values[variable]]);
  const cuts = new Map<GraphNode, FactorAxes>();
  for (const [node, { variable, at }] of space.nodes) cuts.set(node, at[choice.values[variable]].cut);
  const notes = [...new Set(graph.nodes.flatMap((node) => ruleOf(node).note ?? []))];
  return {
    plan: { mesh, cluster, graph, values, cuts, notes },
    choice,
    variables: problem.unary.length,
    strategies: problem.unary.reduce((sum, { length }) => sum + length, 0),
  };
}

/** The choice problem of a graph, and what its variables mean. */
export class SearchSpace {
  readonly values = new Map<Value, Dependent<Sharding>>();
  readonly nodes = new Map<GraphNode, Dependent<NodeStrategy>>();
  private readonly sizes: number[] = [];

  constructor(
    private readonly graph: Graph,
    private readonly options: SearchOptions,
  ) {
    const { mesh, given, follow = true } = options;
    for (const { value } of graph.constants)
      this.values.set(value, { variable: this.variable(1), at: [replicated(value.shape.length)] });
    for (const param of graph.params) {
      const known = given?.get(param);
      const at = known ? [known] : shardingsOf(mesh, param);
      this.values.set(param, { variable: this.variable(at.length), at });
    }
    for (const node of graph.nodes) {
      const operand = follow ? followed(graph, node) : -1;
      const strategies = operand < 0 ? this.decides(node) : this.follows(node, operand);
      this.nodes.set(node, strategies);
      node.outputs.forEach((y, i) => {
        this.values.set(y, {
          variable: strategies.variable,
          at: strategies.at.map(({ outputs }) => outputs[i]),
        });
      });
    }
  }

  problem(): ChoiceProblem {
    const { mesh, cluster, tied = [] } = this.options;
    const unary = this.sizes.map((size) => new Float64Array(size));
    const use = this.sizes.map((size) => new Float64Array(size));
    const pairs = new Map<string, Pair>();
    /** Adds the cost of bringing a value from one place's layout to another's. */
    const between = <A, B>(from: Dependent<A>, to: Dependent<B>, cost: (from: A, to: B) => number): void => {
      if (from.variable === to.variable) {
        from.at.forEach((a, k) => {
          unary[from.variable][k] += cost(a, to.at[k]);
        });
        return;
      }
      const [u, v] = [from.variable, to.variable].sort((a, b) => a - b);
      const key = `${u} ${v}`;
      const pair = pairs.get(key) ?? { u, v, costs: new Float64Array(this.sizes[u] * this.sizes[v]) };
      pairs.set(key, pair);
      from.at.forEach((a, i) => {
        to.at.forEach((b, k) => {
          const [row, column] = from.variable === u ? [i, k] : [k, i];
          pair.costs[row * this.sizes[v] + column] += cost(a, b);
        });
      });
    };
    for (const [node, strategies] of this.nodes) {
      strategies.at.forEach((strategy, k) => {
        unary[strategies.variable][k] += computeCost(mesh, cluster, node, strategy.cut);
        node.outputs.forEach((y, i) => {
          unary[strategies.variable][k] += reshard(
            mesh,
            y,
            strategy.natural[i],
            strategy.outputs[i],
            cluster,
          ).cost;
        });
      });
      node.inputs.forEach((x, i) => {
        between(
          this.values.get(x) as Dependent<Sharding>,
          strategies,
          (held, { inputs }) => reshard(mesh, x, held, inputs[i], cluster).cost,
        );
      });
    }
    for (const [a, b] of tied)
      between(
        this.values.get(a) as Dependent<Sharding>,
        this.values.get(b) as Dependent<Sharding>,
        (from, to) => reshard(mesh, a, from, to, cluster).cost,
      );
    for (const [value, { variable, at }] of this.values)
      at.forEach((sharding, k) => {
        use[variable][k] += heldBytes(mesh, this.graph, value, sharding);
      });
    return { unary, pairs: [...pairs.values()], use, limit: cluster.memory };
  }

  private variable(size: number): number {
    return this.sizes.push(size) - 1;
  }

  private decides(node: GraphNode): Dependent<NodeStrategy> {
    const at = ownStrategies(this.options.mesh, node);
    return { variable: this.variable(at.length), at };
  }

  private follows(node: GraphNode, operand: number): Dependent<NodeStrategy> {
    const { variable, at } = this.values.get(node.inputs[operand]) as Dependent<Sharding>;
    return {
      variable,
      at: at.map((held) => followingStrategy(this.options.mesh, node, operand, held)),
    };
  }
}
