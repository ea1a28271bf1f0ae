/**
 * The two families of MPI libraries as they look from outside: Open MPI's handles are addresses of exported data, MPICH's
 * (and those of its descendants: Intel MPI, MVAPICH, Cray) are 32-bit numbers that its header fixes. (Open MPI 4.1's and
 * MPICH 4.0's mpi.h; MPICH ABI Compatibility Initiative.)
 */

/** Predefined handles that we use, with their names in MPICH's header. */
const MPICH_HANDLES = {
  commWorld: 0x44000000,
  errorsReturn: 0x54000001,
  byte: 0x4c00010d,
  int8: 0x4c000137,
  int16: 0x4c000238,
  int32: 0x4c000439,
  int64: 0x4c00083a,
  uint8: 0x4c00013b,
  uint16: 0x4c00023c,
  float32: 0x4c00040a,
  float64: 0x4c00080b,
  bool: 0x4c00013f,
  max: 0x58000001,
  min: 0x58000002,
  sum: 0x58000003,
  product: 0x58000004,
  and: 0x58000005,
  or: 0x58000007,
} as const;

export type HandleName = keyof typeof MPICH_HANDLES;

/** Open MPI's exported data of the same meaning. */
const OPEN_MPI_SYMBOLS: Readonly<Record<HandleName, string>> = {
  commWorld: "ompi_mpi_comm_world",
  errorsReturn: "ompi_mpi_errors_return",
  byte: "ompi_mpi_byte",
  int8: "ompi_mpi_int8_t",
  int16: "ompi_mpi_int16_t",
  int32: "ompi_mpi_int32_t",
  int64: "ompi_mpi_int64_t",
  uint8: "ompi_mpi_uint8_t",
  uint16: "ompi_mpi_uint16_t",
  float32: "ompi_mpi_float",
  float64: "ompi_mpi_double",
  bool: "ompi_mpi_c_bool",
  max: "ompi_mpi_op_max",
  min: "ompi_mpi_op_min",
  sum: "ompi_mpi_op_sum",
  product: "ompi_mpi_op_prod",
  and: "ompi_mpi_op_land",
  or: "ompi_mpi_op_lor",
};

export interface Abi {
  readonly family: "Open MPI" | "MPICH";
  /** Bytes of a handle in memory (requests in arrays, results). */
  readonly handleBytes: 4 | 8;
  /** `MPI_IN_PLACE` and `MPI_STATUSES_IGNORE`, as addresses. */
  readonly inPlace: number;
  readonly statusIgnore: number;
  /** Size of an `MPI_Status`, and which of its 32-bit words is `MPI_ERROR`. */
  readonly statusBytes: number;
  readonly statusErrorWord: number;
  /** Key of the attribute `MPI_TAG_UB`. */
  readonly tagUpperBound: number;
  /** `MPI_ERR_IN_STATUS`, `MPI_ERR_TRUNCATE`. */
  readonly errInStatus: number;
  readonly errTruncate: number;
  readonly handles: Readonly<Record<HandleName, number>>;
}

/** @param symbol address of a library's exported data */
export function openMpiAbi(symbol: (name: string) => number): Abi {
  const handles = Object.entries(OPEN_MPI_SYMBOLS).map(([key, name]) => [key, symbol(name)]);
  return {
    family: "Open MPI",
    handleBytes: 8,
    inPlace: 1,
    statusIgnore: 0,
    statusBytes: 24,
    statusErrorWord: 2,
    tagUpperBound: 0,
    errInStatus: 18,
    errTruncate: 15,
    handles: Object.fromEntries(handles) as Record<HandleName, number>,
  };
}

export const MPICH_ABI: Abi = {
  family: "MPICH",
  handleBytes: 4,
  inPlace: -1,
  statusIgnore: 1,
  statusBytes: 20,
  statusErrorWord: 4,
  tagUpperBound: 0x64400001,
  errInStatus: 17,
  errTruncate: 14,
  handles: MPICH_HANDLES,
};
