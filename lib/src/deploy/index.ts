/** Deployment: exchange formats, conversion, quantization. (Book, chapter 8.) */
export * from "./onnx/index.js";
