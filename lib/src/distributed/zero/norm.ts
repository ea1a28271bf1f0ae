/** Lengths of gradients that lie in parts on several ranks, and their overflow. */
import { detached } from "../../autodiff/backward.js";
import { noGrad } from "../../autodiff/tape-mode.js";
import type { Variable } from "../../autodiff/variable.js";
import type { Tensor } from "../../core/tensor.js";
import { asTensor } from "../../ops/convert.js";
import { tidy } from "../../ops/tidy.js";
import { GradScaler, type GradScalerOptions } from "../../optim/grad-scaler.js";
import type { ProcessGroup } from "../group/process-group.js";

/** The length of all ranks' gradients, taken as one vector. Parts that have none count as zeros. */
export function globalNormOf(parts: readonly Variable[], group: ProcessGroup): number {
  const squares = noGrad(() =>
    tidy(() =>
      parts.reduce(
        (sum, { grad }) => (grad === null ? sum : sum + grad.cast("float64").square().sum().item()),
        0,
      ),
    ),
  );
  return Math.sqrt(sumOver(squares, group));
}

/** Multiplies the gradients in place. */
export function scaleGradients(parts: readonly Variable[], factor: number): void {
  if (factor === 1) return;
  noGrad(() => {
    for (const variable of parts) {
      const { grad } = variable;
      if (grad === null) continue;
      variable.grad = detached(grad.mul(asTensor(factor, grad.dtype)));
      grad.dispose();
    }
  });
}

function sumOver(value: number, group: ProcessGroup): number {
  const mine = asTensor([value], "float64");
  const all = group.allReduce(mine).wait();
  const sum = all.item();
  mine.dispose();
  all.dispose();
  return sum;
}

/**
 * Loss scaling where each rank sees a part of the gradients only: a step is left out on all ranks if one of them found an
 * infinite or NaN gradient. (PyTorch's ShardedGradScaler.)
 * @example
 * const scaler = (group: distributed.ProcessGroup) => new distributed.ShardedGradScaler(group, { initScale: 1024 });
 */
export class ShardedGradScaler extends GradScaler {
  constructor(
    private readonly group: ProcessGroup,
    options: GradScalerOptions = {},
  ) {
    super(options);
  }

  protected override agreed(finite: Tensor): Tensor {
    const mine = finite.reshape([1]).cast("uint8");
    const all = this.group.allReduce(mine, { op: "min" }).wait();
    return all.reshape([]).cast("bool");
  }
}
