/** The foreign function interface: koffi, an optional package. */
import { createRequire } from "node:module";

export interface Koffi {
  load(path: string): ForeignLibrary;
  /** Address of a typed array's first byte. */
  address(value: unknown): bigint;
  /** Memory at an address. */
  view(address: bigint, bytes: number): ArrayBuffer;
}

export interface ForeignLibrary {
  func(name: string, result: string, args: readonly string[]): (...x: unknown[]) => unknown;
}

let ffi: Koffi | string | undefined;

/** The FFI, or why there is none. */
export function koffi(): Koffi | string {
  if (ffi !== undefined) return ffi;
  try {
    ffi = createRequire(import.meta.url)("koffi") as Koffi;
  } catch (error) {
    ffi = `the npm package koffi is missing (${(error as Error).message.split("\n")[0]})`;
  }
  return ffi;
}
