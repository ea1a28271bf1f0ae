/**
 * bind: the one way to apply an op. It hands the op to the innermost transformation among its inputs, or,
 * if there is none, evaluates it at once (after JAX's "autodidax" core).
 */
import { TransformError } from "../core/errors.js";
import { formatType } from "../core/shape.js";
import type { Tensor, TensorTrace } from "../core/tensor.js";
import { enterSection, leaveSection, onInterrupted } from "../core/turn.js";
import type { DenseTensor } from "../runtime/dense.js";
import { evaluate } from "./evaluate.js";
import type { Attrs, OpDef } from "./registry.js";

/** A running transformation. */
export interface Trace extends TensorTrace {
  /** `grad`, `vmap`, `capture` …, for messages. */
  readonly name: string;
  /** False once the transformed function has returned: tracers that escaped are refused. */
  readonly active: boolean;
  /** Applies an op to inputs of which at least one belongs to this trace; the others are lower and constant to it. */
  process(op: OpDef, inputs: readonly Tensor[], attrs: Attrs): Tensor[];
}

/** Changes the dtypes of an op's inputs before it is applied. */
export type InputRule = (op: OpDef, inputs: readonly Tensor[]) => readonly Tensor[];

let inputRule: InputRule | null = null;

/** Runs `body` with a rule for the inputs of every op; null: with none. */
export function withInputRule<T>(rule: InputRule | null, body: () => T): T {
  const before = inputRule;
  enterSection();
  inputRule = rule;
  try {
    return body();
  } finally {
    inputRule = before;
    leaveSection();
  }
}

let depth = 0;
let staging: Trace | null = null;
onInterrupted(() => {
  depth = 0;
  staging = null;
  inputRule = null;
});

/**
 * Runs `body` with a graph being written: ops on values of transformations further out go into it too, so that a branch
 * that reads such values by closure holds what it does with them (after JAX's "omnistaging").
 */
export function withStaging<T>(trace: Trace, body: () => T): T {
  const before = staging;
  enterSection();
  staging = trace;
  try {
    return body();
  } finally {
    staging = before;
    leaveSection();
  }
}

/** Called when an op is about to be evaluated for real, for profilers and the chapter on dispatch. */
export type DispatchListener = (op: OpDef, inputs: readonly Tensor[], attrs: Attrs) => void;
const listeners = new Set<DispatchListener>();

/** Runs `body` with a level of its own for a new trace; levels nest as calls do. */
export function withLevel<T>(body: (level: number) => T): T {
  enterSection();
  depth++;
  try {
    return body(depth);
  } finally {
    depth--;
    leaveSection();
  }
}

/**
 * Calls `listener` before each evaluated op until the returned function is called.
 * @example const seen: string[] = []; const stop = extend.onDispatch((op) => seen.push(op.name)); tensor([1]).sin(); stop(); seen // ["sin"]
 */
export function onDispatch(listener: DispatchListener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/**
 * Applies an op that may have several outputs.
 * @example extend.bind(getOp("sort"), [tensor([3, 1, 2])], { axis: 0, descending: false })[1] // [1, 2, 0]
 */
export function bind<A extends Attrs>(op: OpDef<A>, given: readonly Tensor[], attrs: A): Tensor[] {
  const inputs = inputRule === null ? given : inputRule(op as unknown as OpDef, given);
  let top: Trace | null = null;
  for (const input of inputs) {
    const trace = input.trace as Trace | null;
    if (trace !== null && (top === null || trace.level > top.level)) top = trace;
  }
  if (top !== null) {
    if (!top.active) throw escaped(op.name, inputs, top);
    if (staging !== null && staging.level > top.level) top = staging;
    return top.process(op as unknown as OpDef, inputs, attrs);
  }
  if (listeners.size > 0) for (const listener of listeners) listener(op as unknown as OpDef, inputs, attrs);
  return evaluate(op as unknown as OpDef, inputs as readonly DenseTensor[], attrs);
}

function escaped(op: string, inputs: readonly Tensor[], trace: Trace): TransformError {
  const at = inputs.findIndex((input) => input.trace === trace);
  return new TransformError(
    `${op}: operand ${at}, a ${formatType(inputs[at])}, was made inside a ${trace.name} that has already returned; return values from the transformed function instead of storing them outside`,
  );
}

/**
 * Applies an op with one output.
 * @example extend.apply(getOp("sin"), [tensor([0, Math.PI / 2])], {}) // [0, 1]
 */
export function apply<A extends Attrs>(op: OpDef<A>, inputs: readonly Tensor[], attrs: A): Tensor {
  return bind(op, inputs, attrs)[0];
}
