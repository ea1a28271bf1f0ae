/**
 * Keys that open files, and where they come from: never from the file itself. What a file holds is a number that tells
 * keys apart, and its own data key, encrypted with one of these.
 */
import { hkdfSync, randomBytes, scryptSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { EncryptionError } from "./errors.js";

/** Bytes of a key: AES-256. */
export const KEY_BYTES = 32;
/** Bytes that tell keys apart. */
export const ID_BYTES = 16;
export const SALT_BYTES = 16;

/**
 * Where a key comes from: 32 bytes; a file or an environment variable that holds them (as base64 or hexadecimal digits; a
 * file may hold the bytes themselves); a passphrase, which is stretched by scrypt; or a function that is given the number of
 * the key that the file names (`null` when one is written) and returns the key, for stores of keys.
 */
export type KeySource =
  | Uint8Array
  | { readonly file: string }
  | { readonly env: string }
  | {
      readonly passphrase: string;
      /** When a file is written: scrypt's cost, N = 2^cost, 10 to 20. Memory is N KiB. Default 17. */
      readonly cost?: number;
    }
  | ((id: string | null) => Uint8Array);

/** How a passphrase is stretched. */
export interface Stretching {
  /** log2 of N. */
  readonly cost: number;
  readonly r: number;
  readonly p: number;
  readonly salt: Uint8Array;
}

/** A key with what is derived from it. */
export interface OpeningKey {
  /** Tells keys apart and says nothing about them. */
  readonly id: Buffer;
  /** What encrypts data keys. */
  readonly wrapping: Buffer;
  readonly stretching: Stretching | null;
}

/** scrypt takes 128·N·r bytes: what files may ask of a machine is bounded. */
export const COSTS = { least: 10, most: 20, r: 8, p: 1, default: 17 } as const;

/**
 * A new random key of 32 bytes.
 * @example deploy.generateKey().length // 32
 */
export function generateKey(): Uint8Array {
  return new Uint8Array(randomBytes(KEY_BYTES));
}

/**
 * Writes a key as base64 to a new file that only its owner may read.
 * @throws EncryptionError for other than 32 bytes; Error if the file exists: a key that is written over is lost.
 * @example await deploy.saveKey("example.key"); deploy.keyId({ file: "example.key" }).length // 32
 */
export async function saveKey(file: string, key: Uint8Array = generateKey()): Promise<void> {
  checked(key, "saveKey");
  await writeFile(file, `${Buffer.from(key).toString("base64")}\n`, { mode: 0o600, flag: "wx" });
}

/**
 * The number that files name a key by, in hexadecimal digits. It says nothing about the key.
 * @throws EncryptionError for a passphrase, whose key differs from file to file.
 * @example deploy.keyId(new Uint8Array(32)) // "6fbb7912685ab041f219184e561aecff"
 */
export function keyId(key: Exclude<KeySource, { readonly passphrase: string }>): string {
  if ("passphrase" in key)
    throw new EncryptionError("bad key", "keyId: a passphrase makes another key for each file");
  return derived(bytesOf(key, null, "keyId"), null).id.toString("hex");
}

/** The key that a new file is to be opened with. */
export function keyForWriting(source: KeySource, where: string): OpeningKey {
  if (!isPassphrase(source)) return derived(bytesOf(source, null, where), null);
  const cost = source.cost ?? COSTS.default;
  if (!Number.isInteger(cost) || cost < COSTS.least || cost > COSTS.most)
    throw new EncryptionError(
      "bad key",
      `${where}: scrypt's cost is ${cost}, ${COSTS.least} to ${COSTS.most} was expected`,
    );
  return stretched(source, { cost, r: COSTS.r, p: COSTS.p, salt: randomBytes(SALT_BYTES) }, where);
}

/** The key for a file that names one by its number, or says how a passphrase is to be stretched. */
export function keyForReading(
  source: KeySource,
  file: { readonly id: Buffer; readonly stretching: Stretching | null },
  where: string,
): OpeningKey | null {
  if (isPassphrase(source)) return file.stretching && stretched(source, file.stretching, where);
  return file.stretching ? null : derived(bytesOf(source, file.id.toString("hex"), where), null);
}

export function isPassphrase(
  source: KeySource,
): source is { readonly passphrase: string; readonly cost?: number } {
  return "passphrase" in source;
}

function stretched(
  { passphrase }: { readonly passphrase: string },
  stretching: Stretching,
  where: string,
): OpeningKey {
  if (typeof passphrase !== "string" || passphrase === "")
    throw new EncryptionError("bad key", `${where}: the passphrase is empty`);
  const { cost, r, p, salt } = stretching;
  const N = 2 ** cost;
  const key = scryptSync(passphrase.normalize("NFC"), salt, KEY_BYTES, { N, r, p, maxmem: 256 * N * r });
  return derived(key, stretching);
}

/** Different keys for different uses of one key (RFC 5869). */
function derived(key: Uint8Array, stretching: Stretching | null): OpeningKey {
  const part = (use: string, bytes: number): Buffer =>
    Buffer.from(hkdfSync("sha256", key, new Uint8Array(), `mlsys ${use}`, bytes));
  return { id: part("key id", ID_BYTES), wrapping: part("wrapping", KEY_BYTES), stretching };
}

function bytesOf(
  source: Exclude<KeySource, { readonly passphrase: string }>,
  id: string | null,
  where: string,
): Uint8Array {
  if (source instanceof Uint8Array) return checked(source, where);
  if (typeof source === "function") return checked(source(id), `${where}: the function for keys`);
  if ("env" in source) {
    const text = process.env[source.env];
    if (text === undefined || text === "")
      throw new EncryptionError("no key", `${where}: the environment variable ${source.env} is not set`);
    return fromText(text, `${where}: the environment variable ${source.env}`);
  }
  let bytes: Buffer;
  try {
    bytes = readFileSync(source.file);
  } catch (error) {
    throw new EncryptionError(
      "no key",
      `${where}: the key's file can't be read: ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
  return bytes.length === KEY_BYTES
    ? bytes
    : fromText(bytes.toString("latin1"), `${where}: the key's file ${source.file}`);
}

/** Says how long the text is, never what it is: it may be another secret. */
function fromText(text: string, what: string): Uint8Array {
  const digits = text.trim();
  if (/^[0-9a-fA-F]{64}$/.test(digits)) return Buffer.from(digits, "hex");
  if (/^[A-Za-z0-9+/_-]{43}=?$/.test(digits)) return Buffer.from(digits, "base64");
  throw new EncryptionError(
    "bad key",
    `${what} holds ${digits.length} characters, ${KEY_BYTES} bytes as base64 or hexadecimal digits were expected`,
  );
}

function checked(key: unknown, where: string): Uint8Array {
  if (key instanceof Uint8Array && key.length === KEY_BYTES) return key;
  const given = key instanceof Uint8Array ? `of ${key.length} bytes` : `that is a ${typeof key}`;
  throw new EncryptionError(
    "bad key",
    `${where}: a key ${given} was given, ${KEY_BYTES} bytes were expected`,
  );
}
