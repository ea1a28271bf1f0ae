/** Elements as bytes: V8's structured clone, with tensors as dtype, shape and bytes. */
import { deserialize, serialize } from "node:v8";
import { checkDType } from "../../core/dtype.js";
import { MlsysError } from "../../core/errors.js";
import type { Shape } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { flatten, type TreeDef, unflatten } from "../../core/tree.js";
import { DenseTensor, denseFromBytes, elementBytes } from "../../runtime/dense.js";
import { getDevice } from "../../runtime/devices.js";

interface TensorBytes {
  readonly dtype: string;
  readonly shape: Shape;
  readonly bytes: Uint8Array;
}

/** @throws MlsysError for what no bytes stand for: functions, symbols, class instances that are nodes of trees. */
export function encodeElement(item: unknown): Uint8Array {
  const { leaves, def } = flatten(item);
  try {
    if (leaves.length === 0) return serialize({ value: item });
    const tensors = leaves.map((leaf): TensorBytes => {
      if (!(leaf instanceof DenseTensor)) throw new MlsysError("a tensor without memory of its own");
      return { dtype: leaf.dtype, shape: leaf.shape, bytes: elementBytes(leaf) };
    });
    return serialize({ def, tensors });
  } catch (cause) {
    throw new MlsysError(`dataset: cache cannot keep an element: ${(cause as Error).message}`, { cause });
  }
}

/** @throws MlsysError naming `path` if the bytes are damaged */
export function decodeElement(bytes: Uint8Array, path: string): unknown {
  try {
    const record = deserialize(bytes) as { value?: unknown; def?: TreeDef; tensors?: TensorBytes[] };
    if (!record.def || !record.tensors) return record.value;
    const leaves = record.tensors.map(({ dtype, shape, bytes: b }) =>
      denseFromBytes(b, shape, checkDType(dtype, "cache"), getDevice()),
    );
    return unflatten(record.def, leaves satisfies Tensor[]);
  } catch (cause) {
    throw new MlsysError(`dataset: the cache ${path} is damaged; delete it: ${(cause as Error).message}`, {
      cause,
    });
  }
}
