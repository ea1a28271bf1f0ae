/** Convolution as one product: each output pixel's patch becomes a column (Chellapilla et al. 2006). Takes every geometry. */
import { hostView } from "../../core/dtype.js";
import { contiguousLayout } from "../../core/layout.js";
import { sizeOf } from "../../core/shape.js";
import { memory } from "../../runtime/heap.js";
import type { HostArray } from "../../runtime/host-array.js";
import { columnsBytes, convByColumns } from "../../runtime/wasm/kernels/conv.js";
import { type ConvAlgorithm, together } from "./algorithm.js";
import { type ConvGeometry, definitionWork, outputOf } from "./geometry.js";

export const im2col: ConvAlgorithm = {
  name: "im2col",
  about: "patches laid out as columns, one product",
  refuses: () => null,
  multiplications: definitionWork,
  workspace: (g) => columnsBytes(arrays(g, 0, 0, 0), g),
  prepare: (g) =>
    together([], (x, w, y) => {
      convByColumns(arrays(g, x, w, y), g);
    }),
};

/** The operands as kernels of the device know them. */
function arrays(
  g: ConvGeometry,
  x: number,
  w: number,
  y: number,
): readonly [HostArray, HostArray, HostArray] {
  const array = (shape: readonly number[], ptr: number): HostArray => ({
    ...contiguousLayout(shape),
    dtype: "float32",
    ptr,
    data: hostView("float32", memory.buffer, ptr, sizeOf(shape)),
  });
  return [
    array([g.n, g.channels, g.height, g.width], x),
    array([g.filters, g.channels / g.groups, ...g.kernel], w),
    array([g.n, g.filters, ...outputOf(g)], y),
  ];
}
