/** Jacobians and Hessians: vmap over the rows or columns of an identity. */
import { TransformError } from "../core/errors.js";

import { Tensor } from "../core/tensor.js";
import { eye } from "../ops/create.js";
import { vmap } from "./batch.js";
import { jvp } from "./forward.js";
import { grad, vjp } from "./reverse.js";

export interface JacobianOptions {
  /** "reverse": one pass per output element; "forward": one per input element. Default: whichever is fewer is not known ahead, so reverse. */
  readonly mode?: "reverse" | "forward";
}

/** dy/dx of shape (…y.shape, …x.shape), for a function of one tensor. */
export function jacobian(
  f: (x: Tensor) => Tensor,
  { mode = "reverse" }: JacobianOptions = {},
): (x: Tensor) => Tensor {
  return (x) => {
    if (mode === "forward") {
      const basis = eye(x.size, x.size, { dtype: x.dtype }).reshape([x.size, ...x.shape]);
      const columns = vmap((t: Tensor) => jvp(f, [x], [t])[1])(basis);
      const order = columns.shape.map((_, i) => i);
      return columns.transpose([...order.slice(1), 0]).reshape([...columns.shape.slice(1), ...x.shape]);
    }
    const { value, pull, release } = vjp(f, x);
    if (!(value instanceof Tensor)) throw new TransformError("jacobian: the function must return one tensor");
    const basis = eye(value.size, value.size, { dtype: value.dtype }).reshape([value.size, ...value.shape]);
    const rows = vmap((row: Tensor) => pull(row)[0] as Tensor)(basis);
    release();
    return rows.reshape([...value.shape, ...x.shape]);
  };
}

/** Second derivatives of a scalar function: shape (…x.shape, …x.shape). Forward over reverse. */
export function hessian(f: (x: Tensor) => Tensor): (x: Tensor) => Tensor {
  return (x) => {
    const y = jacobian(grad(f) as (x: Tensor) => Tensor, { mode: "forward" })(x);
    return y;
  };
}
