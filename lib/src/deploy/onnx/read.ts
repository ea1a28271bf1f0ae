/** Reading ONNX models: from bytes, or from a file with its weights beside it. */
import { readFile, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { dtypeOf } from "./elements.js";
import { Evaluator, inputsOf } from "./evaluate.js";
import { folderReader } from "./external.js";
import { OnnxModel, type OnnxValue } from "./model.js";
import { decodeModel, type ModelProto, numberOf, OnnxError, quoted, type ValueInfoProto } from "./schema.js";

/** Opsets that the import table follows: older ones differ in meaning (softmax, axes as attributes). */
export const OLDEST_OPSET = 13;
export const NEWEST_OPSET = 24;

/** Protobuf's limit for one message. */
const MAX_FILE = 2 ** 31 - 1;

export interface ReadOnnxOptions {
  /** Where files that the model names are looked for. Without one, such a model is refused. */
  readonly folder?: string;
  /** Elements that one result may have, where shapes are the model's data. Default 2^28. */
  readonly mostElements?: number;
  /** For messages. */
  readonly name?: string;
}

/**
 * The model of an ONNX file's bytes (opsets 13 to 24). Nothing of it is run yet.
 * @throws OnnxError if the bytes are damaged or hostile, or name ops, dtypes or opsets that this library lacks.
 * @example deploy.readOnnx(deploy.writeOnnx((x: Tensor) => x.relu(), [tensor([1, -1])])).call(tensor([-1, 2]))[0] // [0, 2]
 */
export function readOnnx(bytes: Uint8Array, options: ReadOnnxOptions = {}): OnnxModel {
  const where = options.name ?? "onnx";
  const proto = decodeModel(bytes, where);
  const graph = proto.graph;
  if (!graph) throw new OnnxError(`${where}: there is no graph`);
  const opsets = opsetsOf(proto, where);
  const files = options.folder === undefined ? null : folderReader(options.folder);
  try {
    const evaluator = new Evaluator(
      graph,
      {
        opsets,
        functions: proto.functions ?? [],
        external: files?.read ?? null,
        mostElements: options.mostElements ?? 2 ** 28,
      },
      where,
    );
    const given = new Set(inputsOf(graph));
    const description = {
      name: graph.name || "model",
      opset: opsets.get("") ?? 0,
      opsets: Object.fromEntries([...opsets].filter(([domain]) => domain !== "")),
      producer: [proto.producer_name, proto.producer_version].filter(Boolean).join(" "),
      metadata: Object.fromEntries(
        (proto.metadata_props ?? []).map(({ key, value }) => [key ?? "", value ?? ""]),
      ),
      inputs: (graph.input ?? [])
        .filter(({ name }) => given.has(name ?? ""))
        .map((info) => typeOfValue(info, where, true)),
      outputs: (graph.output ?? []).map((info) => typeOfValue(info, where, false)),
    };
    return new OnnxModel(description, evaluator);
  } finally {
    files?.close();
  }
}

/**
 * The model of an ONNX file; weights may lie in files beside it.
 * @throws OnnxError as `readOnnx`, and for weights outside the model's folder.
 * @example await deploy.saveOnnx("/tmp/mlsys-example.onnx", (x: Tensor) => x.relu(), [tensor([1, -1])]); (await deploy.loadOnnx("/tmp/mlsys-example.onnx")).call(tensor([-1, 2]))[0] // [0, 2]
 */
export async function loadOnnx(file: string, options: ReadOnnxOptions = {}): Promise<OnnxModel> {
  const { size } = await stat(file);
  if (size > MAX_FILE)
    throw new OnnxError(
      `${file}: ${size} bytes; an ONNX file has less than 2 GiB, its weights may lie beside it`,
    );
  return readOnnx(await readFile(file), { folder: dirname(file), name: file, ...options });
}

function opsetsOf(proto: ModelProto, where: string): Map<string, number> {
  const opsets = new Map<string, number>();
  for (const { domain, version } of proto.opset_import ?? [])
    opsets.set(domain === "ai.onnx" ? "" : (domain ?? ""), numberOf(version));
  const own = opsets.get("");
  if (own === undefined) throw new OnnxError(`${where}: it names no opset of ONNX's own ops`);
  if (own < OLDEST_OPSET || own > NEWEST_OPSET)
    throw new OnnxError(
      `${where}: opset ${own}; opsets ${OLDEST_OPSET} to ${NEWEST_OPSET} can be read (onnx.version_converter brings others there)`,
    );
  return opsets;
}

function typeOfValue({ name, type }: ValueInfoProto, where: string, strict: boolean): OnnxValue {
  const label = `${where}: ${strict ? "input" : "output"} ${quoted(name)}`;
  const tensor = type?.tensor_type;
  if (!tensor) {
    if (strict || type?.sequence_type || type?.optional_type)
      throw new OnnxError(`${label} is no tensor; sequences, maps and optional values are not supported`);
    return { name: name ?? "", dtype: "float32", shape: null };
  }
  const shape = tensor.shape
    ? (tensor.shape.dim ?? []).map((dim) => {
        if (Object.hasOwn(dim, "dim_value") && dim.dim_value !== undefined) return numberOf(dim.dim_value);
        return dim.dim_param ? dim.dim_param : null;
      })
    : null;
  if (shape?.some((dim) => typeof dim === "number" && !(Number.isSafeInteger(dim) && dim >= 0)))
    throw new OnnxError(`${label} has the sizes [${shape.slice(0, 8)}]`);
  return { name: name ?? "", dtype: dtypeOf(tensor.elem_type, label), shape };
}
