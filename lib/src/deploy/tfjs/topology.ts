/** Layers models: the layers of a Keras model in the order in which they run. */
import { type DType, isDType } from "../../core/dtype.js";
import type { Tensor } from "../../core/tensor.js";
import { Layer, type LayerFunction } from "./layer.js";
import { LAYERS } from "./rows.js";
import { isJson, type Json, shown, TfjsError } from "./weights.js";

/** A model as a function of its inputs, with their types; sizes that are left open are `null`. */
export interface Program {
  readonly inputs: readonly TfjsValue[];
  readonly outputs: readonly string[];
  readonly run: (inputs: readonly Tensor[]) => Tensor[];
}

export interface TfjsValue {
  readonly name: string;
  readonly dtype: DType;
  /** `null`: the model does not say. */
  readonly shape: readonly (number | null)[] | null;
}

const table = new Map(LAYERS.map((row) => [row.className, row]));

/** Models inside models. */
const MOST_NESTED = 32;

interface Context {
  readonly weights: ReadonlyMap<string, Tensor>;
  readonly where: string;
  readonly depth: number;
}

interface LayerJson {
  readonly className: string;
  readonly name: string;
  readonly config: Json;
  readonly inbound: unknown;
}

/** @throws TfjsError naming the layer that is unknown or malformed. */
export function layersProgram(
  topology: unknown,
  weights: ReadonlyMap<string, Tensor>,
  where: string,
): Program {
  const config = isJson(topology) ? (topology.model_config ?? topology) : topology;
  if (!isJson(config)) throw new TfjsError(`${where}: the topology is ${shown(config)}`);
  return modelOf(config, { weights, where, depth: 0 });
}

function modelOf(json: Json, context: Context): Program {
  if (context.depth > MOST_NESTED) throw new TfjsError(`${context.where}: models nest too deep`);
  const { class_name: className, config } = json;
  if (className === "Sequential") return sequential(config, context);
  if (className === "Functional" || className === "Model") return functional(config, context);
  throw new TfjsError(
    `${context.where}: a model of class ${shown(className)}; Sequential, Functional and Model can be read`,
  );
}

function layerJson(found: unknown, { where }: Context): LayerJson {
  if (!isJson(found) || typeof found.class_name !== "string" || !isJson(found.config))
    throw new TfjsError(`${where}: no layer: ${shown(found)}`);
  const name = found.name ?? found.config.name;
  if (typeof name !== "string") throw new TfjsError(`${where}: a layer without a name: ${shown(found)}`);
  return { className: found.class_name, name, config: found.config, inbound: found.inbound_nodes };
}

/** What a layer computes; of a model inside, what that computes. */
function functionOf(
  { className, name, config }: LayerJson,
  context: Context,
): (inputs: readonly Tensor[]) => Tensor[] {
  if (className === "Sequential" || className === "Functional" || className === "Model")
    return modelOf({ class_name: className, config }, { ...context, depth: context.depth + 1 }).run;
  const row = table.get(className);
  if (!row)
    throw new TfjsError(
      `${context.where}: layer ${shown(name)} is a ${shown(className).slice(1, -1)}, which is not among those that can be read: ${[...table.keys()].join(", ")}`,
    );
  const layer = new Layer(className, name, config, context.weights, [name], context.where);
  const f: LayerFunction = row.make(layer);
  return (inputs) => {
    try {
      return [f(...inputs)];
    } catch (error) {
      if (error instanceof TfjsError) throw error;
      throw new TfjsError(`${layer.where}: ${(error as Error).message}`, { cause: error });
    }
  };
}

function inputOf({ name, config }: LayerJson, { where }: Context): TfjsValue {
  const shape = config.batch_input_shape ?? config.batchInputShape;
  const dtype = config.dtype ?? "float32";
  const sizes = (list: unknown): list is (number | null)[] =>
    Array.isArray(list) &&
    list.every((dim) => dim === null || (Number.isSafeInteger(dim) && (dim as number) >= 0));
  if (shape !== undefined && !sizes(shape))
    throw new TfjsError(`${where}: layer ${shown(name)} has the input shape ${shown(shape)}`);
  if (!isDType(dtype)) throw new TfjsError(`${where}: layer ${shown(name)} has dtype ${shown(dtype)}`);
  return { name, dtype, shape: shape ?? null };
}

function sequential(config: unknown, context: Context): Program {
  const list = isJson(config) ? config.layers : config;
  if (!Array.isArray(list) || list.length === 0)
    throw new TfjsError(`${context.where}: a Sequential without layers`);
  const layers = list.map((found) => layerJson(found, context));
  const steps = layers.map((layer) => functionOf(layer, context));
  return {
    inputs: [inputOf(layers[0], context)],
    outputs: [layers[layers.length - 1].name],
    run: (inputs) => steps.reduce((values, step) => step(values), [...inputs]),
  };
}

/** A value of a functional model: of the layer's `node`th call, the `tensor`th result. */
type Key = `${string}/${number}/${number}`;

interface Call {
  readonly step: (inputs: readonly Tensor[]) => Tensor[];
  readonly inputs: readonly Key[];
  readonly layer: string;
  readonly node: number;
}

const keyOf = (found: unknown, { where }: Context): Key => {
  const [name, node, tensor] = Array.isArray(found) ? found : [];
  if (typeof name !== "string" || !Number.isInteger(node) || !Number.isInteger(tensor))
    throw new TfjsError(`${where}: ${shown(found)} names no result of a layer`);
  return `${name}/${node}/${tensor}`;
};

/** One `[layer, node, tensor]`, or a list of them. */
const keysOf = (found: unknown, context: Context): Key[] => {
  if (!Array.isArray(found))
    throw new TfjsError(`${context.where}: ${shown(found)} names no results of layers`);
  return typeof found[0] === "string" ? [keyOf(found, context)] : found.map((one) => keyOf(one, context));
};

function functional(config: unknown, context: Context): Program {
  const { where } = context;
  if (!isJson(config) || !Array.isArray(config.layers))
    throw new TfjsError(`${where}: a model without layers`);
  const layers = config.layers.map((found: unknown) => layerJson(found, context));
  const byName = new Map(layers.map((layer) => [layer.name, layer]));
  const inputs = keysOf(config.input_layers, context);
  const outputs = keysOf(config.output_layers, context);
  const calls: Call[] = layers.flatMap((layer) => {
    if (layer.className === "InputLayer") return [];
    const step = functionOf(layer, context);
    if (!Array.isArray(layer.inbound))
      throw new TfjsError(`${where}: layer ${shown(layer.name)} is called with nothing`);
    return layer.inbound.map(
      (given: unknown, node): Call => ({ step, inputs: keysOf(given, context), layer: layer.name, node }),
    );
  });
  const order = sorted(calls, new Set(inputs), where);
  return {
    inputs: inputs.map((key) => {
      const layer = byName.get(key.slice(0, key.lastIndexOf("/", key.lastIndexOf("/") - 1)));
      if (!layer) throw new TfjsError(`${where}: there is no input layer ${shown(key)}`);
      return inputOf(layer, context);
    }),
    outputs: outputs.map((key) => key.split("/").slice(0, -2).join("/")),
    run: (given) => {
      const values = new Map<Key, Tensor>(inputs.map((key, i) => [key, given[i]]));
      const get = (key: Key): Tensor => {
        const value = values.get(key);
        if (!value) throw new TfjsError(`${where}: ${shown(key)} is made by no layer`);
        return value;
      };
      for (const call of order)
        call.step(call.inputs.map(get)).forEach((y, i) => {
          values.set(`${call.layer}/${call.node}/${i}`, y);
        });
      return outputs.map(get);
    },
  };
}

/** Calls in an order in which they can run. @throws TfjsError if there is none. */
function sorted(calls: readonly Call[], known: Set<Key>, where: string): Call[] {
  const made = new Set<string>([...known].map((key) => key.slice(0, key.lastIndexOf("/"))));
  const order: Call[] = [];
  let left = [...calls];
  while (left.length > 0) {
    const ready = left.filter(({ inputs }) =>
      inputs.every((key) => made.has(key.slice(0, key.lastIndexOf("/")))),
    );
    if (ready.length === 0)
      throw new TfjsError(
        `${where}: layer ${shown(left[0].layer)} waits for what no layer makes: the model has a cycle, or lacks one`,
      );
    for (const call of ready) made.add(`${call.layer}/${call.node}`);
    order.push(...ready);
    left = left.filter((call) => !ready.includes(call));
  }
  return order;
}
