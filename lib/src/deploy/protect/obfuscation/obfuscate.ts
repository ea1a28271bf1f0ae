/**
 * Obfuscation in ten steps (book, chapter 8). Here: the graph is read (1), cut into clusters that become one op each, among
 * decoys (2), whose types get names that say nothing (3); weights are disguised (4), operands rearranged (5), and the maps that
 * undo it go into the ops (6). The model's file and the op library (7) are loaded (8), stay as they are or are restored (9), and
 * run (10). The result is the original's, to the bit where both run op by op.
 */
import { ValueError } from "../../../core/errors.js";
import type { Tensor } from "../../../core/tensor.js";
import { compile } from "../../../graph/execute.js";
import { countNodes, type Graph } from "../../../ir/graph.js";
import { verify } from "../../../ir/verify.js";
import { weightBytes } from "../../convert/convert.js";
import { type Exportable, graphOf } from "../../convert/exportable.js";
import { encodeModelFile } from "../../format/write.js";
import { Dice } from "../dice.js";
import { clustered, parsed } from "./clusters.js";
import { type Costs, costsOf } from "./costs.js";
import { withDecoys } from "./decoys.js";
import { encodeLibrary, type LibraryOptions, OpLibrary } from "./library.js";
import { restore } from "./restore.js";
import { typed } from "./types.js";
import { Writer } from "./writer.js";

export interface ObfuscateOptions extends LibraryOptions {
  /** The same seed, the same result. A number can be guessed: default 32 random bytes. */
  readonly seed?: number | string | Uint8Array;
  /** Most nodes that are merged into one op. Default 4. */
  readonly merge?: number;
  /** Share of the ops beside which a decoy is put, 0 to 1. Default 0.3. */
  readonly decoys?: number;
  /** Most uses of one op type: the same op more often than that becomes several types. Default 3. */
  readonly share?: number;
  /** Runs that the report measures, of the original, obfuscated and restored in turn. 0: none. Default 20. */
  readonly runs?: number;
}

/** What was done, and what it costs. */
export interface ObfuscationReport {
  /** Nodes of the graph, those of regions too, and the edges between them. */
  readonly nodes: { readonly before: number; readonly after: number };
  readonly edges: { readonly before: number; readonly after: number };
  /** Nodes of the obfuscated graph that have no part in the result. */
  readonly decoys: number;
  /** Kinds of ops: that the graph had, after merging, and after they were split and named. */
  readonly types: { readonly before: number; readonly merged: number; readonly after: number };
  readonly weightBytes: { readonly before: number; readonly after: number };
  /** Bytes of the model's file, and of the op library. */
  readonly fileBytes: { readonly before: number; readonly after: number; readonly library: number };
  /** `null` where nothing was measured. */
  readonly costs: Costs | null;
}

/** An obfuscated model: a graph of opaque ops, and the library that they come from. */
export class Obfuscated {
  constructor(
    /** For `saveModel`. */
    readonly graph: Graph,
    /** For `saveLibrary`. */
    readonly library: OpLibrary,
    readonly report: ObfuscationReport,
  ) {}

  /** The results, computed by the opaque ops. @throws IRError if the arguments do not fit. */
  call(...args: Tensor[]): Tensor[] {
    return compile(this.graph).run(args);
  }

  toString(): string {
    const { nodes, edges, decoys, types, weightBytes, fileBytes, costs } = this.report;
    const row = (label: string, ...cells: (string | number)[]): string =>
      `${label.padEnd(14)}${cells.map((cell) => String(cell).padStart(20)).join("")}\n`;
    const digits = (x: number): string => x.toPrecision(3);
    return [
      row("", "original", "obfuscated", ...(costs ? ["restored"] : [])),
      row("nodes", nodes.before, `${nodes.after} (${decoys} decoys)`),
      row("edges", edges.before, edges.after),
      row("op types", types.before, types.after),
      row("weight bytes", weightBytes.before, weightBytes.after),
      row("file bytes", fileBytes.before, fileBytes.after),
      row("library bytes", 0, fileBytes.library),
      ...(costs
        ? [
            row(
              "ms a run",
              ...[costs.original, costs.obfuscated, costs.restored].map((c) => digits(c.milliseconds)),
            ),
            row("peak bytes", ...[costs.original, costs.obfuscated, costs.restored].map((c) => c.peakBytes)),
          ]
        : []),
    ].join("");
  }
}

/**
 * Obfuscates a model.
 * @param args examples of the arguments, whose shapes and dtypes count
 * @throws ValueError for options outside their range, sizes that are left open, or a graph with side effects; as `capture`.
 * @example deploy.obfuscate((x: Tensor) => x.mul(2).sin().add(1), [tensor([0, 0])], { seed: 1, runs: 0 }).call(tensor([0, 0]))[0] // [1, 1]
 */
export function obfuscate(
  model: Exportable,
  args: readonly unknown[] = [],
  options: ObfuscateOptions = {},
): Obfuscated {
  const { merge = 4, decoys = 0.3, share = 3, runs = 20, level } = options;
  for (const [name, n] of Object.entries({ merge, share }))
    if (!Number.isInteger(n) || n < 1)
      throw new ValueError(`obfuscate: ${name} is ${n}, at least 1 was expected`);
  if (!(decoys >= 0 && decoys <= 1))
    throw new ValueError(`obfuscate: the share of decoys is ${decoys}, 0 to 1 was expected`);
  if (!Number.isInteger(runs) || runs < 0) throw new ValueError(`obfuscate: ${runs} is no number of runs`);
  const { graph: original, symbolic } = graphOf(model, args);
  if (symbolic)
    throw new ValueError("obfuscate: a graph of open sizes can't be cut; give examples of the arguments");
  const dice = new Dice(options.seed);
  const graph = parsed(original);
  const cut = clustered(graph, dice, merge);
  const { instances, kinds } = typed(withDecoys(cut, decoys, dice), share, dice);
  const library = new OpLibrary([], { level });
  const hidden = verify(new Writer(instances, cut, library, dice).graph());
  const report: ObfuscationReport = {
    nodes: { before: countNodes(original), after: hidden.nodes.length },
    edges: { before: edgesOf(original), after: edgesOf(hidden) },
    decoys: instances.filter(({ decoy }) => decoy).length,
    types: {
      before: new Set(graph.nodes.map(({ op }) => op.name)).size,
      merged: kinds,
      after: library.ops.length,
    },
    weightBytes: { before: weightBytes(original), after: weightBytes(hidden) },
    fileBytes: {
      before: encodeModelFile(original).length,
      after: encodeModelFile(hidden).length,
      library: encodeLibrary(library).length,
    },
    costs: runs > 0 ? costsOf({ original, obfuscated: hidden, restored: restore(hidden) }, runs) : null,
  };
  return new Obfuscated(hidden, library, report);
}

const edgesOf = ({ nodes }: Graph): number => nodes.reduce((sum, { inputs }) => sum + inputs.length, 0);
