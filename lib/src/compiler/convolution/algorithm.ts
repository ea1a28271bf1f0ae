/** What a convolution algorithm is: which sizes it takes, what it costs, and the kernels that do it. */
import { nativeSupport } from "../../runtime/native/library.js";
import { compileInBackground, type NativeProgram } from "../codegen/c/compile.js";
import type { LoopProgram } from "../codegen/program.js";
import { compileWasm } from "../codegen/wasm/compile.js";
import type { LoopKernel } from "../loop/ir.js";
import { nativePrograms } from "../native/programs.js";
import type { ConvGeometry } from "./geometry.js";

export type HostDevice = "wasm" | "native";

/** Byte addresses of images, filters and result in the shared memory: float32, row-major. */
export type ConvCall = (x: number, w: number, y: number) => void;

/** Kernels for one geometry on one device. */
export interface PreparedConv {
  readonly run: ConvCall;
  /** Settles when all kernels are what they are to be: until then WebAssembly stands in for C. */
  readonly ready: Promise<void>;
  /** False until then. */
  readonly isReady: () => boolean;
}

export interface ConvAlgorithm {
  readonly name: string;
  /** One line for tables. */
  readonly about: string;
  /** Why it does not take these sizes; `null`: it does. */
  refuses(g: ConvGeometry): string | null;
  /** Multiplications between images and filters; those of transforms aside. */
  multiplications(g: ConvGeometry): number;
  /** Bytes it needs besides operands and result. */
  workspace(g: ConvGeometry, device: HostDevice): number;
  prepare(g: ConvGeometry, device: HostDevice): PreparedConv;
}

/** A kernel of the loop compiler on its device. */
export interface Piece {
  run(addresses: readonly number[], sizes?: readonly number[]): void;
  readonly ready: Promise<void>;
  readonly isReady: () => boolean;
}

const wasm = new Map<string, LoopProgram>();
const ready = Promise.resolve();

/** float32 numbers in a vector of the device. */
export function lanesOf(device: HostDevice): number {
  if (device === "wasm") return 4;
  const tools = nativeSupport();
  return typeof tools === "string" ? 4 : tools.vectorBytes / 4;
}

/**
 * Compiled once for each key; natively in the background. `make` is given the lanes of a vector. `inPlace`: outputs may lie
 * where inputs lie.
 */
export function piece(
  device: HostDevice,
  key: string,
  make: (lanes: number) => LoopKernel,
  inPlace = false,
): Piece {
  const spare = (): LoopProgram => {
    let program = wasm.get(key);
    if (!program) {
      program = compileWasm(make(4));
      wasm.set(key, program);
    }
    return program;
  };
  if (device === "wasm" || typeof nativeSupport() === "string") {
    const program = spare();
    return { run: (addresses, sizes) => program.run(addresses, sizes), ready, isReady: () => true };
  }
  const native: NativeProgram = nativePrograms(`convolution ${key}`, () =>
    compileInBackground(() => make(lanesOf(device)), { inPlace }),
  );
  let done = native.current() !== null;
  if (!done)
    void native.ready.then(() => {
      done = true;
    });
  return {
    run: (addresses, sizes) => (native.current() ?? spare()).run(addresses, sizes),
    ready: native.ready,
    isReady: () => done,
  };
}

/** Pieces that one algorithm needs together. */
export function together(pieces: readonly Pick<Piece, "ready" | "isReady">[], run: ConvCall): PreparedConv {
  return {
    run,
    ready: Promise.all(pieces.map((p) => p.ready)).then(() => {}),
    isReady: () => pieces.every((p) => p.isReady()),
  };
}
