/** Fused attention and its gradients, computed by the emulator, against plain attention in double precision. */
import { describe, expect, it } from "vitest";
import {
  type AttentionVariant,
  attentionBackwardKernels,
  attentionKernel,
} from "../../src/compiler/cuda/kernels/index.js";
import { EmulatedCuda, numbers } from "../support/cuda/device.js";
import { emulatorMissing } from "../support/cuda/emulator.js";
import { rounded } from "../support/cuda/half.js";

interface Sizes {
  readonly heads: number;
  readonly queries: number;
  readonly keys: number;
}

/** o, lse, and for a gradient dO of o the gradients of q, k and v, of one head. */
function reference(
  q: Float64Array,
  k: Float64Array,
  v: Float64Array,
  dO: Float64Array,
  { queries, keys }: Sizes,
  width: number,
  causal: boolean,
  scale: number,
) {
  const out = {
    o: new Float64Array(queries * width),
    lse: new Float64Array(queries),
    dQ: new Float64Array(queries * width),
    dK: new Float64Array(keys * width),
    dV: new Float64Array(keys * width),
  };
  for (let i = 0; i < queries; i++) {
    const seen = causal ? Math.min(keys, i + 1) : keys;
    const dot = (x: Float64Array, a: number, y: Float64Array, b: number) => {
      let sum = 0;
      for (let d = 0; d < width; d++) sum += x[a * width + d] * y[b * width + d];
      return sum;
    };
    const scores = Array.from({ length: seen }, (_, j) => scale * dot(q, i, k, j));
    const top = Math.max(...scores);
    const total = scores.reduce((sum, s) => sum + Math.exp(s - top), 0);
    const p = scores.map((s) => Math.exp(s - top) / total);
    out.lse[i] = top + Math.log(total);
    p.forEach((w, j) => {
      for (let d = 0; d < width; d++) out.o[i * width + d] += w * v[j * width + d];
    });
    const delta = dot(dO, i, out.o, i);
    p.forEach((w, j) => {
      const ds = w * (dot(dO, i, v, j) - delta) * scale;
      for (let d = 0; d < width; d++) {
        out.dV[j * width + d] += w * dO[i * width + d];
        out.dQ[i * width + d] += ds * k[j * width + d];
        out.dK[j * width + d] += ds * q[i * width + d];
      }
    });
  }
  return out;
}

function check(variant: AttentionVariant, sizes: Sizes): void {
  const { dtype, width, causal } = variant;
  const { heads, queries, keys } = sizes;
  using cuda = new EmulatedCuda({ seed: width + queries });
  const make = (rows: number, seed: number) => rounded(dtype, numbers(heads * rows * width, seed));
  const [q, k, v, dO] = [make(queries, 1), make(keys, 2), make(keys, 3), make(queries, 4)];
  const scale = 2 / Math.sqrt(width);
  const empty = (rows: number) => cuda.empty(heads * rows * width * 2);
  const call = {
    ...sizes,
    scale,
    q: cuda.array(dtype, q),
    k: cuda.array(dtype, k),
    v: cuda.array(dtype, v),
    o: empty(queries),
    lse: cuda.empty(heads * queries * 4),
    dO: cuda.array(dtype, dO),
    delta: cuda.empty(heads * queries * 4),
    dQ: empty(queries),
    dK: empty(keys),
    dV: empty(keys),
  };
  cuda.run(attentionKernel(variant), call);
  for (const kernel of attentionBackwardKernels(variant)) cuda.run(kernel, call);
  const got = {
    o: cuda.read(dtype, call.o, heads * queries * width),
    lse: cuda.read("float32", call.lse, heads * queries),
    dQ: cuda.read(dtype, call.dQ, heads * queries * width),
    dK: cuda.read(dtype, call.dK, heads * keys * width),
    dV: cuda.read(dtype, call.dV, heads * keys * width),
  };
  const unit = dtype === "float16" ? 2 ** -11 : 2 ** -8;
  for (let h = 0; h < heads; h++) {
    const part = (x: Float64Array, rows: number) => x.subarray(h * rows * width, (h + 1) * rows * width);
    const want = reference(
      part(q, queries),
      part(k, keys),
      part(v, keys),
      part(dO, queries),
      sizes,
      width,
      causal,
      scale,
    );
    for (const [name, values] of Object.entries(want)) {
      const have = got[name as keyof typeof got].subarray(h * values.length, (h + 1) * values.length);
      const room = name === "lse" ? 1e-5 : 12 * unit * Math.max(...values.map(Math.abs));
      values.forEach((x, i) => {
        if (!(Math.abs(have[i] - x) <= room))
          expect.fail(`${name} of head ${h}, element ${i}: ${have[i]}, not ${x} (±${room})`);
      });
    }
  }
}

describe.skipIf(emulatorMissing)("fused attention on the emulator", () => {
  it.each<[AttentionVariant, Sizes]>([
    [
      { dtype: "float16", width: 64, causal: false },
      { heads: 2, queries: 70, keys: 130 },
    ],
    [
      { dtype: "bfloat16", width: 64, causal: true },
      { heads: 1, queries: 130, keys: 130 },
    ],
    [
      { dtype: "float16", width: 32, causal: true },
      { heads: 2, queries: 80, keys: 20 },
    ],
    [
      { dtype: "bfloat16", width: 128, causal: false },
      { heads: 1, queries: 5, keys: 70 },
    ],
    [
      { dtype: "float16", width: 128, causal: true },
      { heads: 1, queries: 66, keys: 100 },
    ],
  ])("and its gradients %o %o", check);

  it("refuses misaligned operands", () => {
    const kernel = attentionKernel({ dtype: "float16", width: 64, causal: false });
    const call = { q: 16, k: 8, v: 0, o: 0, lse: 0, heads: 1, queries: 1, keys: 1, scale: 1 };
    expect(() => kernel.launch(call)).toThrow(/the address of k must be a multiple of 16, got 8/);
    expect(() => kernel.launch({ ...call, k: 0, keys: 0 })).toThrow(/at least 1/);
  });
});
