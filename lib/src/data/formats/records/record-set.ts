/** Several record files as one: each written by a writer of its own. */
import { readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { ValueError } from "../../../core/errors.js";
import type { RandomAccess } from "../../dataset/node.js";
import type { Condition } from "./index-file.js";
import { type OpenRecordsOptions, openRecords, type RecordFile } from "./reader.js";
import { formatFieldType, type RecordOf, type RecordSchema, sameSchema } from "./schema.js";

/**
 * The name of one file of a set, as TensorFlow and MindSpore number them.
 * @example data.shardPath("train", 3, 8) // "train-00003-of-00008.rec"
 */
export function shardPath(base: string, id: number, of: number): string {
  const digits = (n: number): string => String(n).padStart(5, "0");
  return `${base}-${digits(id)}-of-${digits(of)}.rec`;
}

/** The records of all files, those of shard 0 first. */
export class RecordSet<S extends RecordSchema = RecordSchema>
  implements RandomAccess<RecordOf<S>>, Iterable<RecordOf<S>>, Disposable
{
  readonly length: number;
  private readonly starts: number[] = [];

  /** @internal */
  constructor(readonly files: readonly RecordFile<S>[]) {
    let next = 0;
    for (const file of files) {
      this.starts.push(next);
      next += file.length;
    }
    this.length = next;
  }

  get schema(): S {
    return this.files[0].schema;
  }

  at(index: number): RecordOf<S> {
    if (!Number.isInteger(index) || index < 0 || index >= this.length)
      throw new ValueError(`the set has records 0 to ${this.length - 1}, got ${index}`);
    const file = this.starts.findLastIndex((start) => start <= index);
    return this.files[file].at(index - this.starts[file]);
  }

  *[Symbol.iterator](): IterableIterator<RecordOf<S>> {
    for (const file of this.files) yield* file;
  }

  /** Positions in the set; see `RecordFile.find`. */
  *find<K extends keyof S & string>(
    field: K,
    condition: Condition<RecordOf<S>[K]>,
  ): IterableIterator<number> {
    for (const [i, file] of this.files.entries())
      for (const row of file.find(field, condition)) yield this.starts[i] + row;
  }

  close(): void {
    for (const file of this.files) file.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * Opens a set by the common part of its files' names (see `shardPath`), or by their paths.
 * @example
 * for (const id of [0, 1]) {
 *   const out = data.recordWriter(data.shardPath("train", id, 2), { x: "int32" }, { shard: { id, of: 2 } });
 *   out.write({ x: id });
 *   out.close();
 * }
 * const set = data.openRecordSet("train", { schema: { x: "int32" } });
 * [...set].map((record) => record.x) // [0, 1]
 * @throws ValueError if a file of the set is missing, is there twice, or has another schema.
 */
export function openRecordSet<S extends RecordSchema = RecordSchema>(
  base: string | readonly string[],
  options: OpenRecordsOptions<S> = {},
): RecordSet<S> {
  const paths = typeof base === "string" ? shardsOf(base) : base;
  const files: RecordFile<S>[] = [];
  try {
    for (const path of paths) files.push(openRecords<S>(path, options));
    checkSet(files, typeof base === "string" ? base : "the set");
    return new RecordSet(files.toSorted((a, b) => a.header.shard.id - b.header.shard.id));
  } catch (error) {
    for (const file of files) file.close();
    throw error;
  }
}

function shardsOf(base: string): string[] {
  const [folder, start] = [dirname(base), `${basename(base)}-`];
  return readdirSync(folder)
    .filter((name) => name.startsWith(start) && /^\d{5,}-of-\d{5,}\.rec$/.test(name.slice(start.length)))
    .map((name) => join(folder, name));
}

function checkSet(files: readonly RecordFile[], name: string): void {
  if (files.length === 0) throw new ValueError(`${name}: no record files of that name`);
  const { of } = files[0].header.shard;
  const seen = new Map<number, string>();
  for (const file of files) {
    const { shard } = file.header;
    const double = seen.get(shard.id);
    if (shard.of !== of)
      throw new ValueError(`${file.name} is one of ${shard.of} files, ${files[0].name} one of ${of}`);
    if (double !== undefined)
      throw new ValueError(`${file.name} and ${double} are both shard ${shard.id} of ${of}`);
    if (!sameSchema(file.schema, files[0].schema))
      throw new ValueError(
        `${file.name} has other fields (${fields(file.schema)}) than ${files[0].name} (${fields(files[0].schema)})`,
      );
    seen.set(shard.id, file.name);
  }
  const missing = Array.from({ length: of }, (_, id) => id).filter((id) => !seen.has(id));
  if (missing.length > 0)
    throw new ValueError(
      `${name}: of ${of} files, ${missing.length} are missing: ${missing.slice(0, 5).join(", ")}${missing.length > 5 ? ", …" : ""}`,
    );
}

const fields = (schema: RecordSchema): string =>
  Object.entries(schema)
    .map(([name, type]) => `${name}: ${formatFieldType(type)}`)
    .join(", ");
