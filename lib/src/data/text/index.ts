/** Text: tokenizers and operations on text. */
export * from "./bpe/index.js";
