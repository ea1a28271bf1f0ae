/** Compiled kernels in shared libraries, called by FFI (koffi) on the shared linear memory. */
import { DeviceError } from "../../core/errors.js";
import { memory, reserve } from "../heap.js";
import { getNumThreads } from "../pool/pool.js";
import { type ForeignLibrary, type Koffi, koffi } from "./ffi.js";
import { POOL_SOURCE } from "./pool-source.js";
import { buildLibrarySync, type Toolchain, toolchain } from "./toolchain.js";

/** Calls all phases of a kernel. Arguments: 32-bit words; then items and grain of each phase. */
export type NativeRun = (args: readonly number[]) => void;

const MAX_WORDS = 256;
/** Libraries stay loaded: a handle that is garbage unloads its library, under functions that are still called. */
const loaded: unknown[] = [];
let base = 0;
let words = 0;
let launchAddress: bigint | undefined;

/** What native kernels need, or which part of it is missing. */
export function nativeSupport(): Toolchain | string {
  const tools = toolchain();
  if (typeof tools === "string") return tools;
  const loader = koffi();
  return typeof loader === "string" ? loader : tools;
}

/**
 * Loads a library made from a kernel's C source.
 * @throws DeviceError if it cannot be loaded.
 */
export function loadKernel(path: string): NativeRun {
  const loader = koffi();
  const tools = toolchain();
  if (typeof loader === "string") throw new DeviceError(loader);
  if (typeof tools === "string") throw new DeviceError(tools);
  launchAddress ??= launcher(loader, tools);
  if (base === 0) {
    base = Number(loader.address(new Uint8Array(memory.buffer, 0, 1))); // a shared memory never moves
    words = reserve(MAX_WORDS * 4);
  }
  const run = open(loader, path).func("mls_run", "void", ["uintptr_t", "uintptr_t", "uintptr_t", "int"]);
  const view = new Int32Array(memory.buffer, words, MAX_WORDS);
  return (args) => {
    if (args.length > MAX_WORDS)
      throw new DeviceError(`a native kernel takes at most ${MAX_WORDS} arguments, not ${args.length}`);
    for (let i = 0; i < args.length; i++) view[i] = args[i];
    run(base, base + words, launchAddress, getNumThreads());
  };
}

/**
 * A function of a shared library, for callers that know its signature. Typed arrays over the shared memory go as pointers.
 * @throws DeviceError if the library has none of that name, or nothing can load it.
 */
export function foreignFunction(
  path: string,
  name: string,
  result: string,
  args: readonly string[],
): (...x: unknown[]) => unknown {
  const loader = koffi();
  if (typeof loader === "string") throw new DeviceError(loader);
  try {
    return open(loader, path).func(name, result, args);
  } catch (cause) {
    throw new DeviceError(`the library has no function ${name} (${(cause as Error).message})`, { cause });
  }
}

function open(loader: Koffi, path: string): ForeignLibrary {
  const library = loader.load(path);
  loaded.push(library);
  return library;
}

/** The pool's own library: to be built before the first kernel is loaded, else loading builds it. */
export const POOL_LIBRARY = `${POOL_SOURCE}\nuintptr_t mls_launch_address(void) { return (uintptr_t)&mls_launch; }\n`;

/** Address of the pool's launch function. */
function launcher(loader: Koffi, tools: Toolchain): bigint {
  const get = open(loader, buildLibrarySync(POOL_LIBRARY, tools)).func("mls_launch_address", "uintptr_t", []);
  return BigInt(get() as number | bigint);
}
