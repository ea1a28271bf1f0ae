/**
 * Backends: what computes a model. A backend is a module with a function `load`; each instance of a model runs it on a
 * worker thread of its own, so that the event loop stays free.
 */
import type { Datatype } from "./datatypes.js";

/** A tensor as it travels: row-major, little-endian elements. */
export interface WireTensor {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** An input or an output of a model: sizes that are open are -1. */
export interface TensorSpec {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
}

/** What a backend is to load. Everything in it is copied to the thread. */
export interface ModelSource {
  readonly name: string;
  readonly version: string;
  /** A file of the model … */
  readonly path?: string;
  /** … or its bytes. */
  readonly bytes?: Uint8Array;
  readonly format: ModelFormat;
  /** Threads that the instance may compute with. */
  readonly threads: number;
  /** Device that it is to compute on; the backend's choice without one. */
  readonly device?: string;
  /** Of the backend's own. */
  readonly options?: unknown;
}

/** `custom`: the backend knows by itself. */
export type ModelFormat = "onnx" | "mlsys" | "tfjs" | "custom";

/** A model that is ready to compute. */
export interface LoadedModel {
  /** `onnx_onnxv1` and the like; for metadata. */
  readonly platform: string;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** All outputs for all inputs, in order. What it throws is the error of the whole batch. */
  run(inputs: readonly WireTensor[]): readonly WireTensor[] | Promise<readonly WireTensor[]>;
  close?(): void | Promise<void>;
}

/** What a backend's module exports. */
export interface Backend {
  load(source: ModelSource): LoadedModel | Promise<LoadedModel>;
}
