/** Modules, initial values and losses. */
export {
  Activation,
  ELU,
  GELU,
  HardSigmoid,
  HardSwish,
  LeakyReLU,
  LogSoftmax,
  Mish,
  PReLU,
  ReLU,
  ReLU6,
  SELU,
  Sigmoid,
  SiLU,
  Softmax,
  Softplus,
  Softsign,
  Tanh,
} from "./activations.js";
export { type HeadOptions, MultiHeadAttention, type MultiHeadAttentionOptions } from "./attention.js";
export { type Attend, CausalLM, type CausalLMOptions } from "./causal-lm.js";
export {
  type CellOptions,
  GRUCell,
  LSTMCell,
  type LSTMOptions,
  type LSTMState,
  RecurrentCell,
  RNNCell,
  type RNNOptions,
} from "./cells.js";
export { Flatten, Identity, Residual, Sequential } from "./containers.js";
export {
  Conv1d,
  type Conv1dLayerOptions,
  Conv2d,
  type ConvLayerOptions,
  ConvTranspose1d,
  type ConvTranspose1dLayerOptions,
  ConvTranspose2d,
  type ConvTransposeLayerOptions,
} from "./convolution.js";
export { Bilinear, Dense, type DenseOptions } from "./dense.js";
export { Dropout, SpatialDropout } from "./dropout.js";
export { Embedding, type EmbeddingOptions } from "./embedding.js";
export type { BackwardHook, ForwardHook, ForwardPreHook } from "./hooks.js";
export {
  heNormal,
  heUniform,
  type InitOptions,
  lecunNormal,
  lecunUniform,
  orthogonal,
  truncatedNormal,
  xavierNormal,
  xavierUniform,
} from "./init.js";
export {
  type BinaryCrossEntropyOptions,
  binaryCrossEntropy,
  type CrossEntropyOptions,
  cosineSimilarity,
  crossEntropy,
  hinge,
  huber,
  klDivergence,
  mae,
  mse,
  type NllOptions,
  nll,
  type Reduction,
  tripletMargin,
} from "./losses.js";
export { Module } from "./module.js";
export {
  BatchNorm,
  type BatchNormOptions,
  GroupNorm,
  InstanceNorm,
  LayerNorm,
  type NormOptions,
  RMSNorm,
} from "./normalization.js";
export {
  AdaptiveAvgPool2d,
  AdaptiveMaxPool2d,
  AvgPool1d,
  AvgPool2d,
  MaxPool1d,
  MaxPool2d,
} from "./pooling.js";
export { LearnedPositions, SinusoidalPositions } from "./positions.js";
export { GRU, LSTM, RNN, type RunOptions, type RunResult, type StackOptions } from "./recurrent.js";
export {
  type DecoderOptions,
  type EncodedOptions,
  Transformer,
  TransformerDecoder,
  TransformerDecoderLayer,
  TransformerEncoder,
  TransformerEncoderLayer,
  type TransformerOptions,
} from "./transformer.js";
