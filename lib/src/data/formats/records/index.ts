/** The record file with index. */

export { buildRecordIndex } from "./index-build.js";
export type { Condition } from "./index-file.js";
export { inspectRecords, type RecordReport } from "./inspect.js";
export type { Verify } from "./pages.js";
export { type OpenRecordsOptions, openRecords, RecordFile } from "./reader.js";
export { openRecordSet, RecordSet, shardPath } from "./record-set.js";
export type { Recovery } from "./recover.js";
export type { FieldType, FieldValue, RecordOf, RecordSchema, TensorField } from "./schema.js";
export type { FieldStatistics } from "./statistics.js";
export { sourceView, type ViewOptions } from "./view.js";
export {
  encodeRecords,
  type RecordFileOptions,
  RecordWriter,
  type RecordWriterOptions,
  recordWriter,
} from "./writer.js";
