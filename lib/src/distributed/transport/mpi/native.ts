/** MPI's own collectives, one row for each kind of ours: nonblocking, so that several may be under way. */
import { bytesPerElement } from "../../../core/dtype.js";
import { type Koffi, koffi } from "../../../runtime/native/ffi.js";
import type { CollectiveKind, Requests as CollectiveRequests } from "../../collectives/collective.js";
import type { CombineOp } from "../reduce-op.js";
import { type Mpi, outBytes } from "./library.js";
import type { Operators } from "./operators.js";
import type { Requests } from "./requests.js";

/** Largest number that MPI 3's counts hold. */
const MAX_COUNT = 2 ** 31 - 1;

type Plain<K extends CollectiveKind> = CollectiveRequests<CombineOp>[K];

/** Starts an operation: gets the place of its handle. `kept`: memory that must outlive the call. */
interface Started {
  readonly start: (handle: ArrayBufferView) => void;
  readonly kept: readonly unknown[];
  /** What is left to do when it is done. */
  readonly after?: () => void;
}

type Starters = { readonly [K in CollectiveKind]: (request: Plain<K>, of: Native) => Started };

const STARTERS: Starters = {
  barrier: (_, { mpi, comm }) => ({ start: (handle) => mpi.MPI_Ibarrier(comm, handle), kept: [] }),
  broadcast: ({ data, root }, { mpi, comm, byte }) => ({
    start: (handle) => mpi.MPI_Ibcast(addressOf(data), data.length, byte, root, comm, handle),
    kept: [data],
  }),
  reduce: ({ data, dtype, op, root }, of) => {
    const at = addressOf(data);
    const [from, into] = of.rank === root ? [of.mpi.abi.inPlace, at] : [at, 0];
    return {
      start: (handle) =>
        of.mpi.MPI_Ireduce(from, into, ...of.elements(data, dtype, op), root, of.comm, handle),
      kept: [data],
    };
  },
  allReduce: ({ data, dtype, op }, of) => ({
    start: (handle) =>
      of.mpi.MPI_Iallreduce(
        of.mpi.abi.inPlace,
        addressOf(data),
        ...of.elements(data, dtype, op),
        of.comm,
        handle,
      ),
    kept: [data],
  }),
  allGather: ({ data, counts }, { mpi, comm, byte }) => {
    const [sizes, starts] = tables(counts);
    return {
      start: (handle) =>
        mpi.MPI_Iallgatherv(mpi.abi.inPlace, 0, byte, addressOf(data), sizes, starts, byte, comm, handle),
      kept: [data, sizes, starts],
    };
  },
  reduceScatter: ({ data, dtype, op, counts }, of) => {
    const width = bytesPerElement(dtype);
    const [sizes] = tables(counts.map((count) => count / width));
    const own = new Uint8Array(outBytes(counts[of.rank])); // in place, MPI would put it at the beginning
    const [, type, operator] = of.elements(data, dtype, op);
    return {
      start: (handle) =>
        of.mpi.MPI_Ireduce_scatter(addressOf(data), addressOf(own), sizes, type, operator, of.comm, handle),
      kept: [data, own, sizes],
      after: () => data.set(own.subarray(0, counts[of.rank]), startOf(counts, of.rank)),
    };
  },
  scatter: ({ data, counts, root }, { mpi, comm, byte, rank }) => {
    const [sizes, starts] = tables(counts);
    const at = addressOf(data);
    const [from, into] = rank === root ? [at, mpi.abi.inPlace] : [0, at];
    return {
      start: (handle) =>
        mpi.MPI_Iscatterv(from, sizes, starts, byte, into, counts[rank], byte, root, comm, handle),
      kept: [data, sizes, starts],
    };
  },
  gather: ({ own, data, counts, root }, { mpi, comm, byte, rank }) => {
    const [sizes, starts] = tables(counts);
    const into = data === null ? 0 : addressOf(data);
    return {
      start: (handle) =>
        mpi.MPI_Igatherv(addressOf(own), counts[rank], byte, into, sizes, starts, byte, root, comm, handle),
      kept: [own, data, sizes, starts],
    };
  },
  allToAll: ({ from, into, sendCounts, receiveCounts }, { mpi, comm, byte }) => {
    const [out, outStarts] = tables(sendCounts);
    const [inn, inStarts] = tables(receiveCounts);
    const [source, target] = [addressOf(from), addressOf(into)];
    return {
      start: (handle) =>
        mpi.MPI_Ialltoallv(source, out, outStarts, byte, target, inn, inStarts, byte, comm, handle),
      kept: [from, into, out, outStarts, inn, inStarts],
    };
  },
  scan: ({ data, dtype, op, exclusive }, of) => {
    const call = exclusive ? of.mpi.MPI_Iexscan : of.mpi.MPI_Iscan;
    const at = addressOf(data);
    return {
      start: (handle) => call(of.mpi.abi.inPlace, at, ...of.elements(data, dtype, op), of.comm, handle),
      kept: [data],
      // MPI leaves the first one's undefined
      after: () => void (exclusive && of.rank === 0 && data.fill(0)),
    };
  },
};

/** Collectives on one communicator. Each member has to call them in the same order. */
export class Native {
  readonly byte: number;

  constructor(
    readonly mpi: Mpi,
    readonly comm: number,
    readonly rank: number,
    private readonly requests: Requests,
    private readonly operators: Operators,
  ) {
    this.byte = mpi.abi.handles.byte;
  }

  /** @returns null if MPI can't do it: more than 2³¹ − 1 bytes */
  run<K extends CollectiveKind>(kind: K, request: Plain<K>): Promise<void> | null {
    const buffers = Object.values(request as object).filter((value) => value instanceof Uint8Array);
    if (buffers.some((buffer) => buffer.length > MAX_COUNT)) return null;
    const { start, kept, after } = STARTERS[kind](request, this);
    return this.requests.add(start, { kept }).then(() => {
      this.operators.check();
      after?.();
    });
  }

  /** Count, datatype and operator. */
  elements(data: Uint8Array, dtype: Parameters<Operators["datatype"]>[0], op: CombineOp) {
    const { operators } = this;
    const count = data.length / bytesPerElement(dtype);
    return [count, operators.datatype(dtype), operators.operator(dtype, op)] as const;
  }
}

/** Where bytes lie. MPI has them beyond the call: they are never in the heap that V8 moves once they were asked for. */
export function addressOf(bytes: Uint8Array): number {
  return bytes.length === 0 ? 0 : Number((koffi() as Koffi).address(bytes));
}

const startOf = (counts: readonly number[], rank: number): number =>
  counts.slice(0, rank).reduce((sum, count) => sum + count, 0);

/** Counts and displacements, as MPI wants them. */
function tables(counts: readonly number[]): [sizes: Int32Array, starts: Int32Array] {
  const sizes = new Int32Array(outBytes(4 * counts.length));
  const starts = new Int32Array(outBytes(4 * counts.length));
  sizes.set(counts);
  for (let i = 1; i < counts.length; i++) starts[i] = starts[i - 1] + counts[i - 1];
  return [sizes, starts];
}
