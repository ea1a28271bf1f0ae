/** takeAlongAxis and its transpose along the last axis of row-major arrays: what a cross entropy picks from each row. */
import { encodingOf } from "../../../core/dtype.js";
import { isContiguous } from "../../../core/layout.js";
import { sizeOf } from "../../../core/shape.js";
import type { HostArray } from "../../host-array.js";
import type { DeviceKernel } from "../../kernels.js";

const simple = (x: HostArray): boolean => isContiguous(x) && !encodingOf(x.dtype);

/** An index outside its axis is left to the reference kernel, whose error says which. */
function inRange(index: HostArray, size: number): boolean {
  const { data, offset } = index;
  for (let i = offset, end = offset + sizeOf(index.shape); i < end; i++)
    if (data[i] < -size || data[i] >= size) return false;
  return true;
}

export const alongAxisKernels: readonly DeviceKernel<never>[] = [
  {
    op: "takeAlongAxis",
    allocates: false,
    supports: ([x, index], _out, { axis }: { axis: number }) => {
      const last = x.shape.length - 1;
      const rows = index.shape.length === x.shape.length && sameRows(x, index);
      return axis === last && rows && simple(x) && simple(index) && inRange(index, x.shape[last]);
    },
    run([x, index], [out]) {
      const [from, to] = [x.shape[x.shape.length - 1], index.shape[index.shape.length - 1]];
      const rows = sizeOf(index.shape) / Math.max(1, to);
      const [source, at, target] = [x.data, index.data, out.data];
      for (let r = 0, k = 0; r < rows; r++)
        for (let j = 0; j < to; j++, k++) {
          const i = at[index.offset + k];
          target[out.offset + k] = source[x.offset + r * from + (i < 0 ? i + from : i)];
        }
    },
  } satisfies DeviceKernel<{ axis: number }>,
  {
    op: "scatterAddAlongAxis",
    allocates: false,
    supports: ([index, values], [out], { axis, size }: { axis: number; size: number }) =>
      axis === out.shape.length - 1 &&
      index.shape.join() === values.shape.join() &&
      simple(index) &&
      simple(values) &&
      inRange(index, size),
    run([index, values], [out], { size }) {
      const columns = index.shape[index.shape.length - 1];
      const rows = sizeOf(index.shape) / Math.max(1, columns);
      const [at, source, target] = [index.data, values.data, out.data];
      target.fill(0, out.offset, out.offset + sizeOf(out.shape));
      for (let r = 0, k = 0; r < rows; r++)
        for (let j = 0; j < columns; j++, k++) {
          const i = at[index.offset + k];
          target[out.offset + r * size + (i < 0 ? i + size : i)] += source[values.offset + k];
        }
    },
  } satisfies DeviceKernel<{ axis: number; size: number }>,
] as readonly DeviceKernel<never>[];

function sameRows(x: HostArray, index: HostArray): boolean {
  for (let d = 0; d < x.shape.length - 1; d++) if (x.shape[d] !== index.shape[d]) return false;
  return true;
}
