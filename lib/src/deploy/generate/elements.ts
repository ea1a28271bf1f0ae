/** Elements of what an op gave, where kernels reach them. */
import { isContiguous } from "../../core/layout.js";
import type { Tensor } from "../../core/tensor.js";
import { needConcrete } from "../../ops/read.js";
import { type DenseTensor, denseFrom, readElements } from "../../runtime/dense.js";

/** The tensor with memory, row-major in the heap: `data` starts at byte `ptr` of it. */
export function elementsOf(x: Tensor): { dense: DenseTensor; data: Float32Array; ptr: number } {
  const found = needConcrete(x, "GenerationEngine");
  const dense = isContiguous(found)
    ? found
    : denseFrom(found.toTypedArray(), found.shape, found.dtype, found.device);
  const data = readElements(dense) as Float32Array;
  return { dense, data, ptr: data.byteOffset };
}
