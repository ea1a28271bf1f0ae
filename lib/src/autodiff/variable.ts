/**
 * Variables: tensors whose value can change (a model's weights), and the tape that is always there for them:
 * `loss.backward()` walks it as in PyTorch. (Book, chapter 3: mutable and immutable tensors, dynamic graphs.)
 */
import type { DType } from "../core/dtype.js";
import { ShapeError, TransformError } from "../core/errors.js";
import { formatType, type Shape, sameShape } from "../core/shape.js";
import { Tensor } from "../core/tensor.js";
import { bind, type Trace } from "../ops/bind.js";
import { asTensor, type TensorLike } from "../ops/convert.js";
import { concrete } from "../ops/read.js";
import { type Attrs, NOT_DIFFERENTIABLE, type OpDef } from "../ops/registry.js";
import { type DenseTensor, viewOf } from "../runtime/dense.js";
import { outsideScopes } from "../runtime/tidy.js";
import {
  carriesGradient,
  leafNode,
  reachable,
  record,
  type TapeEdge,
  type TapeNode,
  walkBack,
} from "./tape.js";
import { Tracer } from "./trace.js";

let recording = true;

/** Between plain evaluation (0) and the first transformation (1). */
const TAPE_LEVEL = 0.5;

class TapeTrace implements Trace {
  readonly name = "tape";
  readonly level = TAPE_LEVEL;
  readonly active = true;

  process(op: OpDef, inputs: readonly Tensor[], attrs: Attrs): Tensor[] {
    const primals = inputs.map((x) => (x instanceof Variable || x instanceof TapeTensor ? x.primal : x));
    const outputs = bind(op, primals, attrs);
    if (!recording || op.vjp === NOT_DIFFERENTIABLE || !outputs.some(carriesGradient)) return outputs;
    const edges = inputs.map((x) =>
      x instanceof TapeTensor ? x.edge : x instanceof Variable && x.requiresGrad ? x.edge : null,
    );
    if (edges.every((edge) => edge === null)) return outputs;
    const node = record(op, attrs, edges, primals, outputs);
    return outputs.map((y, output) => (carriesGradient(y) ? new TapeTensor(y, { node, output }) : y));
  }
}

const tape = new TapeTrace();

/** A result of ops on variables: it knows where it came from. */
export class TapeTensor extends Tracer {
  readonly trace: Trace = tape;
  /** The gradient of the last backward, if `retainGrad()` was called. */
  grad: Tensor | null = null;

  constructor(
    readonly primal: Tensor,
    readonly edge: TapeEdge,
  ) {
    super();
  }

  /** Keeps this intermediate result's gradient when backward passes by. */
  retainGrad(): this {
    retained.set(this.edge.node, this);
    return this;
  }

  override dispose(): void {
    this.primal.dispose();
  }
}

const retained = new WeakMap<TapeNode, TapeTensor>();
const owners = new WeakMap<TapeNode, Variable>();

export interface VariableOptions {
  readonly name?: string;
  /** Default true for floating-point values. */
  readonly requiresGrad?: boolean;
}

/** A tensor that can be assigned to. As an operand it stands for its present value and is a leaf of the tape. */
export class Variable extends Tensor {
  readonly trace: Trace = tape;
  name: string;
  requiresGrad: boolean;
  /** Sum of the gradients of all backward passes since `zeroGrad()`; `null` if none arrived. */
  grad: Tensor | null = null;
  private current: DenseTensor;
  private leaf: TapeNode;

  constructor(value: TensorLike, { name = "", requiresGrad }: VariableOptions = {}) {
    super();
    this.current = own(value);
    this.name = name;
    this.requiresGrad = requiresGrad ?? carriesGradient(this.current);
    this.leaf = this.newLeaf();
  }

  get value(): DenseTensor {
    return this.current;
  }

  get primal(): Tensor {
    return this.current;
  }

  /** Where gradients for this variable arrive. */
  get edge(): TapeEdge {
    return { node: this.leaf, output: 0 };
  }

  get shape(): Shape {
    return this.current.shape;
  }

  get dtype(): DType {
    return this.current.dtype;
  }

  get device(): string {
    return this.current.device;
  }

  override peel(): Tensor {
    return this.current;
  }

  /**
   * Replaces the value, and gives the old one back. Tapes that saved the old value keep it.
   * @throws ShapeError if shape or dtype differ.
   */
  assign(value: TensorLike): void {
    const next = asTensor(value, this.dtype);
    if (!sameShape(next.shape, this.shape) || next.dtype !== this.dtype) {
      throw new ShapeError(
        `assign: the variable ${this.name || ""} is ${formatType(this)}, the new value ${formatType(next)}`,
      );
    }
    const old = this.current;
    this.current = own(next);
    old.dispose();
  }

  /** Forgets the accumulated gradient. */
  zeroGrad(): void {
    this.grad?.dispose();
    this.grad = null;
  }

  private newLeaf(): TapeNode {
    const node = leafNode(this.current);
    owners.set(node, this);
    return node;
  }
}

/** A handle of the variable's own on the values, which no scope takes away. */
function own(value: TensorLike): DenseTensor {
  const dense = concrete(asTensor(value));
  if (!dense)
    throw new TransformError(
      "a variable was given a value that does not exist yet (while a function is captured or mapped); assign after it has returned",
    );
  return outsideScopes(() => viewOf(dense, dense));
}

/** A variable with this first value. */
export function variable(value: TensorLike, options: VariableOptions = {}): Variable {
  return new Variable(value, options);
}

/** Runs `body` without recording. */
export function noGrad<T>(body: () => T): T {
  const before = recording;
  recording = false;
  try {
    return body();
  } finally {
    recording = before;
  }
}

export interface BackwardOptions {
  /** Keeps what the tape saved, so that backward can run again. */
  readonly retainGraph?: boolean;
}

/**
 * Adds to each variable's `grad` the derivative of this value with respect to it.
 * @throws TransformError if this value depends on no variable, or is no scalar and no gradient is given.
 */
export function backward(
  y: Tensor,
  gradient?: TensorLike,
  { retainGraph = false }: BackwardOptions = {},
): void {
  if (!(y instanceof TapeTensor) && !(y instanceof Variable)) {
    throw new TransformError(
      "backward: this value does not depend on a variable; make weights with variable(...), and call backward outside noGrad and transformations",
    );
  }
  if (gradient === undefined && y.size !== 1) {
    throw new TransformError(
      `backward: a value of shape (${y.shape.join(", ")}) needs a gradient of that shape; only scalars start from 1`,
    );
  }
  const seed =
    gradient === undefined ? asTensor(1, y.dtype).broadcastTo(y.shape) : asTensor(gradient, y.dtype);
  if (!sameShape(seed.shape, y.shape)) {
    throw new ShapeError(
      `backward: the gradient has shape (${seed.shape.join(", ")}), the value (${y.shape.join(", ")})`,
    );
  }
  noGrad(() =>
    walkBack(
      [y.edge],
      [seed],
      (node, g) => {
        const owner = owners.get(node);
        const inner = retained.get(node);
        if (owner) owner.grad = keep(owner.grad ? owner.grad.add(g) : g, owner.grad);
        else if (inner) inner.grad = keep(g, inner.grad);
      },
      { free: !retainGraph, wants: (node) => retained.has(node) },
    ),
  );
}

/** A handle that outlives scopes; the one it replaces is given back. */
function keep(g: Tensor, before: Tensor | null): Tensor {
  const dense = concrete(g);
  const held = dense ? outsideScopes(() => viewOf(dense, dense)) : g;
  before?.dispose();
  return held;
}

/** One recorded op as plain data, for drawing and counting. */
export interface TapeEntry {
  readonly id: number;
  /** Name of the op, or of the variable for a leaf. */
  readonly name: string;
  readonly leaf: boolean;
  readonly inputs: readonly number[];
  readonly types: readonly string[];
  /** Bytes held for the reverse rule. */
  readonly savedBytes: number;
}

/** The tape behind a value, oldest first. */
export function tapeOf(y: Tensor): TapeEntry[] {
  if (!(y instanceof TapeTensor) && !(y instanceof Variable)) return [];
  return reachable([y.edge])
    .reverse()
    .map((node) => ({
      id: node.id,
      name: node.op?.name ?? owners.get(node)?.name ?? "",
      leaf: node.op === null,
      inputs: node.parents.filter((p) => p !== null).map((p) => p.node.id),
      types: node.outputTypes.map(formatType),
      savedBytes: [...node.savedInputs, ...node.savedOutputs].reduce(
        (sum, t) => sum + (t ? (concrete(t)?.storage.data.byteLength ?? 0) : 0),
        0,
      ),
    }));
}

declare module "../core/tensor.js" {
  interface Tensor {
    /** Adds this value's derivatives to the `grad` of the variables that it depends on. */
    backward(gradient?: TensorLike, options?: BackwardOptions): void;
    /** The same value, cut off from the tape. */
    detach(): Tensor;
  }
}

Tensor.prototype.backward = function (gradient, options) {
  backward(this, gradient, options);
};
Tensor.prototype.detach = function () {
  return this instanceof TapeTensor || this instanceof Variable ? this.primal : this.stopGradient();
};
