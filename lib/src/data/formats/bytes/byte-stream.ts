/** Bytes one chunk after the other, decompressed on the way. */
import { createReadStream } from "node:fs";
import { Readable, type Transform } from "node:stream";
import { createGunzip, createInflate } from "node:zlib";
import { ValueError } from "../../../core/errors.js";

/** A path, the bytes themselves, or chunks as they come (a response's body, a stream). */
export type ByteSource = string | Uint8Array | AsyncIterable<Uint8Array>;

/** "auto" looks at the first two bytes: those of gzip, or none. */
export type Compression = "none" | "gzip" | "zlib" | "auto";

/** For messages. */
export const sourceName = (source: ByteSource): string =>
  typeof source === "string" ? source : source instanceof Uint8Array ? "the bytes" : "the stream";

const CHUNK = 1 << 18;

/** Chunks of a source. @throws ValueError if compressed data are damaged or end early */
export async function* byteChunks(
  source: ByteSource,
  compression: Compression = "auto",
): AsyncGenerator<Buffer> {
  const name = sourceName(source);
  const raw = chunks(source);
  if (compression === "none") {
    yield* raw;
    return;
  }
  const first = await atLeast(raw, 2);
  const found =
    compression === "auto" ? (first[0] === 0x1f && first[1] === 0x8b ? "gzip" : "none") : compression;
  const whole = followedBy(first, raw);
  if (found === "none") {
    yield* whole;
    return;
  }
  const unzip: Transform = found === "gzip" ? createGunzip() : createInflate();
  const input = Readable.from(whole, { objectMode: false, highWaterMark: CHUNK });
  input.on("error", (error) => unzip.destroy(error));
  input.pipe(unzip);
  try {
    yield* unzip as AsyncIterable<Buffer>;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (!code?.startsWith("Z_")) throw error;
    throw new ValueError(`${name}: its ${found} data are damaged or cut (${message})`, { cause: error });
  } finally {
    input.destroy();
    unzip.destroy();
  }
}

async function* chunks(source: ByteSource): AsyncGenerator<Buffer> {
  if (source instanceof Uint8Array) {
    for (let at = 0; at < source.length; at += CHUNK) yield toBuffer(source.subarray(at, at + CHUNK));
  } else {
    const stream = typeof source === "string" ? createReadStream(source, { highWaterMark: CHUNK }) : source;
    for await (const chunk of stream) yield toBuffer(chunk as Uint8Array);
  }
}

const toBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);

async function atLeast(source: AsyncGenerator<Buffer>, count: number): Promise<Buffer> {
  let held: Buffer = Buffer.alloc(0);
  while (held.length < count) {
    const next = await source.next();
    if (next.done) break;
    held = held.length === 0 ? next.value : Buffer.concat([held, next.value]);
  }
  return held;
}

async function* followedBy(first: Buffer, rest: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  try {
    if (first.length > 0) yield first;
    yield* rest;
  } finally {
    await rest.return(undefined);
  }
}
