/**
 * Storage: a counted piece of memory. Tensors, their views and tapes share it; the last one gives it back. It lies in the
 * host heap, on a device that has a memory of its own, or on both as long as neither is written.
 */
import { bytesPerElement, type DType, encodingOf, type HostData, hostView } from "../core/dtype.js";
import { DisposedError, MlsysError } from "../core/errors.js";
import { adopt, allocate, type BlockOwner, giveUp, memory, release } from "./heap.js";
import { type Remote, RemoteCopy } from "./remote.js";

export class Storage {
  readonly byteLength: number;
  private references = 1;
  /** Address in the host heap; 0: the elements are on a device only. */
  private address = 0;
  private view: HostData | null = null;
  private copy: RemoteCopy | null = null;
  private owner: BlockOwner | undefined;
  /** The elements are somewhere else for now (see `discard`). */
  private discarded = false;

  constructor(
    readonly dtype: DType,
    /** Number of elements. */
    readonly length: number,
    /** Where it is to lie at first: nowhere in the host heap before the host reads or writes it. */
    home?: Remote,
    /** Elements that are there, cut from the heap by another thread. */
    block?: { readonly address: number; readonly owner: BlockOwner },
  ) {
    this.byteLength = length * bytesPerElement(dtype);
    if (block) {
      adopt(this.byteLength);
      this.address = block.address;
      this.owner = block.owner;
    } else if (home === undefined) this.address = allocate(this.byteLength);
  }

  /** Byte address in the host heap, to be read. */
  get readable(): number {
    if (this.address === 0) this.toHost();
    return this.address;
  }

  /** Byte address in the host heap, to be read and written. */
  get ptr(): number {
    if (this.address === 0) this.toHost();
    if (this.copy !== null) this.forgetCopy();
    return this.address;
  }

  /** The elements in place, to be read; of encoded dtypes (int64, float16, bfloat16) the carrier's, see `numbers` and `write`. */
  get elements(): HostData {
    if (this.view !== null) return this.view;
    const ptr = this.readable; // first: the memory may grow for it, and its buffer is another then
    this.view = hostView(this.dtype, memory.buffer, ptr, this.length);
    return this.view;
  }

  /** The elements in place, to be read and written. */
  get data(): HostData {
    if (this.copy !== null) void this.ptr;
    return this.elements;
  }

  /** The elements as numbers: in place, or decoded into a copy. */
  numbers(): HostData {
    const ptr = this.readable;
    return encodingOf(this.dtype)?.decode(memory.buffer, ptr, this.length) ?? this.elements;
  }

  /** Writes numbers, from element `at` on. */
  write(values: ArrayLike<number>, at = 0): void {
    const { data, ptr } = this;
    const encoding = encodingOf(this.dtype);
    if (encoding) encoding.encode(values, memory.buffer, ptr + at * bytesPerElement(this.dtype));
    else if (this.dtype === "bool") for (let i = 0; i < values.length; i++) data[at + i] = values[i] ? 1 : 0;
    else data.set(values, at);
  }

  /** Writes one number everywhere. */
  fill(value: number): void {
    if (encodingOf(this.dtype)) this.write(new Float64Array(this.length).fill(value));
    else this.data.fill(value);
  }

  /** The bytes in place, to be read and written. */
  bytes(): Uint8Array {
    const { ptr } = this;
    return new Uint8Array(memory.buffer, ptr, this.byteLength);
  }

  /** The bytes in place, to be read. */
  readableBytes(): Uint8Array {
    const ptr = this.readable;
    return new Uint8Array(memory.buffer, ptr, this.byteLength);
  }

  /** The device's name for the elements, to be read by its kernels; they are brought there if they aren't. */
  on(remote: Remote): unknown {
    if (this.copy?.isOn(remote)) return this.copy.handle;
    const ptr = this.address === 0 && this.copy === null ? 0 : this.readable;
    this.forgetCopy();
    const copy = this.allocateOn(remote);
    if (ptr !== 0) copy.upload(ptr);
    this.copy = copy;
    return copy.handle;
  }

  /** The device's name for the elements, to be written whole by its kernels; what was there is forgotten. */
  writtenOn(remote: Remote): unknown {
    if (!this.copy?.isOn(remote)) {
      const copy = this.allocateOn(remote);
      this.forgetCopy();
      this.copy = copy;
    }
    this.forgetAddress();
    return (this.copy as RemoteCopy).handle;
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
    if (this.references === 0 || --this.references > 0) return;
    this.forgetAddress();
    this.forgetCopy();
  }

  private allocateOn(remote: Remote): RemoteCopy {
    return new RemoteCopy(remote, this.byteLength, this.dtype, this.length);
  }

  private toHost(): void {
    if (this.references === 0) throw new DisposedError("this tensor's memory was given back");
    if (this.discarded)
      throw new DisposedError(
        "this tensor's elements are not here at the moment: it is a parameter of a sharded unit, read outside of the unit's forward and backward",
      );
    const address = allocate(this.byteLength);
    try {
      this.copy?.download(address);
    } catch (error) {
      release(address, this.byteLength);
      throw error;
    }
    this.address = address;
  }

  private forgetCopy(): void {
    const { copy } = this;
    this.copy = null;
    copy?.free();
  }

  private forgetAddress(): void {
    if (this.address === 0) return;
    const { address } = this;
    this.address = 0;
    this.view = null;
    release(address, this.byteLength, this.owner);
  }

  /** Handles, views and tapes that have it. */
  get owners(): number {
    return this.references;
  }

  /** Gives the memory back while handles, views and tapes stay: they can be read again after `refill`. */
  discard(): void {
    this.forgetAddress();
    this.forgetCopy();
    this.discarded = true;
  }

  /** Takes over the memory and the elements of another storage, as long as this one, that nobody else has. */
  refill(from: Storage): void {
    if (from.byteLength !== this.byteLength || from.shared || !this.alive)
      throw new MlsysError(
        `refill: ${this.byteLength} bytes wanted, of a storage of its own; got ${from.byteLength}, ${from.owners} owners`,
      );
    const address = from.readable;
    this.discard();
    this.discarded = false;
    this.address = address;
    this.owner = from.owner;
    from.address = 0;
    from.view = null;
    from.discarded = true;
    from.forgetCopy();
  }

  /** Leaves the block to another thread: nobody here may read it any more. @returns its address */
  handOver(): number {
    const { readable: address } = this;
    this.forgetCopy();
    this.address = 0;
    this.view = null;
    giveUp(this.byteLength);
    return address;
  }
}
