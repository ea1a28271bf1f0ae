/** Deployment: exchange formats, conversion, quantization, sparsity, compression, distillation. (Book, chapter 8.) */
export {
  type CompressedTensor,
  type DecodeOptions,
  decodeCompressed,
  encodeCompressed,
} from "./compress/format.js";
export { huffmanLengths } from "./compress/huffman.js";
export {
  type Clusters,
  type Initialization,
  kMeans,
  type SharedWeights,
  type ShareOptions,
  shareWeights,
} from "./compress/share.js";
export {
  compressedSizes,
  loadCompressed,
  type SizeRow,
  SizeTable,
  saveCompressed,
} from "./compress/sizes.js";
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
export { type DistillOptions, distill, type HintPair, type LayerPair } from "./distill/distill.js";
export {
  attentionMap,
  attentionTransfer,
  type DistillationOptions,
  distillationLoss,
  hintLoss,
  type SoftOptions,
  softCrossEntropy,
} from "./distill/losses.js";
export { ModelFileError } from "./format/layout.js";
export {
  decodeModelFile,
  ModelFile,
  type ModelWeight,
  type OpenOptions,
  openModel,
} from "./format/read.js";
export { encodeModelFile, type SaveOptions, saveModel } from "./format/write.js";
export { BlockPool } from "./generate/block-pool.js";
export {
  type EngineOptions,
  type EngineStats,
  GenerationEngine,
  type GenerationRequest,
  QueueFullError,
} from "./generate/engine.js";
export { gpt2Name } from "./generate/gpt2.js";
export { loadPretrained, type Pretrained, PretrainedError } from "./generate/pretrained.js";
export type { SamplingParams } from "./generate/sampler.js";
export type { FinishReason, GeneratedToken } from "./generate/stream.js";
export { type TextChunk, TextGenerator, type TextParams } from "./generate/text.js";
export type { StepTrace } from "./generate/trace.js";
export * from "./onnx/index.js";
export type { EncryptOptions } from "./protect/encryption/chunks.js";
export { EncryptionError, type EncryptionProblem } from "./protect/encryption/errors.js";
export {
  decryptBytes,
  decryptFile,
  type EncryptionInfo,
  encryptBytes,
  encryptFile,
  encryptionOf,
  rekeyFile,
} from "./protect/encryption/files.js";
export { generateKey, type KeySource, keyId, saveKey } from "./protect/encryption/keys.js";
export type { Cost, Costs } from "./protect/obfuscation/costs.js";
export type { Form, Interface, OpaqueOp, Slot, WeightForm } from "./protect/obfuscation/interface.js";
export { type LibraryOptions, OpLibrary, openLibrary, saveLibrary } from "./protect/obfuscation/library.js";
export {
  Obfuscated,
  type ObfuscateOptions,
  type ObfuscationReport,
  obfuscate,
} from "./protect/obfuscation/obfuscate.js";
export { restore } from "./protect/obfuscation/restore.js";
export type { Evidence } from "./protect/watermark/evidence.js";
export { type TriggerOptions, TriggerSet } from "./protect/watermark/triggers.js";
export { WeightWatermark, type WeightWatermarkOptions } from "./protect/watermark/weights.js";
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
export * from "./serve/index.js";
export * as prune from "./sparsity/index.js";
export { loadTfjs, readTfjs, TfjsModel } from "./tfjs/read.js";
export type { TfjsValue } from "./tfjs/topology.js";
export { TfjsError } from "./tfjs/weights.js";
export { type LoadWeightsOptions, loadWeights, saveWeights } from "./weights.js";
