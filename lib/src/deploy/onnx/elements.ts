/** Tensors of ONNX files: their dtypes, and elements wherever a file may keep them (typed fields, raw bytes, another file). */
import { bytesPerElement, type DType } from "../../core/dtype.js";
import { formatShape, type Shape } from "../../core/shape.js";
import { tensor } from "../../ops/convert.js";
import { type DenseTensor, denseFromBytes, elementBytes } from "../../runtime/dense.js";
import { getDevice } from "../../runtime/devices.js";
import { type Int64, numberOf, OnnxError, quoted, shortened, type TensorProto } from "./schema.js";

/** ONNX's numbers for dtypes (onnx.proto, TensorProto.DataType). */
const CODES: Record<DType, number> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  bfloat16: 16,
};

const DTYPE_OF = new Map(Object.entries(CODES).map(([dtype, code]) => [code, dtype as DType]));

/** Names of the dtypes that this library lacks, for messages. */
const OTHERS: Readonly<Record<number, string>> = {
  0: "undefined",
  4: "uint16",
  8: "string",
  12: "uint32",
  13: "uint64",
  14: "complex64",
  15: "complex128",
  17: "float8e4m3fn",
  18: "float8e4m3fnuz",
  19: "float8e5m2",
  20: "float8e5m2fnuz",
  21: "uint4",
  22: "int4",
  23: "float4e2m1",
};

/** Behind a tensor's `data_location`. */
const EXTERNAL = 1;

export const codeOf = (dtype: DType): number => CODES[dtype];

/** @throws OnnxError for a dtype that this library lacks. */
export function dtypeOf(code: number | undefined, where: string): DType {
  const found = DTYPE_OF.get(code ?? 0);
  if (found) return found;
  throw new OnnxError(
    `${where}: dtype ${OTHERS[code ?? 0] ?? `number ${code}`}; this library has ${[...DTYPE_OF.values()].join(", ")}`,
  );
}

/** Reads the bytes that a tensor keeps in another file. */
export type ExternalReader = (location: string, offset: number, length: number, where: string) => Uint8Array;

/**
 * The tensor of a message.
 * @throws OnnxError naming the tensor, if its elements don't fill its shape or are of a dtype that this library lacks.
 */
export function tensorOf(proto: TensorProto, where: string, external: ExternalReader | null): DenseTensor {
  const name = `${where}: tensor ${quoted(proto.name)}`;
  const dtype = dtypeOf(proto.data_type, name);
  const shape = (proto.dims ?? []).map(numberOf);
  const size = countOf(shape, name);
  const wanted = size * bytesPerElement(dtype);
  if (proto.data_location === EXTERNAL) {
    if (!external)
      throw new OnnxError(
        `${name}: its elements are in another file, and bytes alone have no folder; use loadOnnx, or give { folder }`,
      );
    const { location, offset, length } = placeOf(proto, name);
    if (length !== null && length !== wanted)
      throw new OnnxError(
        `${name}: ${length} bytes in ${quoted(location)}, its type ${dtype}${shortened(formatShape(shape))} has ${wanted}`,
      );
    return denseFromBytes(external(location, offset, wanted, name), shape, dtype, getDevice());
  }
  const raw = proto.raw_data ?? new Uint8Array();
  if (raw.length > 0 || size === 0) {
    if (raw.length !== wanted)
      throw new OnnxError(
        `${name}: ${raw.length} bytes, its type ${dtype}${shortened(formatShape(shape))} has ${wanted}`,
      );
    return denseFromBytes(raw, shape, dtype, getDevice());
  }
  return fromFields(proto, dtype, shape, size, name);
}

/** Number of elements. @throws OnnxError for sizes below 0, or so many that no memory holds them. */
function countOf(shape: Shape, where: string): number {
  const count = shape.reduce((product, dim) => product * dim, 1);
  if (!shape.every((dim) => Number.isSafeInteger(dim) && dim >= 0) || !Number.isSafeInteger(count * 8))
    throw new OnnxError(`${where}: its shape ${shortened(formatShape(shape))} is no shape`);
  return count;
}

function fromFields(
  proto: TensorProto,
  dtype: DType,
  shape: Shape,
  size: number,
  where: string,
): DenseTensor {
  const field = fieldOf(proto, dtype);
  if (field.length !== size)
    throw new OnnxError(
      `${where}: ${field.length} elements, its type ${dtype}${shortened(formatShape(shape))} has ${size}`,
    );
  if (dtype === "float16" || dtype === "bfloat16") {
    const bits = Uint16Array.from(field as number[]);
    return denseFromBytes(new Uint8Array(bits.buffer), shape, dtype, getDevice());
  }
  if (dtype === "int64") {
    const whole = BigInt64Array.from(field, (value) => BigInt(value.toString()));
    return denseFromBytes(new Uint8Array(whole.buffer), shape, dtype, getDevice());
  }
  return tensor(Float64Array.from(field as number[]), { shape, dtype }) as DenseTensor;
}

function fieldOf(proto: TensorProto, dtype: DType): readonly Int64[] {
  if (dtype === "float32") return proto.float_data ?? [];
  if (dtype === "float64") return proto.double_data ?? [];
  return (dtype === "int64" ? proto.int64_data : proto.int32_data) ?? [];
}

/** @throws OnnxError if the entries are no place in a file. */
function placeOf(
  proto: TensorProto,
  where: string,
): { location: string; offset: number; length: number | null } {
  const entries = new Map((proto.external_data ?? []).map(({ key, value }) => [key, value ?? ""]));
  const location = entries.get("location") ?? "";
  const offset = Number(entries.get("offset") ?? 0);
  const length = entries.has("length") ? Number(entries.get("length")) : null;
  if (location === "" || !Number.isSafeInteger(offset) || offset < 0 || (length !== null && !(length >= 0)))
    throw new OnnxError(
      `${where}: its place in another file is malformed: ${shortened(JSON.stringify([...entries]))}`,
    );
  return { location, offset, length };
}

/** The message of a tensor, elements inside. */
export function protoOf(name: string, data: DenseTensor): TensorProto {
  return { name, dims: [...data.shape], data_type: codeOf(data.dtype), raw_data: elementBytes(data) };
}

/** The message of a tensor whose elements are in the file `location`. */
export function externalProto(
  name: string,
  data: DenseTensor,
  location: string,
  offset: number,
  length: number,
): TensorProto {
  const entry = (key: string, value: string | number) => ({ key, value: String(value) });
  return {
    name,
    dims: [...data.shape],
    data_type: codeOf(data.dtype),
    data_location: EXTERNAL,
    external_data: [entry("location", location), entry("offset", offset), entry("length", length)],
  };
}
