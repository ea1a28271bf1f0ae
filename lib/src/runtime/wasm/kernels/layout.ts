/** Ops that arrange elements anew, where a view does not do: strided copies on the wasm device. */
import { encodingOf } from "../../../core/dtype.js";
import {
  broadcastLayout,
  contiguousStrides,
  isContiguous,
  type Layout,
  permuteLayout,
  sliceLayout,
} from "../../../core/layout.js";
import { type Shape, sizeOf } from "../../../core/shape.js";
import { type HostArray, withLayoutOf } from "../../host-array.js";
import type { DeviceKernel } from "../../kernels.js";
import { copyElements, prepareCopy } from "../copy.js";

interface SliceAttrs {
  readonly starts: readonly number[];
  readonly sizes: readonly number[];
  readonly steps: readonly number[];
}

const copyKernel = <A>(op: string, view: (x: Layout, attrs: A) => Layout): DeviceKernel<A> => ({
  op,
  run: ([x], [out], attrs) => copyElements(withLayoutOf(x, view(x, attrs)), out),
  prepare: ([x], [out], attrs) => prepareCopy(x, view(x, attrs), out),
});

export const layoutKernels: readonly DeviceKernel<never>[] = [
  copyKernel<object>("reshape", (x) => x),
  copyKernel<{ readonly shape: Shape }>("broadcastTo", (x, { shape }) =>
    broadcastLayout(x, shape, "broadcastTo"),
  ),
  copyKernel<{ readonly axes: readonly number[] }>("transpose", (x, { axes }) => permuteLayout(x, axes)),
  copyKernel<SliceAttrs>("slice", (x, { starts, sizes, steps }) => sliceLayout(x, starts, sizes, steps)),
  takeRows(),
];

/** take along the first axis of contiguous rows: whole rows are copied. */
function takeRows(): DeviceKernel<{ readonly axis: number }> {
  return {
    op: "take",
    allocates: false,
    supports: ([x, index], _out, { axis }) =>
      axis === 0 && !encodingOf(x.dtype) && rowsContiguous(x) && isContiguous(index) && inRange(index, x),
    run([x, index], [out]) {
      const row = sizeOf(x.shape.slice(1));
      const count = sizeOf(index.shape);
      for (let i = 0; i < count; i++) {
        const raw = index.data[index.offset + i];
        const at = x.offset + (raw < 0 ? raw + x.shape[0] : raw) * x.strides[0];
        out.data.set(x.data.subarray(at, at + row), i * row);
      }
    },
  };
}

function rowsContiguous({ shape, strides }: HostArray): boolean {
  const inner = contiguousStrides(shape.slice(1));
  return shape.length > 1 && shape.slice(1).every((dim, i) => dim === 1 || strides[i + 1] === inner[i]);
}

/** An index outside its axis is left to the reference kernel, whose error says which. */
function inRange(index: HostArray, x: HostArray): boolean {
  for (let i = 0; i < sizeOf(index.shape); i++) {
    const at = index.data[index.offset + i];
    if (at < -x.shape[0] || at >= x.shape[0]) return false;
  }
  return true;
}
