/** The part of TensorFlow.js that the device calls, as types alone: the package is loaded when the device is used. */
import type * as core from "@tensorflow/tfjs-core";

export type Tfjs = typeof core;
export type TfTensor = core.Tensor;
