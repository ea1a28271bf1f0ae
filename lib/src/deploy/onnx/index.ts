/** ONNX, both ways. */
export { exportedOps } from "./export/index.js";
export { importedOps } from "./import/index.js";
export { type OnnxDescription, OnnxModel, type OnnxValue } from "./model.js";
export { loadOnnx, type ReadOnnxOptions, readOnnx } from "./read.js";
export { OnnxError } from "./schema.js";
export {
  type SaveOnnxOptions,
  saveOnnx,
  type WriteOnnxOptions,
  writeOnnx,
} from "./write.js";
