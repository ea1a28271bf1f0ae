/** What the traces share: tracers, and how values of lower levels enter a trace. */
import type { DType } from "../core/dtype.js";
import { TransformError } from "../core/errors.js";
import type { Shape } from "../core/shape.js";
import { Tensor } from "../core/tensor.js";
import type { Trace } from "../ops/bind.js";

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
}

/** Calls a user's function, refusing results that transformations cannot handle. */
export function callSync<T>(f: (...args: never[]) => T, args: readonly unknown[], where: string): T {
  const result = f(...(args as never[]));
  if (result instanceof Promise) {
    result.catch(() => {}); // the error below says more
    throw new TransformError(
      `${where}: the function is asynchronous; transformations follow synchronous functions only`,
    );
  }
  if (result === undefined)
    throw new TransformError(`${where}: the function returned undefined; does it lack a return?`);
  return result;
}
