/**
 * Framing between host and worker: `u32 total | u32 json | JSON | binary buffers (u32 length, bytes)*`.
 * JSON and not V8's own serialization, because the reader's code can write to the pipe
 * and the host must survive whatever it reads there.
 */

export interface Frame<T> {
  message: T;
  buffers: Buffer[];
}

/** A frame longer than this is refused: the pipe is out of step or hostile. */
export const MAX_FRAME = 1 << 30;

/** @param allocate from Node's pool, unless the frame is made in the midst of code that may be taking a buffer from it */
export function encodeFrame(
  message: unknown,
  buffers: readonly Uint8Array[] = [],
  allocate: (size: number) => Buffer = Buffer.allocUnsafe,
): Buffer {
  const json = JSON.stringify(message);
  const length = Buffer.byteLength(json);
  const tail = buffers.reduce((sum, buffer) => sum + 4 + buffer.byteLength, 0);
  const frame = allocate(8 + length + tail);
  frame.writeUInt32LE(4 + length + tail, 0);
  frame.writeUInt32LE(length, 4);
  frame.write(json, 8);
  let at = 8 + length;
  for (const buffer of buffers) {
    frame.writeUInt32LE(buffer.byteLength, at);
    frame.set(buffer, at + 4);
    at += 4 + buffer.byteLength;
  }
  return frame;
}

/** Cuts a byte stream back into frames. @throws Error when the stream cannot be one of ours. */
export class FrameReader<T> {
  private chunks: Buffer[] = [];
  private size = 0;

  /** @param maxBytes of a frame @param parse of its JSON, for who does not want all that JSON can become */
  constructor(
    private readonly maxBytes = MAX_FRAME,
    private readonly parse: (json: string) => T = JSON.parse,
  ) {}

  push(chunk: Buffer): Frame<T>[] {
    this.chunks.push(chunk);
    this.size += chunk.length;
    const frames: Frame<T>[] = [];
    while (this.size >= 4) {
      const need = this.peekLength() + 4;
      if (need - 4 > this.maxBytes || need < 8)
        throw new Error(`frame of ${need - 4} bytes on the worker's pipe`);
      if (this.size < need) break;
      frames.push(split(this.take(need), this.parse));
    }
    return frames;
  }

  private peekLength(): number {
    if (this.chunks[0]!.length < 4) this.chunks = [Buffer.concat(this.chunks)];
    return this.chunks[0]!.readUInt32LE(0);
  }

  private take(count: number): Buffer {
    const all = this.chunks.length === 1 ? this.chunks[0]! : Buffer.concat(this.chunks);
    this.size -= count;
    this.chunks = all.length > count ? [all.subarray(count)] : [];
    return all.subarray(0, count);
  }
}

function split<T>(frame: Buffer, parse: (json: string) => T): Frame<T> {
  const length = frame.readUInt32LE(4);
  if (length > frame.length - 8) throw new Error("a frame's JSON is longer than the frame");
  const message = parse(frame.toString("utf8", 8, 8 + length));
  const buffers: Buffer[] = [];
  for (let at = 8 + length; at + 4 <= frame.length; ) {
    const size = frame.readUInt32LE(at);
    if (at + 4 + size > frame.length) throw new Error("a frame's buffer is longer than the frame");
    buffers.push(Buffer.from(frame.subarray(at + 4, at + 4 + size)));
    at += 4 + size;
  }
  return { message, buffers };
}
