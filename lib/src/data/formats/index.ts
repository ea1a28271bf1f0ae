/** File formats: each a folder or a file here, and a line in this table. */
export type { PlainArray } from "./array.js";
export type { BytesOrPath } from "./bytes/byte-file.js";
export type { ByteSource, Compression } from "./bytes/byte-stream.js";
export { crc32c } from "./bytes/crc32c.js";
export type { TextOptions } from "./bytes/text-stream.js";
export * from "./columns/index.js";
export * from "./csv/index.js";
export { type BadLine, type JsonLinesOptions, readJsonLines, writeJsonLines } from "./json-lines.js";
export * from "./records/index.js";
export * from "./tfrecord/index.js";
