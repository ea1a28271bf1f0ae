/** Text: tokenizers and operations on text. */
export * from "./bpe/index.js";
export { ngrams, normalizeUtf8 } from "./text.js";
export * from "./wordpiece/index.js";
