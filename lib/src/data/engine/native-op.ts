/** Ops in C: compiled once, loaded by every thread, called on the shared memory. (Book, chapter 7: user-defined ops.) */
import type { DType } from "../../core/dtype.js";
import { DeviceError, DTypeError, ShapeError, ValueError } from "../../core/errors.js";
import { isContiguous } from "../../core/layout.js";
import { formatShape, type Shape, sizeOf } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { DenseTensor, elementBytes, emptyDense } from "../../runtime/dense.js";
import { getDevice } from "../../runtime/devices.js";
import { memory } from "../../runtime/heap.js";
import { foreignFunction, nativeSupport } from "../../runtime/native/library.js";
import { buildLibrarySync } from "../../runtime/native/toolchain.js";
import { madeBy } from "../dataset/node.js";

export interface NativeOpOptions {
  /**
   * C, with a function `void name(const T *in, U *out, const long long *shape, int rank, const double *params)`: `in` and
   * `shape` are the tensor's, row-major; `out` is to be filled.
   */
  readonly source: string;
  readonly name: string;
  /** Of the tensors that it takes. Default float32. */
  readonly dtype?: DType;
  /** Of the result. Default: that of the tensor. */
  readonly outDtype?: DType;
  /** Of the result; −1 stands for the tensor's own size in that axis. Default: that of the tensor. */
  readonly outShape?: Shape;
  readonly params?: readonly number[];
}

/**
 * Whether this machine can compile and load ops in C.
 * @example typeof data.nativeOpSupport() // "boolean"
 */
export const nativeOpSupport = (): boolean => typeof nativeSupport() !== "string";

/**
 * A function of tensors in C, for `map`: compiled at once, kept on disk, and loaded by each thread for itself.
 * @throws DeviceError with the compiler's message, or if there is no compiler or no `koffi`. Its calls throw DTypeError for
 *   tensors of another dtype.
 * @example
 * const source = "void half(const float *in, float *out, const long long *shape, int rank, const double *p) { out[0] = in[0] / 2; }";
 * data.nativeOpSupport() ? data.nativeOp({ source, name: "half" })(tensor([3])).item() : 1.5 // 1.5
 */
export function nativeOp(options: NativeOpOptions): (x: Tensor) => Tensor {
  const tools = nativeSupport();
  if (typeof tools === "string")
    throw new DeviceError(`nativeOp: ${options.name} can't be compiled: ${tools}`);
  if (!/^[A-Za-z_]\w*$/.test(options.name))
    throw new ValueError(`nativeOp: ${JSON.stringify(options.name)} is no name of a C function`);
  const path = buildLibrarySync(options.source, tools);
  return loadNativeOp(path, options);
}

/** The op from a library that is there. */
export function loadNativeOp(path: string, options: NativeOpOptions): (x: Tensor) => Tensor {
  const { name, dtype = "float32", outDtype = dtype, outShape, params = [] } = options;
  const call = foreignFunction(path, name, "void", ["void *", "void *", "void *", "int", "void *"]);
  const numbers = Float64Array.from(params);
  const f = (x: Tensor): Tensor => {
    if (!(x instanceof DenseTensor) || x.dtype !== dtype)
      throw new DTypeError(`${name}: takes ${dtype}, got ${x?.type ?? typeof x}`);
    const shape = outShape ? outShape.map((size, axis) => (size === -1 ? x.shape[axis] : size)) : x.shape;
    if (shape.some((size) => !(size >= 0)))
      throw new ShapeError(`${name}: its result would have the shape ${formatShape(shape)}, of ${x.type}`);
    const out = emptyDense(shape, outDtype, getDevice());
    const bytes = isContiguous(x)
      ? new Uint8Array(
          memory.buffer,
          x.storage.readable + (x.offset * x.storage.byteLength) / x.storage.length,
        )
      : elementBytes(x);
    if (sizeOf(shape) > 0)
      call(bytes, out.storage.bytes(), BigInt64Array.from(x.shape.map(BigInt)), x.shape.length, numbers);
    return out;
  };
  Object.defineProperty(f, "name", { value: name });
  return madeBy(f, { module: import.meta.url, name: "loadNativeOp", args: [path, options] });
}
