/**
 * The matrix product for GPUs: a workgroup brings tiles of both factors into its own memory, and each invocation computes
 * 4 × 4 elements from them. Any layout is read as it lies. (Never run on a GPU yet: tested on a software adapter, which
 * does better without workgroup memory.)
 */

import { collapse } from "../../core/layout.js";
import { sizeOf } from "../../core/shape.js";
import type { RemoteType } from "../../runtime/remote.js";
import type { Epilogue } from "./matmul.js";
import { type GpuArray, ShaderWriter } from "./shader.js";

const TILE = 64; // rows and columns of a workgroup
const DEPTH = 16;
const OWN = 4; // rows and columns of an invocation
const SIDE = TILE / OWN;
const THREADS = SIDE * SIDE;
const LOADS = (TILE * DEPTH) / THREADS;

/** out = a · b, then the epilogue; a and b with the batch axes of `out`. */
export function tiledProduct(
  label: string,
  a: GpuArray,
  b: GpuArray,
  out: GpuArray,
  epilogue?: Epilogue,
): void {
  const batch = out.shape.slice(0, -2);
  const [m, n] = out.shape.slice(-2);
  const k = a.shape[a.shape.length - 1];
  const rank = batch.length;
  const count = sizeOf(batch);
  const w = new ShaderWriter(label);
  const [xs, ys] = [w.input(a), w.input(b)];
  const target = w.output(out);
  const end = epilogue?.write(w) ?? "";
  const whole = n % 4 === 0;
  const [mm, nn, kk] = [m, n, k].map((value) => w.int(value));
  const view = (x: GpuArray): RemoteType => ({
    ...x,
    shape: x.shape.slice(0, rank),
    strides: x.strides.slice(0, rank),
  });
  const walk = collapse(batch, [view(a), view(b)]);
  const { text, at } = w.coordinates(walk.sizes, "z", "z");
  const base = (x: GpuArray, o: number): string =>
    w.position({ ...x, shape: walk.sizes, strides: walk.strides[o] }, at);
  const [aRow, aColumn] = a.strides.slice(-2);
  const [bRow, bColumn] = b.strides.slice(-2);
  const range = Array.from({ length: 4 }, (_, i) => i);
  /** Neighbouring invocations read neighbours in memory: along k, or across it. */
  const fill = (alongDepth: boolean): string =>
    alongDepth
      ? `let d = e % ${DEPTH}u; let r = e / ${DEPTH}u;`
      : `let r = e % ${TILE}u; let d = e / ${TILE}u;`;
  const stores = range
    .map((i) => {
      const place = `(z * ${mm} + row + ${i}u)`;
      if (whole)
        return `if (row + ${i}u < ${mm} && column < ${nn}) { let i = (${place} * ${nn} + column) / 4u; var v = s${i}; ${end} ${target.vector("i", "v")} }`;
      const lanes = range
        .map((c) => `if (column + ${c}u < ${nn}) { ${target.element(`p + ${c}u`, `s${i}.${"xyzw"[c]}`)} }`)
        .join(" ");
      return `if (row + ${i}u < ${mm}) { let p = ${place} * ${nn} + column; ${lanes} }`;
    })
    .join("\n    ");
  const zs = Math.min(count, 32768);
  w.declare(
    `var<workgroup> ta: array<f32, ${TILE * DEPTH}>;\nvar<workgroup> tb: array<f32, ${TILE * DEPTH}>;`,
  );
  w.run(
    `@compute @workgroup_size(${SIDE}, ${SIDE}) fn main(@builtin(workgroup_id) g: vec3u, @builtin(local_invocation_id) l: vec3u, @builtin(local_invocation_index) t: u32) {
  let row = g.y * ${TILE}u + l.y * ${OWN}u;
  let column = g.x * ${TILE}u + l.x * ${OWN}u;
  for (var z = g.z; z < ${w.int(count)}; z += ${zs}u) {
    ${text}
    let oa = ${base(a, 0)}; let ob = ${base(b, 1)};
    ${range.map((i) => `var s${i} = vec4f(0.0);`).join(" ")}
    for (var k = 0u; k < ${kk}; k += ${DEPTH}u) {
      for (var q = 0u; q < ${LOADS}u; q++) {
        let e = t + q * ${THREADS}u;
        { ${fill(aColumn === 1)} let i = g.y * ${TILE}u + r; let inside = i < ${mm} && k + d < ${kk};
          var v = 0.0; if (inside) { v = ${xs.element(`oa + i * ${w.int(aRow)} + (k + d) * ${w.int(aColumn)}`)}; } ta[d * ${TILE}u + r] = v; }
        { ${fill(bColumn !== 1)} let j = g.x * ${TILE}u + r; let inside = j < ${nn} && k + d < ${kk};
          var v = 0.0; if (inside) { v = ${ys.element(`ob + (k + d) * ${w.int(bRow)} + j * ${w.int(bColumn)}`)}; } tb[d * ${TILE}u + r] = v; }
      }
      workgroupBarrier();
      for (var d = 0u; d < ${DEPTH}u; d++) {
        let pa = d * ${TILE}u + l.y * ${OWN}u; let pb = d * ${TILE}u + l.x * ${OWN}u;
        let y = vec4f(tb[pb], tb[pb + 1u], tb[pb + 2u], tb[pb + 3u]);
        ${range.map((i) => `s${i} += ta[pa + ${i}u] * y;`).join(" ")}
      }
      workgroupBarrier();
    }
    ${stores}
  }
}`,
    [Math.ceil(n / TILE), Math.ceil(m / TILE), zs],
  );
}
