/** How MPI combines elements of our dtypes: its own operators where they mean the same, ours called back elsewhere. */
import { bytesPerElement, type DType, dtypeKind, isFloat } from "../../../core/dtype.js";
import { type Koffi, koffi } from "../../../runtime/native/ffi.js";
import { combine } from "../../collectives/combine/combine.js";
import type { CombineOp } from "../reduce-op.js";
import type { HandleName } from "./abi.js";
import type { Mpi } from "./library.js";

/** MPI's datatypes. The 16-bit floats are unknown to it: they travel as integers and only our operators look at them. */
const DATATYPES: Readonly<Record<DType, HandleName>> = {
  float64: "float64",
  float32: "float32",
  float16: "uint16",
  bfloat16: "uint16",
  int64: "int64",
  int32: "int32",
  int16: "int16",
  int8: "int8",
  uint8: "uint8",
  bool: "bool",
};

/** Booleans are logical: a sum is "any", a product "all". */
const LOGICAL: Readonly<Record<CombineOp, HandleName>> = { sum: "or", max: "or", product: "and", min: "and" };

/** True if MPI's own operator does what `combine` does: it has no 16-bit floats, and drops NaN from min and max. */
function isNative(dtype: DType, op: CombineOp): boolean {
  if (dtype === "float16" || dtype === "bfloat16") return false;
  return !(isFloat(dtype) && (op === "min" || op === "max"));
}

/** Operators by dtype; made when first asked for and kept as long as the process. */
export class Operators {
  private readonly made = new Map<string, number>();
  /** Callbacks' failures: C can't be thrown through. */
  private failure: Error | null = null;

  constructor(private readonly mpi: Mpi) {}

  datatype(dtype: DType): number {
    return this.mpi.abi.handles[DATATYPES[dtype]];
  }

  operator(dtype: DType, op: CombineOp): number {
    const { handles } = this.mpi.abi;
    if (dtypeKind(dtype) === "bool") return handles[LOGICAL[op]];
    if (isNative(dtype, op)) return handles[op];
    const key = `${dtype} ${op}`;
    const known = this.made.get(key) ?? this.make(dtype, op);
    this.made.set(key, known);
    return known;
  }

  /** @throws what went wrong in an operator of ours since the last call */
  check(): void {
    const { failure } = this;
    this.failure = null;
    if (failure) throw failure;
  }

  private make(dtype: DType, op: CombineOp): number {
    const ffi = koffi() as Koffi; // the library was loaded by it
    const width = bytesPerElement(dtype);
    const ours = (message: bigint | number, into: bigint | number, count: bigint | number): void => {
      try {
        const bytes = new Int32Array(ffi.view(count, 4))[0] * width;
        combine(new Uint8Array(ffi.view(into, bytes)), new Uint8Array(ffi.view(message, bytes)), dtype, op);
      } catch (error) {
        this.failure ??= error as Error;
      }
    };
    const pointer = ffi.register(ours, ffi.pointer(ffi.proto("void", Array(4).fill("intptr_t"))));
    return this.mpi.written((out) => this.mpi.MPI_Op_create(Number(pointer), 1, out));
  }
}
