/**
 * Tensor: what a function of the library sees. Either a dense tensor with memory behind it, or a tracer
 * that stands for one while a transformation (grad, vmap, capture) watches the function run.
 * Methods such as `x.add(y)` are attached by the files in `ops/`, each op beside its definition.
 */
import type { DType } from "./dtype.js";
import { formatType, type Shape, sizeOf, type TensorType } from "./shape.js";

/** A transformation that is watching: ops on its tracers go to it instead of to a kernel. */
export interface TensorTrace {
  /** Nesting depth: ops go to the deepest trace among their inputs. 0 is plain evaluation. */
  readonly level: number;
}

/** Something that holds memory, and that a scope looks after. */
export interface MemoryHolder {
  dispose(): void;
  /** Called when no scope looks after it any more: from now on its memory goes back when it is garbage. */
  collectable(): void;
}

export abstract class Tensor implements TensorType {
  abstract readonly shape: Shape;
  abstract readonly dtype: DType;
  /** Name of the device that holds the elements. */
  abstract readonly device: string;
  /** The transformation that this value belongs to; `null` for a tensor with memory behind it. */
  abstract readonly trace: TensorTrace | null;

  /** The value one level down, for tracers that have one (grad, jvp and variables do; capture has none). */
  peel(): Tensor | null {
    return null;
  }

  /**
   * A handle of its own on the same value, which no scope looks after: it outlives `dispose()` and `tidy()` of this one.
   * Tapes keep such handles. Its owner gives it back by `release()`, or leaves it to the garbage collector by telling
   * its parts that they are `collectable()`. Values without memory return themselves.
   */
  retained(): Tensor {
    return this;
  }

  /** Gives a handle from `retained()` back. */
  release(): void {}

  /** Calls `visit` for each thing that holds memory for this value: a scope that keeps the value keeps those. */
  parts(_visit: (part: MemoryHolder) => void): void {}

  /** Number of axes. */
  get ndim(): number {
    return this.shape.length;
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }

  /** `float32(2, 3)`. */
  get type(): string {
    return formatType(this);
  }
}
