/** Our matrix products beside cuBLAS on the device at hand: the same operands, the same run, times by the device's own clock. */
import { DeviceError } from "../../core/errors.js";
import type { Tensor } from "../../core/tensor.js";
import { tensor } from "../../ops/convert.js";
import { tidy } from "../../ops/tidy.js";
import type { Block } from "../../runtime/cuda/allocator.js";
import { CudaEvent } from "../../runtime/cuda/stream.js";
import { type DenseTensor, emptyDense } from "../../runtime/dense.js";
import { getDevice } from "../../runtime/devices.js";
import { type Remote, remoteOf } from "../../runtime/remote.js";
import { cuda } from "./device.js";
import { mmaGemmKernel } from "./kernels/gemm-mma.js";
import { sgemmKernel } from "./kernels/gemm-simt.js";
import { type TmaGemmCall, tensorMap, wgmmaGemmKernel } from "./kernels/gemm-wgmma.js";
import { wmmaGemmKernel } from "./kernels/gemm-wmma.js";
import type { CudaKernel, GemmCall, HalfStorage, Storage } from "./kernels/kernel.js";

export interface ProductSizes {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Of the operands; results are float32. */
  readonly dtype: Storage;
  /** Launches between two readings of the clock. Default 10. */
  readonly launches?: number;
  /** Readings, of which the median counts. Default 5. */
  readonly readings?: number;
}

export interface ProductTiming {
  /** Name of the kernel, or `cuBLAS` and how it computes. */
  readonly kernel: string;
  readonly milliseconds: number;
  /** 10¹² multiplications and additions per second. */
  readonly teraflops: number;
  /** Of the fastest cuBLAS product of the same precision in this run; null without cuBLAS. */
  readonly ofCublas: number | null;
  /** Largest difference from the float32 product of cuBLAS; null without it. */
  readonly largestError: number | null;
}

interface Candidate {
  readonly kernel: string;
  /** Products with operands rounded alike are compared. */
  readonly precision: "float32" | "tf32" | "half";
  launch(): void;
}

/**
 * Times each product that the device can run. Columns and sums of a multiple of 8 elements.
 * @throws DeviceError if the device that ops run on is not cuda.
 * @example typeof compiler.cuda.measureProducts // "function"
 */
export function measureProducts(sizes: ProductSizes): ProductTiming[] {
  if (getDevice() !== "cuda")
    throw new DeviceError(`measureProducts: the device is ${getDevice()}, not cuda`);
  return tidy(() => {
    const { m, n, k, dtype, launches = 10, readings = 5 } = sizes;
    const device = cuda();
    const { stream, driver } = device.context;
    const remote = remoteOf("cuda") as Remote;
    const address = (x: Tensor): number => ((x as DenseTensor).storage.on(remote) as Block).address;
    const [a, b] = [filled([m, k], 1).cast(dtype), filled([k, n], 2).cast(dtype)];
    const c = emptyDense([m, n], "float32", "cuda");
    const out = (c.storage.writtenOn(remote) as Block).address;
    const call: GemmCall = { a: address(a), b: address(b), c: out, m, n, k };
    const values = (): Float32Array => {
      const copy = new Float32Array(m * n);
      device.download(c.storage.on(remote) as Block, new Uint8Array(copy.buffer));
      return copy;
    };
    let wanted: Float32Array | null = null;
    const timed = candidates(call, dtype).map(({ kernel, precision, launch }) => {
      launch(); // compiles and warms up
      const found = values();
      wanted ??= kernel.startsWith("cuBLAS") ? found : null;
      using start = new CudaEvent(driver, true);
      using end = new CudaEvent(driver, true);
      const times = Array.from({ length: readings }, () => {
        start.record(stream);
        for (let i = 0; i < launches; i++) launch();
        end.record(stream);
        end.synchronize();
        return end.since(start) / launches;
      }).sort((x, y) => x - y);
      const milliseconds = times[times.length >> 1];
      return { kernel, precision, milliseconds, largestError: wanted && distance(found, wanted) };
    });
    return timed.map(({ kernel, precision, milliseconds, largestError }) => {
      const peers = timed.filter((t) => t.kernel.startsWith("cuBLAS") && t.precision === precision);
      const best = Math.min(...peers.map((t) => t.milliseconds));
      return {
        kernel,
        milliseconds,
        teraflops: (2 * m * n * k) / milliseconds / 1e9,
        ofCublas: peers.length > 0 ? best / milliseconds : null,
        largestError,
      };
    });
  });
}

function candidates(call: GemmCall, dtype: Storage): Candidate[] {
  const device = cuda();
  const { blas, context } = device;
  const { m, n, k } = call;
  const library = (compute: "float32" | "tf32"): Candidate => ({
    kernel: `cuBLAS ${dtype}${compute === "tf32" ? " as tf32" : ""}`,
    precision: dtype === "float32" ? compute : "half",
    launch: () =>
      blas?.matmul({
        ...{ m, n, k, compute },
        a: { address: call.a, dtype, ld: k },
        b: { address: call.b, dtype, ld: n },
        c: { address: call.c, dtype: "float32", ld: n },
      }),
  });
  const own = <P>(kernel: CudaKernel<P>, given: P, precision: Candidate["precision"]): Candidate => ({
    kernel: kernel.name,
    precision,
    launch: () => device.launch(kernel.source, kernel.name, kernel.launch(given), kernel.arguments(given)),
  });
  const found: Candidate[] = blas ? [library("float32")] : [];
  if (dtype === "float32") {
    if (blas) found.push(library("tf32"));
    found.push(own(sgemmKernel(true), call, "float32"), own(wmmaGemmKernel("float32"), call, "tf32"));
    return found;
  }
  const variant = { input: dtype, output: "float32" } as const;
  found.push(own(wmmaGemmKernel(dtype), call, "half"), own(mmaGemmKernel(variant), call, "half"));
  if (context.properties.capability[0] === 9) {
    const map = (address: number, rows: number, columns: number, tile: number): Uint8Array =>
      tensorMap(context.driver, { address, rows, columns, dtype: dtype as HalfStorage }, tile);
    const given: TmaGemmCall = { ...call, mapA: map(call.a, m, k, 128), mapB: map(call.b, k, n, 64) };
    found.push(own(wgmmaGemmKernel(variant), given, "half"));
  }
  return found;
}

function distance(x: Float32Array, y: Float32Array): number {
  let most = 0;
  for (let i = 0; i < x.length; i++) most = Math.max(most, Math.abs(x[i] - y[i]));
  return most;
}

/** Numbers between -1 and 1, no two rows alike. */
const filled = (shape: readonly number[], seed: number): Tensor => {
  const count = shape.reduce((a, b) => a * b, 1);
  return tensor(
    Float32Array.from({ length: count }, (_, i) => Math.sin((i + 1) * (seed + 0.618))),
    { shape },
  );
};
