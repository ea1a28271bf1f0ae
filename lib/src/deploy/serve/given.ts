/** Models given in code: what may stand where a model is expected, and what a thread can load of it. */
import { stat } from "node:fs/promises";
import { SymbolicGraph } from "../../ir/dynamic/symbolic-graph.js";
import { Graph } from "../../ir/graph.js";
import { Converted } from "../convert/convert.js";
import type { Exportable } from "../convert/exportable.js";
import { encodeModelFile } from "../format/write.js";
import { writeOnnx } from "../onnx/write.js";
import { Quantized } from "../quantize/quantize.js";
import type { ModelFormat } from "./backend.js";
import type { ModelOptions } from "./config.js";
import { ServeError } from "./errors.js";
import type { TokenModel } from "./tokens.js";

/** A file of a model, or a folder with its versions. */
export interface ModelPath extends ModelOptions {
  readonly path: string;
}

/** A module, a function or a graph. It travels to its threads as ONNX, or as a model file. */
export interface ModelInCode extends ModelOptions {
  readonly model: Exportable | Converted | Quantized;
  /** Types of the arguments, `"float32(n, 784)"` with sizes that stay open; or examples, whose sizes are then fixed. */
  readonly inputs?: readonly unknown[];
  readonly inputNames?: readonly string[];
  readonly outputNames?: readonly string[];
}

/** The bytes of an ONNX model or of a model file. */
export interface ModelBytes extends ModelOptions {
  readonly bytes: Uint8Array;
  readonly format?: "onnx" | "mlsys";
}

/** A backend of its own, without a file. */
export interface ModelOfBackend extends ModelOptions {
  readonly backend: string | URL;
}

/** A path, or one of the others. */
export type ServedModel = string | ModelPath | ModelInCode | ModelBytes | ModelOfBackend | TokenModel;

/** What a thread loads. */
export type Payload =
  | { readonly kind: "path"; readonly path: string; readonly isFolder: boolean }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array; readonly format: ModelFormat }
  | { readonly kind: "backend" }
  | { readonly kind: "tokens"; readonly model: TokenModel };

/** @throws ServeError NOT_FOUND for a path that is not there; OnnxError if the model can't travel. */
export async function payloadOf(
  name: string,
  given: ServedModel,
): Promise<{ payload: Payload; options: ModelOptions }> {
  if (typeof given === "string") return payloadOf(name, { path: given });
  if ("engine" in given) return { payload: { kind: "tokens", model: given }, options: {} };
  if ("path" in given) {
    const info = await stat(given.path).catch(() => null);
    if (info === null) throw new ServeError("NOT_FOUND", `model "${name}": ${given.path} is not there`);
    return { payload: { kind: "path", path: given.path, isFolder: info.isDirectory() }, options: given };
  }
  if ("bytes" in given) {
    const format =
      given.format ??
      (Buffer.from(given.bytes.subarray(0, 5)).toString("latin1") === "MLSYS" ? "mlsys" : "onnx");
    return { payload: { kind: "bytes", bytes: given.bytes, format }, options: given };
  }
  if ("model" in given) return { payload: { kind: "bytes", ...encoded(name, given) }, options: given };
  return { payload: { kind: "backend" }, options: given };
}

/** ONNX, which keeps names and open sizes; a model file where ONNX has no words for the graph. */
function encoded(
  name: string,
  { model, inputs = [], inputNames, outputNames }: ModelInCode,
): { bytes: Uint8Array; format: ModelFormat } {
  const exported = model instanceof Converted || model instanceof Quantized ? model.graph : model;
  const isGraph = exported instanceof Graph || exported instanceof SymbolicGraph;
  if (!isGraph && inputs.length === 0)
    throw new ServeError(
      "INVALID_ARGUMENT",
      `model "${name}": give its inputs, { inputs: ["float32(n, 784)"] }`,
    );
  try {
    return { bytes: writeOnnx(exported, inputs, { name, inputNames, outputNames }), format: "onnx" };
  } catch (cause) {
    if (inputs.some((input) => typeof input === "string")) throw cause;
    return { bytes: encodeModelFile(exported, inputs), format: "mlsys" };
  }
}
