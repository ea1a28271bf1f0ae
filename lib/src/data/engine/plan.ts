/** From a dataset's graph to what runs on threads: runs of ops are found, rewritten, and cut into stages. */
import type { Call, ElementFunction, Node } from "../dataset/node.js";
import {
  type BatchStep,
  type CallStep,
  type PlannedOp,
  type Rewrite,
  type Rule,
  rewrite,
  type Step,
  textOf,
} from "./rewrites.js";

/** A run of ops on threads, in the place of the node `top`. */
export interface Segment {
  readonly top: Node;
  /** What the main thread reads. */
  readonly source: Node;
  /** Elements of the source that make a unit of work: those of a batch. */
  readonly batch: BatchStep | null;
  readonly stages: readonly CallStep[];
  /** Every op node of the segment, from the source up; the batch is one of them. */
  readonly nodes: readonly Node[];
}

export interface Plan {
  readonly segments: ReadonlyMap<Node, Segment>;
  readonly rewrites: readonly Rewrite[];
  readonly before: string;
  readonly after: string;
}

/** Whether a function looks at more than its element. */
export function countsElements(f: ElementFunction): boolean {
  if (f.length !== 1) return true;
  const text = Function.prototype.toString.call(f);
  const head = text.slice(0, text.indexOf("=>") < 0 ? text.indexOf("{") : text.indexOf("=>"));
  // a default or a rest hides parameters from `length`
  return (
    /[=,]|\.\.\./.test(head.replace(/^[^(]*\(/, "").replace(/\{[^{}]*\}|\[[^[\]]*\]/g, "")) ||
    /\barguments\b/.test(text)
  );
}

const mayLose = ({ onError }: Call): boolean =>
  onError === "skip" || (typeof onError === "object" && onError.otherwise === "skip");

/** An op that threads do. */
function isParallel(node: Node): boolean {
  const { spec } = node;
  return "call" in spec && spec.call.device === "cpu" && spec.call.parallel !== 0;
}

function planned(node: Node): PlannedOp {
  const { spec } = node as { spec: { kind: PlannedOp["kind"]; call: Call } };
  const { call, kind } = spec;
  const loses = kind !== "map" || mayLose(call);
  return {
    node,
    kind,
    name: node.name,
    parallel: call.parallel,
    loses,
    counts: countsElements(call.f),
    inLists: false,
  };
}

/** The ops on threads below `node`, from the lowest up, and what is below them. */
function runBelow(node: Node): { steps: Step[]; source: Node } {
  const steps: Step[] = [];
  let at = node;
  for (;;) {
    if (isParallel(at)) steps.unshift({ kind: "call", ops: [planned(at)] });
    else if (at.spec.kind === "batch" && hasParallelBelow(at))
      steps.unshift({ kind: "batch", node: at, count: at.spec.count, dropRemainder: at.spec.dropRemainder });
    else return { steps, source: at };
    at = at.inputs[0];
  }
}

const hasParallelBelow = (node: Node): boolean =>
  isParallel(node.inputs[0]) || node.inputs[0].spec.kind === "batch";

/** Finds the runs of a graph and rewrites them. */
export function planOf(root: Node, rules?: readonly Rule[]): Plan {
  const segments = new Map<Node, Segment>();
  const rewrites: Rewrite[] = [];
  const names = new Map<Node, string>();
  const visit = (node: Node): void => {
    const { steps, source } = runBelow(node);
    if (!steps.some(({ kind }) => kind === "call")) {
      for (const input of node.inputs) visit(input);
      return;
    }
    const rewritten = rewrite(steps, rules);
    rewrites.push(...rewritten.rewrites);
    for (const segment of segmentsOf(rewritten.steps, source)) {
      segments.set(segment.top, segment);
      const batch = segment.batch ? `batch(${segment.batch.count}) → ` : "";
      names.set(segment.top, `${batch}threads{ ${textOf(segment.stages)} }`);
    }
    visit(source);
  };
  visit(root);
  const text = (node: Node): string => {
    const segment = segments.get(node);
    const inputs = segment ? [segment.source] : node.inputs;
    const name = names.get(node) ?? node.name;
    if (inputs.length === 0) return name;
    return inputs.length === 1 ? `${text(inputs[0])} → ${name}` : `${name}[${inputs.map(text).join("; ")}]`;
  };
  const plain = (node: Node): string =>
    node.inputs.length === 0
      ? node.name
      : node.inputs.length === 1
        ? `${plain(node.inputs[0])} → ${node.name}`
        : `${node.name}[${node.inputs.map(plain).join("; ")}]`;
  return { segments, rewrites, before: plain(root), after: text(root) };
}

/** Cuts the steps where the main thread has to see the elements: at batches that stay, and before ops that count what is left. */
function segmentsOf(steps: readonly Step[], source: Node): Segment[] {
  const segments: Segment[] = [];
  let below = source;
  let batch: BatchStep | null = null;
  let stages: CallStep[] = [];
  let loses = false;
  const close = (): void => {
    if (stages.length > 0) {
      const nodes = nodesOf(stages, batch);
      const top = nodes[nodes.length - 1];
      segments.push({ top, source: below, batch, stages, nodes });
      below = top;
    } else if (batch) below = batch.node;
    [batch, stages, loses] = [null, [], false];
  };
  for (const step of steps) {
    if (step.kind === "batch") {
      close();
      batch = step;
      continue;
    }
    if (loses && step.ops.some(({ counts }) => counts)) close();
    stages.push(step);
    loses ||= step.ops.some((op) => op.loses);
  }
  close();
  return segments;
}

/** In the graph's order: ops in lists stood before the batch. */
function nodesOf(stages: readonly CallStep[], batch: BatchStep | null): Node[] {
  const ops = stages.flatMap((stage) => stage.ops);
  const inLists = ops.filter((op) => op.inLists).map(({ node }) => node);
  const others = ops.filter((op) => !op.inLists).map(({ node }) => node);
  return [...inLists, ...(batch ? [batch.node] : []), ...others];
}
