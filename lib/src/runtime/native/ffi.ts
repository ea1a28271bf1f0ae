/** The foreign function interface: koffi, an optional package. */
import { createRequire } from "node:module";

export interface Koffi {
  /** @param path null: the process itself. @param options `global`: its functions are seen by libraries loaded later */
  load(path: string | null, options?: { readonly global?: boolean }): ForeignLibrary;
  /** Address of a typed array's first byte. */
  address(value: unknown): bigint;
  /** Memory at an address. */
  view(address: bigint | number, bytes: number): ArrayBuffer;
  /** Type of a function, of a pointer to one, and a structure that is passed by value. */
  proto(result: string, args: readonly string[]): unknown;
  pointer(type: unknown): unknown;
  struct(name: string, fields: Readonly<Record<string, unknown>>): unknown;
  array(type: string, length: number, hint?: "Array" | "Typed" | "String"): unknown;
  /** A function pointer that calls `callback`, on this thread only, until it is unregistered. */
  register(callback: (...args: never[]) => unknown, type: unknown): bigint;
  unregister(callback: bigint): void;
}

export interface ForeignLibrary {
  func(name: string, result: string, args: readonly unknown[]): (...x: unknown[]) => unknown;
  /** Address of exported data. */
  symbol(name: string): bigint;
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
