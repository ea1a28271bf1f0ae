/**
 * Memory of the device `tfjs`: a piece holds one tensor of TensorFlow.js, of any shape, whose row-major elements are the
 * storage's. Dtypes that both have map to themselves: float32, int32, bool. Tensors of the others stay with the host.
 */
import type { DType } from "../../core/dtype.js";
import { DeviceError } from "../../core/errors.js";
import { memory as heap } from "../heap.js";
import type { DeviceMemory } from "../remote.js";
import { loadTfjs } from "./load.js";
import type { TfTensor } from "./tfjs.js";

export interface Piece {
  tensor: TfTensor | null;
  readonly dtype: DType;
  readonly length: number;
}

const VIEWS = { float32: Float32Array, int32: Int32Array, bool: Uint8Array } as const;
export type TfDType = keyof typeof VIEWS;

/** Dtypes that the device holds. */
export const isTfDType = (dtype: DType): dtype is TfDType => Object.hasOwn(VIEWS, dtype);

let pieces = 0;

/** Pieces in use. */
export const piecesInUse = (): number => pieces;

export const memory: DeviceMemory<Piece> = {
  device: "tfjs",
  allocate(_bytes, dtype, length) {
    loadTfjs();
    pieces++;
    return { tensor: null, dtype, length };
  },
  free(piece) {
    pieces--;
    piece.tensor?.dispose();
    piece.tensor = null;
  },
  upload(ptr, _bytes, to) {
    // A copy: TensorFlow.js reads the array when it first needs it, and the heap is shared, which its addon can't read.
    hold(to, loadTfjs().tensor(viewOf(to, ptr).slice(), [to.length], to.dtype as TfDType));
  },
  download(from, _bytes, ptr) {
    if (!from.tensor) throw new DeviceError("tfjs: nothing was written to this piece of memory yet");
    viewOf(from, ptr).set(from.tensor.dataSync());
  },
};

/** The host's elements at `ptr`. */
function viewOf({ dtype, length }: Piece, ptr: number): Float32Array | Int32Array | Uint8Array {
  if (!isTfDType(dtype)) throw new DeviceError(`tfjs: it has no ${dtype}`);
  return new VIEWS[dtype](heap.buffer, ptr, length);
}

/** Gives a piece its tensor, and what it had before back. It outlives any `tf.tidy` that is under way. */
export function hold(piece: Piece, tensor: TfTensor): void {
  piece.tensor?.dispose();
  piece.tensor = loadTfjs().keep(tensor);
}
