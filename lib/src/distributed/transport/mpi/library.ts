/** The MPI library of this machine, found and bound by FFI: Open MPI, or one with MPICH's binary interface. */
import { type ForeignLibrary, type Koffi, koffi } from "../../../runtime/native/ffi.js";
import { type Abi, MPICH_ABI, openMpiAbi } from "./abi.js";
import { MpiError, MpiMissingError } from "./errors.js";

/** What JavaScript passes: a handle or an address, a number, or memory for as long as the call takes. */
const KINDS = { handle: "intptr_t", int: "int", memory: "void *" } as const;
type Kind = keyof typeof KINDS;
type Native<K extends Kind> = K extends "memory" ? ArrayBufferView | number | null : number;

const [H, I, M] = ["handle", "int", "memory"] as const;

/** The functions that we call, with their arguments as in mpi.h; all return an error code. */
const FUNCTIONS = {
  MPI_Get_library_version: [M, M],
  MPI_Initialized: [M],
  MPI_Finalized: [M],
  MPI_Init_thread: [M, M, I, M],
  MPI_Finalize: [],
  MPI_Abort: [H, I],
  MPI_Comm_rank: [H, M],
  MPI_Comm_size: [H, M],
  MPI_Comm_dup: [H, M],
  MPI_Comm_set_errhandler: [H, H],
  MPI_Comm_get_attr: [H, I, M, M],
  MPI_Get_processor_name: [M, M],
  MPI_Error_class: [I, M],
  MPI_Error_string: [I, M, M],
  MPI_Get_count: [M, H, M],
  MPI_Isend: [H, I, H, I, I, H, M],
  MPI_Irecv: [H, I, H, I, I, H, M],
  MPI_Testsome: [I, M, M, M, M],
  MPI_Cancel: [M],
  MPI_Request_free: [M],
  MPI_Allgather: [M, I, H, M, I, H, H],
  MPI_Op_create: [H, I, M],
  MPI_Ibarrier: [H, M],
  MPI_Ibcast: [H, I, H, I, H, M],
  MPI_Ireduce: [H, H, I, H, H, I, H, M],
  MPI_Iallreduce: [H, H, I, H, H, H, M],
  MPI_Iallgatherv: [H, I, H, H, M, M, H, H, M],
  MPI_Ireduce_scatter: [H, H, M, H, H, H, M],
  MPI_Iscatterv: [H, M, M, H, H, I, H, I, H, M],
  MPI_Igatherv: [H, I, H, H, M, M, H, I, H, M],
  MPI_Ialltoallv: [H, M, M, H, H, M, M, H, H, M],
  MPI_Iscan: [H, H, I, H, H, H, M],
  MPI_Iexscan: [H, H, I, H, H, H, M],
} as const satisfies Record<string, readonly Kind[]>;

export type MpiFunction = keyof typeof FUNCTIONS;
type Arguments<K extends readonly Kind[]> = { -readonly [I in keyof K]: Native<K[I]> };
type Calls = { readonly [F in MpiFunction]: (...args: Arguments<(typeof FUNCTIONS)[F]>) => void };

/** Functions whose failures are thrown, the codes themselves, and what sets this family apart. */
export interface Mpi extends Calls {
  /** As exported: returns the code. */
  readonly raw: Readonly<Record<MpiFunction, (...args: never[]) => number>>;
  readonly abi: Abi;
  /** "Open MPI v4.1.4 …" in a line. */
  readonly version: string;
  /** The handle that a call writes where it is told to. */
  written(call: (out: BigInt64Array) => void): number;
  /** The error of a code that is not 0. */
  error(called: string, code: number): MpiError;
}

/** Memory that MPI writes into and JavaScript reads. Larger than what V8 keeps in its own moving heap. */
export const outBytes = (bytes: number): ArrayBuffer => new ArrayBuffer(Math.max(128, bytes));

/** Names to try, best first. */
function candidates(): string[] {
  const { MLSYS_MPI_LIBRARY, PMI_RANK, OMPI_COMM_WORLD_RANK } = process.env;
  if (MLSYS_MPI_LIBRARY) return [MLSYS_MPI_LIBRARY];
  const open = ["libmpi.so.40"];
  const mpich = ["libmpi.so.12", "libmpich.so.12"];
  // A launcher of one family can't start members of the other: each of them would be a job of its own.
  const first = PMI_RANK !== undefined && OMPI_COMM_WORLD_RANK === undefined ? mpich : open;
  return [...first, ...(first === open ? mpich : open), "libmpi.so", "libmpi.dylib"];
}

/** Handles of loaded libraries: a handle that is garbage unloads its library, under functions that are still called. */
const loaded: ForeignLibrary[] = [];
let found: Mpi | undefined;

/**
 * The library of this machine: MLSYS_MPI_LIBRARY names one, else the usual names are tried.
 * @throws MpiMissingError that says what to install
 */
export function loadMpi(): Mpi {
  found ??= bind();
  return found;
}

function bind(): Mpi {
  const ffi = koffi();
  if (typeof ffi === "string") throw new MpiMissingError(ffi);
  keepSignals(ffi);
  const problems: string[] = [];
  for (const name of candidates()) {
    let library: ForeignLibrary;
    try {
      library = ffi.load(name, { global: true }); // its plugins look their symbols up among the process's
    } catch (error) {
      problems.push((error as Error).message);
      continue;
    }
    loaded.push(library);
    return bound(library, name);
  }
  const told = process.env.MLSYS_MPI_LIBRARY ? ` (${problems[0]})` : "";
  throw new MpiMissingError(`no MPI library loads${told}`);
}

/** Open MPI, and the UCX below MPICH, would take over SIGSEGV, by which V8 finds accesses outside of a WebAssembly memory. */
function keepSignals(ffi: Koffi): void {
  try {
    // not process.env: a thread's is a copy that C doesn't see
    const set = ffi.load(null).func("setenv", "int", ["str", "str", "int"]);
    set("OMPI_MCA_opal_signal", "", 0);
    set("UCX_HANDLE_ERRORS", "none", 0);
  } catch {
    // Windows has no setenv, and no Open MPI either
  }
}

function bound(library: ForeignLibrary, name: string): Mpi {
  const raw: Record<string, (...args: unknown[]) => number> = {};
  for (const [key, kinds] of Object.entries(FUNCTIONS)) {
    let call: ((...args: unknown[]) => number) | undefined;
    raw[key] = (...args) => {
      call ??= functionOf(library, name, key, kinds);
      return call(...args);
    };
  }
  const version = versionOf(raw);
  const abi = abiOf(library, name, version);
  const error = (called: string, code: number): MpiError => errorOf(raw, called, code);
  const written = (call: (out: BigInt64Array) => void): number => {
    const out = new BigInt64Array(outBytes(8));
    call(out);
    return abi.handleBytes === 8 ? Number(out[0]) : new Int32Array(out.buffer)[0];
  };
  const all: Record<string, unknown> = { raw, abi, version, written, error };
  for (const key of Object.keys(FUNCTIONS))
    all[key] = (...args: unknown[]): void => {
      const code = raw[key](...args);
      if (code !== 0) throw error(key, code);
    };
  return all as unknown as Mpi;
}

function functionOf(
  library: ForeignLibrary,
  name: string,
  key: string,
  kinds: readonly Kind[],
): (...args: unknown[]) => number {
  const types = kinds.map((kind) => KINDS[kind]);
  try {
    return library.func(key, "int", types) as (...args: unknown[]) => number;
  } catch {
    throw new MpiMissingError(`${name} has no function ${key}: MPI 3 or newer is needed`);
  }
}

/** MPI may be asked for this before it is started. */
function versionOf(raw: Record<string, (...args: unknown[]) => number>): string {
  const text = new Uint8Array(outBytes(8192));
  const length = new Int32Array(outBytes(4));
  raw.MPI_Get_library_version(text, length);
  return textOf(text, length[0]).split("\n")[0].replace(/\s+/g, " ");
}

/** @throws MpiMissingError for a library of neither family: its handles are not known */
function abiOf(library: ForeignLibrary, name: string, version: string): Abi {
  if (/Open MPI/i.test(version)) return openMpiAbi((symbol) => Number(library.symbol(symbol)));
  if (/MPICH|MVAPICH|Intel\(R\) MPI|CRAY MPICH/i.test(version)) return MPICH_ABI;
  throw new MpiMissingError(
    `${name} is "${version}"; Open MPI, MPICH and those that share MPICH's binary interface are known`,
  );
}

const textOf = (bytes: Uint8Array, length: number): string =>
  new TextDecoder().decode(bytes.slice(0, length)).replace(/\0+$/, "");

function errorOf(
  raw: Record<string, (...args: unknown[]) => number>,
  called: string,
  code: number,
): MpiError {
  const text = new Uint8Array(outBytes(512));
  const length = new Int32Array(outBytes(4));
  const words = raw.MPI_Error_string(code, text, length) === 0 ? textOf(text, length[0]) : "an unknown code";
  return new MpiError(called, code, words);
}
