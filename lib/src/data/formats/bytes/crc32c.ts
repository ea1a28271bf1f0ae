/**
 * CRC-32C (Castagnoli, polynomial 0x1EDC6F41, reflected): the checksum of iSCSI, ext4, TFRecord and our record files.
 * The processor's own instruction where the optional package is there; else eight table look-ups for eight bytes.
 */
import { createRequire } from "node:module";

type Crc = (bytes: Uint8Array, before?: number) => number;

const POLYNOMIAL = 0x82f63b78; // reflected

/** Row k: what a byte that has k more bytes behind it does to the sum. */
function tables(): Int32Array[] {
  const rows = Array.from({ length: 8 }, () => new Int32Array(256));
  for (let byte = 0; byte < 256; byte++) {
    let sum = byte;
    for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ POLYNOMIAL : sum >>> 1;
    rows[0][byte] = sum;
  }
  for (let k = 1; k < 8; k++)
    for (let byte = 0; byte < 256; byte++)
      rows[k][byte] = (rows[k - 1][byte] >>> 8) ^ rows[0][rows[k - 1][byte] & 255];
  return rows;
}

const [t0, t1, t2, t3, t4, t5, t6, t7] = tables();

/** In TypeScript alone: the fallback, and what the other is tested against. */
export const portableCrc32c: Crc = (bytes, before = 0) => {
  let sum = ~before;
  let i = 0;
  for (const end = bytes.length - 7; i < end; i += 8) {
    sum ^= bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24);
    sum =
      t7[sum & 255] ^
      t6[(sum >>> 8) & 255] ^
      t5[(sum >>> 16) & 255] ^
      t4[sum >>> 24] ^
      t3[bytes[i + 4]] ^
      t2[bytes[i + 5]] ^
      t1[bytes[i + 6]] ^
      t0[bytes[i + 7]];
  }
  for (; i < bytes.length; i++) sum = t0[(sum ^ bytes[i]) & 255] ^ (sum >>> 8);
  return ~sum >>> 0;
};

function native(): Crc | null {
  try {
    return (createRequire(import.meta.url)("@node-rs/crc32") as { crc32c: Crc }).crc32c;
  } catch {
    return null; // not installed, or no build for this system
  }
}

const hardware = native();

/** Calls into native code cost more than the tables up to here (measured). */
const SHORT = 48;

/**
 * CRC-32C of bytes; `before` is the checksum of those in front of them.
 * @example data.crc32c(new TextEncoder().encode("123456789")) // 3808858755
 */
export function crc32c(bytes: Uint8Array, before = 0): number {
  return hardware && bytes.length > SHORT ? hardware(bytes, before) : portableCrc32c(bytes, before);
}
