/** Conversion from source. */

export { ConversionError } from "./conversion-error.js";
export { type ConvertOptions, convert } from "./convert.js";
export { ConversionExplained, explainConversion } from "./explain.js";
