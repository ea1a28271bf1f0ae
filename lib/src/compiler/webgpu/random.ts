/** Random numbers: Philox4x32-10 in WGSL, the same words as on the host (core/random.ts), four to an invocation. */
import type { DType } from "../../core/dtype.js";
import { sizeOf } from "../../core/shape.js";
import type { GpuKernel } from "./indexing.js";
import { mathFor } from "./math.js";
import { ShaderWriter } from "./shader.js";

const PHILOX = `fn mul_high(a: u32, b: u32) -> u32 {
  let al = a & 65535u; let ah = a >> 16u; let bl = b & 65535u; let bh = b >> 16u;
  let mid = ah * bl + ((al * bl) >> 16u);
  let low = (mid & 65535u) + al * bh;
  return ah * bh + (mid >> 16u) + (low >> 16u);
}
fn philox(key: vec2u, counter: u32) -> vec4u {
  var c = vec4u(counter, 0u, 0u, 0u);
  var k = key;
  for (var round = 0; round < 10; round++) {
    let h0 = mul_high(0xd2511f53u, c.x); let h1 = mul_high(0xcd9e8d57u, c.z);
    c = vec4u(h1 ^ c.y ^ k.x, 0xcd9e8d57u * c.z, h0 ^ c.w ^ k.y, 0xd2511f53u * c.x);
    k += vec2u(0x9e3779b9u, 0xbb67ae85u);
  }
  return c;
}
fn unit(w: vec4u) -> vec4f { return vec4f(w >> vec4u(8u)) / 16777216.0; }`;

const NORMAL = `fn normal(w: vec4u) -> vec4f {
  let u = unit(w);
  let r = sqrt(-2.0 * m_log(1.0 - u));
  let a = 6.283185307179586 * u;
  let c = m_cos(a); let s = m_sin(a);
  return vec4f(r.x * c.y, r.x * s.y, r.z * c.w, r.z * s.w);
}`;

interface RandomAttrs {
  readonly dtype: string;
}

const random = (op: string, dtypes: readonly DType[], value: string): GpuKernel<RandomAttrs> => ({
  op,
  supports: ([key], [out]) => key.dtype === "int32" && dtypes.includes(out.dtype),
  run([key], [out]) {
    const w = new ShaderWriter(op);
    const source = w.input(key);
    const [low, high] = [0, 1].map(
      (k) => `bitcast<u32>(${source.element(w.int(key.offset + k * key.strides[0]))})`,
    );
    w.declare(PHILOX);
    if (value.startsWith("normal")) {
      w.declare(mathFor(NORMAL));
      w.declare(NORMAL);
    }
    const target = w.output(out).vector("i", out.dtype === "float32" ? `vec4f(${value})` : value);
    w.runItems(Math.ceil(sizeOf(out.shape) / 4), `let w = philox(vec2u(${low}, ${high}), i);\n  ${target}`);
  },
});

export const randomKernels: readonly GpuKernel[] = [
  random("randomUniform", ["float32"], "unit(w)"),
  random("randomNormal", ["float32"], "normal(w)"),
  random("randomBits", ["int32", "float32"], "bitcast<vec4i>(w)"),
] as readonly GpuKernel[];
