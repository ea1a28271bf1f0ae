/**
 * The front of an encrypted file: what every chunk is bound to, then slots, each of which holds the file's data key,
 * encrypted with one key. Numbers are little-endian.
 *
 * ```
 * 0   magic "MLSYSEN1"   8  version (32 bits)   12  chunk's bytes (32)   16  nonce prefix (7 bytes)   23–63  zeros
 * 64  slot 0             192  slot 1            320  chunks
 *
 * slot: 0  kind (0 empty, 1 key, 2 passphrase)   1  log2 N   2  r   3  p   16  salt (16 bytes)   32  key's number (16)
 *       48  nonce (12)   60  data key, encrypted (32)   92  tag (16)   112  HMAC of bytes 0–111 by the data key (16)
 * ```
 * There are two slots so that a new key is in place before the old one goes: a crash in between loses nothing.
 */
import { createCipheriv, createDecipheriv, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { Source } from "../../format/source.js";
import { EncryptionError } from "./errors.js";
import {
  COSTS,
  ID_BYTES,
  isPassphrase,
  KEY_BYTES,
  type KeySource,
  keyForReading,
  type OpeningKey,
  SALT_BYTES,
  type Stretching,
} from "./keys.js";

export const MAGIC = Buffer.from("MLSYSEN1", "latin1");
const VERSION = 1;
const FIXED = 64;
const SLOT = 128;
export const SLOTS = 2;
/** Bytes of the header; chunks follow. */
export const HEADER = FIXED + SLOTS * SLOT;
export const NONCE = 12;
export const TAG = 16;
export const PREFIX = 7;

const CHUNK = { least: 2 ** 10, most: 2 ** 24 } as const;
const KINDS = ["empty", "key", "passphrase"] as const;

export interface Header {
  readonly bytes: Buffer;
  /** What chunks are bound to. */
  readonly fixed: Buffer;
  readonly chunkBytes: number;
  readonly prefix: Buffer;
  readonly slots: readonly Slot[];
}

export interface Slot {
  readonly at: number;
  readonly kind: (typeof KINDS)[number];
  readonly id: Buffer;
  readonly stretching: Stretching | null;
}

/** A new header with its data key. */
export function newHeader(key: OpeningKey, chunkBytes: number): { header: Header; dataKey: Buffer } {
  if (!Number.isInteger(chunkBytes) || chunkBytes < CHUNK.least || chunkBytes > CHUNK.most)
    throw new EncryptionError(
      "bad key",
      `chunks of ${chunkBytes} bytes; ${CHUNK.least} to ${CHUNK.most} were expected`,
    );
  const bytes = Buffer.alloc(HEADER);
  MAGIC.copy(bytes);
  bytes.writeUInt32LE(VERSION, 8);
  bytes.writeUInt32LE(chunkBytes, 12);
  randomBytes(PREFIX).copy(bytes, 16);
  const dataKey = randomBytes(KEY_BYTES);
  slotOf(bytes.subarray(0, FIXED), key, dataKey).copy(bytes, FIXED);
  return { header: parseHeader(bytes, "header"), dataKey };
}

/** The bytes of a slot. */
export function slotOf(fixed: Buffer, { id, wrapping, stretching }: OpeningKey, dataKey: Buffer): Buffer {
  const slot = Buffer.alloc(SLOT);
  slot[0] = KINDS.indexOf(stretching ? "passphrase" : "key");
  if (stretching) {
    slot.set([stretching.cost, stretching.r, stretching.p], 1);
    slot.set(stretching.salt, 16);
  }
  id.copy(slot, 32);
  randomBytes(NONCE).copy(slot, 48);
  const cipher = createCipheriv("aes-256-gcm", wrapping, slot.subarray(48, 60));
  cipher.setAAD(Buffer.concat([fixed, slot.subarray(0, 48)]));
  Buffer.concat([cipher.update(dataKey), cipher.final()]).copy(slot, 60);
  cipher.getAuthTag().copy(slot, 92);
  macOf(slot, dataKey).copy(slot, 112);
  return slot;
}

const macOf = (slot: Buffer, dataKey: Buffer): Buffer =>
  createHmac("sha256", dataKey).update("mlsys slot").update(slot.subarray(0, 112)).digest().subarray(0, TAG);

/** True for a file that begins as an encrypted one does. */
export function isEncrypted(source: Source): boolean {
  if (source.size < MAGIC.length) return false;
  const start = Buffer.alloc(MAGIC.length);
  source.read(0, start);
  return start.equals(MAGIC);
}

/** @throws EncryptionError for a file that is none, or is of another version, or asks too much of scrypt. */
export function readHeader(source: Source, where: string): Header {
  if (!isEncrypted(source))
    throw new EncryptionError(
      "not encrypted",
      `${where}: it is not encrypted: it does not begin with ${MAGIC}`,
    );
  if (source.size < HEADER + TAG)
    throw new EncryptionError("cut short", `${where}: it was cut short: it has ${source.size} bytes`);
  const bytes = Buffer.alloc(HEADER);
  source.read(0, bytes);
  return parseHeader(bytes, where);
}

function parseHeader(bytes: Buffer, where: string): Header {
  const version = bytes.readUInt32LE(8);
  if (version !== VERSION)
    throw new EncryptionError(
      "changed",
      `${where}: its encryption has version ${version}, this library reads version ${VERSION}`,
    );
  const chunkBytes = bytes.readUInt32LE(12);
  if (chunkBytes < CHUNK.least || chunkBytes > CHUNK.most) throw changed(where, "the size of its chunks");
  const slots = Array.from({ length: SLOTS }, (_, i) => parseSlot(bytes, FIXED + i * SLOT, where));
  if (slots.every(({ kind }) => kind === "empty")) throw changed(where, "no slot holds a key");
  return {
    bytes,
    fixed: bytes.subarray(0, FIXED),
    chunkBytes,
    prefix: bytes.subarray(16, 16 + PREFIX),
    slots,
  };
}

function parseSlot(bytes: Buffer, at: number, where: string): Slot {
  const slot = bytes.subarray(at, at + SLOT);
  const kind = KINDS[slot[0]];
  const [cost, r, p] = slot.subarray(1, 4);
  const bad =
    kind === undefined ||
    (kind === "empty" && slot.some((byte) => byte !== 0)) ||
    (kind === "passphrase" && (cost < COSTS.least || cost > COSTS.most || r !== COSTS.r || p !== COSTS.p));
  if (bad) throw changed(where, `slot ${(at - FIXED) / SLOT}`);
  const salt = slot.subarray(16, 16 + SALT_BYTES);
  const stretching = kind === "passphrase" ? { cost, r, p, salt } : null;
  return { at, kind, id: slot.subarray(32, 32 + ID_BYTES), stretching };
}

const changed = (where: string, what: string): EncryptionError =>
  new EncryptionError("changed", `${where}: it was changed or is damaged: ${what}`);

/** The data key, and the slot that gave it. @throws EncryptionError if no slot opens with this key. */
export function unwrap(
  header: Header,
  source: KeySource,
  where: string,
): { readonly dataKey: Buffer; readonly slot: Slot } {
  const used = header.slots.filter(({ kind }) => kind !== "empty");
  for (const slot of used) {
    const key = keyForReading(source, slot, where);
    if (!key || !timingSafeEqual(key.id, slot.id)) continue;
    const dataKey = opened(header, slot, key, where);
    for (const other of used) {
      const bytes = header.bytes.subarray(other.at, other.at + SLOT);
      if (!timingSafeEqual(macOf(bytes, dataKey), bytes.subarray(112)))
        throw changed(where, `slot ${(other.at - FIXED) / SLOT}`);
    }
    return { dataKey, slot };
  }
  const wanted = used.map(({ kind, id }) =>
    kind === "key" ? `the key ${id.toString("hex")}` : "a passphrase",
  );
  const given = isPassphrase(source) ? "this passphrase" : "this key";
  throw new EncryptionError("wrong key", `${where}: ${given} does not open it; ${wanted.join(" or ")} does`);
}

function opened({ bytes, fixed }: Header, { at }: Slot, key: OpeningKey, where: string): Buffer {
  const slot = bytes.subarray(at, at + SLOT);
  const decipher = createDecipheriv("aes-256-gcm", key.wrapping, slot.subarray(48, 60));
  decipher.setAAD(Buffer.concat([fixed, slot.subarray(0, 48)]));
  decipher.setAuthTag(slot.subarray(92, 108));
  try {
    return Buffer.concat([decipher.update(slot.subarray(60, 92)), decipher.final()]);
  } catch {
    throw changed(where, "its header");
  }
}
