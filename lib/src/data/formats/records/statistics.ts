/** What a group, or a file, says of each field: counts, extremes, sums. Queries skip groups by it. */
import { ValueError } from "../../../core/errors.js";
import type { FieldType, RecordSchema } from "./schema.js";

/** Of a field's values. Numbers (bigint for int64): extremes and mean without NaN; text, bytes, tensors: bytes. */
export interface FieldStatistics {
  readonly min?: number | bigint;
  readonly max?: number | bigint;
  readonly mean?: number;
  /** Bytes of all values, and of the shortest and the longest one. */
  readonly bytes?: number;
  readonly minBytes?: number;
  readonly maxBytes?: number;
}

export class Tally {
  private count = 0;
  private sum = 0;
  private min: number | bigint | null = null;
  private max: number | bigint | null = null;

  constructor(private readonly kind: "number" | "bigint" | "bytes") {}

  /** A scalar, or the bytes that a value takes. */
  add(value: number | bigint): void {
    if (Number.isNaN(value)) return;
    this.count++;
    this.sum += Number(value);
    if (this.min === null || value < this.min) this.min = value;
    if (this.max === null || value > this.max) this.max = value;
  }

  addAll(other: Tally): void {
    if (other.min === null || other.max === null) return;
    this.count += other.count;
    this.sum += other.sum;
    if (this.min === null || other.min < this.min) this.min = other.min;
    if (this.max === null || other.max > this.max) this.max = other.max;
  }

  /** Whether a value from `from` to `to` may be among those counted. */
  mayHold(from: number | bigint, to: number | bigint): boolean {
    return this.min !== null && this.max !== null && from <= this.max && to >= this.min;
  }

  summary(): FieldStatistics {
    const { min, max, sum, count } = this;
    if (min === null || max === null) return this.kind === "bytes" ? { bytes: 0 } : {};
    return this.kind === "bytes"
      ? { bytes: sum, minBytes: Number(min), maxBytes: Number(max) }
      : { min, max, mean: sum / count };
  }

  /** Text, since JSON has neither bigint nor infinities. */
  toJSON(): string[] {
    const { count, sum, min, max } = this;
    return min === null ? [] : [count, sum, min, max].map(String);
  }

  static fromJSON(json: unknown, kind: Tally["kind"], where: string): Tally {
    const tally = new Tally(kind);
    const parts: unknown[] = Array.isArray(json) ? json : [null];
    if (parts.length === 0) return tally;
    if (parts.length !== 4 || !parts.every((part) => typeof part === "string" && part.length < 40))
      throw new ValueError(`${where}: its statistics are damaged`);
    const number = (text: unknown): number => Number(text);
    const [, , min, max] = parts as string[];
    tally.count = number(parts[0]);
    tally.sum = number(parts[1]);
    if (kind === "bigint" && !(/^-?\d+$/.test(min) && /^-?\d+$/.test(max)))
      throw new ValueError(`${where}: its statistics are damaged`);
    tally.min = kind === "bigint" ? BigInt(min) : number(min);
    tally.max = kind === "bigint" ? BigInt(max) : number(max);
    return tally;
  }
}

const kindOf = (type: FieldType): "number" | "bigint" | "bytes" =>
  typeof type !== "string" || type === "string" || type === "bytes"
    ? "bytes"
    : type === "int64"
      ? "bigint"
      : "number";

/** One tally per field. */
export const tallies = (schema: RecordSchema): Tally[] =>
  Object.values(schema).map((type) => new Tally(kindOf(type)));

export function talliesFromJSON(json: unknown, schema: RecordSchema, where: string): Tally[] {
  const types = Object.values(schema);
  if (!Array.isArray(json) || json.length !== types.length)
    throw new ValueError(`${where}: its statistics are not those of ${types.length} fields`);
  return types.map((type, i) => Tally.fromJSON(json[i], kindOf(type), where));
}
