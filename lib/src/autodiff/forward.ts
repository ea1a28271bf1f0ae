/** Forward mode: dual numbers. Each op carries tangents along by its jvp rule. (Book, chapter 4: forward mode.) */
import { TransformError } from "../core/errors.js";
import { formatShape, sameShape } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import { flatten, leaves as treeLeaves, unflatten } from "../core/tree.js";
import { bind, type Trace, withLevel } from "../ops/bind.js";
import { asTensor } from "../ops/convert.js";
import { type Attrs, NOT_DIFFERENTIABLE, type OpDef } from "../ops/registry.js";
import { carriesGradient } from "./tape.js";
import { callSync, Tracer } from "./trace.js";
import { Variable } from "./variable.js";

class JvpTracer extends Tracer {
  constructor(
    readonly trace: JvpTrace,
    readonly primal: Tensor,
    readonly tangent: Tensor,
  ) {
    super();
  }
}

class JvpTrace implements Trace {
  readonly name = "jvp";
  active = true;

  constructor(readonly level: number) {}

  process(op: OpDef, inputs: readonly Tensor[], attrs: Attrs): Tensor[] {
    const mine = (x: Tensor): x is JvpTracer => x instanceof JvpTracer && x.trace === this;
    const primals = inputs.map((x) => (mine(x) ? x.primal : x));
    const outputs = bind(op, primals, attrs);
    if (op.jvp === NOT_DIFFERENTIABLE) return outputs;
    const tangents = op.jvp(
      primals,
      inputs.map((x) => (mine(x) ? x.tangent : null)),
      outputs,
      attrs,
    );
    return outputs.map((y, i) => {
      const t = tangents[i];
      return t && carriesGradient(y) ? new JvpTracer(this, y, t) : y;
    });
  }
}

/**
 * The value of `f` at `primals`, and its directional derivative along `tangents`: the Jacobian times a column vector.
 * @example const [y, dy] = jvp((x) => x.sin(), [x], [ones(x.shape)]);
 */
export function jvp<A extends unknown[], T>(
  f: (...args: A) => T,
  primals: A,
  tangents: A,
): [value: T, tangent: T] {
  return withLevel((level) => {
    const trace = new JvpTrace(level);
    const args = primals.map((arg, i) => {
      const flat = flatten(arg);
      const directions = treeLeaves(tangents[i]);
      if (directions.length !== flat.leaves.length) {
        throw new TransformError(
          `jvp: argument ${i} has ${flat.leaves.length} tensor(s), its tangent ${directions.length}`,
        );
      }
      const duals = flat.leaves.map((leaf, k) => {
        const x = leaf instanceof Variable ? leaf.value : leaf;
        const t = directions[k] instanceof Variable ? (directions[k] as Variable).value : directions[k];
        if (!sameShape(x.shape, t.shape)) {
          throw new TransformError(
            `jvp: argument ${i} has shape ${formatShape(x.shape)}, its tangent ${formatShape(t.shape)}`,
          );
        }
        return carriesGradient(x) ? new JvpTracer(trace, x, t.cast(x.dtype)) : x;
      });
      return unflatten(flat.def, duals);
    });
    try {
      const { leaves, def } = flatten(callSync(f as never, args, "jvp"));
      const mine = (y: Tensor): y is JvpTracer => y instanceof JvpTracer && y.trace === trace;
      const value = unflatten(
        def,
        leaves.map((y) => (mine(y) ? y.primal : y)),
      ) as T;
      const tangent = unflatten(
        def,
        leaves.map((y) => (mine(y) ? y.tangent : asTensor(0, y.dtype).cast(y.dtype).broadcastTo(y.shape))),
      ) as T;
      return [value, tangent];
    } finally {
      trace.active = false;
    }
  });
}
