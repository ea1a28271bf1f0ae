/** Modules (loaded machine code), their kernels, and the launch of one. */
import { ValueError } from "../../core/errors.js";
import { koffi } from "../native/ffi.js";
import { type Driver, FunctionAttribute } from "./driver.js";
import type { CudaStream } from "./stream.js";
import { Out } from "./table.js";

/** An argument of a kernel, in the order of its parameters. */
export type KernelArgument =
  | { readonly kind: "pointer" | "i32" | "u32" | "i64" | "f32" | "f64"; readonly value: number }
  | { readonly kind: "bytes"; readonly value: Uint8Array };

export const pointer = (value: number): KernelArgument => ({ kind: "pointer", value });
export const i32 = (value: number): KernelArgument => ({ kind: "i32", value });
export const f32 = (value: number): KernelArgument => ({ kind: "f32", value });

/** Blocks of a grid or threads of a block: x, y, z. */
export type Extent = readonly [x: number, y?: number, z?: number];

export interface Launch {
  readonly grid: Extent;
  readonly block: Extent;
  /** Bytes of dynamic shared memory. Default 0. */
  readonly shared?: number;
}

const MAX_ARGUMENTS = 64;
const SLOT = 128; // a CUtensorMap is the largest argument
/** From here a kernel must be told that it may take so much shared memory. */
const SHARED_WITHOUT_ASKING = 48 * 1024;

/**
 * The memory that `cuLaunchKernel` reads arguments from: an array of addresses, one per argument, of slots with the values.
 * The driver copies the values during the call, so one block serves all launches.
 */
class ArgumentBlock {
  private readonly place = new ArrayBuffer(SLOT * (MAX_ARGUMENTS + 1));
  private readonly view: DataView;
  private readonly bytes: Uint8Array;
  private readonly first: number;
  readonly addresses = new BigUint64Array(new ArrayBuffer(8 * MAX_ARGUMENTS));

  constructor() {
    const ffi = koffi();
    if (typeof ffi === "string") throw new ValueError(ffi);
    const start = Number(ffi.address(new Uint8Array(this.place)));
    this.first = (64 - (start % 64)) % 64; // tensor maps lie at multiples of 64
    this.view = new DataView(this.place);
    this.bytes = new Uint8Array(this.place);
    for (let i = 0; i < MAX_ARGUMENTS; i++) this.addresses[i] = BigInt(start + this.first + SLOT * i);
  }

  fill(values: readonly KernelArgument[]): BigUint64Array {
    if (values.length > MAX_ARGUMENTS)
      throw new ValueError(`a kernel takes at most ${MAX_ARGUMENTS} arguments, got ${values.length}`);
    values.forEach((argument, i) => {
      const at = this.first + SLOT * i;
      const { kind, value } = argument;
      if (kind === "bytes") this.bytes.set(value, at);
      else if (kind === "i32") this.view.setInt32(at, value, true);
      else if (kind === "u32") this.view.setUint32(at, value, true);
      else if (kind === "f32") this.view.setFloat32(at, value, true);
      else if (kind === "f64") this.view.setFloat64(at, value, true);
      else this.view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true);
    });
    return this.addresses;
  }
}

let argumentBlock: ArgumentBlock | undefined;

export class CudaFunction {
  private sharedAllowed = SHARED_WITHOUT_ASKING;

  constructor(
    private readonly driver: Driver,
    readonly handle: number,
    readonly name: string,
  ) {}

  /**
   * Enqueues the kernel.
   * @throws ValueError for extents that no device takes; CudaError from the driver.
   */
  launch(stream: CudaStream, { grid, block, shared = 0 }: Launch, values: readonly KernelArgument[]): void {
    const [gx, gy = 1, gz = 1] = grid;
    const [bx, by = 1, bz = 1] = block;
    if (bx * by * bz > 1024 || bx * by * bz < 1)
      throw new ValueError(`${this.name}: a block has 1 to 1024 threads, not ${bx}×${by}×${bz}`);
    if (gx < 1 || gy < 1 || gz < 1 || gy > 65535 || gz > 65535 || gx > 2 ** 31 - 1)
      throw new ValueError(
        `${this.name}: a grid of ${gx}×${gy}×${gz} blocks is outside 1 to 2147483647×65535×65535`,
      );
    if (shared > this.sharedAllowed) {
      this.driver.cuFuncSetAttribute(this.handle, FunctionAttribute.maxDynamicSharedBytes, shared);
      this.sharedAllowed = shared;
    }
    argumentBlock ??= new ArgumentBlock();
    const addresses = argumentBlock.fill(values);
    this.driver.cuLaunchKernel(this.handle, gx, gy, gz, bx, by, bz, shared, stream.handle, addresses, null);
  }

  /** What the compiler made of it. */
  resources(): { registers: number; staticSharedBytes: number; spilledBytes: number } {
    const get = (attribute: number): number => {
      const out = new Out();
      this.driver.cuFuncGetAttribute(out.at, attribute, this.handle);
      return out.int();
    };
    return {
      registers: get(FunctionAttribute.registers),
      staticSharedBytes: get(FunctionAttribute.staticSharedBytes),
      spilledBytes: get(FunctionAttribute.localBytes),
    };
  }

  /** Blocks of this size that one multiprocessor holds at once. */
  blocksPerMultiprocessor(threads: number, shared = 0): number {
    const out = new Out();
    this.driver.cuOccupancyMaxActiveBlocksPerMultiprocessor(out.at, this.handle, threads, shared);
    return out.int();
  }
}

export class CudaModule {
  readonly handle: number;
  private readonly functions = new Map<string, CudaFunction>();

  /** @param image what NVRTC made */
  constructor(
    private readonly driver: Driver,
    image: Uint8Array,
  ) {
    const out = new Out();
    driver.cuModuleLoadDataEx(out.at, image, 0, null, null);
    this.handle = out.word();
  }

  /** @throws CudaError if the module has no kernel of this name. */
  get(name: string): CudaFunction {
    let found = this.functions.get(name);
    if (!found) {
      const out = new Out();
      this.driver.cuModuleGetFunction(out.at, this.handle, name);
      found = new CudaFunction(this.driver, out.word(), name);
      this.functions.set(name, found);
    }
    return found;
  }

  [Symbol.dispose](): void {
    this.driver.cuModuleUnload(this.handle);
  }
}
