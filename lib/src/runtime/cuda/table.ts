/**
 * Libraries as tables: one row per function, from which follow its TypeScript type, its binding by FFI, the check of its
 * result and what a fake of it has to implement.
 */
import { DeviceError } from "../../core/errors.js";
import { type Koffi, koffi } from "../native/ffi.js";
import { type CodeTable, cudaError } from "./errors.js";

/** Kinds of arguments, with what JavaScript passes. */
interface Natives {
  /** A handle of the library, or a device address. Addresses of today's machines are below 2^53. */
  handle: number;
  i32: number;
  u32: number;
  i64: number;
  size: number;
  f32: number;
  /** Host memory: its address, or a typed array for as long as the call takes. */
  host: number | ArrayBufferView | null;
  text: string;
  /** A structure of 128 bytes that is passed by value: `ncclUniqueId`. */
  id: { readonly internal: Uint8Array };
}
export type ArgumentKind = keyof Natives;

/** Rows: the exported name, and the kinds of its arguments. All return 0 or an error's code. */
export type Signatures = Readonly<Record<string, readonly ArgumentKind[]>>;

type Arguments<K extends readonly ArgumentKind[]> = {
  -readonly [I in keyof K]: Natives[K[I]];
};

/** A library's functions as exported: they return codes. */
export type RawLibrary<S extends Signatures> = {
  readonly [F in keyof S]: (...args: Arguments<S[F]>) => number;
};

/** A library's functions with checked results: they throw CudaError. */
export type Library<S extends Signatures> = {
  readonly [F in keyof S]: (...args: Arguments<S[F]>) => void;
} & { /** For codes that are no errors ("not ready"). */ readonly raw: RawLibrary<S> };

const NATIVE_TYPES: Readonly<Record<Exclude<ArgumentKind, "id">, string>> = {
  handle: "uintptr_t",
  i32: "int",
  u32: "unsigned int",
  i64: "int64_t",
  size: "size_t",
  f32: "float",
  host: "void *",
  text: "str",
};

let id: unknown;

function idType(ffi: Koffi): unknown {
  id ??= ffi.struct("mlsys_id", { internal: ffi.array("uint8_t", 128, "Typed") });
  return id;
}

/** Every function of `raw` with its result checked. */
export function checkedLibrary<S extends Signatures>(
  signatures: S,
  raw: RawLibrary<S>,
  codes: CodeTable,
): Library<S> {
  const all: Record<string, unknown> = { raw };
  for (const name of Object.keys(signatures)) {
    let call: ((...args: unknown[]) => number) | undefined;
    all[name] = (...args: unknown[]): void => {
      call ??= raw[name] as unknown as (...args: unknown[]) => number;
      const code = call(...args);
      if (code !== 0) throw cudaError(name, code, codes);
    };
  }
  return all as unknown as Library<S>;
}

/** Handles of loaded libraries: garbage would unload them under functions that are still called. */
const loaded: unknown[] = [];

/**
 * Binds a shared library. Functions are looked up at their first call, so that a library that lacks a new one still serves.
 * @throws DeviceError if there is no FFI or the library does not load.
 */
export function bindLibrary<S extends Signatures>(path: string, signatures: S): RawLibrary<S> {
  const ffi = koffi();
  if (typeof ffi === "string") throw new DeviceError(ffi);
  let library: ReturnType<Koffi["load"]>;
  try {
    library = ffi.load(path);
  } catch (error) {
    throw new DeviceError(`${path} does not load: ${(error as Error).message}`);
  }
  loaded.push(library);
  const raw: Record<string, unknown> = {};
  for (const [name, kinds] of Object.entries(signatures)) {
    let bound: ((...args: unknown[]) => unknown) | undefined;
    Object.defineProperty(raw, name, {
      enumerable: true,
      get() {
        if (bound) return bound;
        try {
          bound = library.func(
            name,
            "int",
            kinds.map((kind) => (kind === "id" ? idType(ffi) : NATIVE_TYPES[kind])),
          );
        } catch {
          throw new DeviceError(`${path} has no function ${name}: a newer version of it is needed`);
        }
        return bound;
      },
    });
  }
  return raw as RawLibrary<S>;
}

/** A place that functions write a result into: 64 bits, also readable as smaller types. */
export class Out {
  private readonly words = new BigUint64Array(new ArrayBuffer(128)); // large enough to lie outside V8's moving heap
  private readonly ints = new Int32Array(this.words.buffer);
  private readonly floats = new Float32Array(this.words.buffer);

  /** To be passed as the argument; cleared first. */
  get at(): ArrayBufferView {
    this.words.fill(0n);
    return this.words;
  }

  /** A handle, an address or a size. */
  word(index = 0): number {
    return Number(this.words[index]);
  }

  int(index = 0): number {
    return this.ints[index];
  }

  float(): number {
    return this.floats[0];
  }
}
