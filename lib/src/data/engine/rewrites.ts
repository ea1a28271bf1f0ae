/**
 * Rewrites of a pipeline before it runs (book, chapter 7: data-graph optimization). A program is a list of steps between
 * two ops that stay on the main thread; each rule looks at two neighbours. A new rule is one entry of `RULES`.
 */
import type { Node } from "../dataset/node.js";

/** An op of a user's function, and the node that it comes from. */
export interface PlannedOp {
  readonly node: Node;
  readonly kind: "map" | "filter" | "flatMap";
  readonly name: string;
  readonly parallel: number | "auto";
  /** It may give other than one element for one. */
  readonly loses: boolean;
  /** The function looks at its index, or at random numbers that depend on it. */
  readonly counts: boolean;
  /** It works on the elements of lists. */
  readonly inLists: boolean;
}

/** Ops that one thread does in a row. */
export interface CallStep {
  readonly kind: "call";
  readonly ops: readonly PlannedOp[];
}

export interface BatchStep {
  readonly kind: "batch";
  readonly node: Node;
  readonly count: number;
  readonly dropRemainder: boolean;
}

export type Step = CallStep | BatchStep;

export interface Rule {
  readonly name: string;
  readonly why: string;
  /** What stands for the two, or `null` where the rule doesn't apply. */
  apply(first: Step, second: Step): Step[] | null;
}

const anyLoses = (step: CallStep): boolean => step.ops.some(({ loses }) => loses);

/** Of one pool of threads: "auto" both, or neither and as wide. */
function samePool(a: CallStep, b: CallStep): boolean {
  const [last, first] = [a.ops[a.ops.length - 1], b.ops[0]];
  return last.parallel === "auto" && first.parallel === "auto";
}

function fusion(first: "map" | "filter", second: "map" | "filter"): Rule {
  return {
    name: `${first}+${second} fusion`,
    why: "one call per element, no queue between; the second sees what it would see behind a queue",
    apply(a, b) {
      if (a.kind !== "call" || b.kind !== "call" || !samePool(a, b)) return null;
      const [last, next] = [a.ops[a.ops.length - 1], b.ops[0]];
      if (last.kind !== first || next.kind !== second) return null;
      // behind a filter an index is known only to who has seen all elements
      if (anyLoses(a) && next.counts) return null;
      return [{ kind: "call", ops: [...a.ops, ...b.ops] }];
    },
  };
}

export const RULES: readonly Rule[] = [
  {
    name: "map–batch vectorization",
    why: "a batch of sources is small; a thread then makes a whole batch of results, and one message brings it",
    apply(a, b) {
      if (a.kind !== "call" || b.kind !== "batch" || anyLoses(a)) return null;
      if (a.ops.some(({ inLists, kind }) => inLists || kind !== "map")) return null;
      return [b, { kind: "call", ops: a.ops.map((op) => ({ ...op, inLists: true })) }];
    },
  },
  fusion("map", "map"),
  fusion("map", "filter"),
  fusion("filter", "map"),
  fusion("filter", "filter"),
];

/** One application of a rule. */
export interface Rewrite {
  readonly rule: string;
  readonly why: string;
  readonly before: string;
  readonly after: string;
}

/** Applies the rules until none does. */
export function rewrite(
  program: readonly Step[],
  rules: readonly Rule[] = RULES,
): { steps: readonly Step[]; rewrites: readonly Rewrite[] } {
  let steps = [...program];
  const rewrites: Rewrite[] = [];
  const once = (): boolean => {
    for (const rule of rules)
      for (let i = 0; i + 1 < steps.length; i++) {
        const found = rule.apply(steps[i], steps[i + 1]);
        if (!found) continue;
        const before = textOf(steps);
        steps = [...steps.slice(0, i), ...found, ...steps.slice(i + 2)];
        rewrites.push({ rule: rule.name, why: rule.why, before, after: textOf(steps) });
        return true;
      }
    return false;
  };
  while (once());
  return { steps, rewrites };
}

/** The steps in words. */
export function textOf(steps: readonly Step[]): string {
  return steps
    .map((step) => {
      if (step.kind === "batch") return `batch(${step.count})`;
      const names = step.ops.map(({ name, inLists }) => (inLists ? `each ${name}` : name)).join(" + ");
      const { parallel } = step.ops[0];
      const width = parallel === "auto" ? "" : ` ×${parallel}`;
      return step.ops.length > 1 ? `[${names}]${width}` : `${names}${width}`;
    })
    .join(" → ");
}
