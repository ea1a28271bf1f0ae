/** What is in a record file, without its records: for people, and for tools as an object. */
import { existsSync } from "node:fs";
import { ValueError } from "../../../core/errors.js";
import type { BytesOrPath } from "../bytes/byte-file.js";
import { IndexFile, indexPath } from "./index-file.js";
import { pageFault } from "./pages.js";
import { openRecords, type RecordFile } from "./reader.js";
import type { Recovery } from "./recover.js";
import { formatFieldType } from "./schema.js";
import type { FieldStatistics } from "./statistics.js";

export interface RecordReport {
  readonly name: string;
  readonly bytes: number;
  readonly id: string;
  readonly shard: { readonly id: number; readonly of: number };
  readonly rows: number;
  readonly fields: readonly {
    readonly name: string;
    readonly type: string;
    readonly statistics: FieldStatistics;
  }[];
  /** `null` for a file that was closed by its writer. */
  readonly recovery: Recovery | null;
  readonly groups: readonly {
    /** First byte, and the one behind the last. */
    readonly offset: number;
    readonly end: number;
    readonly rows: number;
    readonly scalarBytes: number;
    readonly blobBytes: number;
    readonly pages: number;
    /** With `verify`: the first damaged page. */
    readonly fault: string | null;
  }[];
  /** Whether queries by these fields have an index file; or why not. */
  readonly index: {
    readonly state: "none" | "stale" | "ready" | "damaged";
    readonly fields: readonly string[];
  };
  toString(): string;
}

/**
 * Describes a record file: schema, row groups with their pages, statistics, index, what a killed writer left.
 * @param options.verify also reads every page and names damaged ones
 * @example data.inspectRecords(data.encodeRecords({ x: "float32" }, [{ x: 1 }, { x: 3 }])).fields[0].statistics.mean // 2
 */
export function inspectRecords(source: BytesOrPath, { verify = false } = {}): RecordReport {
  using file = openRecords(source);
  const statistics = file.statistics();
  const report = {
    name: file.name,
    bytes: file.file.size,
    id: file.header.id,
    shard: file.header.shard,
    rows: file.length,
    fields: Object.entries(file.schema).map(([name, type]) => ({
      name,
      type: formatFieldType(type),
      statistics: statistics[name],
    })),
    recovery: file.recovery,
    groups: file.directory.offsets.map((offset, i) => describeGroup(file, offset, i, verify)),
    index: indexState(file),
  };
  return { ...report, toString: () => describe(report) };
}

function describeGroup(
  file: RecordFile,
  offset: number,
  group: number,
  verify: boolean,
): RecordReport["groups"][number] {
  try {
    const { head } = file.pages(group);
    const { rows, scalarBytes, blobBytes } = head;
    const fault = verify ? pageFault(file.file, head, file.header.pageBytes) : null;
    return { offset, end: head.end, rows, scalarBytes, blobBytes, pages: head.pageSums.length, fault };
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    const rows = file.directory.rows[group];
    return { offset, end: offset, rows, scalarBytes: 0, blobBytes: 0, pages: 0, fault: error.message };
  }
}

function indexState(file: RecordFile): RecordReport["index"] {
  const path = file.file.path === null ? null : indexPath(file.file.path);
  if (path === null || !existsSync(path)) return { state: "none", fields: file.header.indexed };
  try {
    const index = IndexFile.open(path, file.header.id, file.length);
    if (!index) return { state: "stale", fields: file.header.indexed };
    index.close();
    return { state: "ready", fields: index.indexed };
  } catch {
    return { state: "damaged", fields: file.header.indexed };
  }
}

type Facts = Omit<RecordReport, "toString">;

function describe({ name, bytes, id, shard, rows, fields, recovery, groups, index }: Facts): string {
  const number = (n: number | bigint | undefined): string =>
    typeof n === "number" ? String(Number(n.toPrecision(6))) : String(n ?? "–");
  const lines = [
    `${name}: ${rows} records, ${bytes} bytes, ${groups.length} row groups, shard ${shard.id} of ${shard.of}, id ${id}`,
    recovery
      ? `cut: ${recovery.reason}; ${recovery.lostBytes} bytes behind the last whole row group`
      : "closed by its writer",
    `index: ${index.state}${index.fields.length > 0 ? ` (${index.fields.join(", ")})` : ""}`,
    ...fields.map(({ name: field, type, statistics: s }) =>
      s.bytes === undefined
        ? `  ${field}: ${type}, ${number(s.min)} to ${number(s.max)}, mean ${number(s.mean)}`
        : `  ${field}: ${type}, ${number(s.bytes)} bytes, ${number(s.minBytes)} to ${number(s.maxBytes)} each`,
    ),
    ...groups.map(
      (g, i) =>
        `  group ${i} at ${g.offset}: ${g.rows} records, ${g.scalarBytes} + ${g.blobBytes} bytes, ${g.pages} pages${g.fault ? `: ${g.fault}` : ""}`,
    ),
  ];
  return lines.join("\n");
}
