/** The backend of this library: ONNX, TF.js and its own model files, compiled for the thread's device. */
import type { DType } from "../../core/dtype.js";
import type { Tensor } from "../../core/tensor.js";
import { toStatic } from "../../graph/static.js";
import { zeros } from "../../ops/create.js";
import { tidy } from "../../ops/tidy.js";
import { type DenseTensor, denseFromBytes, elementBytes } from "../../runtime/dense.js";
import { getDevice, setDevice } from "../../runtime/devices.js";
import { decodeModelFile, type ModelFile, openModel } from "../format/read.js";
import { loadOnnx, readOnnx } from "../onnx/read.js";
import { loadTfjs } from "../tfjs/read.js";
import type { LoadedModel, ModelSource, TensorSpec, WireTensor } from "./backend.js";
import { DATATYPES, datatypeOf } from "./datatypes.js";
import { ServeError } from "./errors.js";

interface Signature {
  readonly name: string;
  readonly dtype: DType;
  /** Strings and `null` are open sizes; no shape: the model does not say. */
  readonly shape: readonly (number | string | null)[] | null;
}

interface Callable {
  readonly platform: string;
  readonly inputs: readonly Signature[];
  /** Names; types where the file tells them. */
  readonly outputs: readonly (Pick<Signature, "name"> & Partial<Signature>)[];
  readonly call: (...args: Tensor[]) => readonly Tensor[];
  readonly close?: () => void;
}

const LOADERS: Record<
  Exclude<ModelSource["format"], "custom">,
  (source: ModelSource) => Promise<Callable>
> = {
  onnx: async ({ path, bytes, name }) => {
    const model = bytes ? readOnnx(bytes, { name }) : await loadOnnx(path as string);
    return { platform: "onnx_onnxv1", ...model.description, call: anySize((...args) => model.call(...args)) };
  },
  tfjs: async ({ path }) => {
    const model = await loadTfjs(path as string);
    return {
      platform: model.format === "layers-model" ? "tfjs_layers" : "tfjs_graph",
      inputs: model.inputs,
      outputs: model.outputs.map((name) => ({ name })),
      call: anySize((...args) => model.call(...args)),
    };
  },
  mlsys: async ({ path, bytes, name }) => {
    const model: ModelFile = bytes ? decodeModelFile(bytes, name) : openModel(path as string);
    const named = (values: ModelFile["inputs"], what: string) =>
      values.map(({ name, dtype, shape }, i) => ({ name: name ?? `${what}${i}`, dtype, shape }));
    return {
      platform: "mlsys_model",
      inputs: named(model.inputs, "arg"),
      outputs: model.graph.results.map(({ dtype, shape }, i) => ({ name: `output${i}`, dtype, shape })),
      call: (...args) => model.call(...args),
      close: () => model.close(),
    };
  },
};

/** One graph for all sizes: a batch of another size compiles nothing. */
const anySize = (call: (...args: Tensor[]) => Tensor[]): Callable["call"] =>
  toStatic(call, { dynamic: true });

/** The whole library: importing it gives tensors their methods and the thread its devices. */
const LIBRARY = new URL("../../index.js", import.meta.url).href;

/** @throws the reader's error for a file that is damaged; ServeError for one that says too little to be served. */
export async function load(source: ModelSource): Promise<LoadedModel> {
  await import(LIBRARY);
  if (source.device !== undefined) setDevice(source.device);
  if (source.format === "custom")
    throw new ServeError("INVALID_ARGUMENT", `model "${source.name}" names a backend of its own and no file`);
  const model = await LOADERS[source.format](source);
  const inputs = model.inputs.map((input) => specOf(input, source));
  const outputs = outputSpecs(model, inputs);
  return {
    platform: model.platform,
    inputs,
    outputs,
    run: (given) =>
      tidy(() => {
        const args = given.map(({ data, shape, datatype }) =>
          denseFromBytes(data, shape, DATATYPES[datatype].dtype as DType, getDevice()),
        );
        return model.call(...args).map((x, i) => toWire(outputs[i].name, x as DenseTensor));
      }) as readonly WireTensor[],
    close: model.close,
  };
}

function toWire(name: string, x: DenseTensor): WireTensor {
  return { name, datatype: datatypeOf(x.dtype), shape: [...x.shape], data: elementBytes(x) };
}

function specOf({ name, dtype, shape }: Signature, { name: model }: ModelSource): TensorSpec {
  if (shape === null)
    throw new ServeError(
      "INVALID_ARGUMENT",
      `model "${model}": input "${name}" says not how many axes it has`,
    );
  return {
    name,
    datatype: datatypeOf(dtype),
    shape: shape.map((dim) => (typeof dim === "number" ? dim : -1)),
  };
}

/** Types of the outputs: what the file tells, else what runs with open sizes of 1 and of 2 give. */
function outputSpecs(model: Callable, inputs: readonly TensorSpec[]): TensorSpec[] {
  const told = model.outputs.flatMap(({ name, dtype, shape }) =>
    dtype && shape
      ? [
          {
            name,
            datatype: datatypeOf(dtype),
            shape: shape.map((dim) => (typeof dim === "number" ? dim : -1)),
          },
        ]
      : [],
  );
  if (told.length === model.outputs.length) return told;
  const [ones, twos] = [1, 2].map((size) =>
    tidy(() =>
      model
        .call(
          ...inputs.map(({ datatype, shape }) =>
            zeros(
              shape.map((dim) => (dim === -1 ? size : dim)),
              { dtype: DATATYPES[datatype].dtype as DType },
            ),
          ),
        )
        .map(({ shape, dtype }) => ({ shape: [...shape], dtype })),
    ),
  );
  return model.outputs.map(({ name }, i) => ({
    name,
    datatype: datatypeOf(ones[i].dtype),
    shape: ones[i].shape.map((dim, axis) => (dim === twos[i].shape[axis] ? dim : -1)),
  }));
}
