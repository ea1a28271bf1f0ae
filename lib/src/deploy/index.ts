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
export { ModelFileError } from "./format/layout.js";
export { decodeModelFile, ModelFile, type ModelWeight, openModel } from "./format/read.js";
export { encodeModelFile, saveModel } from "./format/write.js";
export * from "./onnx/index.js";
export { type CalibrationMethod, type CalibrationOptions, Observer } from "./quantize/calibrate.js";
export { type Lowered, lowerQuantized } from "./quantize/lower.js";
export { type QatOptions, qat } from "./quantize/qat.js";
export {
  type QuantizationReport,
  Quantized,
  type QuantizedLayer,
  type QuantizeOptions,
  quantize,
} from "./quantize/quantize.js";
export {
  dequantizeTensor,
  fakeQuantize,
  type QuantParams,
  quantizeTensor,
  quantParams,
  type Scheme,
} from "./quantize/scheme.js";
export type { WeightOptions } from "./quantize/weights.js";
export { loadTfjs, readTfjs, TfjsModel } from "./tfjs/read.js";
export type { TfjsValue } from "./tfjs/topology.js";
export { TfjsError } from "./tfjs/weights.js";
export { type LoadWeightsOptions, loadWeights, saveWeights } from "./weights.js";
