/** Deployment: exchange formats, conversion, quantization. (Book, chapter 8.) */
export {
  CONVERSION,
  type ConversionReport,
  Converted,
  type ConvertOptions,
  convert,
  type Footprint,
  type PassEffect,
} from "./convert/convert.js";
export type { Exportable } from "./convert/exportable.js";
export * from "./onnx/index.js";
