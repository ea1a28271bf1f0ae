/**
 * Records as bytes. Each record is a row of fixed width on the scalar pages (where its blob lies, scalars in place, sizes of
 * what is not), and one stretch of the blob pages for text, bytes and tensors. So record i is found by arithmetic, and two
 * reads at most fetch it.
 */
import { bytesPerElement, type DType } from "../../../core/dtype.js";
import { BFLOAT16, FLOAT16 } from "../../../core/encoding.js";
import { ValueError } from "../../../core/errors.js";
import { arrayFault, elementsOf, type PlainArray } from "../array.js";
import { formatFieldType, type RecordSchema, type TensorField } from "./schema.js";
import type { Tally } from "./statistics.js";

/** Bytes that grow as they are written. */
export class GrowingBytes {
  bytes = Buffer.alloc(1 << 16);
  view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length);
  used = 0;

  /** Where `count` further bytes begin. */
  claim(count: number): number {
    const at = this.used;
    if (at + count > this.bytes.length) {
      const grown = Buffer.alloc(Math.max(2 * this.bytes.length, at + count));
      grown.set(this.bytes.subarray(0, at));
      this.bytes = grown;
      this.view = new DataView(grown.buffer, grown.byteOffset, grown.length);
    }
    this.used += count;
    return at;
  }

  /** Zeros up to a multiple of 8. */
  align(): void {
    const at = this.claim(aligned(this.used) - this.used);
    this.bytes.fill(0, at, this.used);
  }
}

export interface Slot {
  readonly name: string;
  readonly type: string;
  /** Position in the row: of the scalar, or of the sizes. */
  readonly at: number;
  readonly width: number;
  readonly scalar: DType | null;
  readonly tensor: TensorField | null;
}

/** A record's largest blob. */
export const MAX_BLOB = 2 ** 30;

/** Tensors start at multiples of this within a blob, so that typed arrays can lie on them. */
const ALIGNMENT = 8;

const aligned = (at: number): number => Math.ceil(at / ALIGNMENT) * ALIGNMENT;

export class RowCodec {
  readonly slots: readonly Slot[];
  /** Bytes of a row. */
  readonly width: number;
  readonly hasBlobs: boolean;
  /** Whether decoded values lie on the blob's memory, rather than being copied out as text is. */
  readonly keepsBlobs: boolean;

  constructor(schema: RecordSchema) {
    const types = Object.values(schema);
    this.hasBlobs = types.some((t) => typeof t !== "string" || t === "string" || t === "bytes");
    this.keepsBlobs = types.some((t) => typeof t !== "string" || t === "bytes");
    let at = this.hasBlobs ? 8 : 0; // offset and length of the blob
    this.slots = Object.entries(schema).map(([name, type]) => {
      const tensor = typeof type === "string" ? null : type;
      const scalar = tensor || type === "string" || type === "bytes" ? null : (type as DType);
      const width = scalar
        ? bytesPerElement(scalar)
        : tensor
          ? 4 * tensor.shape.filter((n) => n === null).length
          : 4;
      const slot = { name, type: formatFieldType(type), at, width, scalar, tensor };
      at += width;
      return slot;
    });
    this.width = at;
  }

  /**
   * Appends a record, all of it or nothing.
   * @throws ValueError naming the field and what was given, e.g. `record 3: field label is int32, got "7"`.
   */
  encode(
    record: Readonly<Record<string, unknown>>,
    rows: GrowingBytes,
    blobs: GrowingBytes,
    counts: readonly Tally[],
    where: string,
  ): void {
    const [rowsBefore, blobsBefore] = [rows.used, blobs.used];
    try {
      const row = rows.claim(this.width);
      if (this.hasBlobs) blobs.align();
      const start = blobs.used;
      const noted: (number | bigint)[] = [];
      for (const slot of this.slots) noted.push(put(record[slot.name], slot, rows, row, blobs, where));
      if (this.hasBlobs) {
        const length = blobs.used - start;
        if (length > MAX_BLOB)
          throw new ValueError(
            `${where}: its text, bytes and tensors take ${length} bytes; at most ${MAX_BLOB}`,
          );
        rows.view.setUint32(row, start, true);
        rows.view.setUint32(row + 4, length, true);
      }
      for (let i = 0; i < noted.length; i++) counts[i].add(noted[i]);
    } catch (error) {
      rows.used = rowsBefore;
      blobs.used = blobsBefore;
      throw error;
    }
  }

  /** Where a row's blob lies among the blobs of its group. */
  blobOf(rows: DataView, row: number): { offset: number; length: number } {
    return this.hasBlobs
      ? { offset: rows.getUint32(row, true), length: rows.getUint32(row + 4, true) }
      : { offset: 0, length: 0 };
  }

  /** The value of a scalar field in the row at `row`. */
  scalar(slot: Slot, rows: DataView, row: number): number | bigint | boolean {
    return SCALARS[slot.scalar as DType].get(rows, row + slot.at);
  }

  /** @throws ValueError if the blob is not as long as the row's sizes say. */
  decode(rows: DataView, row: number, blob: Buffer, where: string): Record<string, unknown> {
    const record: Record<string, unknown> = {};
    let at = 0;
    for (const slot of this.slots) {
      const from = row + slot.at;
      if (slot.scalar) record[slot.name] = SCALARS[slot.scalar].get(rows, from);
      else if (slot.tensor) {
        const shape = sizesOf(slot.tensor, rows, from);
        const bytes = shape.reduce((a, b) => a * b, bytesPerElement(slot.tensor.dtype));
        const begin = aligned(at);
        at = begin + bytes;
        if (at > blob.length) throw shortBlob(where, slot, at, blob.length);
        const data = elementsOf(slot.tensor.dtype, blob.subarray(begin, at));
        record[slot.name] = { dtype: slot.tensor.dtype, shape, data };
      } else {
        const length = rows.getUint32(from, true);
        if (at + length > blob.length) throw shortBlob(where, slot, at + length, blob.length);
        record[slot.name] =
          slot.type === "string" ? blob.toString("utf8", at, at + length) : blob.subarray(at, at + length);
        at += length;
      }
    }
    if (at !== blob.length) throw new ValueError(`${where}: its fields take ${at} of ${blob.length} bytes`);
    return record;
  }
}

const shortBlob = (where: string, { name, type }: Slot, wants: number, has: number): ValueError =>
  new ValueError(`${where}: field ${name} (${type}) wants bytes up to ${wants}, the record has ${has}`);

function sizesOf({ shape }: TensorField, rows: DataView, at: number): number[] {
  let next = at;
  return shape.map((n) => {
    if (n !== null) return n;
    next += 4;
    return rows.getUint32(next - 4, true);
  });
}

/** Writes one value. @returns what the statistics count: the scalar, or its bytes */
function put(
  value: unknown,
  slot: Slot,
  rows: GrowingBytes,
  row: number,
  blobs: GrowingBytes,
  where: string,
): number | bigint {
  const wrong = (what: string): ValueError =>
    new ValueError(`${where}: field ${slot.name} is ${slot.type}, got ${what}`);
  const at = row + slot.at;
  if (slot.scalar) {
    const kind = SCALARS[slot.scalar];
    if (!kind.takes(value)) throw wrong(shown(value));
    kind.set(rows.view, at, value as never);
    return typeof value === "boolean" ? Number(value) : (value as number | bigint);
  }
  if (slot.tensor) {
    const { dtype, shape } = slot.tensor;
    const fault = arrayFault(value, dtype);
    if (fault) throw wrong(fault);
    const array = value as PlainArray;
    if (array.shape.length !== shape.length || shape.some((n, i) => n !== null && n !== array.shape[i]))
      throw wrong(`the shape (${array.shape.join(", ")})`);
    let next = at;
    for (const [i, n] of shape.entries()) {
      if (n !== null) continue;
      rows.view.setUint32(next, array.shape[i], true);
      next += 4;
    }
    blobs.align();
    const bytes = new Uint8Array(array.data.buffer, array.data.byteOffset, array.data.byteLength);
    copyIn(bytes, blobs, wrong);
    return bytes.length;
  }
  if (slot.type === "string") {
    if (typeof value !== "string") throw wrong(shown(value));
    if (/\p{Surrogate}/u.test(value)) throw wrong("text with half a surrogate pair, which UTF-8 can't hold");
    const length = Buffer.byteLength(value);
    if (length > MAX_BLOB) throw wrong(`${length} bytes; at most ${MAX_BLOB}`);
    const start = blobs.claim(length);
    blobs.bytes.write(value, start, "utf8");
    rows.view.setUint32(at, length, true);
    return length;
  }
  if (!(value instanceof Uint8Array)) throw wrong(shown(value));
  copyIn(value, blobs, wrong);
  rows.view.setUint32(at, value.length, true);
  return value.length;
}

function copyIn(bytes: Uint8Array, blobs: GrowingBytes, wrong: (what: string) => ValueError): void {
  if (bytes.length > MAX_BLOB) throw wrong(`${bytes.length} bytes; at most ${MAX_BLOB}`);
  const start = blobs.claim(bytes.length);
  blobs.bytes.set(bytes, start);
}

function shown(value: unknown): string {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "number") return String(value);
  if (typeof value === "string" || typeof value === "boolean" || value == null)
    return String(JSON.stringify(value)).slice(0, 60);
  return `an object of type ${(value as object).constructor?.name ?? "null"}`;
}

interface Scalar {
  takes(value: unknown): boolean;
  get(view: DataView, at: number): number | bigint | boolean;
  set(view: DataView, at: number, value: never): void;
}

const integer = (least: number, most: number, rest: Omit<Scalar, "takes">): Scalar => ({
  takes: (v) => typeof v === "number" && Number.isInteger(v) && v >= least && v <= most,
  ...rest,
});
const float = (rest: Omit<Scalar, "takes">): Scalar => ({ takes: (v) => typeof v === "number", ...rest });

/** 16-bit floats go through the encodings of the library's dtypes. */
function halfFloat(encoding: typeof FLOAT16): Scalar {
  const code = new Uint16Array(1);
  return float({
    get(view, at) {
      code[0] = view.getUint16(at, true);
      return encoding.decode(code.buffer, 0, 1)[0];
    },
    set(view, at, value) {
      encoding.encode([value], code.buffer, 0);
      view.setUint16(at, code[0], true);
    },
  });
}

const SCALARS: Record<DType, Scalar> = {
  float64: float({ get: (v, at) => v.getFloat64(at, true), set: (v, at, x) => v.setFloat64(at, x, true) }),
  float32: float({ get: (v, at) => v.getFloat32(at, true), set: (v, at, x) => v.setFloat32(at, x, true) }),
  float16: halfFloat(FLOAT16),
  bfloat16: halfFloat(BFLOAT16),
  int64: {
    takes: (v) => typeof v === "bigint" && BigInt.asIntN(64, v) === v,
    get: (v, at) => v.getBigInt64(at, true),
    set: (v, at, x) => v.setBigInt64(at, x, true),
  },
  int32: integer(-(2 ** 31), 2 ** 31 - 1, {
    get: (v, at) => v.getInt32(at, true),
    set: (v, at, x) => v.setInt32(at, x, true),
  }),
  int16: integer(-32768, 32767, {
    get: (v, at) => v.getInt16(at, true),
    set: (v, at, x) => v.setInt16(at, x, true),
  }),
  int8: integer(-128, 127, { get: (v, at) => v.getInt8(at), set: (v, at, x) => v.setInt8(at, x) }),
  uint8: integer(0, 255, { get: (v, at) => v.getUint8(at), set: (v, at, x) => v.setUint8(at, x) }),
  bool: {
    takes: (v) => typeof v === "boolean",
    get: (v, at) => v.getUint8(at) !== 0,
    set: (v, at, x) => v.setUint8(at, Number(x)),
  },
};
