/** Storage: a counted piece of the host heap. Tensors, their views and tapes share it; the last one gives it back. */
import { bytesPerElement, type DType, type HostData, hostView } from "../core/dtype.js";
import { DisposedError } from "../core/errors.js";
import { allocate, memory, release } from "./heap.js";

export class Storage {
  readonly ptr: number;
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
