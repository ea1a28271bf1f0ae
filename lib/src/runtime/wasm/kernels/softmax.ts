/** softmax and logSoftmax on the wasm device: one pass for the largest element, one for the sum, one for the results. */
import type { DType } from "../../../core/dtype.js";
import { isContiguous, permuteLayout } from "../../../core/layout.js";
import { sizeOf } from "../../../core/shape.js";
import type { HostArray } from "../../host-array.js";
import type { DeviceKernel, PreparedKernel } from "../../kernels.js";
import { launch, type PoolKernel } from "../../pool/pool.js";
import {
  type Expr,
  type Func,
  i32,
  type Local,
  laneOp,
  load,
  ModuleBuilder,
  op,
  shuffle,
} from "../assembler.js";
import { copyElements, withContiguous, withLayout, withTemporary } from "../copy.js";
import { wasmFeatures } from "../features.js";
import * as math from "../math.js";
import { compileKernels } from "../module.js";
import { Lanes, type V } from "../vector.js";

interface SoftmaxAttrs {
  readonly axis: number;
}

type Name = "softmax" | "logSoftmax";

const WORTH_A_THREAD = 12_000; // elements
const compiled = new Map<string, Record<"rows", PoolKernel>>();

export const softmaxKernels: readonly DeviceKernel<SoftmaxAttrs>[] = (["softmax", "logSoftmax"] as const).map(
  (name) => ({
    op: name,
    supports: ([x]) => x.dtype === "float32" || x.dtype === "float64",
    prepare: ([x], [out], { axis }) =>
      axis === x.shape.length - 1 && isContiguous(x) && sizeOf(x.shape) > 0
        ? prepareRows(name, x, out)
        : null,
    run([x], [out], { axis }) {
      if (sizeOf(x.shape) === 0) return;
      const last = x.shape.length - 1;
      if (axis === last) {
        withContiguous(x, (packed) => runRows(name, packed, out));
        return;
      }
      const order = [...x.shape.map((_, i) => i).filter((i) => i !== axis), axis];
      withLayout(x, permuteLayout(x, order), (packed) => {
        withTemporary(out, packed.shape, (result) => {
          runRows(name, packed, result);
          const back = order.map((_, i) => order.indexOf(i));
          copyElements({ ...result, ...permuteLayout(result, back) }, out);
        });
      });
    },
  }),
);

function runRows(name: Name, x: HostArray, out: HostArray): void {
  prepareRows(name, x, out).run(0);
}

function prepareRows(name: Name, x: HostArray, out: HostArray): PreparedKernel {
  const n = x.shape[x.shape.length - 1];
  const bytes = x.dtype === "float32" ? 4 : 8;
  const kernel = kernelFor(name, x.dtype);
  const [rows, grain] = [sizeOf(x.shape) / n, Math.max(1, Math.ceil(WORTH_A_THREAD / n))];
  const run = (): void =>
    launch(kernel, [x.ptr + x.offset * bytes, out.ptr + out.offset * bytes, n], rows, grain);
  return { run };
}

function kernelFor(name: Name, dtype: DType): PoolKernel {
  const key = `${name} ${dtype}`;
  let kernels = compiled.get(key);
  if (!kernels) {
    const module = new ModuleBuilder();
    module.func("rows", ["i32", "i32", "i32", "i32", "i32", "i32"], null, (f) =>
      buildRows(new Row(f, dtype === "float32"), name),
    );
    kernels = compileKernels(module, ["rows"]);
    compiled.set(key, kernels);
  }
  return kernels.rows;
}

/** Walks a row vector by vector; what is left over is read one element in every lane, of which lane 0 counts. */
export class Row {
  readonly k: Lanes;
  readonly bytes: number;
  readonly width: number;

  constructor(
    readonly f: Func,
    private readonly single: boolean,
  ) {
    this.k = new Lanes(f, single ? "f32x4" : "f64x2", wasmFeatures().relaxed);
    this.bytes = single ? 4 : 8;
    this.width = 16 / this.bytes;
  }

  walk(
    n: Expr<"i32">,
    pointers: readonly (readonly [Local<"i32">, Expr<"i32">])[],
    body: (x: V, single: boolean) => void,
  ): void {
    const { f } = this;
    const j = f.let(i32(0));
    for (const [pointer, start] of pointers) f.set(pointer, start);
    const advance = (bytes: number) => {
      for (const [pointer] of pointers) f.set(pointer, op("i32.add", pointer, i32(bytes)));
    };
    const whole = f.let(op("i32.and", n, i32(-this.width)));
    f.for(j, whole, this.width, () => {
      body(f.let(load("v128.load", pointers[0][0])), false);
      advance(16);
    });
    f.for(j, n, 1, () => {
      body(f.let(load(this.single ? "v128.load32_splat" : "v128.load64_splat", pointers[0][0])), true);
      advance(this.bytes);
    });
  }

  store(at: Expr<"i32">, x: V, single: boolean): void {
    if (!single) this.f.store("v128.store", at, x);
    else this.f.store(this.single ? "v128.store32_lane" : "v128.store64_lane", at, x);
  }

  /** `combine` over all lanes, in every lane. */
  across(x: Local<"v128">, combine: (a: V, b: V) => V): void {
    const { f } = this;
    f.set(x, combine(x, shuffle([8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7], x, x)));
    if (this.single)
      f.set(x, combine(x, shuffle([4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11], x, x)));
  }

  /** Lane 0 in every lane. */
  spread(x: V): V {
    if (this.single) return op("f32x4.splat", laneOp("f32x4.extract_lane", 0, x));
    return op("f64x2.splat", laneOp("f64x2.extract_lane", 0, x));
  }
}

/** rows(in, out, n | from, to, scratch): items are rows of n elements. */
function buildRows(r: Row, name: Name): void {
  const { f, k } = r;
  const [source, target, n, from, to] = [0, 1, 2, 3, 4].map((i) => f.param<"i32">(i));
  const row = f.let(from);
  const [x0, y0, x, y] = [0, 0, 0, 0].map(() => f.local("i32"));
  const [top, sum, tail] = [0, 0, 0].map(() => f.local("v128"));
  const length = f.let(op("i32.mul", n, i32(r.bytes)));
  f.for(row, to, 1, () => {
    f.set(x0, op("i32.add", source, op("i32.mul", row, length)));
    f.set(y0, op("i32.add", target, op("i32.mul", row, length)));
    f.set(top, k.splat(Number.NEGATIVE_INFINITY));
    r.walk(n, [[x, x0]], (v) => f.set(top, k.bin("max", top, v)));
    r.across(top, (a, b) => k.bin("max", a, b));
    f.set(sum, k.splat(0));
    f.set(tail, k.splat(0));
    r.walk(
      n,
      [
        [x, x0],
        [y, y0],
      ],
      (v, single) => {
        const e = f.let(math.exp(k, k.hold(k.bin("sub", v, top))));
        if (name === "softmax") r.store(y, e, single);
        const total = single ? tail : sum;
        f.set(total, k.bin("add", total, e));
      },
    );
    r.across(sum, (a, b) => k.bin("add", a, b));
    f.set(sum, k.bin("add", sum, r.spread(tail)));
    if (name === "softmax") {
      r.walk(n, [[y, y0]], (v, single) => r.store(y, k.bin("div", v, sum), single));
      return;
    }
    f.set(sum, math.log(k, sum));
    r.walk(
      n,
      [
        [x, x0],
        [y, y0],
      ],
      (v, single) => r.store(y, k.bin("sub", k.bin("sub", v, top), sum), single),
    );
  });
}
