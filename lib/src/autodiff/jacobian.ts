/** Jacobians and Hessians: vmap over the rows or columns of an identity. */
import { TransformError } from "../core/errors.js";
import { formatType, sizeOf } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import { flatten, type TreeDef, unflatten } from "../core/tree.js";
import { eye } from "../ops/create.js";
import { vmap } from "./batch.js";
import { jvpAlong } from "./forward.js";
import { grad } from "./grad.js";
import { argumentValue, pullBack, recordRun } from "./reverse.js";
import { carriesGradient } from "./tape.js";
import { constantLike } from "./trace.js";

export interface JacobianOptions {
  /**
   * "reverse" (default): one pass per element of the result; good for many inputs and few outputs. "forward": one pass
   * per element of the argument; good for few inputs and many outputs.
   */
  readonly mode?: "reverse" | "forward";
  /** The argument to differentiate with respect to. Default 0. */
  readonly argnum?: number;
}

/**
 * dy/dx for each tensor y of the result and x of the argument, of shape (…y.shape, …x.shape): one tensor if both are
 * tensors, else a tree like the result whose leaves are trees like the argument.
 * @example jacobian((x: Tensor) => x.square())(tensor([1, 2])) // [[2, 0], [0, 4]]
 * @throws TransformError if a tensor of the argument or the result is not of floating point.
 */
export function jacobian<A extends unknown[]>(
  f: (...args: A) => Tensor,
  options?: JacobianOptions,
): (...args: A) => Tensor;
export function jacobian<A extends unknown[]>(
  f: (...args: A) => unknown,
  options?: JacobianOptions,
): (...args: A) => unknown;
export function jacobian<A extends unknown[]>(
  f: (...args: A) => unknown,
  { mode = "reverse", argnum = 0 }: JacobianOptions = {},
): (...args: A) => unknown {
  return (...args) => {
    if (!(argnum in args)) {
      throw new TransformError(
        `jacobian: argument ${argnum} was asked for, the function was called with ${args.length} argument(s), counted from 0`,
      );
    }
    const { leaves, def } = flatten(args[argnum]);
    const inputs = leaves.map(argumentValue);
    checkFloats(inputs, `argument ${argnum}`);
    const { blocks, outDef } = mode === "forward" ? columns(f, args, argnum, inputs) : rows(f, args, argnum);
    return unflatten(
      outDef,
      blocks.map((row) => unflatten(def, row)),
    );
  };
}

/**
 * Second derivatives of a scalar function, of shape (…x.shape, …x.shape); for trees, as `jacobian` of `grad`. Forward
 * over reverse.
 * @example hessian((x: Tensor) => x.pow(3).sum())(tensor([1, 2])) // [[6, 0], [0, 12]]
 */
export function hessian<A extends unknown[]>(
  f: (...args: A) => Tensor,
  { argnum = 0 }: Pick<JacobianOptions, "argnum"> = {},
): (...args: A) => A[0] extends Tensor ? Tensor : unknown {
  const gradient = grad(f, { argnums: argnum }) as (...args: A) => unknown;
  return jacobian(gradient, { mode: "forward", argnum }) as never;
}

interface Blocks {
  /** dy/dx by output leaf, then input leaf. */
  readonly blocks: readonly (readonly Tensor[])[];
  readonly outDef: TreeDef;
}

/** Row i of a block: the pullback of the i-th unit vector. */
function rows(f: (...args: never[]) => unknown, args: readonly unknown[], argnum: number): Blocks {
  const recording = recordRun(f, args, (i) => i === argnum, "jacobian");
  try {
    const { outputs } = recording;
    checkFloats(outputs, "the result");
    const inputs = flatten(args[argnum]).leaves.map(argumentValue);
    const blocks = outputs.map((y, at) => {
      const pull = vmap((row: Tensor) => {
        const cotangents = outputs.map((_, i) => (i === at ? row : null));
        const found = pullBack(recording, cotangents, false);
        return inputs.map((x, i) => found[i] ?? constantLike(x, 0));
      });
      return pull(basis(y)).map((block, i) => block.reshape([...y.shape, ...inputs[i].shape]));
    });
    return { blocks, outDef: recording.def };
  } finally {
    recording.free();
  }
}

/** Column j of a block: the derivative along the j-th unit vector. */
function columns(
  f: (...args: never[]) => unknown,
  args: readonly unknown[],
  argnum: number,
  inputs: readonly Tensor[],
): Blocks {
  let outDef: TreeDef | null = null;
  const byInput = inputs.map((x, at) => {
    const push = vmap((column: Tensor) => {
      const directions = args.map((arg, i) =>
        flatten(arg).leaves.map((_, k) => (i === argnum && k === at ? column : null)),
      );
      const slope = flatten(jvpAlong(f as never, args as never, directions)[1]);
      outDef = slope.def;
      checkFloats(slope.leaves, "the result");
      return slope.leaves;
    });
    return push(basis(x)).map((block) => {
      const order = block.shape.map((_, i) => i);
      return block.transpose([...order.slice(1), 0]).reshape([...block.shape.slice(1), ...x.shape]);
    });
  });
  const blocks = byInput[0].map((_, o) => byInput.map((blocksOfInput) => blocksOfInput[o]));
  return { blocks, outDef: outDef as unknown as TreeDef };
}

/** The unit vectors of the space that `x` is in, stacked along a new first axis. */
function basis(x: Tensor): Tensor {
  const n = sizeOf(x.shape);
  return eye(n, n, { dtype: x.dtype }).reshape([n, ...x.shape]);
}

function checkFloats(tensors: readonly Tensor[], what: string): void {
  if (tensors.length === 0) throw new TransformError(`jacobian: ${what} holds no tensor`);
  for (const x of tensors) {
    if (carriesGradient(x)) continue;
    throw new TransformError(
      `jacobian: ${what} holds a ${formatType(x)}; only floating-point tensors have derivatives`,
    );
  }
}
