/** Files of columns: Parquet, Arrow. */
export { type ArrowColumns, ArrowTable, encodeArrow, readArrow, writeArrow } from "./arrow.js";
export {
  type Columns,
  encodeParquet,
  openParquet,
  ParquetFile,
  type ParquetOptions,
  type ParquetWriteOptions,
  type TableRow,
  writeParquet,
} from "./parquet.js";
export type { ReadLimits } from "./rehearsal.js";
