/**
 * Copies between the host heap and the device through pinned memory (页锁定内存): only from there does the device copy by
 * itself. A ring of pinned pieces, so that the host fills one while the device empties another. A piece is filled again
 * when the event behind its last copy has passed.
 */
import { DeviceError } from "../../core/errors.js";
import { koffi } from "../native/ffi.js";
import { type Driver, HOST_PORTABLE } from "./driver.js";
import { CudaEvent, type CudaStream } from "./stream.js";
import { Out } from "./table.js";

const PIECES = 4;
const PIECE_BYTES = 4 << 20;

interface Piece {
  readonly address: number;
  readonly bytes: Uint8Array;
  readonly event: CudaEvent;
  busy: boolean;
}

export class Staging {
  private readonly pieces: Piece[] = [];
  private next = 0;

  constructor(
    private readonly driver: Driver,
    private readonly pieceBytes = PIECE_BYTES,
    private readonly count = PIECES,
  ) {}

  /** Enqueues a copy to the device. `source` may change as soon as this returns. */
  upload(source: Uint8Array, to: number, stream: CudaStream): void {
    for (let at = 0; at < source.length; at += this.pieceBytes) {
      const piece = this.take();
      const part = source.subarray(at, at + this.pieceBytes);
      piece.bytes.set(part);
      this.driver.cuMemcpyHtoDAsync_v2(to + at, piece.address, part.length, stream.handle);
      piece.event.record(stream);
      piece.busy = true;
    }
  }

  /** Copies from the device, behind the work that the stream has now, and waits. */
  download(from: number, target: Uint8Array, stream: CudaStream): void {
    const inFlight: { piece: Piece; at: number; bytes: number }[] = [];
    const land = (): void => {
      const { piece, at, bytes } = inFlight.shift() as (typeof inFlight)[number];
      piece.event.synchronize();
      piece.busy = false;
      target.set(piece.bytes.subarray(0, bytes), at);
    };
    for (let at = 0; at < target.length; at += this.pieceBytes) {
      if (inFlight.length === this.count) land();
      const piece = this.take();
      const bytes = Math.min(this.pieceBytes, target.length - at);
      this.driver.cuMemcpyDtoHAsync_v2(piece.address, from + at, bytes, stream.handle);
      piece.event.record(stream);
      piece.busy = true;
      inFlight.push({ piece, at, bytes });
    }
    while (inFlight.length > 0) land();
  }

  /** The device must be done with all copies. */
  [Symbol.dispose](): void {
    for (const { address, event } of this.pieces.splice(0)) {
      event[Symbol.dispose]();
      this.driver.cuMemFreeHost(address);
    }
  }

  /** The next piece of the ring, once its last copy is done. */
  private take(): Piece {
    const piece = this.pieces[this.next] ?? this.make();
    this.next = (this.next + 1) % this.count;
    if (piece.busy) piece.event.synchronize();
    piece.busy = false;
    return piece;
  }

  private make(): Piece {
    const ffi = koffi();
    if (typeof ffi === "string") throw new DeviceError(ffi);
    const out = new Out();
    this.driver.cuMemHostAlloc(out.at, this.pieceBytes, HOST_PORTABLE);
    const address = out.word();
    const piece: Piece = {
      address,
      bytes: new Uint8Array(ffi.view(BigInt(address), this.pieceBytes)),
      event: new CudaEvent(this.driver),
      busy: false,
    };
    this.pieces.push(piece);
    return piece;
  }
}

/**
 * The host heap pinned in place, so that large copies need no staging: the device reads and writes tensors where they are.
 * What is pinned cannot be swapped out, so it is done only where MLSYS_CUDA_PIN is 1. The heap grows; what it has grown by
 * is pinned at the next copy from there.
 */
export class PinnedHeap {
  private readonly starts: number[] = [];
  private pinned = 0;
  private failed: boolean;

  /** @param base address of the heap's first byte */
  constructor(
    private readonly driver: Driver,
    private readonly base: number,
    wanted: boolean,
  ) {
    this.failed = !wanted;
  }

  /** Address of heap bytes that the device may copy by itself; null: take the way through staging. */
  addressOf({ byteOffset, length, buffer }: Uint8Array): number | null {
    if (this.failed) return null;
    if (byteOffset + length > this.pinned && !this.grow(buffer.byteLength)) return null;
    return this.base + byteOffset;
  }

  private grow(committed: number): boolean {
    const start = this.base + this.pinned;
    try {
      this.driver.cuMemHostRegister_v2(start, committed - this.pinned, HOST_PORTABLE);
    } catch {
      this.failed = true; // the system's limit of locked memory, say: the slower way is always there
      return false;
    }
    this.starts.push(start);
    this.pinned = committed;
    return true;
  }

  /** The device must be done with all copies. */
  [Symbol.dispose](): void {
    for (const start of this.starts.splice(0)) this.driver.cuMemHostUnregister(start);
    this.failed = true;
  }
}
