/** Storage: a counted piece of the host heap. Tensors, their views and tapes share it; the last one gives it back. */
import { bytesPerElement, type DType, encodingOf, type HostData, hostView } from "../core/dtype.js";
import { DisposedError } from "../core/errors.js";
import { allocate, memory, release } from "./heap.js";

export class Storage {
  readonly ptr: number;
  /** The elements in place; of encoded dtypes (int64, float16, bfloat16) the carrier's, see `numbers` and `write`. */
  readonly data: HostData;
  private references = 1;

  constructor(
    readonly dtype: DType,
    /** Number of elements. */
    readonly length: number,
  ) {
    this.ptr = allocate(length * bytesPerElement(dtype));
    this.data = hostView(dtype, memory.buffer, this.ptr, length);
  }

  /** The elements as numbers: in place, or decoded into a copy. */
  numbers(): HostData {
    return encodingOf(this.dtype)?.decode(memory.buffer, this.ptr, this.length) ?? this.data;
  }

  /** Writes numbers, from element `at` on. */
  write(values: ArrayLike<number>, at = 0): void {
    const encoding = encodingOf(this.dtype);
    if (encoding) encoding.encode(values, memory.buffer, this.ptr + at * bytesPerElement(this.dtype));
    else if (this.dtype === "bool")
      for (let i = 0; i < values.length; i++) this.data[at + i] = values[i] ? 1 : 0;
    else this.data.set(values, at);
  }

  /** Writes one number everywhere. */
  fill(value: number): void {
    if (encodingOf(this.dtype)) this.write(new Float64Array(this.length).fill(value));
    else this.data.fill(value);
  }

  /** The bytes in place. */
  bytes(): Uint8Array {
    return new Uint8Array(memory.buffer, this.ptr, this.length * bytesPerElement(this.dtype));
  }

  /** True if more than one handle, view or tape has it. */
  get shared(): boolean {
    return this.references > 1;
  }

  get alive(): boolean {
    return this.references > 0;
  }

  /** Counts one more owner. @throws DisposedError if the memory was given back. */
  retain(): this {
    if (this.references === 0) throw new DisposedError("this tensor's memory was given back");
    this.references++;
    return this;
  }

  /** Counts one owner less; the last one gives the memory back. */
  drop(): void {
    if (this.references > 0 && --this.references === 0)
      release(this.ptr, this.length * bytesPerElement(this.dtype));
  }
}
