/** Whole files: encrypted, decrypted, given another key. */
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { bytesSource, fileSource, type Source } from "../../format/source.js";
import { replaceFile } from "../../replace-file.js";
import { decryptedSource, type EncryptOptions, encryptedParts } from "./chunks.js";
import { readHeader, SLOTS, type Slot, slotOf, unwrap } from "./header.js";
import { type KeySource, keyForWriting } from "./keys.js";

/** What an encrypted file says to those without its key. */
export interface EncryptionInfo {
  /** The keys that open it: one, or two while it goes from one to another. Passphrases have no number. */
  readonly keys: readonly { readonly kind: "key" | "passphrase"; readonly id: string | null }[];
  readonly chunkBytes: number;
  /** Bytes of the encrypted file. */
  readonly bytes: number;
}

/**
 * Encrypts bytes (AES-256-GCM in chunks, see `EncryptOptions`).
 * @throws EncryptionError for a key that can't be had.
 * @example (await deploy.encryptBytes(new Uint8Array(100), deploy.generateKey())).length // 436
 */
export async function encryptBytes(
  bytes: Uint8Array,
  key: KeySource,
  options: EncryptOptions = {},
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of encryptedParts([bytes], key, options)) parts.push(part);
  return new Uint8Array(Buffer.concat(parts));
}

/**
 * What was encrypted.
 * @throws EncryptionError for a wrong key, or bytes that were changed or cut short.
 * @example const key = deploy.generateKey(); deploy.decryptBytes(await deploy.encryptBytes(new Uint8Array([1, 2, 3]), key), key).length // 3
 */
export function decryptBytes(bytes: Uint8Array, key: KeySource, where = "bytes"): Uint8Array {
  const source = decryptedSource(bytesSource(bytes), key, where);
  const out = new Uint8Array(source.size);
  source.read(0, out);
  source.close();
  return out;
}

/**
 * Encrypts a file of any kind and size: memory for one chunk. The one it is made from stays: delete it where it must not be.
 * @throws EncryptionError for a key that can't be had.
 * @example await deploy.saveWeights("example.safetensors", new nn.Dense(2, 3)); await deploy.encryptFile("example.safetensors", "example.safetensors.enc", deploy.generateKey())
 */
export async function encryptFile(
  from: string,
  to: string,
  key: KeySource,
  options: EncryptOptions = {},
): Promise<void> {
  await replaceFile(to, encryptedParts(createReadStream(from, { highWaterMark: 2 ** 20 }), key, options));
}

/**
 * Decrypts a file, which takes its place only if all of it is authentic.
 * @throws EncryptionError for a wrong key, or a file that was changed or cut short.
 * @example const key = deploy.generateKey(); await deploy.saveModel("example.enc", (x: Tensor) => x.mul(2), [tensor([1, 2])], { key }); await deploy.decryptFile("example.enc", "example.mlsys", key)
 */
export async function decryptFile(from: string, to: string, key: KeySource): Promise<void> {
  await using(from, async (file) => {
    const source = decryptedSource(file, key, from);
    try {
      await replaceFile(to, pieces(source));
    } finally {
      source.close(); // and forget the data key
    }
  });
}

function* pieces(source: Source): Generator<Uint8Array> {
  for (let at = 0; at < source.size; at += 2 ** 20) {
    const piece = new Uint8Array(Math.min(2 ** 20, source.size - at));
    source.read(at, piece);
    yield piece;
  }
}

/**
 * What an encrypted file tells without its key.
 * @throws EncryptionError for a file that is not encrypted.
 * @example const key = deploy.generateKey(); await deploy.saveModel("example.enc", (x: Tensor) => x.mul(2), [tensor([1, 2])], { key }); (await deploy.encryptionOf("example.enc")).keys[0].id === deploy.keyId(key) // true
 */
export async function encryptionOf(file: string): Promise<EncryptionInfo> {
  return using(file, async (source) => {
    const { chunkBytes, slots } = readHeader(source, file);
    const keys = slots.flatMap(({ kind, id }) =>
      kind === "empty" ? [] : [{ kind, id: kind === "key" ? id.toString("hex") : null }],
    );
    return { keys, chunkBytes, bytes: source.size };
  });
}

/**
 * Gives a file another key, in place: its data key is encrypted anew, its chunks stay. The new key is on the disk before the
 * old one goes. Whoever had the old key and a copy of the old file can still read that, and, knowing its data key, this one
 * too: after a leak encrypt anew (`decryptFile`, `encryptFile`).
 * @throws EncryptionError for a wrong key or a header that was changed.
 * @example const [key, next] = [deploy.generateKey(), deploy.generateKey()]; await deploy.saveModel("example.enc", (x: Tensor) => x.mul(2), [tensor([1, 2])], { key }); await deploy.rekeyFile("example.enc", key, next); deploy.openModel("example.enc", { key: next }).inputs.length // 1
 */
export async function rekeyFile(file: string, from: KeySource, to: KeySource): Promise<void> {
  const { fixed, dataKey, own, free } = await using(file, async (source) => {
    const header = readHeader(source, file);
    const { dataKey, slot } = unwrap(header, from, file);
    const others = header.slots.filter((other) => other !== slot);
    return { fixed: header.fixed, dataKey, own: slot, free: others[SLOTS - 2] };
  });
  const slot = slotOf(fixed, keyForWriting(to, file), dataKey);
  dataKey.fill(0);
  const handle = await open(file, "r+");
  try {
    const put = async (bytes: Buffer, { at }: Slot): Promise<void> => {
      await handle.write(bytes, 0, bytes.length, at);
      await handle.sync();
    };
    await put(slot, free);
    await put(Buffer.alloc(slot.length), own);
  } finally {
    await handle.close();
  }
}

async function using<T>(file: string, use: (source: Source) => Promise<T>): Promise<T> {
  const source = fileSource(file);
  try {
    return await use(source);
  } finally {
    source.close();
  }
}
