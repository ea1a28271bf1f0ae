/** What the traces share: tracers, calling the user's function, and giving back what only the tracers could reach. */
import type { DType } from "../core/dtype.js";
import { TransformError } from "../core/errors.js";
import { formatType, type Shape } from "../core/shape.js";
import { type MemoryHolder, Tensor } from "../core/tensor.js";
import type { Trace } from "../ops/bind.js";
import { full } from "../ops/create.js";
import { disposeEarly, mergeScope, openScope } from "../runtime/tidy.js";

/** A value that stands for `primal` while its trace watches. */
export abstract class Tracer extends Tensor {
  abstract readonly primal: Tensor;
  abstract override readonly trace: Trace;

  get shape(): Shape {
    return this.primal.shape;
  }

  get dtype(): DType {
    return this.primal.dtype;
  }

  get device(): string {
    return this.primal.device;
  }

  override peel(): Tensor | null {
    return this.primal;
  }

  override release(): void {
    this.primal.release();
  }

  override parts(visit: (part: MemoryHolder) => void): void {
    this.primal.parts(visit);
  }

  override dispose(): void {
    this.primal.dispose();
  }
}

/** A trace that ends when the transformed function returns. */
export interface OwningTrace extends Trace {
  active: boolean;
  /** Values one level down that were made for its tracers: out of reach once the trace has ended. */
  readonly made: Tensor[];
}

/**
 * Runs the transformed function and ends its trace. Of what the trace made, only the parts of `outputs` survive: an
 * eager training loop then needs no garbage collection between its steps. (Other tensors that the function made are
 * its own business.)
 */
export function runTraced<R extends { readonly outputs: readonly Tensor[] }>(
  trace: OwningTrace,
  run: () => R,
): R {
  openScope();
  const kept = new Set<MemoryHolder>();
  try {
    const result = run();
    for (const y of result.outputs) y.parts((part) => kept.add(part));
    return result;
  } finally {
    trace.active = false;
    const give = (part: MemoryHolder): void => {
      if (!kept.has(part)) disposeEarly(part);
    };
    for (const y of trace.made.splice(0)) y.parts(give);
    mergeScope();
  }
}

/**
 * Calls a user's function.
 * @throws TransformError if it is asynchronous or returns undefined.
 */
export function callSync<T>(f: (...args: never[]) => T, args: readonly unknown[], where: string): T {
  const result = f(...(args as never[]));
  if (result instanceof Promise) {
    result.catch(() => {}); // the error below says more
    throw new TransformError(
      `${where}: the function is asynchronous; transformations follow synchronous functions only (await the data before, and transform the computation)`,
    );
  }
  if (result === undefined)
    throw new TransformError(`${where}: the function returned undefined; does it lack a return?`);
  return result;
}

/** @throws TransformError if a transformed function returns a tracer that escaped from another, finished, transformation. */
export function checkReturned(outputs: readonly Tensor[], where: string): void {
  for (const y of outputs) {
    const trace = y.trace as Trace | null;
    if (trace !== null && !trace.active) {
      throw new TransformError(
        `${where}: the function returned a ${formatType(y)} that was made inside a ${trace.name} that has already returned; return values from the transformed function instead of storing them outside`,
      );
    }
  }
}

/** A new constant of the type of `x`, whatever its size in the memory of one element. */
export function constantLike(x: Tensor, value: number): Tensor {
  const one = full([], value, { dtype: x.dtype });
  if (x.ndim === 0) return one;
  const repeated = one.broadcastTo(x.shape);
  one.dispose();
  return repeated;
}
