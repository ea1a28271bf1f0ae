/** NVRTC, the run-time compiler: CUDA C++ text to a module's image. Needs no GPU. */
import { DeviceError } from "../../core/errors.js";
import { koffi } from "../native/ffi.js";
import { cudaError, NVRTC_CODES } from "./errors.js";
import { openLibrary } from "./find.js";
import { checkedLibrary, type Library, Out, type RawLibrary } from "./table.js";

export const NVRTC = {
  nvrtcVersion: ["host", "host"],
  nvrtcGetNumSupportedArchs: ["host"],
  nvrtcGetSupportedArchs: ["host"],
  nvrtcCreateProgram: ["host", "text", "text", "i32", "host", "host"],
  nvrtcDestroyProgram: ["host"],
  nvrtcCompileProgram: ["handle", "i32", "host"],
  nvrtcGetProgramLogSize: ["handle", "host"],
  nvrtcGetProgramLog: ["handle", "host"],
  nvrtcGetCUBINSize: ["handle", "host"],
  nvrtcGetCUBIN: ["handle", "host"],
  nvrtcGetPTXSize: ["handle", "host"],
  nvrtcGetPTX: ["handle", "host"],
} as const;

export type Nvrtc = Library<typeof NVRTC>;
export type RawNvrtc = RawLibrary<typeof NVRTC>;

export interface CompileOptions {
  /** Architecture: "sm_80", "sm_90a" give machine code (CUBIN), "compute_80" gives PTX. */
  readonly arch: string;
  /** Name that messages show. Default "kernel.cu". */
  readonly file?: string;
  /** Headers by the name that `#include` says. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Further options, e.g. `--use_fast_math`. */
  readonly options?: readonly string[];
}

export interface CompiledCuda {
  /** For `cuModuleLoadDataEx`. PTX ends with a zero byte. */
  readonly image: Uint8Array;
  /** Warnings. */
  readonly log: string;
}

export const checkedNvrtc = (raw: RawNvrtc): Nvrtc => checkedLibrary(NVRTC, raw, NVRTC_CODES);

let found: Nvrtc | string | undefined;

/** NVRTC of this machine, or what is missing and how to get it. Looks once. */
export function findNvrtc(): Nvrtc | string {
  found ??= openLibrary("nvrtc", NVRTC, NVRTC_CODES);
  return found;
}

/** Version as [major, minor]. */
export function nvrtcVersion(nvrtc: Nvrtc): [major: number, minor: number] {
  const [major, minor] = [new Out(), new Out()];
  nvrtc.nvrtcVersion(major.at, minor.at);
  return [major.int(), minor.int()];
}

/** Architectures that this version compiles for, as numbers: 80 for sm_80. */
export function supportedArchs(nvrtc: Nvrtc): number[] {
  const count = new Out();
  nvrtc.nvrtcGetNumSupportedArchs(count.at);
  const archs = new Int32Array(new ArrayBuffer(Math.max(128, 4 * count.int())), 0, count.int());
  nvrtc.nvrtcGetSupportedArchs(archs);
  return [...archs];
}

/**
 * Compiles CUDA C++.
 * @throws CudaError with the compiler's messages, each with the source line that it is about.
 */
export function compileCuda(nvrtc: Nvrtc, source: string, options: CompileOptions): CompiledCuda {
  const { arch, file = "kernel.cu", headers = {}, options: more = [] } = options;
  const names = Object.keys(headers);
  const program = new Out();
  const keep: Uint8Array[] = [];
  const texts = pointers(
    names.map((name) => headers[name]),
    keep,
  );
  const includes = pointers(names, keep);
  nvrtc.nvrtcCreateProgram(program.at, source, file, names.length, texts, includes);
  const handle = program.word();
  try {
    const flags = [`--gpu-architecture=${arch}`, "--std=c++17", "-default-device", ...more];
    const code = nvrtc.raw.nvrtcCompileProgram(handle, flags.length, pointers(flags, keep));
    const log = text(nvrtc, "nvrtcGetProgramLogSize", "nvrtcGetProgramLog", handle);
    if (code !== 0)
      throw cudaError("nvrtcCompileProgram", code, NVRTC_CODES, explainLog(log, source, file, arch));
    const cubin = arch.startsWith("sm_");
    const image = bytes(
      nvrtc,
      cubin ? "nvrtcGetCUBINSize" : "nvrtcGetPTXSize",
      cubin ? "nvrtcGetCUBIN" : "nvrtcGetPTX",
      handle,
    );
    return { image, log };
  } finally {
    nvrtc.nvrtcDestroyProgram(cell(handle));
    keep.length = 0; // until here the strings are reachable
  }
}

/** The compiler's messages, each error with its source line beneath. */
function explainLog(log: string, source: string, file: string, arch: string): string {
  const lines = source.split("\n");
  const shown: string[] = [];
  for (const message of log.matchAll(/^(.+?)\((\d+)\): (.*error.*)$/gm)) {
    const [, where, number, what] = message;
    const line = where === file ? `\n    ${lines[Number(number) - 1]?.trim()}` : "";
    shown.push(`${where}:${number}: ${what}${line}`);
  }
  return `for ${arch}:\n${shown.length > 0 ? shown.join("\n") : log.trim()}`;
}

type SizeOf = "nvrtcGetProgramLogSize" | "nvrtcGetCUBINSize" | "nvrtcGetPTXSize";
type BytesOf = "nvrtcGetProgramLog" | "nvrtcGetCUBIN" | "nvrtcGetPTX";

function bytes(nvrtc: Nvrtc, size: SizeOf, get: BytesOf, handle: number): Uint8Array {
  const out = new Out();
  nvrtc[size](handle, out.at);
  const count = out.word();
  const buffer = new Uint8Array(new ArrayBuffer(Math.max(128, count)), 0, count);
  if (count > 0) nvrtc[get](handle, buffer);
  return buffer;
}

const text = (nvrtc: Nvrtc, size: SizeOf, get: BytesOf, handle: number): string =>
  Buffer.from(bytes(nvrtc, size, get, handle))
    .toString("utf8")
    .replace(/\0+$/, "");

/** A `char *` array; the strings that it points to live as long as `keep`. */
function pointers(strings: readonly string[], keep: Uint8Array[]): BigUint64Array | null {
  if (strings.length === 0) return null;
  const ffi = koffi();
  if (typeof ffi === "string") throw new DeviceError(ffi);
  const array = new BigUint64Array(new ArrayBuffer(Math.max(128, 8 * strings.length)));
  strings.forEach((s, i) => {
    const utf8 = new TextEncoder().encode(`${s}\0`);
    const fixed = new Uint8Array(new ArrayBuffer(Math.max(128, utf8.length))); // outside V8's moving heap
    fixed.set(utf8);
    keep.push(fixed);
    array[i] = ffi.address(fixed);
  });
  return array;
}

function cell(value: number): BigUint64Array {
  const array = new BigUint64Array(new ArrayBuffer(128));
  array[0] = BigInt(value);
  return array;
}
