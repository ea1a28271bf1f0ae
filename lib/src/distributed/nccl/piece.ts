/** Tensors' elements on a device, as NCCL takes them. */
import { bytesPerElement, type DType } from "../../core/dtype.js";
import { type NcclArray, NcclType, type NcclTypeName } from "../../runtime/cuda/nccl.js";
import type { DenseTensor } from "../../runtime/dense.js";
import type { Storage } from "../../runtime/storage.js";

/** Elements on the device. */
export class Piece {
  readonly array: NcclArray;

  constructor(
    readonly storage: Storage,
    address: number,
    private readonly dtype: DType,
    size: number,
    readonly tensor: DenseTensor,
  ) {
    const [type, width] = typeOf(dtype);
    this.array = { address, count: size * width, type };
  }

  /** Parts of so many rows each, of `row` elements. */
  parts(rows: readonly number[], row: number): NcclArray[] {
    const bytes = row * bytesPerElement(this.dtype);
    const [type, width] = typeOf(this.dtype);
    let at = this.array.address;
    return rows.map((n) => {
      const part = { address: at, count: n * row * width, type };
      at += n * bytes;
      return part;
    });
  }
}

/** NCCL's type, and how many of it an element is: what NCCL does not know travels as bytes. */
function typeOf(dtype: DType): [type: NcclTypeName, width: number] {
  return Object.hasOwn(NcclType, dtype) ? [dtype as NcclTypeName, 1] : ["uint8", bytesPerElement(dtype)];
}
