/**
 * A device whose memory is apart from the host heap, and whose kernels are the reference kernels: what the rules of copies
 * are tested on.
 */
import { type DType, encodingOf, hostView } from "../../src/core/dtype.js";
import { getOp, ops } from "../../src/ops/registry.js";
import { memory } from "../../src/runtime/heap.js";
import type { HostArray } from "../../src/runtime/host-array.js";
import { type DeviceArray, registerRemote, registerRemoteKernel } from "../../src/runtime/remote.js";

interface Piece {
  readonly bytes: Uint8Array;
  alive: boolean;
}

const pieces = new Set<Piece>();

export const loopbackPieces = (): number => pieces.size;

const heap = (ptr: number, bytes: number): Uint8Array => new Uint8Array(memory.buffer, ptr, bytes);

function alive(piece: Piece): Uint8Array {
  if (!piece.alive) throw new Error("this piece of memory was given back");
  return piece.bytes;
}

function hostArray({ shape, strides, offset, dtype, handle, length }: DeviceArray<Piece>): HostArray {
  const data = hostView(dtype, alive(handle).buffer as never, 0, length);
  return { shape, strides, offset, dtype, data, ptr: 0 };
}

/** Ops that this device leaves to the host, so that both ways are met. */
const HOST_OPS = new Set(["tanh", "cumsum"]);

/** Registers the device `loopback`. */
export function registerLoopback(): void {
  registerRemote<Piece>(
    {
      device: "loopback",
      allocate: (bytes) => {
        const piece = { bytes: new Uint8Array(bytes).fill(0xaa), alive: true };
        pieces.add(piece);
        return piece;
      },
      free: (piece) => {
        alive(piece);
        piece.alive = false;
        pieces.delete(piece);
      },
      upload: (ptr, bytes, to) => alive(to).set(heap(ptr, bytes)),
      download: (from, bytes, ptr) => heap(ptr, bytes).set(alive(from)),
    },
    () => ({ available: true, detail: "for tests" }),
  );
  const plain = ({ dtype }: { dtype: DType }): boolean => !encodingOf(dtype);
  for (const { name, composite } of ops()) {
    if (composite || HOST_OPS.has(name)) continue;
    registerRemoteKernel<Piece, object>("loopback", {
      op: name,
      supports: (inputs, outputs) => inputs.every(plain) && outputs.every(plain),
      run: (inputs, outputs, attrs) =>
        getOp(name).reference(inputs.map(hostArray), outputs.map(hostArray), attrs as never),
    });
  }
}
