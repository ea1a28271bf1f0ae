/**
 * Members as processes that an MPI launcher started (`mpirun`, `srun`): MPI moves the bytes, over shared memory or the
 * cluster's network. One transport in a process, on one thread, and once: MPI can't be started a second time.
 */
import { type Koffi, koffi } from "../../../runtime/native/ffi.js";
import type { CollectiveKind, Requests as CollectiveRequests } from "../../collectives/collective.js";
import { PeerLostError, TransportError } from "../errors.js";
import type { CombineOp } from "../reduce-op.js";
import type { Place, PolledTransport } from "../transport.js";
import { MpiError } from "./errors.js";
import { loadMpi, type Mpi, outBytes } from "./library.js";
import { addressOf, Native } from "./native.js";
import { Operators } from "./operators.js";
import { Requests } from "./requests.js";

/** `MPI_THREAD_FUNNELED`: all calls come from the thread that starts MPI. */
const THREAD_FUNNELED = 1;
/** Bytes of a host's name: as many from each. */
const NAME_BYTES = 256;
/** Largest message that MPI gets at once; longer ones go in pieces. */
const PIECE = 2 ** 30;

class MpiTransport implements PolledTransport {
  readonly name = "mpi";
  readonly rank: number;
  readonly size: number;
  readonly places: readonly Place[];
  /** What the library calls itself. */
  readonly version: string;
  private readonly requests: Requests;
  private readonly native: Native;
  private readonly world: number;
  private readonly tagBound: number;
  private isClosed = false;

  constructor(private readonly mpi: Mpi) {
    this.version = mpi.version;
    this.world = mpi.abi.handles.commWorld;
    mpi.MPI_Comm_set_errhandler(this.world, mpi.abi.handles.errorsReturn); // else errors end the process
    this.rank = numberOf((out) => mpi.MPI_Comm_rank(this.world, out));
    this.size = numberOf((out) => mpi.MPI_Comm_size(this.world, out));
    this.places = placesOf(mpi, this.world, this.size);
    this.tagBound = tagBoundOf(mpi, this.world);
    this.requests = new Requests(mpi);
    // of their own: a collective that members disagree on must not take the goodbye's messages
    const comm = mpi.written((out) => mpi.MPI_Comm_dup(this.world, out));
    this.native = new Native(mpi, comm, this.rank, this.requests, new Operators(mpi));
  }

  get patience(): number {
    return this.requests.patience;
  }

  poll(): boolean {
    return this.requests.poll();
  }

  async send(to: number, tag: number, bytes: Uint8Array): Promise<void> {
    const { mpi, world, requests } = this;
    const label = this.label(to, tag);
    await Promise.all(
      piecesOf(bytes).map((piece) =>
        this.naming(to, () =>
          requests.add(
            (handle) =>
              mpi.MPI_Isend(addressOf(piece), piece.length, mpi.abi.handles.byte, to, label, world, handle),
            { kept: [piece] },
          ),
        ),
      ),
    );
  }

  async receive(from: number, tag: number, into: Uint8Array): Promise<void> {
    const { mpi, world, requests } = this;
    const { byte } = mpi.abi.handles;
    const label = this.label(from, tag);
    await Promise.all(
      piecesOf(into).map((piece) =>
        this.naming(from, () =>
          requests.add(
            (handle) => mpi.MPI_Irecv(addressOf(piece), piece.length, byte, from, label, world, handle),
            { kept: [piece], check: (status, code) => this.checkLength(from, piece.length, status, code) },
          ),
        ),
      ),
    );
  }

  /** MPI's own collective of all members, or null where it has none for this request. In the same order on every member. */
  collective<K extends CollectiveKind>(
    kind: K,
    request: CollectiveRequests<CombineOp>[K],
  ): Promise<void> | null {
    return this.native.run(kind, request);
  }

  /** Waits for all members, and ends MPI in this process. */
  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    const { mpi, world, requests } = this;
    await requests.add((handle) => mpi.MPI_Ibarrier(world, handle)); // MPI_Finalize waits too, but keeps a core busy
    requests.cancel();
    mpi.MPI_Finalize();
  }

  /**
   * Tags have up to 53 bits, MPI's 28 or 31: two that are under way between the same members at the same time share one with
   * a probability of 2⁻²⁸ at most.
   */
  private label(peer: number, tag: number): number {
    if (this.isClosed) throw new TransportError("mpi: the transport is closed");
    if (!Number.isInteger(peer) || peer < 0 || peer >= this.size)
      throw new TransportError(`mpi: rank ${peer} is not one of 0 … ${this.size - 1}`);
    return tag % this.tagBound;
  }

  private async naming(peer: number, call: () => Promise<void>): Promise<void> {
    try {
      await call();
    } catch (error) {
      if (error instanceof MpiError && error.saysLost)
        throw new PeerLostError(peer, error.words, { cause: error });
      throw error;
    }
  }

  private checkLength(from: number, expected: number, status: Uint8Array, code: number): void {
    const { mpi } = this;
    const isTruncated =
      code !== 0 && numberOf((out) => mpi.MPI_Error_class(code, out)) === mpi.abi.errTruncate;
    if (code !== 0 && !isTruncated) return; // another error, which speaks for itself
    const sent = isTruncated ? -1 : numberOf((out) => mpi.MPI_Get_count(status, mpi.abi.handles.byte, out));
    if (sent !== expected)
      throw new TransportError(
        `receive: expected ${expected} bytes from rank ${from}, it sent ${isTruncated ? "more" : sent}`,
      );
  }
}

/** What `open` gives: MPI's name and version beside the transport's calls. */
export type { MpiTransport };

/**
 * Starts MPI in this process. A process that no launcher started is the only member of its job.
 * @throws MpiMissingError that says what to install; MpiError
 */
export function open(): MpiTransport {
  const mpi = loadMpi();
  if (numberOf((out) => mpi.MPI_Finalized(out)) !== 0)
    throw new TransportError("mpi: MPI was ended in this process, and can't be started a second time");
  if (numberOf((out) => mpi.MPI_Initialized(out)) !== 0)
    throw new TransportError("mpi: this process has a transport over MPI already");
  numberOf((out) => mpi.MPI_Init_thread(null, null, THREAD_FUNNELED, out));
  return new MpiTransport(mpi);
}

function numberOf(call: (out: Int32Array) => void): number {
  const out = new Int32Array(outBytes(8));
  call(out);
  return out[0];
}

function placesOf(mpi: Mpi, world: number, size: number): Place[] {
  const own = new Uint8Array(outBytes(NAME_BYTES));
  numberOf((out) => mpi.MPI_Get_processor_name(own, out));
  const all = new Uint8Array(outBytes(NAME_BYTES * size));
  const { byte } = mpi.abi.handles;
  mpi.MPI_Allgather(addressOf(own), NAME_BYTES, byte, all, NAME_BYTES, byte, world);
  return Array.from({ length: size }, (_, rank) => {
    const bytes = all.slice(rank * NAME_BYTES, (rank + 1) * NAME_BYTES);
    return { host: new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0))) };
  });
}

/** Largest tag: 2³¹ − 1 with Open MPI, less with others. */
function tagBoundOf(mpi: Mpi, world: number): number {
  const pointer = new BigInt64Array(outBytes(8));
  const flag = numberOf((out) => mpi.MPI_Comm_get_attr(world, mpi.abi.tagUpperBound, pointer, out));
  if (flag === 0) return 32_767; // what the standard promises
  return new Int32Array((koffi() as Koffi).view(pointer[0], 4))[0];
}

function piecesOf(bytes: Uint8Array): Uint8Array[] {
  if (bytes.length <= PIECE) return [bytes];
  return Array.from({ length: Math.ceil(bytes.length / PIECE) }, (_, i) =>
    bytes.subarray(i * PIECE, (i + 1) * PIECE),
  );
}
