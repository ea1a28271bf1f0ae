/** Requests for inference, whichever protocol brought them; and whether one fits the model. */
import type { TensorSpec, WireTensor } from "./backend.js";
import { DATATYPES, isDatatype } from "./datatypes.js";
import { quoted, ServeError } from "./errors.js";

/** Values of parameters that the protocol knows. */
export type Parameter = string | number | boolean;
export type Parameters = Readonly<Record<string, Parameter>>;

export interface InferRequest {
  readonly inputs: readonly WireTensor[];
  /** Names of the outputs that are wanted; `null`: all. */
  readonly outputs: readonly string[] | null;
}

/** How long and for whom a request is worked on. */
export interface RequestContext {
  /** Of `performance.now()`; `Infinity`: without one. */
  readonly deadline: number;
  /** Aborted when the client is gone. */
  readonly signal: AbortSignal;
}

export interface InferResult {
  readonly outputs: readonly WireTensor[];
  /** Milliseconds in the queue, and in the backend. */
  readonly queueMs: number;
  readonly computeMs: number;
  /** Rows that ran together, padding not counted. */
  readonly batchRows: number;
}

/** A request that fits: inputs in the model's order. */
export interface FittingRequest {
  readonly inputs: readonly WireTensor[];
  readonly rows: number;
  /** Equal for requests that may share a run. */
  readonly key: string | null;
}

/** Axes that a tensor may have. */
const MOST_AXES = 32;

const refuse = (problem: string): never => {
  throw new ServeError("INVALID_ARGUMENT", problem);
};

/**
 * A client's word for a tensor, checked: a known datatype, a shape of whole numbers.
 * @returns the number of bytes that its elements have
 * @throws ServeError INVALID_ARGUMENT
 */
export function checkTensorType(name: string, datatype: unknown, shape: unknown, most: number): number {
  if (datatype === "BYTES") return refuse(`input ${quoted(name)}: datatype BYTES is not served here`);
  if (!isDatatype(datatype))
    return refuse(
      `input ${quoted(name)}: unknown datatype ${quoted(datatype)}; known: ${Object.keys(DATATYPES).join(", ")}`,
    );
  if (
    !Array.isArray(shape) ||
    shape.length > MOST_AXES ||
    !shape.every((dim) => Number.isSafeInteger(dim) && dim >= 0)
  )
    return refuse(
      `input ${quoted(name)}: its shape is a list of at most ${MOST_AXES} whole numbers from 0, got ${quoted(shape)}`,
    );
  const bytes = (shape as number[]).reduce((product, dim) => product * dim, DATATYPES[datatype].bytes);
  if (!(bytes <= most) || (shape as number[]).some((dim) => dim > most))
    return refuse(
      `input ${quoted(name)}: ${datatype}[${shape}] is larger than a request may be, ${most} bytes`,
    );
  return bytes;
}

/**
 * Puts the inputs into the model's order.
 * @param batchable whether the first axis is that of the rows
 * @throws ServeError INVALID_ARGUMENT naming the input that is missing, unknown or does not fit, or the output that there is not.
 */
export function fitRequest(
  { inputs, outputs }: InferRequest,
  model: {
    readonly label: string;
    readonly inputs: readonly TensorSpec[];
    readonly outputs: readonly TensorSpec[];
  },
  batchable: boolean,
  capacity: number | null,
): FittingRequest {
  const given = new Map<string, WireTensor>();
  for (const x of inputs) {
    if (given.has(x.name)) refuse(`${model.label}: input ${quoted(x.name)} is given twice`);
    given.set(x.name, x);
  }
  const names = (specs: readonly TensorSpec[]): string =>
    specs.map(({ name }) => quoted(name)).join(", ") || "none";
  for (const name of given.keys())
    if (!model.inputs.some((spec) => spec.name === name))
      refuse(`${model.label} has no input ${quoted(name)}; it has ${names(model.inputs)}`);
  for (const name of outputs ?? [])
    if (!model.outputs.some((spec) => spec.name === name))
      refuse(`${model.label} has no output ${quoted(name)}; it has ${names(model.outputs)}`);
  const padded = batchable && capacity !== null;
  const ordered = model.inputs.map((spec) => {
    const x = given.get(spec.name) ?? refuse(`${model.label}: input ${quoted(spec.name)} is missing`);
    const wanted = padded ? [-1, ...spec.shape.slice(1)] : spec.shape;
    const fits =
      x.datatype === spec.datatype &&
      x.shape.length === wanted.length &&
      wanted.every((dim, axis) => dim === -1 || dim === x.shape[axis]);
    if (!fits)
      refuse(
        `${model.label}: input ${quoted(spec.name)} is ${x.datatype}[${x.shape}], ${spec.datatype}[${wanted}] is expected`,
      );
    if (x.datatype === "BOOL" && x.data.some((value) => value > 1))
      refuse(`${model.label}: input ${quoted(spec.name)} is BOOL, and holds bytes other than 0 and 1`);
    return x;
  });
  if (!batchable) return { inputs: ordered, rows: 1, key: null };
  const rows = ordered[0].shape[0];
  const other = ordered.find(({ shape }) => shape[0] !== rows);
  if (other)
    refuse(
      `${model.label}: inputs of ${rows} and of ${other.shape[0]} rows (${quoted(ordered[0].name)}, ${quoted(other.name)})`,
    );
  if (rows === 0) refuse(`${model.label}: a request without rows`);
  return { inputs: ordered, rows, key: ordered.map(({ shape }) => shape.slice(1).join()).join(";") };
}
