/** Byte-level byte-pair encoding. */
export { type BpeModel, BpeTokenizer, type Normalization } from "./tokenizer.js";
export { loadTokenizer, saveTokenizer, tokenizerFromJson, tokenizerToJson } from "./tokenizer-json.js";
export { type TrainBpeOptions, trainBpe } from "./train.js";
