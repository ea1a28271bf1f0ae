/** A whole CUDA machine for tests: fake driver with emulated kernels, fake NVRTC, fake cuBLAS. */

import { cuda } from "../../../src/compiler/cuda/device.js";
import type { CudaKernel } from "../../../src/compiler/cuda/kernels/index.js";
import { CudaContext } from "../../../src/runtime/cuda/context.js";
import { Blas, checkedCublas } from "../../../src/runtime/cuda/cublas.js";
import { checkedDriver } from "../../../src/runtime/cuda/driver.js";
import type { CudaMachine } from "../../../src/runtime/cuda/machine.js";
import { CudaModule, type KernelArgument, type Launch } from "../../../src/runtime/cuda/module.js";
import { checkedNvrtc, compileCuda } from "../../../src/runtime/cuda/nvrtc.js";
import { fakeCublas } from "./fake-blas.js";
import { FakeDriver, type FakeOptions } from "./fake-driver.js";
import { fakeNvrtc } from "./fake-nvrtc.js";
import { decodeHalf, encodeHalf } from "./half.js";

export type ElementType = "float32" | "float64" | "float16" | "bfloat16" | "int32";

/** A machine for `useCudaMachine`; `pieces`: pieces of device memory that tensors have. */
export function emulatedMachine(options: FakeOptions & { readonly blas?: boolean } = {}): {
  machine: CudaMachine;
  fake: FakeDriver;
  pieces: () => number;
} {
  const fake = new FakeDriver(options);
  const machine: CudaMachine = {
    driver: checkedDriver(fake.raw),
    nvrtc: checkedNvrtc(fakeNvrtc((address, bytes) => fake.memory.read(address, bytes))),
    cached: false,
    cublas: options.blas === false ? "cuBLAS is left out" : checkedCublas(fakeCublas(fake)),
  };
  const pieces = (): number => {
    const { allocations, frees } = cuda().context.memory.stats();
    return allocations - frees;
  };
  return { machine, fake, pieces };
}

export class EmulatedCuda {
  readonly fake: FakeDriver;
  readonly driver;
  readonly nvrtc;
  readonly cublas;
  readonly context: CudaContext;
  private readonly modules: CudaModule[] = [];

  constructor(options: FakeOptions & { readonly memoryLimit?: number } = {}) {
    this.fake = new FakeDriver(options);
    this.driver = checkedDriver(this.fake.raw);
    this.nvrtc = checkedNvrtc(fakeNvrtc((address, bytes) => this.fake.memory.read(address, bytes)));
    this.cublas = checkedCublas(fakeCublas(this.fake));
    this.context = new CudaContext(this.driver, 0, options);
  }

  blas(): Blas {
    return new Blas(this.cublas);
  }

  /** Memory of its own, outside the allocator, so that red zones lie right beside it. */
  array(dtype: ElementType, values: ArrayLike<number>): number {
    const bytes = new Uint8Array(
      dtype === "float32"
        ? Float32Array.from(values).buffer
        : dtype === "float64"
          ? Float64Array.from(values).buffer
          : dtype === "int32"
            ? Int32Array.from(values).buffer
            : encodeHalf(dtype, values).buffer,
    );
    const address = this.empty(bytes.length);
    this.fake.memory.write(address, bytes);
    return address;
  }

  empty(bytes: number): number {
    const out = new BigUint64Array(new ArrayBuffer(128));
    this.driver.cuMemAlloc_v2(out, Math.max(1, bytes));
    return Number(out[0]);
  }

  /** Waits, and reads elements back. */
  read(dtype: ElementType, address: number, count: number): Float64Array {
    this.context.synchronize();
    const size = dtype === "float64" ? 8 : dtype === "float32" || dtype === "int32" ? 4 : 2;
    const { buffer } = this.fake.memory.read(address, count * size).slice();
    if (dtype === "float32") return Float64Array.from(new Float32Array(buffer));
    if (dtype === "float64") return new Float64Array(buffer);
    if (dtype === "int32") return Float64Array.from(new Int32Array(buffer));
    return decodeHalf(dtype, new Uint16Array(buffer));
  }

  /** Compiles a kernel for this device and launches it on the context's stream. */
  run<P>(kernel: CudaKernel<P>, call: P): void {
    const arch = kernel.least === 90 ? "sm_90a" : "sm_80";
    this.launch(kernel.source, kernel.name, kernel.launch(call), kernel.arguments(call), arch);
  }

  launch(
    source: string,
    name: string,
    launch: Launch,
    values: readonly KernelArgument[],
    arch = "sm_80",
  ): void {
    const { image } = compileCuda(this.nvrtc, source, { arch });
    const module = new CudaModule(this.driver, image);
    this.modules.push(module);
    module.get(name).launch(this.context.stream, launch, values);
  }

  [Symbol.dispose](): void {
    this.context.synchronize();
    for (const module of this.modules.splice(0)) module[Symbol.dispose]();
    this.context[Symbol.dispose]();
  }
}

/** Numbers in [-1, 1) that depend on the seed alone. */
export function numbers(count: number, seed: number): Float64Array {
  let state = seed >>> 0;
  return Float64Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}
