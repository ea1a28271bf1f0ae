/**
 * The tape that is always there for variables: ops on them are recorded as they run, below all transformations, so that
 * `loss.backward()` can walk back. (Book, chapter 3: dynamic graphs.)
 */

import { TransformError } from "../core/errors.js";
import type { TensorType } from "../core/shape.js";
import type { MemoryHolder, Tensor } from "../core/tensor.js";
import { enterSection, leaveSection, onInterrupted } from "../core/turn.js";
import { bind, type Trace } from "../ops/bind.js";
import { type Attrs, NOT_DIFFERENTIABLE, type OpDef } from "../ops/registry.js";
import { track } from "../runtime/tidy.js";
import {
  type Application,
  applyForReverse,
  carriesGradient,
  history,
  recordApplication,
  TapeNode,
  type Watcher,
} from "./tape.js";
import { Tracer } from "./trace.js";

let recording = true;
onInterrupted(() => {
  recording = true;
});

/** Number of times that an op read a value that requires a gradient, recorded or not. */
let reads = 0;

export function isRecording(): boolean {
  return recording;
}

/**
 * Runs `body` without recording: for evaluation, metrics and updates of variables.
 * @example const w = variable([1]); noGrad(() => w.assign(w.sub(0.5))); w // [0.5]
 * @throws TransformError if `body` is asynchronous: it would be recorded from its first `await` on.
 */
export function noGrad<T>(body: () => T): T {
  return withRecording(false, body, "noGrad");
}

/** Runs `body` with the tape recording or not. */
export function withRecording<T>(on: boolean, body: () => T, where: string): T {
  const before = recording;
  enterSection();
  recording = on;
  try {
    const result = body();
    if (result instanceof Promise) {
      result.catch(() => {}); // the error below says more
      throw new TransformError(
        `${where}: the function is asynchronous; call ${where} around its synchronous parts`,
      );
    }
    return result;
  } finally {
    recording = before;
    leaveSection();
  }
}

/** A capture that is running: meanwhile variables are values of its graph, and what happens to them is written down. */
export interface VariableHost {
  /** Applies an op whose inputs are variables or values of the tape, but of no transformation. */
  process(op: OpDef, inputs: readonly Tensor[], attrs: Attrs): Tensor[];
  /** The graph's value for what the variable holds at this point. */
  read(variable: Tensor): Tensor;
  assign(variable: Tensor, value: Tensor): void;
  /** Has something done before each run of what is captured: what the host program decides anew each time. */
  beforeRun(hook: () => void): void;
  /** Gradients of variables, from that of `y`, by nodes of the graph. */
  backward(y: Tensor, gradient: Tensor): (readonly [variable: Tensor, gradient: Tensor])[];
}

let host: VariableHost | null = null;
onInterrupted(() => {
  host = null;
});

/** The capture that variables belong to at the moment. */
export function variableHost(): VariableHost | null {
  return host;
}

/** Runs `body` with variables belonging to `next`. */
export function withVariableHost<T>(next: VariableHost | null, body: () => T): T {
  const before = host;
  enterSection();
  host = next;
  try {
    return body();
  } finally {
    host = before;
    leaveSection();
  }
}

/** Between plain evaluation (0) and the first transformation (1). */
const TAPE_LEVEL = 0.5;

/** A value on the tape: output `slot` of `node`; `null` for variables that require no gradient. */
export interface OnTape extends Tensor {
  readonly primal: Tensor;
  readonly node: TapeNode | null;
  readonly slot: number;
}

class TapeTrace implements Trace {
  readonly name = "tape";
  readonly level = TAPE_LEVEL;
  readonly active = true;

  process(op: OpDef, inputs: readonly Tensor[], attrs: Attrs): Tensor[] {
    if (host !== null) return host.process(op, inputs, attrs);
    const count = inputs.length;
    const parents = new Array<TapeNode | null>(count);
    const slots = new Array<number>(count);
    const primals = new Array<Tensor>(count);
    let depends = false;
    for (let i = 0; i < count; i++) {
      const x = inputs[i];
      const mine = x.trace === this ? (x as OnTape) : null;
      primals[i] = mine ? mine.primal : x;
      parents[i] = mine ? mine.node : null;
      slots[i] = mine ? mine.slot : 0;
      if (parents[i] !== null) depends = true;
    }
    if (op.composite && recording) return this.recordWhole(op, attrs, primals, parents, slots, depends);
    if (depends) reads++;
    if (!depends || !recording || op.vjp === NOT_DIFFERENTIABLE) return bind(op, primals, attrs);
    return this.recorded(op, applyForReverse(op, primals, attrs), parents, slots, primals);
  }

  /** Records an op made of other ops as one node. Variables that it reads by closure count as inputs too. */
  recordWhole(
    op: OpDef,
    attrs: Attrs,
    primals: readonly Tensor[],
    parents: readonly (TapeNode | null)[],
    slots: readonly number[],
    depends: boolean,
  ): Tensor[] {
    const before = reads;
    const run = depends ? applyForReverse : applyPlainly;
    const application = withRecording(false, () => run(op, primals, attrs), op.name);
    if (!depends && reads === before) return [...application.outputs];
    reads++;
    if (application.outputs.some((y) => y.trace !== null)) return bind(op, primals, attrs); // a transformation watches from a closure
    return this.recorded(op, application, parents, slots, primals);
  }

  private recorded(
    op: OpDef,
    application: Application,
    parents: readonly (TapeNode | null)[],
    slots: readonly number[],
    primals: readonly Tensor[],
  ): Tensor[] {
    const outputs = application.outputs.slice(0, application.count);
    if (op.vjp === NOT_DIFFERENTIABLE || !outputs.some(carriesGradient)) return outputs;
    const know = (made: TapeNode): void => {
      if (made.saves) track(made);
    };
    const node = recordApplication(op, application, parents, slots, primals, know);
    know(node); // in no scope, what it holds by now is the collector's
    return outputs.map((y, slot) => (carriesGradient(y) ? new TapeTensor(y, node, slot) : y));
  }
}

function applyPlainly(op: OpDef, primals: readonly Tensor[], attrs: Attrs): Application {
  const outputs = bind(op, primals, attrs);
  return { attrs, outputs, count: outputs.length };
}

/** The one tape. */
export const tape = new TapeTrace();

/** A result of ops on variables: it knows where it came from. */
export class TapeTensor extends Tracer implements OnTape {
  readonly trace: Trace = tape;
  /** The gradient of the last backward, if `retainGrad()` was called before it. */
  override grad: Tensor | null = null;

  constructor(
    readonly primal: Tensor,
    readonly node: TapeNode,
    readonly slot: number,
  ) {
    super();
  }

  override get requiresGrad(): boolean {
    return true;
  }

  override retained(): Tensor {
    return new TapeTensor(this.primal.retained(), this.node, this.slot);
  }

  override parts(visit: (part: MemoryHolder) => void): void {
    this.primal.parts(visit);
    for (const node of history([this.node])) visit(node);
  }
}

/** Adds a watcher of one output of a node, until the returned function is called. */
export function addWatcher(node: TapeNode, watcher: Watcher): () => void {
  node.watchers ??= [];
  node.watchers.push(watcher);
  return () => {
    node.watchers = node.watchers?.filter((w) => w !== watcher) ?? null;
  };
}

/** The tape's tensor under a value that is on it, `null` for others. */
export function onTape(x: Tensor): OnTape | null {
  return x.trace === tape ? (x as OnTape) : null;
}

/** A variable's place on the tape. */
export function variableNode(type: TensorType): TapeNode {
  return new TapeNode(null, {}, [], [], [], [{ shape: type.shape, dtype: type.dtype }]);
}
