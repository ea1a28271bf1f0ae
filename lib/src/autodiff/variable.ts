/**
 * Variables: tensors whose value can change (a model's weights), leaves of the tape on which gradients accumulate.
 * (Book, chapter 3: mutable and immutable tensors.)
 */
import type { DType, HostData } from "../core/dtype.js";
import { ShapeError, TransformError } from "../core/errors.js";
import { isContiguous } from "../core/layout.js";
import { formatType, type Shape, sameShape } from "../core/shape.js";
import { Tensor } from "../core/tensor.js";
import type { Trace } from "../ops/bind.js";
import { asTensor, type TensorLike } from "../ops/convert.js";
import { concrete, formatTensor } from "../ops/read.js";
import { type DenseTensor, denseFrom } from "../runtime/dense.js";
import { commit } from "../runtime/host-array.js";
import { Lease } from "../runtime/lease.js";
import { outsideScopes } from "../runtime/tidy.js";
import { carriesGradient, type TapeNode } from "./tape.js";
import { TapeTensor, tape, variableHost, variableNode } from "./tape-mode.js";

export interface VariableOptions {
  /** Shown in summaries, checkpoints and drawings of the tape. */
  readonly name?: string;
  /** Default true for floating-point values. */
  readonly requiresGrad?: boolean;
}

const owners = new WeakMap<TapeNode, Variable>();

/** The variable whose place on the tape a node is. */
export function ownerOf(node: TapeNode): Variable | undefined {
  return owners.get(node);
}

/**
 * A tensor that can be assigned to. As an operand it stands for its present value and is a leaf of the tape. Its value
 * belongs to no `tidy` scope.
 */
export class Variable extends Tensor {
  readonly trace: Trace = tape;
  readonly slot = 0;
  name: string;
  override requiresGrad: boolean;
  /**
   * Sum of the gradients of all backward passes since `zeroGrad()`; `null` if none arrived, so also where the value was
   * used in a branch that was not taken.
   */
  override grad: Tensor | null = null;
  private readonly lease = new Lease(this);
  private current: DenseTensor;
  private changes = 0;
  private readonly leaf: TapeNode;

  constructor(value: TensorLike, { name = "", requiresGrad }: VariableOptions = {}) {
    super();
    this.current = denseValue(value, name).leased(this, this.lease);
    this.lease.take(this.current.storage);
    this.name = name;
    this.requiresGrad = requiresGrad ?? carriesGradient(this.current);
    if (this.requiresGrad && !carriesGradient(this.current)) {
      throw new TransformError(
        `variable ${name}: a ${formatType(this.current)} cannot require a gradient; only floating-point values can`,
      );
    }
    this.leaf = variableNode(this.current);
    owners.set(this.leaf, this);
  }

  /** The present value. It stays valid only until the next `assign`; copy what must last longer. */
  get value(): DenseTensor {
    return this.current;
  }

  get primal(): DenseTensor {
    return this.current;
  }

  /** What an op that reads the variable now gets: its value, or what stands for it while a graph is captured. */
  get present(): Tensor {
    return variableHost()?.read(this) ?? this.current;
  }

  /** Where gradients for this variable arrive; `null` if it requires none. */
  get node(): TapeNode | null {
    return this.requiresGrad ? this.leaf : null;
  }

  /** How often the value was changed. */
  get version(): number {
    return this.changes;
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

  override retained(): Tensor {
    const held = this.current.retained();
    return this.requiresGrad ? new TapeTensor(held, this.leaf, 0) : held;
  }

  /**
   * Replaces the value, and gives the old one back. A tape that saved the old value keeps it until its backward, so an
   * update between forward and backward does not falsify gradients.
   * @throws ShapeError if shape or dtype differ; TransformError under `vmap` or capture, where there is no value yet.
   */
  assign(value: TensorLike): void {
    const next = asTensor(value, this.dtype);
    if (!sameShape(next.shape, this.shape) || next.dtype !== this.dtype) {
      throw new ShapeError(
        `assign: the variable ${this.name || ""} is ${formatType(this)}, the new value ${formatType(next)}`,
      );
    }
    const host = variableHost();
    if (host !== null) {
      host.assign(this, next);
      return;
    }
    this.replace(denseValue(next, this.name));
    this.changes++;
  }

  /**
   * Lets `write` change the elements (row-major) in place: what fused optimizers use. If the memory is shared with a
   * view, the tensor that the variable was made from or a tape, it is copied first: nobody else sees the change.
   * @example v.mutate((data) => { for (let i = 0; i < data.length; i++) data[i] *= 0.5; });
   */
  mutate(write: (elements: HostData) => void): void {
    const { current } = this;
    if (current.storage.shared || current.size !== current.storage.length || !isContiguous(current)) {
      const copy = outsideScopes(() =>
        denseFrom(current.toTypedArray(), current.shape, current.dtype, current.device),
      );
      this.replace(copy);
      copy.dispose();
    }
    const host = this.current.hostToChange();
    write(host.data);
    commit([host]);
    this.changes++;
  }

  /** The new value is there before the old one goes: an interrupt between the two must not leave the variable without any. */
  private replace(value: DenseTensor): void {
    const before = this.current;
    this.current = value.leased(this, this.lease);
    before.replacedBy(this.current);
  }

  /** Forgets the accumulated gradient, and gives its memory back. */
  zeroGrad(): void {
    const { grad } = this;
    this.grad = null;
    grad?.dispose();
  }

  override toString(): string {
    return formatTensor(this, "variable");
  }

  /** Gives back value and gradient; the variable cannot be used any more. */
  override dispose(): void {
    this.zeroGrad();
    this.current.dispose();
  }
}

function denseValue(value: TensorLike, name: string): DenseTensor {
  const dense = concrete(asTensor(value));
  if (dense) return dense;
  throw new TransformError(
    `variable ${name}: the value given does not exist yet, because the function is being captured or mapped; return it, and assign it after that`,
  );
}

/**
 * A variable with this first value.
 * @example const w = variable([[1, 2]], { name: "w" }); w.square().sum().backward(); w.grad // [[2, 4]]
 */
export function variable(value: TensorLike, options: VariableOptions = {}): Variable {
  return new Variable(value, options);
}
