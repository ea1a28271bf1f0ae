/** Types of a function's results without running it: ops go to their type rules only. */

import type { DType } from "../core/dtype.js";
import { TransformError } from "../core/errors.js";
import { formatType, type TensorType } from "../core/shape.js";
import { Tensor } from "../core/tensor.js";
import { type Trace, withLevel } from "../ops/bind.js";
import type { Attrs, OpDef } from "../ops/registry.js";
import { getDevice } from "../runtime/devices.js";

/** A value of which only the type is known. */
class TypeTracer extends Tensor {
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly device = getDevice();

  constructor(
    readonly trace: TypeTrace,
    type: TensorType,
  ) {
    super();
    this.shape = type.shape;
    this.dtype = type.dtype;
  }
}

class TypeTrace implements Trace {
  readonly name = "type inference";
  active = true;

  constructor(readonly level: number) {}

  process(op: OpDef, inputs: readonly Tensor[], attrs: Attrs): Tensor[] {
    return op.type(inputs, attrs).map((type) => new TypeTracer(this, type));
  }
}

/**
 * The types of what `f` returns for inputs of these types.
 * @throws TransformError if `f` reads elements, or whatever its type rules throw.
 */
export function resultTypes(
  f: (inputs: readonly Tensor[]) => readonly Tensor[],
  types: readonly TensorType[],
): TensorType[] {
  return withLevel((level) => {
    const trace = new TypeTrace(level);
    try {
      const results = f(types.map((type) => new TypeTracer(trace, type)));
      return results.map(({ shape, dtype }) => ({ shape, dtype }));
    } catch (error) {
      if (error instanceof TransformError) {
        error.message += ` (while the types of its results were inferred from ${types.map(formatType).join(", ")})`;
      }
      throw error;
    } finally {
      trace.active = false;
    }
  });
}
