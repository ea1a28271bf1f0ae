/**
 * The pass manager: which passes run, in which order, how often. Groups of passes that make work for each other repeat
 * until none of them changes anything (a fixpoint). (Book, chapter 4: passes.)
 */
import { clock } from "../../core/clock.js";
import { ValueError } from "../../core/errors.js";
import { countNodes, type Graph } from "../graph.js";
import { printGraph } from "../print.js";
import { getPass, runPass } from "./index.js";
import { DEFAULT_OPTIONS, FAST_MATH, type FastMathFlag, type Pass, type PassOptions } from "./pass.js";

/** A pass by its name, or passes that repeat until nothing changes. */
export type PipelineStage = string | { readonly fixpoint: readonly string[] };

export type OptimizationLevel = "O0" | "O1" | "O2" | "O3";

/** What each level runs. */
export const LEVELS: Readonly<Record<OptimizationLevel, readonly PipelineStage[]>> = {
  O0: [],
  O1: ["cse", "dce", "fuse", "fuse-outputs", "multi-tensor"],
  O2: [
    {
      fixpoint: [
        "inline",
        "propagate",
        "fold",
        "branches",
        "simplify",
        "strength",
        "layout",
        "effects",
        "cse",
        "dce",
      ],
    },
    "reconstruct",
    "fuse-reduce",
    "fuse",
    "fuse-outputs",
    "multi-tensor",
  ],
  O3: [
    {
      fixpoint: [
        ...["inline", "propagate", "fold", "branches", "simplify", "strength", "layout", "fold-scale"],
        ...["licm", "effects", "prune", "cse", "dce"],
      ],
    },
    "reconstruct",
    "attention",
    "fuse-reduce",
    "fuse",
    "fuse-outputs",
    "multi-tensor",
    "epilogue",
  ],
};

export interface PassManagerOptions extends Partial<Omit<PassOptions, "fastMath">> {
  /** Default "O2". */
  readonly level?: OptimizationLevel;
  /** Instead of a level's. */
  readonly stages?: readonly PipelineStage[];
  /** `true`: all of them. Default: none. */
  readonly fastMath?: boolean | readonly FastMathFlag[];
  /** A group that still changes something after so many rounds is left. Default 10. */
  readonly maxRounds?: number;
  /** Called after each pass; see `formatDump`. */
  readonly dump?: (run: PassRun) => void;
}

/** One pass on one graph. */
export interface PassRun {
  readonly pass: Pass;
  /** Place among the stages, and round within it, both from 0. */
  readonly stage: number;
  readonly round: number;
  readonly before: Graph;
  readonly after: Graph;
  readonly changed: boolean;
  /** With the verification of its result. */
  readonly milliseconds: number;
}

/** What all runs of one pass took together. */
export interface PassTiming {
  readonly name: string;
  readonly runs: number;
  readonly changes: number;
  readonly milliseconds: number;
}

export interface Optimized {
  readonly graph: Graph;
  readonly runs: readonly PassRun[];
  /** Slowest first. */
  readonly timings: readonly PassTiming[];
  /** False if a group was left while it still changed something. */
  readonly settled: boolean;
}

/**
 * Runs a level's passes, or stages of one's own.
 * @example new graph.PassManager({ level: "O2" }).run(capture((x: Tensor) => x.exp().add(x.exp()), tensor([1]))).graph.nodes.length // 1
 */
export class PassManager {
  readonly stages: readonly PipelineStage[];
  readonly options: PassOptions;
  private readonly maxRounds: number;
  private readonly dump?: (run: PassRun) => void;

  /** @throws ValueError for an unknown level, pass or flag. */
  constructor(options: PassManagerOptions = {}) {
    const { level = "O2", fastMath = false } = options;
    const stages = options.stages ?? LEVELS[level];
    if (!stages)
      throw new ValueError(
        `PassManager: unknown level "${level}"; there are ${Object.keys(LEVELS).join(", ")}`,
      );
    this.stages = stages;
    for (const stage of stages) namesOf(stage).forEach(getPass);
    const flags = typeof fastMath === "boolean" ? (fastMath ? FAST_MATH : []) : fastMath;
    const unknown = flags.find((flag) => !FAST_MATH.includes(flag));
    if (unknown !== undefined)
      throw new ValueError(
        `PassManager: unknown fast-math flag "${unknown}"; there are ${FAST_MATH.join(", ")}`,
      );
    this.options = {
      fastMath: flags,
      foldLimit: options.foldLimit ?? DEFAULT_OPTIONS.foldLimit,
      inlineLimit: options.inlineLimit ?? DEFAULT_OPTIONS.inlineLimit,
      reduceLimit: options.reduceLimit ?? DEFAULT_OPTIONS.reduceLimit,
    };
    this.maxRounds = options.maxRounds ?? 10;
    this.dump = options.dump;
  }

  /** @throws IRError naming the pass that broke the graph. */
  run(graph: Graph): Optimized {
    const runs: PassRun[] = [];
    let current = graph;
    let settled = true;
    const apply = (name: string, stage: number, round: number): boolean => {
      const pass = getPass(name);
      const before = current;
      const start = clock();
      const found = runPass(pass, before, this.options);
      const milliseconds = clock() - start;
      const changed = found !== before;
      current = found;
      const run = { pass, stage, round, before, after: current, changed, milliseconds };
      runs.push(run);
      this.dump?.(run);
      return changed;
    };
    this.stages.forEach((stage, at) => {
      if (typeof stage === "string") {
        apply(stage, at, 0);
        return;
      }
      let going = true;
      for (let round = 0; going && round < this.maxRounds; round++) {
        going = false;
        for (const name of stage.fixpoint) if (apply(name, at, round)) going = true;
      }
      if (going) settled = false;
    });
    return { graph: current, runs, timings: timingsOf(runs), settled };
  }
}

const namesOf = (stage: PipelineStage): readonly string[] =>
  typeof stage === "string" ? [stage] : stage.fixpoint;

function timingsOf(runs: readonly PassRun[]): PassTiming[] {
  const found = new Map<string, PassTiming>();
  for (const { pass, changed, milliseconds } of runs) {
    const sum = found.get(pass.name) ?? { name: pass.name, runs: 0, changes: 0, milliseconds: 0 };
    found.set(pass.name, {
      name: pass.name,
      runs: sum.runs + 1,
      changes: sum.changes + Number(changed),
      milliseconds: sum.milliseconds + milliseconds,
    });
  }
  return [...found.values()].sort((a, b) => b.milliseconds - a.milliseconds);
}

/**
 * A pass's before and after as text, for `dump: (run) => console.log(formatDump(run))`.
 * @example
 * const dumps: string[] = [];
 * new graph.PassManager({ stages: ["dce"], dump: (run) => dumps.push(graph.formatDump(run)) }).run(capture((x: Tensor) => x.sin(), tensor([1])));
 * dumps[0] // "dce: unchanged"
 */
export function formatDump({ pass, round, before, after, changed }: PassRun): string {
  if (!changed) return `${pass.name}: unchanged`;
  const text = (graph: Graph): string => printGraph(graph, { constants: "short", locations: false });
  const counts = `${countNodes(before)} -> ${countNodes(after)} nodes`;
  return `${pass.name}, round ${round}: ${counts}\n--- before\n${text(before)}\n+++ after\n${text(after)}`;
}
