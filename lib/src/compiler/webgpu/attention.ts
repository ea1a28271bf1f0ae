/**
 * Scaled dot-product attention without its matrix of scores: each invocation walks over the keys for one query, and puts
 * right what it has so far when a larger score comes (online softmax: Milakov & Gimelshein 2018; Dao et al. 2022).
 */
import { sizeOf } from "../../core/shape.js";
import type { FusedAttentionAttrs } from "../../ir/fused-attention.js";
import type { RemoteType } from "../../runtime/remote.js";
import { mathFor } from "./math.js";
import { fitsBinding, type GpuArray, ShaderWriter } from "./shader.js";
import { usesWorkgroups } from "./strategy.js";

const LEAST = "bitcast<f32>(0xff7fffffu)"; // the least finite number
const MOST_WIDTH = 128; // elements of a query, and of a value, that one invocation holds

/** True if vectors of four lie side by side. */
const hasVectors = ({ shape, strides, offset }: RemoteType): boolean =>
  shape[shape.length - 1] % 4 === 0 &&
  strides[shape.length - 1] === 1 &&
  [offset, ...strides.slice(0, -1)].every((n) => n % 4 === 0);

export function attentionFits(inputs: readonly RemoteType[]): boolean {
  const [q, , v] = inputs;
  return (
    inputs.every((x) => x.dtype === "float32" && fitsBinding(x) && hasVectors(x)) &&
    [q, v].every(({ shape }) => shape[shape.length - 1] <= MOST_WIDTH) &&
    inputs.every(
      ({ shape }) =>
        shape.length === q.shape.length && shape.slice(0, -2).join() === q.shape.slice(0, -2).join(),
    )
  );
}

/** Bytes of scores from which they are worth not having where memory is near: on the CPU, products with tiles are faster. */
const MANY_SCORES = 64 << 20;

/** True if this kernel serves better than two products and a softmax. */
export function attentionPays([q, k]: readonly RemoteType[]): boolean {
  return usesWorkgroups() || sizeOf(q.shape.slice(0, -1)) * k.shape[k.shape.length - 2] * 4 > MANY_SCORES;
}

export function attend(
  [q, k, v]: readonly GpuArray[],
  out: GpuArray,
  { scale, causal }: FusedAttentionAttrs,
): void {
  if (sizeOf(out.shape) === 0) return;
  const w = new ShaderWriter("attention");
  const rank = q.shape.length;
  const [queries, width] = q.shape.slice(-2);
  const keys = k.shape[rank - 2];
  const [d, dv] = [width / 4, v.shape[rank - 1] / 4];
  const sources = [q, k, v].map((x) => w.input(x));
  const target = w.output(out);
  const { text, at } = w.coordinates([...q.shape.slice(0, -2), queries], "i", "c");
  const [batch, query] = [at.slice(0, -1), at[at.length - 1]];
  const base = (x: GpuArray): string =>
    w.position({ ...x, shape: x.shape.slice(0, -2), strides: x.strides.slice(0, -2) }, batch);
  const step = (x: GpuArray): string => w.int(x.strides[rank - 2] / 4);
  w.declare(mathFor("m_exp"));
  const range = (n: number): number[] => Array.from({ length: n }, (_, j) => j);
  const read = (s: number, name: string): string => sources[s].vector(name);
  const body = `${text}
  let oq = ((${base(q)}) >> 2u) + ${query} * ${step(q)};
  let ok = (${base(k)}) >> 2u; let ov = (${base(v)}) >> 2u;
  let sk = ${step(k)}; let sv = ${step(v)};
  ${range(d)
    .map((j) => `let q${j} = ${read(0, `(oq + ${j}u)`)} * ${w.float(scale)};`)
    .join(" ")}
  ${range(dv)
    .map((j) => `var o${j} = vec4f(0.0);`)
    .join(" ")}
  var top = ${LEAST}; var total = 0.0;
  let last = ${causal ? `min(${query} + 1u, ${w.int(keys)})` : w.int(keys)};
  // Four keys at a time: one exponential, and one correction of what was summed, for all of them.
  for (var j = 0u; j < last; j += 4u) {
    ${range(4)
      .map(
        (c) => `let j${c} = min(j + ${c}u, last - 1u); let k${c} = ok + j${c} * sk; var t${c} = vec4f(0.0);
    ${range(d)
      .map((e) => `t${c} += q${e} * ${read(1, `(k${c} + ${e}u)`)};`)
      .join(" ")}`,
      )
      .join("\n    ")}
    let all = vec4f(${range(4)
      .map((c) => `dot(t${c}, vec4f(1.0))`)
      .join(", ")});
    let scores = select(vec4f(${LEAST}), all, vec4u(j, j + 1u, j + 2u, j + 3u) < vec4u(last));
    let most = max(max(top, max(scores.x, scores.y)), max(scores.z, scores.w));
    let before = m_exp(vec4f(top - most)).x;
    let p = m_exp(scores - most);
    top = most;
    total = total * before + dot(p, vec4f(1.0));
    let v0 = ov + j0 * sv; let v1 = ov + j1 * sv; let v2 = ov + j2 * sv; let v3 = ov + j3 * sv;
    ${range(dv)
      .map(
        (e) =>
          `o${e} = o${e} * before + ${range(4)
            .map((c) => `${read(2, `(v${c} + ${e}u)`)} * p[${c}]`)
            .join(" + ")};`,
      )
      .join("\n    ")}
  }
  ${range(dv)
    .map((j) => target.vector(`(i * ${dv}u + ${j}u)`, `o${j} / total`))
    .join(" ")}`;
  w.runItems(sizeOf(q.shape.slice(0, -1)), body);
}
