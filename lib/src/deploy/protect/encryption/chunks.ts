/**
 * The STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár: Online authenticated-encryption and its nonce-reuse
 * misuse-resistance, CRYPTO 2015) over AES-256-GCM: chunks that are encrypted alone, with a nonce of a random prefix, the chunk's
 * number and whether it is the last. Chunks that are changed, swapped, repeated, left out or cut off do not decrypt. Only the
 * last may be shorter; it is empty only in an empty file.
 */
import { createCipheriv, createDecipheriv } from "node:crypto";
import type { Source } from "../../format/source.js";
import { EncryptionError } from "./errors.js";
import {
  HEADER,
  type Header,
  isEncrypted,
  NONCE,
  newHeader,
  PREFIX,
  readHeader,
  TAG,
  unwrap,
} from "./header.js";
import { type KeySource, keyForWriting } from "./keys.js";

export interface EncryptOptions {
  /** Bytes that are encrypted together, and read together: 2¹⁰ to 2²⁴. Default 2¹⁶. */
  readonly chunkBytes?: number;
}

const MOST_CHUNKS = 2 ** 32;

function nonceOf(prefix: Buffer, index: number, last: boolean): Buffer {
  const nonce = Buffer.alloc(NONCE);
  prefix.copy(nonce);
  nonce.writeUInt32BE(index, PREFIX);
  nonce[NONCE - 1] = last ? 1 : 0;
  return nonce;
}

/**
 * An encrypted file, part by part: memory for one chunk, however long it gets.
 * @throws EncryptionError for a key that can't be had.
 */
export async function* encryptedParts(
  parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  key: KeySource,
  { chunkBytes = 2 ** 16 }: EncryptOptions = {},
): AsyncGenerator<Uint8Array> {
  const { header, dataKey } = newHeader(keyForWriting(key, "encrypt"), chunkBytes);
  yield header.bytes;
  const chunk = Buffer.alloc(chunkBytes);
  try {
    let filled = 0;
    let index = 0;
    for await (const part of parts)
      for (let at = 0; at < part.length; ) {
        // only now is it known not to be the last
        if (filled === chunkBytes) {
          yield encrypted(header, dataKey, chunk, index++, false);
          filled = 0;
        }
        const count = Math.min(chunkBytes - filled, part.length - at);
        chunk.set(part.subarray(at, at + count), filled);
        filled += count;
        at += count;
      }
    yield encrypted(header, dataKey, chunk.subarray(0, filled), index, true);
  } finally {
    chunk.fill(0);
    dataKey.fill(0);
  }
}

function encrypted(
  { fixed, prefix }: Header,
  dataKey: Buffer,
  chunk: Buffer,
  index: number,
  last: boolean,
): Buffer {
  if (index >= MOST_CHUNKS)
    throw new EncryptionError("bad key", `more than ${MOST_CHUNKS} chunks: take larger ones`);
  const cipher = createCipheriv("aes-256-gcm", dataKey, nonceOf(prefix, index, last));
  cipher.setAAD(fixed);
  return Buffer.concat([cipher.update(chunk), cipher.final(), cipher.getAuthTag()]);
}

/**
 * What is encrypted in a file, read from anywhere in it, chunk by chunk. That nothing was cut off is checked at once.
 * @throws EncryptionError
 */
export function decryptedSource(source: Source, key: KeySource, where: string): Source {
  const header = readHeader(source, where);
  const { dataKey } = unwrap(header, key, where);
  const whole = header.chunkBytes + TAG;
  const body = source.size - HEADER;
  const chunks = Math.ceil(body / whole);
  const lastBytes = body - (chunks - 1) * whole - TAG;
  const tooShort = lastBytes < (chunks > 1 ? 1 : 0);
  if (tooShort || chunks > MOST_CHUNKS) throw cutShort(where);
  const size = body - chunks * TAG;
  let kept = { index: -1, chunk: Buffer.alloc(0) };
  const chunkAt = (index: number): Buffer => {
    if (kept.index === index) return kept.chunk;
    const last = index === chunks - 1;
    const bytes = Buffer.allocUnsafe(last ? lastBytes + TAG : whole);
    source.read(HEADER + index * whole, bytes);
    const decipher = createDecipheriv("aes-256-gcm", dataKey, nonceOf(header.prefix, index, last));
    decipher.setAAD(header.fixed);
    decipher.setAuthTag(bytes.subarray(-TAG));
    const chunk = decipher.update(bytes.subarray(0, -TAG));
    try {
      decipher.final();
    } catch {
      chunk.fill(0); // nobody sees what is not authentic
      throw last
        ? cutShort(where)
        : new EncryptionError(
            "changed",
            `${where}: it was changed or is damaged: chunk ${index} of ${chunks} is not what was written there`,
          );
    }
    kept.chunk.fill(0);
    kept = { index, chunk };
    return chunk;
  };
  chunkAt(chunks - 1);
  return {
    size,
    read: (at, to) => {
      for (let done = 0; done < to.length; ) {
        const index = Math.floor((at + done) / header.chunkBytes);
        if (index >= chunks) throw cutShort(where);
        const from = at + done - index * header.chunkBytes;
        const part = chunkAt(index).subarray(from, from + to.length - done);
        if (part.length === 0) throw cutShort(where);
        to.set(part, done);
        done += part.length;
      }
    },
    close: () => {
      kept.chunk.fill(0);
      kept = { index: -1, chunk: Buffer.alloc(0) };
      dataKey.fill(0);
      source.close();
    },
  };
}

const cutShort = (where: string): EncryptionError =>
  new EncryptionError(
    "cut short",
    `${where}: its end is not what was written there: it was cut short, something was added, or it is damaged`,
  );

/**
 * The file as it is, or what is encrypted in it. A key says that the file is to be encrypted: anything else may have been
 * put in its place.
 * @throws EncryptionError
 */
export function readable(source: Source, key: KeySource | undefined, where: string): Source {
  if (key !== undefined) return decryptedSource(source, key, where);
  if (!isEncrypted(source)) return source;
  throw new EncryptionError("no key", `${where}: it is encrypted; give its key: { key }`);
}
