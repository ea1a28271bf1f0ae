/** Schemas of record files: what fields a record has, and what their values are in TypeScript. */
import { bytesPerElement, type DType, isDType } from "../../../core/dtype.js";
import { ValueError } from "../../../core/errors.js";
import type { PlainArray } from "../array.js";

/** A tensor field; `null` in the shape: that size may differ from record to record. */
export interface TensorField<D extends DType = DType> {
  readonly dtype: D;
  readonly shape: readonly (number | null)[];
}

/** A scalar of some dtype, text, bytes, or a tensor. */
export type FieldType = DType | "string" | "bytes" | TensorField;

/** Fields by name, in the order in which they are stored. */
export type RecordSchema = Readonly<Record<string, FieldType>>;

export type FieldValue<F extends FieldType> = F extends "string"
  ? string
  : F extends "bytes"
    ? Uint8Array
    : F extends "int64"
      ? bigint
      : F extends "bool"
        ? boolean
        : F extends DType
          ? number
          : F extends TensorField<infer D>
            ? PlainArray<D>
            : never;

/** A record of this schema. */
export type RecordOf<S extends RecordSchema> = { -readonly [K in keyof S]: FieldValue<S[K]> };

const MAX_FIELDS = 1000;

/** @throws ValueError naming the field and what is wrong with it. */
export function checkSchema(schema: unknown, where: string): RecordSchema {
  if (typeof schema !== "object" || schema === null || Array.isArray(schema))
    throw new ValueError(`${where}: a schema is an object of fields, got ${JSON.stringify(schema)}`);
  const fields = Object.entries(schema);
  if (fields.length === 0 || fields.length > MAX_FIELDS)
    throw new ValueError(`${where}: a schema has 1 to ${MAX_FIELDS} fields, got ${fields.length}`);
  for (const [name, type] of fields) {
    if (name === "" || name === "__proto__" || /^\d+$/.test(name))
      throw new ValueError(`${where}: a field can't be named ${JSON.stringify(name)}`);
    if (!isFieldType(type))
      throw new ValueError(
        `${where}: field ${name} has the type ${JSON.stringify(type)}; known: dtypes, "string", "bytes", { dtype, shape }`,
      );
  }
  return schema as RecordSchema;
}

function isFieldType(type: unknown): type is FieldType {
  if (type === "string" || type === "bytes") return true;
  if (typeof type === "string") return isDType(type);
  const { dtype, shape } = (type ?? {}) as Partial<TensorField>;
  if (!isDType(dtype) || !Array.isArray(shape) || shape.length > 32) return false;
  const known = shape.map((n) => n ?? 1);
  return (
    known.every((n) => Number.isInteger(n) && n >= 0) &&
    known.reduce((a, b) => a * b, bytesPerElement(dtype)) < 2 ** 31
  );
}

export function formatFieldType(type: FieldType): string {
  return typeof type === "string"
    ? type
    : `${type.dtype}(${type.shape.map((n) => (n === null ? "?" : n)).join(", ")})`;
}

/** Whether two schemas have the same fields of the same types in the same order. */
export function sameSchema(a: RecordSchema, b: RecordSchema): boolean {
  const text = (s: RecordSchema): string =>
    Object.entries(s)
      .map(([name, type]) => `${JSON.stringify(name)}: ${formatFieldType(type)}`)
      .join(", ");
  return text(a) === text(b);
}
