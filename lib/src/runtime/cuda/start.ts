/** The CUDA device that ops run on: opened when first used; its kernels are compiled once and kept, in memory and on disk. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { threadId } from "node:worker_threads";
import { DeviceError } from "../../core/errors.js";
import { memory } from "../heap.js";
import { koffi } from "../native/ffi.js";
import { cacheFolder } from "../native/toolchain.js";
import type { Block } from "./allocator.js";
import { archOf, CudaContext } from "./context.js";
import { Blas } from "./cublas.js";
import { type CudaMachine, cudaMachine, wantedOrdinal } from "./machine.js";
import { type CudaFunction, CudaModule, type KernelArgument, type Launch } from "./module.js";
import { compileCuda, type Nvrtc, nvrtcVersion, supportedArchs } from "./nvrtc.js";
import { PinnedHeap } from "./staging.js";
import { CudaStream } from "./stream.js";

/** From so many bytes a copy straight from the pinned heap is worth the wait for it. */
const WORTH_DIRECT = 1 << 20;

/** Bytes that cuBLAS may use: what Hopper's kernels want. With memory of ours it can be captured in graphs. */
const BLAS_WORKSPACE = 32 << 20;

export class CudaDevice {
  readonly context: CudaContext;
  /** cuBLAS on the context's stream, or null where it is missing. */
  readonly blas: Blas | null;
  private readonly nvrtc: Nvrtc;
  private readonly heap: PinnedHeap;
  private readonly functions = new Map<string, CudaFunction>();
  private readonly modules: CudaModule[] = [];
  private readonly arch: string;
  /** While a graph is recorded: what the host uploaded. */
  private constants: Block[] | null = null;
  /** Work beside a recording. */
  private sideStream: CudaStream | null = null;

  constructor(
    readonly machine: CudaMachine,
    private readonly headers: Readonly<Record<string, string>>,
  ) {
    const { driver, nvrtc, cublas } = machine;
    if (typeof driver === "string") throw new DeviceError(`cuda: ${driver}`);
    if (typeof nvrtc === "string") throw new DeviceError(`cuda: ${nvrtc}`);
    this.nvrtc = nvrtc;
    this.context = new CudaContext(driver, wantedOrdinal());
    const ffi = koffi();
    const base = typeof ffi === "string" ? 0 : Number(ffi.address(new Uint8Array(memory.buffer, 0, 1)));
    this.heap = new PinnedHeap(driver, base, process.env.MLSYS_CUDA_PIN === "1"); // a shared memory never moves
    this.arch = archOf(this.context.properties.capability, supportedArchs(nvrtc));
    this.blas = typeof cublas === "string" ? null : new Blas(cublas);
    if (this.blas) {
      this.blas.setStream(this.context.stream.handle);
      this.blas.setWorkspace(this.allocate(BLAS_WORKSPACE).address, BLAS_WORKSPACE);
    }
  }

  /** Device memory for work on the device's stream. */
  allocate(bytes: number): Block {
    return this.context.memory.allocate(bytes, this.context.stream);
  }

  free(block: Block): void {
    this.context.memory.free(block);
  }

  /** Gives memory to `use` for as long as the work lasts that it enqueues. */
  withWorkspace(bytes: number, use: (address: number) => void): void {
    const block = this.allocate(bytes);
    try {
      use(block.address);
    } finally {
      this.free(block); // the order of the stream keeps it for what was enqueued
    }
  }

  /** Copies host bytes to the device. They may change as soon as this returns. */
  upload(bytes: Uint8Array, to: Block): void {
    const { staging, stream, memory, driver } = this.context;
    if (!this.constants) {
      const direct = bytes.length >= WORTH_DIRECT ? this.heap.addressOf(bytes) : null;
      if (direct === null) staging.upload(bytes, to.address, stream);
      else {
        driver.cuMemcpyHtoDAsync_v2(to.address, direct, bytes.length, stream.handle);
        stream.synchronize(); // the bytes may change from now on
      }
      return;
    }
    // In a recording: once to memory that nothing else gets, and from there whenever the graph runs.
    const constant = memory.withPool(null, () => this.allocate(bytes.length));
    this.constants.push(constant);
    const side = this.side();
    staging.upload(bytes, constant.address, side);
    side.synchronize();
    driver.cuMemcpyDtoDAsync_v2(to.address, constant.address, bytes.length, stream.handle);
  }

  /** Copies device memory to the host, behind the work enqueued so far, and waits. */
  download(from: Block, bytes: Uint8Array): void {
    if (this.constants)
      throw new DeviceError(
        "cuda: a number is wanted on the host while a graph is recorded; read results after it has run",
      );
    const { staging, stream, driver } = this.context;
    const direct = bytes.length >= WORTH_DIRECT ? this.heap.addressOf(bytes) : null;
    if (direct === null) staging.download(from.address, bytes, stream);
    else {
      driver.cuMemcpyDtoHAsync_v2(direct, from.address, bytes.length, stream.handle);
      stream.synchronize();
    }
  }

  /** Runs `body`, in which a capture of the stream takes place; `constants` gets what the host uploads meanwhile. */
  recording<T>(constants: Block[], body: () => T): T {
    this.constants = constants;
    try {
      return body();
    } finally {
      this.constants = null;
    }
  }

  /** Enqueues a kernel, compiled if it is not yet. */
  launch(source: string, name: string, launch: Launch, values: readonly KernelArgument[]): void {
    this.kernel(source, name).launch(this.context.stream, launch, values);
  }

  /** A kernel of a source. @throws CudaError with the compiler's messages. */
  kernel(source: string, name: string): CudaFunction {
    const key = `${name}\0${source}`;
    let found = this.functions.get(key);
    if (!found) {
      const module = new CudaModule(this.context.driver, this.image(source, name));
      this.modules.push(module);
      found = module.get(name);
      this.functions.set(key, found);
    }
    return found;
  }

  [Symbol.dispose](): void {
    this.context.synchronize();
    for (const module of this.modules.splice(0)) module[Symbol.dispose]();
    this.functions.clear();
    this.blas?.[Symbol.dispose]();
    this.sideStream?.[Symbol.dispose]();
    this.heap[Symbol.dispose]();
    this.context[Symbol.dispose]();
  }

  private side(): CudaStream {
    this.sideStream ??= new CudaStream(this.context.driver);
    return this.sideStream;
  }

  private image(source: string, name: string): Uint8Array {
    const compile = (): Uint8Array =>
      compileCuda(this.nvrtc, source, { arch: this.arch, file: `${name}.cu`, headers: this.headers }).image;
    if (!this.machine.cached) return compile();
    const parts = [source, this.headers, this.arch, nvrtcVersion(this.nvrtc)];
    const hash = createHash("sha256").update(JSON.stringify(parts)).digest("hex");
    const path = join(cacheFolder("cuda"), `${hash.slice(0, 40)}.cubin`);
    if (existsSync(path)) return new Uint8Array(readFileSync(path));
    const image = compile();
    const own = `${path}.${process.pid}.${threadId}`;
    writeFileSync(own, image);
    renameSync(own, path); // whole or not at all, also with several processes
    return image;
  }
}

let opened: CudaDevice | null = null;

/** The device, opened for the machine that there is now. @throws DeviceError that says what is missing. */
export function openCuda(headers: Readonly<Record<string, string>>): CudaDevice {
  const machine = cudaMachine();
  if (opened?.machine !== machine) opened = new CudaDevice(machine, headers);
  return opened;
}
