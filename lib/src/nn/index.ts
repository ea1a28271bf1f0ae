/** Modules, initial values and losses. */
export { heNormal, heUniform, type InitOptions, xavierNormal, xavierUniform } from "./init.js";
export {
  Activation,
  AvgPool2d,
  Conv2d,
  Dense,
  type DenseOptions,
  Dropout,
  Flatten,
  MaxPool2d,
  ReLU,
  Sequential,
  Sigmoid,
  Tanh,
} from "./layers.js";
export { binaryCrossEntropy, crossEntropy, mae, mse } from "./losses.js";
export { Module } from "./module.js";
export { BatchNorm, type BatchNormOptions, LayerNorm, type NormOptions } from "./normalization.js";
