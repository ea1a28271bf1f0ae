/** DenseTensor: a tensor with memory behind it. Metadata is immutable; the elements are in a shared Storage. */
import { bytesPerElement, type DType, type HostData, isDType } from "../core/dtype.js";
import { DisposedError, DTypeError, ShapeError } from "../core/errors.js";
import { contiguousLayout, isContiguous, type Layout } from "../core/layout.js";
import { formatShape, formatType, type Shape, sizeOf } from "../core/shape.js";
import { Tensor } from "../core/tensor.js";
import { elementPositions, type HostArray, hostArray, packed } from "./host-array.js";
import type { Lease } from "./lease.js";
import { remoteOf } from "./remote.js";
import { Storage } from "./storage.js";
import { collect, forget, track } from "./tidy.js";

export class DenseTensor extends Tensor implements Layout {
  readonly shape: Shape;
  readonly strides: readonly number[];
  readonly offset: number;
  readonly trace = null;
  private disposed = false;
  private collected = false;
  private lease: Lease | null = null;
  /** Stays reachable as long as this handle is. */
  protected owner: object | null = null;

  /** Takes over one reference to `storage`. */
  constructor(
    readonly storage: Storage,
    layout: Layout,
    readonly device: string,
    /** False: neither scopes nor the garbage collector look after this handle; its owner does (see `retained`). */
    tracked = true,
  ) {
    super();
    this.shape = layout.shape;
    this.strides = layout.strides;
    this.offset = layout.offset;
    if (tracked) track(this);
  }

  get dtype(): DType {
    return this.storage.dtype;
  }

  get isDisposed(): boolean {
    return this.disposed || !this.storage.alive;
  }

  /** What kernels of the host get. @throws DisposedError after `dispose()`. */
  host(): HostArray {
    this.needAlive();
    return hostArray(this.storage, this);
  }

  /** The same, to change elements that are there: copies on devices are forgotten. */
  hostToChange(): HostArray {
    this.needAlive();
    void this.storage.ptr;
    return hostArray(this.storage, this);
  }

  /** @throws DisposedError after `dispose()`. */
  needAlive(): void {
    if (!this.isDisposed) return;
    throw new DisposedError(
      `a ${formatType(this)} tensor was used after dispose() or after the tidy() that made it`,
    );
  }

  /** True for the present value of an owner that changes it. */
  get isLeased(): boolean {
    return this.lease !== null;
  }

  override retained(): DenseTensor {
    return new DenseTensor(this.storage.retain(), this, this.device, false);
  }

  /**
   * A handle of its own for `owner`, whose memory the owner's lease looks after once it has taken it. It stays valid while
   * the owner or the handle is reachable.
   */
  leased(owner: object, lease: Lease): DenseTensor {
    const handle = this.retained();
    handle.lease = lease;
    handle.owner = owner;
    return handle;
  }

  /** Gives this handle back, and the lease the next one's memory. The owner must have the next one by then: an interrupt may come at any call. */
  replacedBy(next: DenseTensor): void {
    this.disposed = true;
    this.lease?.take(next.storage)?.drop();
  }

  override release(): void {
    this.dispose();
  }

  override parts(visit: (part: DenseTensor) => void): void {
    visit(this);
  }

  /** For scopes: from now on the garbage collector looks after this handle. */
  collectable(): void {
    if (this.disposed || this.collected || this.lease) return;
    this.collected = true;
    collect(this, this.storage);
  }

  /** A copy of the elements, row-major. */
  override toTypedArray(): HostData {
    return packed(this.host());
  }

  /** Gives this handle back; the memory is freed when no view and no tape needs it. Safe to call twice. */
  override dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    if (this.collected) forget(this);
    if (this.lease) this.lease.drop();
    else this.storage.drop();
  }

  override [Symbol.dispose](): void {
    this.dispose();
  }
}

/** An uninitialized contiguous tensor. */
export function emptyDense(shape: Shape, dtype: DType, device: string): DenseTensor {
  const size = sizeOf(shape);
  if (!(size >= 0))
    throw new ShapeError(`a tensor cannot have the shape [${shape}]: dimensions are whole numbers from 0`); // NaN would corrupt the heap
  return new DenseTensor(new Storage(dtype, size, remoteOf(device)), contiguousLayout(shape), device);
}

/** Copies `values` (row-major) into a new tensor. @throws ShapeError if their number does not match `shape`. */
export function denseFrom(
  values: ArrayLike<number>,
  shape: Shape,
  dtype: DType,
  device: string,
): DenseTensor {
  if (!isDType(dtype)) throw new DTypeError(`unknown dtype ${JSON.stringify(dtype)}`);
  if (values.length !== sizeOf(shape)) {
    throw new ShapeError(
      `${values.length} values do not fill the shape ${formatShape(shape)} (${sizeOf(shape)} elements)`,
    );
  }
  const out = emptyDense(shape, dtype, device);
  out.storage.write(values);
  return out;
}

/** A tensor of these bytes: little-endian elements, row-major. @throws ShapeError if they do not fill `shape`. */
export function denseFromBytes(bytes: Uint8Array, shape: Shape, dtype: DType, device: string): DenseTensor {
  const wanted = sizeOf(shape) * bytesPerElement(dtype);
  if (bytes.length !== wanted)
    throw new ShapeError(`${bytes.length} bytes do not fill ${dtype}${formatShape(shape)} (${wanted} bytes)`);
  const out = emptyDense(shape, dtype, device);
  out.storage.bytes().set(bytes);
  return out;
}

/** The elements' bytes, little-endian, row-major: a copy. */
export function elementBytes(tensor: DenseTensor): Uint8Array {
  tensor.needAlive();
  const { storage, offset, size } = tensor;
  const width = bytesPerElement(storage.dtype);
  const from = storage.readableBytes();
  if (isContiguous(tensor)) return from.slice(offset * width, (offset + size) * width);
  const out = new Uint8Array(size * width);
  elementPositions(tensor).forEach((at, i) => {
    for (let k = 0; k < width; k++) out[i * width + k] = from[at * width + k];
  });
  return out;
}

/** A view of the same storage under another layout. */
export function viewOf(base: DenseTensor, layout: Layout): DenseTensor {
  return new DenseTensor(base.storage.retain(), layout, base.device);
}

/** The elements in place if they lie row-major (do not write to them), else a copy. */
export function readElements(tensor: DenseTensor): HostData {
  const host = tensor.host();
  return isContiguous(host) ? host.data.subarray(host.offset, host.offset + tensor.size) : packed(host);
}
