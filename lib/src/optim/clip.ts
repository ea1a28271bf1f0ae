/** Gradient clipping (梯度裁剪): against steps that are far too long (Pascanu et al. 2013). */
import { detached } from "../autodiff/backward.js";
import { noGrad } from "../autodiff/tape-mode.js";
import { Variable } from "../autodiff/variable.js";
import { ValueError } from "../core/errors.js";
import type { Tensor } from "../core/tensor.js";
import { leaves, map } from "../core/tree.js";
import { asTensor } from "../ops/convert.js";
import { tidy } from "../ops/tidy.js";

function checkLimit(where: string, limit: number): void {
  if (!(limit > 0)) throw new ValueError(`${where}: the limit is above 0, got ${limit}`);
}

/**
 * The length of all tensors of a tree, taken as one vector: √Σx².
 * @example optim.globalNorm([tensor([3]), { w: tensor([4]) }]) // 5
 */
export function globalNorm(tree: unknown): Tensor {
  const all = leaves(tree);
  if (all.length === 0) return asTensor(0);
  return all
    .map((x) => x.square().sum())
    .reduce((a, b) => a.add(b.cast(a.dtype)))
    .sqrt();
}

/**
 * The tree, scaled down to the length `limit` if it is longer (as PyTorch: by limit/(length + 1e-6)). Made of ops, so that
 * captured training steps can hold it.
 * @returns the scaled tree, and the length before
 * @example optim.clipByGlobalNorm({ w: tensor([3, 4]) }, 1).norm // 5
 * @throws ValueError if the limit is not above 0.
 */
export function clipByGlobalNorm<T>(gradients: T, limit: number): { gradients: T; norm: Tensor } {
  checkLimit("clipByGlobalNorm", limit);
  const norm = globalNorm(gradients);
  const factor = asTensor(limit, norm.dtype).div(norm.add(1e-6)).minimum(1);
  return { gradients: map((g) => g.mul(factor.cast(g.dtype)), gradients), norm };
}

/**
 * Each element limited to [−limit, limit].
 * @example optim.clipByValue([tensor([-3, 0.5])], 1)[0] // [-1, 0.5]
 * @throws ValueError if the limit is not above 0.
 */
export function clipByValue<T>(gradients: T, limit: number): T {
  checkLimit("clipByValue", limit);
  return map((g) => g.clip(-limit, limit), gradients);
}

/**
 * For the tape: scales the `grad` of the variables of a model (or of any tree) in place.
 * @returns the length before
 * @example
 * const w = variable([3, 4]);
 * w.square().mul(0.5).sum().backward();
 * optim.clipGradNorm([w], 1) // 5
 * @throws ValueError if the limit is not above 0.
 */
export function clipGradNorm(target: unknown, limit: number): number {
  checkLimit("clipGradNorm", limit);
  const variables = [...new Set(leaves(target))].filter(
    (v): v is Variable => v instanceof Variable && v.grad !== null,
  );
  return noGrad(() =>
    tidy(() => {
      const { gradients, norm } = clipByGlobalNorm(
        variables.map((v) => v.grad as Tensor),
        limit,
      );
      for (const [i, v] of variables.entries()) {
        v.grad?.dispose();
        v.grad = detached(gradients[i]);
      }
      return norm.item();
    }),
  );
}
