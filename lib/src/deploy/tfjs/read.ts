/** Reading TF.js models: layers models (Keras) and graph models (TensorFlow), a JSON with the topology and shards of weights. */
import { readFile, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { formatType } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { toStatic } from "../../graph/static.js";
import { insideOf } from "../inside.js";
import { graphProgram } from "./graph.js";
import { layersProgram, type Program, type TfjsValue } from "./topology.js";
import { isJson, type Json, manifestOf, shown, TfjsError, weightsOf } from "./weights.js";

/** Largest topology that is read. */
const MOST_TOPOLOGY = 2 ** 28;

export class TfjsModel {
  private readonly compiled: (...args: Tensor[]) => unknown;

  constructor(
    readonly format: "layers-model" | "graph-model",
    private readonly program: Program,
    /** By their names in the manifest. */
    readonly weights: ReadonlyMap<string, Tensor>,
    private readonly where: string,
  ) {
    this.compiled = toStatic((...args: Tensor[]) => this.call(...args));
  }

  get inputs(): readonly TfjsValue[] {
    return this.program.inputs;
  }

  get outputs(): readonly string[] {
    return this.program.outputs;
  }

  /**
   * The outputs for these inputs, in order, op by op; differentiable, and can be captured. Images have their channels last.
   * @throws TfjsError naming the input that does not fit, or the layer or node that can't be computed.
   */
  call(...args: Tensor[]): Tensor[] {
    if (args.length !== this.inputs.length)
      throw new TfjsError(`${this.where}: ${this.inputs.length} input(s) expected, ${args.length} given`);
    this.inputs.forEach(({ name, dtype, shape }, i) => {
      const x = args[i];
      const fits =
        shape === null ||
        (x.ndim === shape.length && shape.every((dim, axis) => dim === null || dim === x.shape[axis]));
      if (!fits || x.dtype !== dtype)
        throw new TfjsError(
          `${this.where}: input ${shown(name)} is ${formatType(x)}, ${dtype}${shape ? `(${shape.map((dim) => dim ?? "?").join(", ")})` : ""} was expected`,
        );
    });
    return this.program.run(args);
  }

  /** The outputs by name; compiled once for each signature. */
  run(...args: Tensor[]): Record<string, Tensor> {
    const results = this.compiled(...args) as Tensor[];
    return Object.fromEntries(this.outputs.map((name, i) => [name, results[i]]));
  }
}

/**
 * A model from its JSON and the bytes of its shards, one after the other.
 * @throws TfjsError naming what is malformed, missing or unknown.
 * @example deploy.readTfjs({ format: "layers-model", modelTopology: { class_name: "Sequential", config: { layers: [{ class_name: "ReLU", config: { name: "r", batch_input_shape: [null, 2] } }] } } }).call(tensor([[-1, 2]]))[0] // [[0, 2]]
 */
export function readTfjs(
  json: unknown,
  weightBytes: Uint8Array = new Uint8Array(0),
  where = "tfjs",
): TfjsModel {
  if (!isJson(json)) throw new TfjsError(`${where}: no model: ${shown(json)}`);
  const format =
    json.format ??
    (isJson(json.modelTopology) && Array.isArray(json.modelTopology.node) ? "graph-model" : "layers-model");
  if (format !== "layers-model" && format !== "graph-model")
    throw new TfjsError(`${where}: format ${shown(format)}; "layers-model" and "graph-model" can be read`);
  const weights = weightsOf(manifestOf(json, where), weightBytes, where);
  const program =
    format === "graph-model"
      ? graphProgram(json, weights, where)
      : layersProgram(json.modelTopology, weights, where);
  return new TfjsModel(format, program, weights, where);
}

/**
 * The model of a `model.json` with its shards beside it.
 * @throws TfjsError as `readTfjs`, and for shards that are missing or outside the model's folder.
 * @example
 * process.getBuiltinModule("node:fs").writeFileSync("/tmp/mlsys-example-model.json", JSON.stringify({ format: "layers-model", modelTopology: { class_name: "Sequential", config: { layers: [{ class_name: "ReLU", config: { name: "r", batch_input_shape: [null, 2] } }] } } }));
 * (await deploy.loadTfjs("/tmp/mlsys-example-model.json")).call(tensor([[-1, 2]]))[0] // [[0, 2]]
 */
export async function loadTfjs(file: string): Promise<TfjsModel> {
  const { size } = await stat(file);
  if (size > MOST_TOPOLOGY) throw new TfjsError(`${file}: ${size} bytes are no topology`);
  let json: unknown;
  try {
    json = JSON.parse(await readFile(file, "utf8"));
  } catch (cause) {
    throw new TfjsError(`${file}: not JSON: ${(cause as Error).message.slice(0, 200)}`, { cause });
  }
  const groups = isJson(json) ? manifestOf(json as Json, file) : [];
  const shards: Uint8Array[] = [];
  for (const path of groups.flatMap(({ paths }) => paths)) {
    const shard = insideOf(dirname(file), path, (problem) => {
      throw new TfjsError(`${file}: weights are ${problem}`);
    });
    shards.push(await readFile(shard));
  }
  return readTfjs(json, Buffer.concat(shards), file);
}
