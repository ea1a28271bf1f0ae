/** CSV files. */
export { type CsvOptions, formatCsv, parseCsv, readCsv } from "./csv.js";
export type { CsvRow, CsvSchema, CsvType, CsvValue } from "./types.js";
