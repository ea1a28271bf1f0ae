/**
 * Matrix products. An invocation computes a tile of rows × columns in registers, reading vectors of four floats; operands
 * whose vectors can't be read as they lie are packed first, which costs little beside the product.
 */
import { collapse, contiguousLayout } from "../../core/layout.js";
import { sizeOf } from "../../core/shape.js";
import type { RemoteType } from "../../runtime/remote.js";
import { commands } from "./commands.js";
import type { GpuKernel } from "./indexing.js";
import { tiledProduct } from "./matmul-tiled.js";
import { fitsBinding, type GpuArray, runElements, ShaderWriter } from "./shader.js";
import { usesWorkgroups } from "./strategy.js";

/** A tile: rows and vectors of columns to an invocation, invocations across and down a workgroup. */
export interface Tile {
  readonly rows: number;
  readonly vectors: number;
  readonly across: number;
  readonly down: number;
}

/** What follows the product, element by element: on the vector `v` of the result at `i` (in vectors of the whole result). */
export interface Epilogue {
  /** Adds what it needs to the shader. @returns statements that set `v` */
  write(w: ShaderWriter): string;
}

type Direction = "along" | "across";

/** Runs `body` with buffers that go back behind it. */
export function withScratch<T>(body: (make: (shape: readonly number[]) => GpuArray) => T): T {
  const made: GpuArray[] = [];
  try {
    return body((shape) => {
      const length = sizeOf(shape);
      const handle = commands.allocate(Math.max(4, length * 4));
      const array: GpuArray = { ...contiguousLayout(shape), dtype: "float32", handle, length };
      made.push(array);
      return array;
    });
  } finally {
    for (const { handle } of made) commands.release(handle);
  }
}

/** Products that fill the tiles of workgroups. */
const isLarge = (m: number, n: number, k: number): boolean => m >= 32 && n >= 32 && k >= 16;

/** The tile for a product in registers. */
export function tileFor(m: number, n: number): Tile {
  const rows = m >= 8 ? 8 : m >= 4 ? 4 : m >= 2 ? 2 : 1;
  const vectors = n >= 64 && m * n >= 64 * 64 ? 2 : 1;
  return { rows, vectors, across: 4, down: 4 };
}

/** How vectors of a matrix (…, rows, columns) can be read: along its rows, across them, or not at all. */
function directionOf({ strides, offset, shape }: RemoteType): Direction | null {
  const rank = shape.length;
  const [row, column] = [strides[rank - 2], strides[rank - 1]];
  const even = (step: number, size: number): boolean => size === 1 || step % 4 === 0;
  const batch = strides.slice(0, -2).every((s, d) => even(s, shape[d]));
  if (!batch || offset % 4 !== 0) return null;
  if ((column === 1 || shape[rank - 1] === 1) && even(row, shape[rank - 2]) && shape[rank - 1] % 4 === 0)
    return "along";
  if ((row === 1 || shape[rank - 2] === 1) && even(column, shape[rank - 1]) && shape[rank - 2] % 4 === 0)
    return "across";
  return null;
}

const padded = (n: number): number => Math.ceil(n / 4) * 4;

/** A copy with rows of whole vectors, zeros behind; `across`: transposed first. */
function pack(x: GpuArray, make: (shape: readonly number[]) => GpuArray): GpuArray {
  const rank = x.shape.length;
  const [rows, columns] = x.shape.slice(-2);
  // Axes that are broadcast stay so.
  const batch = x.shape.slice(0, -2).map((n, d) => (x.strides[d] === 0 ? 1 : n));
  const out = make([...batch, rows, padded(columns)]);
  const w = new ShaderWriter("matmul (packing)");
  const { text, at } = w.coordinates(out.shape, "i", "c");
  const body =
    columns === padded(columns)
      ? text
      : `${text}\n  if (${at[rank - 1]} >= ${w.int(columns)}) { return 0.0; }`;
  const shape = x.shape.map((n, d) => (d < rank - 2 ? batch[d] : n));
  const value = w.input(x).element(w.position({ ...x, shape }, at));
  runElements(w, out, body, () => value);
  const strides = out.strides.map((s, d) => (d < rank - 2 && batch[d] !== x.shape[d] ? 0 : s));
  return { ...out, strides, shape: [...x.shape.slice(0, -1), padded(columns)] };
}

/** A view with the batch axes of `batch` in front, of strides 0 where it has one element. */
function broadcastBatch(x: GpuArray, batch: readonly number[]): GpuArray {
  const lead = batch.length - (x.shape.length - 2);
  const strides = batch.map((_, d) => (d < lead || x.shape[d - lead] === 1 ? 0 : x.strides[d - lead]));
  return { ...x, shape: [...batch, ...x.shape.slice(-2)], strides: [...strides, ...x.strides.slice(-2)] };
}

/** out = a · b (then the epilogue), batch axes broadcast; all float32. `out` is contiguous. */
export function product(label: string, a: GpuArray, b: GpuArray, out: GpuArray, epilogue?: Epilogue): void {
  if (sizeOf(out.shape) === 0) return;
  const batch = out.shape.slice(0, -2);
  const [m, n] = out.shape.slice(-2);
  const k = a.shape[a.shape.length - 1];
  if (k === 0) {
    const w = new ShaderWriter(label);
    const end = epilogue?.write(w) ?? "";
    const target = w.output(out);
    w.runItems(
      Math.ceil(sizeOf(out.shape) / 4),
      `var v = vec4f(0.0);\n  ${end}\n  ${target.vector("i", "v")}`,
    );
    return;
  }
  if (isLarge(m, n, k) && usesWorkgroups()) {
    tiledProduct(label, broadcastBatch(a, batch), broadcastBatch(b, batch), out, epilogue);
    return;
  }
  withScratch((make) => {
    let [x, y] = [broadcastBatch(a, batch), broadcastBatch(b, batch)];
    let [da, db] = [directionOf(x), directionOf(y)];
    // Behind the last of k zeros have to stand.
    if (da === null || (da === "across" && k % 4 !== 0)) {
      x = broadcastBatch(pack(a, make), batch);
      da = "along";
    }
    if (db === null) {
      y = broadcastBatch(pack(b, make), batch);
      db = "along";
    }
    run(label, x, da, y, db, out, m, n, k, epilogue);
  });
}

function run(
  label: string,
  ...[a, da, b, db, out, m, n, k, epilogue]: [
    a: GpuArray,
    da: Direction,
    b: GpuArray,
    db: Direction,
    out: GpuArray,
    m: number,
    n: number,
    k: number,
    epilogue: Epilogue | undefined,
  ]
): void {
  const tile = tileFor(m, n);
  const { rows, across, down } = tile;
  const vectors = db === "across" ? 1 : tile.vectors;
  const batch = out.shape.slice(0, -2);
  const count = sizeOf(batch);
  const w = new ShaderWriter(label);
  const [xs, ys] = [w.input(a), w.input(b)];
  const whole = n % 4 === 0;
  if (!whole && epilogue) throw new Error("an epilogue wants whole vectors");
  const target = w.output(out);
  const end = epilogue?.write(w) ?? "";
  const [mm, nn, kk, n4] = [m, n, Math.ceil(k / 4), Math.ceil(n / 4)].map((value) => w.int(value));
  const rank = batch.length;
  const view = (x: GpuArray): RemoteType => ({
    ...x,
    shape: x.shape.slice(0, rank),
    strides: x.strides.slice(0, rank),
  });
  const walk = collapse(batch, [view(a), view(b)]);
  const { text: batchText, at } = w.coordinates(walk.sizes, "z", "z");
  const base = (x: GpuArray, o: number): string =>
    w.position({ ...x, shape: walk.sizes, strides: walk.strides[o] }, at);
  const range = (length: number): number[] => Array.from({ length }, (_, i) => i);
  const [aRow, aColumn] = a.strides.slice(-2);
  const [bRow, bColumn] = b.strides.slice(-2);
  let head = "";
  let load = "";
  if (da === "along") {
    const stride = w.int(aRow / 4);
    head += range(rows)
      .map((i) => `  let pa${i} = oa + min(row + ${i}u, ${mm} - 1u) * ${stride};\n`)
      .join("");
    load += range(rows)
      .map((i) => `    let a${i} = ${xs.vector(`pa${i} + k`)};\n`)
      .join("");
  } else {
    // Vectors down the columns: four rows at each of four k.
    const stride = w.int(aColumn / 4);
    const lastRow = `(${mm} >> 2u) - 1u`;
    const groups = Math.ceil(rows / 4);
    for (const q of range(4))
      for (const g of range(groups))
        load += `    let t${q}_${g} = ${xs.vector(`oa + min((row >> 2u) + ${g}u, ${lastRow}) + (k * 4u + ${q}u) * ${stride}`)};\n`;
    for (const i of range(rows)) {
      const lanes = range(4).map((q) => `t${q}_${Math.floor(i / 4)}.${"xyzw"[i % 4]}`);
      load += `    let a${i} = vec4f(${lanes.join(", ")});\n`;
    }
  }
  let step = "";
  const sums = range(rows * vectors);
  if (db === "along") {
    const stride = w.int(bRow / 4);
    head += range(vectors)
      .map((j) => `  let pb${j} = ob + min(column + ${j}u, ${n4} - 1u);\n`)
      .join("");
    const size = k % 4 === 0 ? null : w.int(k);
    for (const q of range(4)) {
      for (const j of range(vectors)) {
        const value = ys.vector(`pb${j} + (k * 4u + ${q}u) * ${stride}`);
        step += `    let b${q}_${j} = ${size === null ? value : `select(vec4f(0.0), ${value}, k * 4u + ${q}u < ${size})`};\n`;
      }
      for (const i of range(rows))
        for (const j of range(vectors))
          step += `    s${i * vectors + j} += a${i}.${"xyzw"[q]} * b${q}_${j};\n`;
    }
  } else {
    const stride = w.int(bColumn / 4);
    for (const c of range(4)) {
      step += `    let b${c} = ${ys.vector(`ob + min(column * 4u + ${c}u, ${nn} - 1u) * ${stride} + k`)};\n`;
      for (const i of range(rows)) step += `    s${i}.${"xyzw"[c]} += dot(a${i}, b${c});\n`;
    }
  }
  const store = range(rows)
    .flatMap((i) =>
      range(vectors).map((j) => {
        const place = `(z * ${mm} + row + ${i}u)`;
        const s = `s${i * vectors + j}`;
        if (whole)
          return `  if (row + ${i}u < ${mm} && column + ${j}u < ${n4}) { let i = ${place} * ${n4} + column + ${j}u; var v = ${s}; ${end} ${target.vector("i", "v")} }`;
        const lanes = range(4)
          .map(
            (c) =>
              `if ((column + ${j}u) * 4u + ${c}u < ${nn}) { ${target.element(`p + ${c}u`, `v.${"xyzw"[c]}`)} }`,
          )
          .join(" ");
        return `  if (row + ${i}u < ${mm}) { let p = ${place} * ${nn} + (column + ${j}u) * 4u; let v = ${s}; ${lanes} }`;
      }),
    )
    .join("\n");
  const [gx, gy] = [Math.ceil(Math.ceil(n / 4) / vectors / across), Math.ceil(m / rows / down)];
  const zs = Math.min(count, 32768);
  const main = `@compute @workgroup_size(${across}, ${down}) fn main(@builtin(workgroup_id) g: vec3u, @builtin(local_invocation_id) l: vec3u) {
  let column = (g.x * ${across}u + l.x) * ${vectors}u;
  let row = (g.y * ${down}u + l.y) * ${rows}u;
  if (row >= ${mm} || column >= ${n4}) { return; }
  for (var z = g.z; z < ${w.int(count)}; z += ${zs}u) {
  ${batchText}
  let oa = (${base(a, 0)}) >> 2u; let ob = (${base(b, 1)}) >> 2u;
${head}${sums.map((i) => `  var s${i} = vec4f(0.0);`).join("\n")}
  for (var k = 0u; k < ${kk}; k++) {
${load}${step}  }
${store}
  }
}`;
  w.run(main.replace(`z += ${zs}u`, count > zs ? `z += ${zs}u` : "z += 32768u"), [gx, gy, zs]);
}

const floats = (inputs: readonly RemoteType[], outputs: readonly RemoteType[]): boolean =>
  [...inputs, ...outputs].every((x) => x.dtype === "float32" && fitsBinding(x));

export const matmulKernel: GpuKernel<object> = {
  op: "matmul",
  supports: floats,
  run: ([a, b], [out]) => product("matmul", a, b, out),
};
