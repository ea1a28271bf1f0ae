/** Conversion from source. */
export { type ConvertOptions, convert } from "./convert.js";
export { ConversionExplained, explainConversion } from "./explain.js";
export { ConversionError } from "./parse.js";
