/** Normalizations, and attention as one op. */
import type { Tensor } from "../../../core/tensor.js";
import * as ops from "../../../ops/index.js";
import { OnnxError } from "../schema.js";
import { numberLike } from "./elementwise.js";
import type { ImportRow, RowContext } from "./row.js";
import { window } from "./shapes.js";

const from = (first: number, rank: number): number[] =>
  Array.from({ length: rank - first }, (_, i) => first + i);

function batchNormalization(c: RowContext): Tensor {
  if (c.attributes.int("training_mode", 0))
    throw new OnnxError("training_mode is on; export the model for inference");
  return ops.batchNorm(c.input(0), {
    weight: c.input(1),
    bias: c.input(2),
    mean: c.input(3),
    variance: c.input(4),
    epsilon: c.attributes.float("epsilon", 1e-5),
  });
}

function layerNormalization(c: RowContext): Tensor[] {
  const x = c.input(0);
  const axes = from(c.axis(c.attributes.int("axis", -1), x.ndim), x.ndim);
  const epsilon = c.attributes.float("epsilon", 1e-5);
  const y = ops.layerNorm(x, axes, { weight: c.input(1), bias: c.optional(2) ?? undefined, epsilon });
  if (c.outputs < 2) return [y];
  const variance = x.variance(axes, true);
  return [y, x.mean(axes, true), variance.add(numberLike(variance, epsilon)).rsqrt()];
}

function rmsNormalization(c: RowContext): Tensor {
  const x = c.input(0);
  const axes = from(c.axis(c.attributes.int("axis", -1), x.ndim), x.ndim);
  return ops.rmsNorm(x, axes, { weight: c.input(1), epsilon: c.attributes.float("epsilon", 1e-5) });
}

function groupNormalization(c: RowContext): Tensor {
  const x = c.input(0);
  const groups = c.attributes.int("num_groups");
  // until opset 20 scale and bias are per group, from 21 on per channel
  const perChannel = (v: Tensor): Tensor =>
    v.size === x.shape[1]
      ? v
      : v
          .reshape([groups, 1])
          .broadcastTo([groups, x.shape[1] / groups])
          .reshape([x.shape[1]]);
  return ops.groupNorm(x, groups, {
    weight: perChannel(c.input(1)),
    bias: perChannel(c.input(2)),
    epsilon: c.attributes.float("epsilon", 1e-5),
  });
}

/** x / (bias + α/size · Σ x²)^β over neighbouring channels. */
function localResponse(c: RowContext): Tensor {
  const x = c.input(0);
  const size = c.attributes.int("size");
  const [before, after] = [Math.floor((size - 1) / 2), Math.ceil((size - 1) / 2)];
  const squares = ops.pad(
    x.square(),
    x.shape.map((_, i): [number, number] => (i === 1 ? [before, after] : [0, 0])),
  );
  let total: Tensor | null = null;
  for (let k = 0; k < size; k++) {
    const part = window(squares, 1, k, x.shape[1]);
    total = total ? total.add(part) : part;
  }
  const scaled = (total as Tensor).mul(numberLike(x, c.attributes.float("alpha", 1e-4) / size));
  const base = scaled.add(numberLike(x, c.attributes.float("bias", 1)));
  return x.div(base.pow(numberLike(x, c.attributes.float("beta", 0.75))));
}

function lpNormalization(c: RowContext): Tensor {
  const x = c.input(0);
  const axis = c.axis(c.attributes.int("axis", -1), x.ndim);
  const size = c.attributes.int("p", 2) === 1 ? x.abs().sum(axis, true) : x.square().sum(axis, true).sqrt();
  return x.div(size);
}

function meanVariance(c: RowContext): Tensor {
  const x = c.input(0);
  const axes = c.axes(c.attributes.ints("axes") ?? [0, 2, 3], x.ndim);
  const centred = x.sub(x.mean(axes, true));
  return centred.div(x.variance(axes, true).sqrt().add(numberLike(x, 1e-9)));
}

/** Scaled dot-product attention (opset 23), heads in an axis of their own or beside each other. */
function attention(c: RowContext): Tensor {
  const softcap = c.attributes.float("softcap", 0);
  if (c.optional(4) || c.optional(5) || c.outputs > 1 || softcap !== 0)
    throw new OnnxError("past and present keys, a second output and softcap are not supported");
  const heads = (i: number, name: string): Tensor => {
    const x = c.input(i);
    if (x.ndim === 4) return x;
    const n = c.attributes.int(name);
    return x.reshape([x.shape[0], x.shape[1], n, x.shape[2] / n]).transpose([0, 2, 1, 3]);
  };
  const q = heads(0, "q_num_heads");
  let [k, v] = [heads(1, "kv_num_heads"), heads(2, "kv_num_heads")];
  const groups = q.shape[1] / k.shape[1];
  if (groups > 1) [k, v] = [ops.repeat(k, groups, 1), ops.repeat(v, groups, 1)];
  const scale = c.attributes.float("scale", 1 / Math.sqrt(q.shape[3]));
  let scores = q.matmul(k.transpose([0, 1, 3, 2])).mul(numberLike(q, scale));
  const mask = c.optional(3);
  const least = numberLike(q, -1e30);
  if (mask) scores = mask.dtype === "bool" ? ops.where(mask, scores, least) : scores.add(mask);
  if (c.attributes.int("is_causal", 0)) {
    const [rows, columns] = scores.shape.slice(2);
    const seen = ops.tril(ops.ones([rows, columns])).greater(0);
    scores = ops.where(seen, scores, least);
  }
  const y = ops.softmax(scores, 3).matmul(v);
  if (c.input(0).ndim === 4) return y;
  return y.transpose([0, 2, 1, 3]).reshape([y.shape[0], y.shape[2], y.shape[1] * y.shape[3]]);
}

export const NORMALIZATIONS: readonly ImportRow[] = [
  { op: "BatchNormalization", run: batchNormalization },
  { op: "LayerNormalization", run: layerNormalization },
  { op: "RMSNormalization", run: rmsNormalization },
  { op: "GroupNormalization", run: groupNormalization },
  {
    op: "InstanceNormalization",
    run: (c) =>
      ops.instanceNorm(c.input(0), {
        weight: c.input(1),
        bias: c.input(2),
        epsilon: c.attributes.float("epsilon", 1e-5),
      }),
  },
  { op: "LRN", run: localResponse },
  { op: "LpNormalization", run: lpNormalization },
  { op: "MeanVarianceNormalization", run: meanVariance },
  { op: "Attention", run: attention },
];
