/**
 * Graphs for any size behind `toStatic`: a family is the calls whose arguments differ in sizes only. Its second member makes
 * one graph with symbols for the sizes that differ.
 */
import type { Variable } from "../autodiff/variable.js";
import { MlsysError } from "../core/errors.js";
import type { Tensor } from "../core/tensor.js";
import { type TreeDef, unflatten } from "../core/tree.js";
import { Dim, type Sizes, samplePoints } from "../ir/dynamic/dim.js";
import { generalize } from "../ir/dynamic/generalize.js";
import { type Guard, SymbolicGraph } from "../ir/dynamic/symbolic-graph.js";
import { type Graph, IRError } from "../ir/graph.js";
import { zeros } from "../ops/create.js";
import { type CapturedState, type CaptureOptions, captureState } from "./capture.js";

export type Captureable = (...args: never[]) => unknown;

/** Variables in arguments are read when the graph runs, as those closed over are. */
export const isVariable = (x: Tensor): x is Variable => (x as Partial<Variable>).present !== undefined;

/** As `captureSymbolic`. */
const LEAST = 2;
/** More symbols take many captures to tell apart. */
const MOST_SYMBOLS = 3;

/** A captured function at certain sizes; with the passes' result, where they ran once for all sizes. */
export interface FamilyState extends CapturedState {
  readonly optimized: Graph | null;
}

interface Family {
  /** The first member's arguments. */
  readonly first: readonly (readonly number[])[];
  /** `null`: it does not generalize. */
  shared:
    | {
        readonly symbolic: SymbolicGraph;
        /** After the passes; `null` if they do other things at other sizes. */
        readonly optimized: SymbolicGraph | null;
        readonly state: CapturedState;
      }
    | null
    | undefined;
}

export class SymbolicFamilies {
  private readonly families = new Map<string, Family>();

  constructor(
    private readonly options: CaptureOptions,
    /** What a compiler does to a graph before it looks at kernels. */
    private readonly optimize: (graph: Graph) => Graph,
  ) {}

  /** Families that have one graph for their sizes. */
  get made(): number {
    return [...this.families.values()].filter(({ shared }) => shared).length;
  }

  /** What was captured, at the sizes of these arguments; `null` if they need a graph of their own. */
  stateFor(key: string, f: Captureable, leaves: readonly Tensor[], def: TreeDef): FamilyState | null {
    const family = this.families.get(key);
    if (!family) {
      this.families.set(key, { first: leaves.map(({ shape }) => shape), shared: undefined });
      return null;
    }
    if (family.shared === undefined) family.shared = this.generalized(family.first, f, leaves, def);
    if (!family.shared) return null;
    const { symbolic, optimized, state } = family.shared;
    try {
      const given = [...leaves.filter((leaf) => !isVariable(leaf)), ...(state.graph.origin.captured ?? [])];
      const sizes = symbolic.sizesOf(given);
      return { ...state, graph: symbolic.at(sizes), optimized: optimized?.at(sizes) ?? null };
    } catch (error) {
      if (error instanceof MlsysError) return null; // a guard does not hold
      throw error;
    }
  }

  private generalized(
    first: readonly (readonly number[])[],
    f: Captureable,
    leaves: readonly Tensor[],
    def: TreeDef,
  ): Family["shared"] {
    const symbols = new Map<string, Dim>();
    const dims = leaves.map((leaf, i) =>
      leaf.shape.map((size, axis) => {
        const before = first[i][axis];
        if (isVariable(leaf) || size === before) return size;
        const pair = `${before} ${size}`;
        const symbol = symbols.get(pair) ?? Dim.symbol(`n${symbols.size > 0 ? symbols.size : ""}`);
        symbols.set(pair, symbol);
        return symbol;
      }),
    );
    const names = [...symbols.values()].map(String);
    if (names.length === 0 || names.length > MOST_SYMBOLS) return null;
    const points = samplePoints(names);
    const captureAt = (sizes: Sizes): CapturedState => {
      const args = leaves.map((leaf, i) =>
        isVariable(leaf)
          ? leaf
          : zeros(
              dims[i].map((dim) => (typeof dim === "number" ? dim : dim.at(sizes))),
              { dtype: leaf.dtype },
            ),
      );
      return captureState(this.options, f, unflatten(def, args) as unknown[], true);
    };
    try {
      const states = points.map(captureAt);
      const [state] = states;
      const around = state.graph.origin.captured ?? [];
      const alike = states.every(
        ({ graph, updated }) =>
          graph.origin.captured?.length === around.length &&
          graph.origin.captured.every((x, i) => x === around[i]) &&
          updated.length === state.updated.length &&
          updated.every((v, i) => v === state.updated[i]),
      );
      if (!alike) return null;
      const template = generalize(
        states.map(({ graph }) => graph),
        points,
      ).with({ origin: state.graph.origin });
      const guards = names.map((symbol) => ({ symbol, least: LEAST }));
      const symbolic = new SymbolicGraph(template, guards);
      return { symbolic, optimized: this.optimizedOnce(symbolic, points, guards), state };
    } catch (error) {
      if (error instanceof IRError || error instanceof MlsysError) return null;
      throw error;
    }
  }

  /** The passes run at the sizes that were tried; if what they make differs in sizes only, they need not run again. */
  private optimizedOnce(
    symbolic: SymbolicGraph,
    points: readonly Sizes[],
    guards: readonly Guard[],
  ): SymbolicGraph | null {
    try {
      const graphs = points.map((sizes) => this.optimize(symbolic.at(sizes)));
      return new SymbolicGraph(generalize(graphs, points), guards);
    } catch (error) {
      if (error instanceof IRError || error instanceof MlsysError) return null;
      throw error;
    }
  }
}
