/** Forward mode: dual numbers. Each op carries tangents along by its jvp rule. (Book, chapter 4: forward mode.) */
import { TransformError } from "../core/errors.js";
import { formatType, sameShape } from "../core/shape.js";
import type { MemoryHolder, Tensor } from "../core/tensor.js";
import { difference, flatten, unflatten } from "../core/tree.js";
import { bind, withLevel } from "../ops/bind.js";
import { type Attrs, NOT_DIFFERENTIABLE, type OpDef } from "../ops/registry.js";
import { argumentValue, vjp } from "./reverse.js";
import { carriesGradient } from "./tape.js";
import { callSync, checkReturned, constantLike, type OwningTrace, runTraced, Tracer } from "./trace.js";

/** A value with its derivative along the chosen direction. */
class JvpTracer extends Tracer {
  constructor(
    readonly trace: JvpTrace,
    readonly primal: Tensor,
    readonly tangent: Tensor,
  ) {
    super();
  }

  override retained(): Tensor {
    return new JvpTracer(this.trace, this.primal.retained(), this.tangent.retained());
  }

  override release(): void {
    this.primal.release();
    this.tangent.release();
  }

  override parts(visit: (part: MemoryHolder) => void): void {
    this.primal.parts(visit);
    this.tangent.parts(visit);
  }
}

class JvpTrace implements OwningTrace {
  readonly name = "jvp";
  active = true;
  readonly made: Tensor[] = [];

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
      if (!t || !carriesGradient(y)) return y;
      if (t.dtype !== y.dtype || !sameShape(t.shape, y.shape)) {
        throw new TransformError(
          `${op.name}: its forward rule returned a tangent ${formatType(t)} for output ${i}, which is ${formatType(y)}`,
        );
      }
      this.made.push(y, t);
      return new JvpTracer(this, y, t);
    });
  }
}

/**
 * The value of `f` at `primals`, and its directional derivative along `tangents`: the Jacobian times a column vector.
 * @example jvp((x: Tensor) => x.square(), [tensor([3])], [tensor([1])])[1] // [6]
 * @throws TransformError if the tangents are not trees like the primals, or `f` is asynchronous or returns undefined.
 */
export function jvp<A extends unknown[], T>(
  f: (...args: A) => T,
  primals: A,
  tangents: A,
): [value: T, tangent: T] {
  const flat = primals.map((arg) => flatten(arg));
  const directions = flat.map(({ leaves, def }, i) => {
    const given = flatten(tangents[i]);
    const found = difference(def, given.def);
    if (found) throw new TransformError(`jvp: the tangent of argument ${i} is not a tree like it: ${found}`);
    return given.leaves.map((leaf, k): Tensor | null => {
      const x = leaves[k];
      const t = argumentValue(leaf);
      if (!sameShape(x.shape, t.shape)) {
        throw new TransformError(
          `jvp: argument ${i} is ${formatType(x)}, its tangent ${formatType(t)}; the shapes must be equal`,
        );
      }
      return carriesGradient(x) ? t.cast(x.dtype) : null;
    });
  });
  return jvpAlong(f, primals, directions);
}

/** `jvp` with one direction per leaf of each argument; `null`: zero. */
export function jvpAlong<A extends unknown[], T>(
  f: (...args: A) => T,
  primals: A,
  directions: readonly (readonly (Tensor | null)[])[],
): [value: T, tangent: T] {
  return withLevel((level) => {
    const trace = new JvpTrace(level);
    const args = primals.map((arg, i) => {
      const { leaves, def } = flatten(arg);
      const duals = leaves.map((leaf, k) => {
        const t = directions[i][k];
        return t === null ? leaf : new JvpTracer(trace, argumentValue(leaf), t);
      });
      return unflatten(def, duals);
    });
    const mine = (y: Tensor): y is JvpTracer => y instanceof JvpTracer && y.trace === trace;
    const { def, values, slopes } = runTraced(trace, () => {
      const result = flatten(callSync(f as never, args, "jvp"));
      checkReturned(result.leaves, "jvp");
      return {
        outputs: result.leaves,
        def: result.def,
        values: result.leaves.map((y) => (mine(y) ? y.primal : y)),
        slopes: result.leaves.map((y) => (mine(y) ? y.tangent : constantLike(y, 0))),
      };
    });
    return [unflatten(def, values) as T, unflatten(def, slopes) as T];
  });
}

/**
 * The value of `f` and its derivative as a linear function of the direction: `f` itself runs only once. (The pullback is
 * linear in its cotangent; this is its own pullback.)
 * @example const [y, push] = linearize((x: Tensor) => x.square(), tensor([3])); push(tensor([2])) // [12]
 */
export function linearize<A extends unknown[], T>(
  f: (...args: A) => T,
  ...args: A
): [value: T, push: (...tangents: A) => T] {
  const forward = vjp(f, ...args);
  const { leaves, def } = flatten(forward.value);
  const zero = unflatten(
    def,
    leaves.map((y) => constantLike(y, 0)),
  ) as T;
  const transposed = vjp((cotangent: T) => forward.pull(cotangent), zero);
  return [forward.value, (...tangents) => transposed.pull(tangents)[0]];
}
