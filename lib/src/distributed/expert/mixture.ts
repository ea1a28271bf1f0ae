/**
 * Mixture of experts: many networks, of which each token passes through a few; with a group, the experts stand on
 * different members and tokens travel to them and back. (Lepikhin et al., "GShard", 2021; book, chapter 9.)
 */
import { ShapeError, ValueError } from "../../core/errors.js";
import { formatShape } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { checkSizes } from "../../nn/check.js";
import { Dense } from "../../nn/dense.js";
import type { InitOptions } from "../../nn/init.js";
import { Module } from "../../nn/module.js";
import { tensor } from "../../ops/convert.js";
import { scatterAdd } from "../../ops/gather.js";
import { concat } from "../../ops/shape.js";
import type { ProcessGroup } from "../group/process-group.js";
import { markOwn } from "../mesh/gradients.js";
import { exchangeRows } from "../tensor-parallel/collective-ops.js";
import { along, type Part, partOf } from "../tensor-parallel/parts.js";
import { checkGate, type GateOptions, type Routing, route } from "./gate.js";

export interface MixtureOptions extends GateOptions, InitOptions {
  /** Shares the experts out; each member brings its own tokens. Default: all experts are here. */
  readonly group?: ProcessGroup;
  /** Without a group: parts of the tokens in which experts fill up apart from each other, as members' tokens do. Default 1. */
  readonly parts?: number;
}

/** What a mixture did with its tokens. */
export interface Mixed {
  /** As the tokens that came in. */
  readonly output: Tensor;
  /** Add a small part of it to the loss (0.01), so that the gate uses all experts. 1 when they are used alike. */
  readonly balance: Tensor;
  /** The own tokens' assignments that found their expert full. */
  readonly dropped: number;
  /** The own tokens' assignments that each expert got. */
  readonly load: readonly number[];
}

/**
 * Tokens (…, size) → (…, size). A token all of whose experts are full comes out as zeros: put the layer in a residual connection.
 *
 * Every member must call it as often as the others. It reads which expert each token goes to, so it runs eagerly.
 * @example
 * const mixture = new distributed.MixtureOfExperts(8, 4, () => new nn.Dense(8, 8), { capacityFactor: Infinity });
 * mixture.mix(ones([2, 3, 8])).dropped // 0
 */
export class MixtureOfExperts extends Module {
  gate: Dense;
  /** The own experts, by their number among all. */
  readonly experts: Readonly<Record<number, Module>>;
  private readonly own: Part;
  private readonly options: MixtureOptions;

  /**
   * @param count experts in all
   * @param make an expert, (rows, size) → (rows, size), by its number; called for all on every member, so that random first
   *   values are the same as in one process
   * @throws ValueError for fewer experts than members, or a gate that can't be
   */
  constructor(
    readonly size: number,
    readonly count: number,
    make: (expert: number) => Module,
    options: MixtureOptions = {},
  ) {
    super();
    const { group, parts = 1, topK, capacityFactor, ...init } = options;
    checkSizes("MixtureOfExperts", { size, count, parts });
    checkGate(count, options);
    if (group && group.size > count)
      throw new ValueError(
        `MixtureOfExperts: ${count} experts can't be shared out among ${group.size} members`,
      );
    if (group && parts !== 1) throw new ValueError("MixtureOfExperts: with a group, members are the parts");
    this.options = options;
    this.gate = new Dense(size, count, { ...init, bias: false });
    this.own = group ? partOf(count, group.rank, group.size) : { start: 0, length: count };
    const experts: Record<number, Module> = {};
    for (let expert = 0; expert < count; expert++) {
      const made = make(expert);
      if (expert < this.own.start || expert >= this.own.start + this.own.length) continue;
      experts[expert] = made;
      if (group) for (const variable of made.parameters()) markOwn(variable, group);
    }
    this.experts = experts;
  }

  override forward(x: Tensor): Tensor {
    return this.mix(x).output;
  }

  /** The output with the loss that keeps the gate even, and what was dropped. */
  mix(x: Tensor): Mixed {
    if (x.ndim < 2 || x.shape.at(-1) !== this.size)
      throw new ShapeError(`MixtureOfExperts: tokens (…, ${this.size}) wanted, got ${formatShape(x.shape)}`);
    const rows = x.reshape([x.size / this.size, this.size]);
    const { parts = 1 } = this.options;
    const mixed = Array.from({ length: parts }, (_, i) =>
      this.mixRows(along(rows, 0, partOf(rows.shape[0], i, parts))),
    );
    const output = concat(mixed.map((part) => part.output)).reshape(x.shape);
    const balance = mixed
      .map((part) => part.balance)
      .reduce((a, b) => a.add(b))
      .div(parts);
    return {
      output,
      balance,
      dropped: mixed.reduce((sum, part) => sum + part.dropped, 0),
      load: mixed[0].load.map((_, e) => mixed.reduce((sum, part) => sum + part.load[e], 0)),
    };
  }

  private mixRows(rows: Tensor): Mixed {
    const routing = route(this.gate.forward(rows), this.options);
    const sent = rows.take(routing.tokens, 0);
    const done = this.options.group
      ? this.across(sent, routing, this.options.group)
      : this.here(sent, routing.counts);
    return {
      output: scatterAdd(routing.tokens, done.mul(routing.weights), rows.shape[0]),
      balance: routing.balance,
      dropped: routing.dropped,
      load: routing.counts,
    };
  }

  /** Rows in the order of their experts, through those: also experts without rows, whose gradients others wait for. */
  private here(rows: Tensor, counts: readonly number[]): Tensor {
    let start = 0;
    const done = Object.values(this.experts).map((expert, i) => {
      const own = along(rows, 0, { start, length: counts[i] });
      start += counts[i];
      return (expert.forward as (x: Tensor) => Tensor).call(expert, own);
    });
    return concat(done);
  }

  /** The same with experts on all members. */
  private across(rows: Tensor, { counts }: Routing, group: ProcessGroup): Tensor {
    const all = group.allGatherObject(counts).wait();
    const total = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);
    const of = (list: readonly number[], rank: number): readonly number[] => {
      const { start, length } = partOf(this.count, rank, group.size);
      return list.slice(start, start + length);
    };
    const send = all.map((_, rank) => total(of(counts, rank)));
    const mine = all.map((theirs) => of(theirs, group.rank)); // rows of each member for each of the own experts
    const receive = mine.map(total);
    const came = exchangeRows(rows, group, { send, receive });
    const { order, back } = byExpert(mine);
    const done = this.here(
      came.take(order, 0),
      mine[0].map((_, e) => total(mine.map((theirs) => theirs[e]))),
    );
    return exchangeRows(done.take(back, 0), group, { send: receive, receive: send });
  }
}

/** Rows that came member by member, as indices expert by expert; and back. */
function byExpert(mine: readonly (readonly number[])[]): { order: Tensor; back: Tensor } {
  const places: number[][] = mine[0].map(() => []);
  let row = 0;
  for (const theirs of mine)
    for (const [e, n] of theirs.entries()) for (let i = 0; i < n; i++) places[e].push(row++);
  const order = Int32Array.from(places.flat());
  const back = new Int32Array(order.length);
  for (const [place, from] of order.entries()) back[from] = place;
  const indices = (of: Int32Array): Tensor => tensor(of, { shape: [of.length], dtype: "int32" });
  return { order: indices(order), back: indices(back) };
}
