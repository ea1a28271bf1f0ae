/** Driver layer on the fake driver, which checks order, lifetimes and arguments, and runs work only when it is waited for. */
import { describe, expect, it } from "vitest";
import { castKernel, sgemmKernel } from "../../src/compiler/cuda/kernels/index.js";
import { archOf, CudaContext, deviceCount, driverVersion } from "../../src/runtime/cuda/context.js";
import { checkedDriver } from "../../src/runtime/cuda/driver.js";
import { CudaError } from "../../src/runtime/cuda/errors.js";
import { CudaGraph } from "../../src/runtime/cuda/graph.js";
import { CudaModule, f32, i32, pointer } from "../../src/runtime/cuda/module.js";
import { compileCuda } from "../../src/runtime/cuda/nvrtc.js";
import { PinnedHeap, Staging } from "../../src/runtime/cuda/staging.js";
import { CudaEvent, CudaStream } from "../../src/runtime/cuda/stream.js";
import { EmulatedCuda, numbers } from "../support/cuda/device.js";
import { emulatorMissing } from "../support/cuda/emulator.js";
import { FakeDriver } from "../support/cuda/fake-driver.js";

const SCALE = `#include "mlsys.cuh"
extern "C" __global__ void scale(const float* from, float* to, float by, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) to[i] = from[i] * by;
}`;

function scaler(cuda: EmulatedCuda) {
  const module = new CudaModule(cuda.driver, compileCuda(cuda.nvrtc, SCALE, { arch: "sm_80" }).image);
  const f = module.get("scale");
  return {
    module,
    scale: (stream: CudaStream, from: number, to: number, by: number, n: number) =>
      f.launch(stream, { grid: [Math.ceil(n / 64)], block: [64] }, [
        pointer(from),
        pointer(to),
        f32(by),
        i32(n),
      ]),
  };
}

describe.skipIf(emulatorMissing)("CUDA contexts", () => {
  it("tell what the device is, and give back all that they took", () => {
    const fake = new FakeDriver({ capability: [8, 6], totalBytes: 2 ** 28 });
    const driver = checkedDriver(fake.raw);
    expect(deviceCount(driver)).toBe(1);
    expect(driverVersion(driver)).toBe("13.0");
    {
      using context = new CudaContext(driver);
      expect(context.properties).toMatchObject({
        name: "Emulated CUDA device",
        capability: [8, 6],
        totalBytes: 2 ** 28,
        multiprocessors: 4,
        warpSize: 32,
      });
      context.memory.allocate(1000, context.stream);
      context.staging.upload(
        new Uint8Array(10),
        context.memory.allocate(10, context.stream).address,
        context.stream,
      );
    }
    expect(fake.leaks()).toEqual([]);
    expect(() => new CudaContext(driver, 1)).toThrow(/CUDA device 1 is wanted, but there are 1/);
    expect(archOf([8, 0])).toBe("sm_80");
    expect(archOf([9, 0])).toBe("sm_90a");
    expect(archOf([8, 6], [75, 80, 86])).toBe("sm_86");
    expect(archOf([12, 1], [75, 80, 90])).toBe("compute_90"); // PTX, which the driver translates
    expect(() => archOf([8, 0], [90, 100])).toThrow(/compiles for sm_90, sm_100, the device is sm_80/);
  });

  it("name the function, the code and its meaning when the driver refuses", () => {
    const driver = checkedDriver(new FakeDriver({ devices: 0 }).raw);
    expect(() => driver.cuCtxSynchronize()).toThrow(/CUDA_ERROR_NOT_INITIALIZED/);
    let error: unknown;
    try {
      driver.cuInit(0);
    } catch (e) {
      error = e;
    }
    expect(error).toBeInstanceOf(CudaError);
    expect(error).toMatchObject({ called: "cuInit", code: 100, codeName: "CUDA_ERROR_NO_DEVICE" });
    expect((error as CudaError).message).toBe(
      "cuInit failed with CUDA_ERROR_NO_DEVICE (100): no CUDA device is visible (see CUDA_VISIBLE_DEVICES)",
    );
  });
});

describe.skipIf(emulatorMissing)("streams and events", () => {
  it("run kernels in order, with time between events", () => {
    using cuda = new EmulatedCuda();
    const { scale } = scaler(cuda);
    const { stream } = cuda.context;
    const a = cuda.array("float32", [1, 2, 3]);
    const b = cuda.empty(12);
    using start = new CudaEvent(cuda.driver, true);
    using end = new CudaEvent(cuda.driver, true);
    start.record(stream);
    scale(stream, a, b, 2, 3);
    scale(stream, b, a, 5, 3);
    end.record(stream);
    end.synchronize();
    expect(end.passed).toBe(true);
    expect(end.since(start)).toBe(3); // the fake's clock counts work: two kernels, and the event itself
    expect([...cuda.read("float32", a, 3)]).toEqual([10, 20, 30]);
    expect(() => end.since(new CudaEvent(cuda.driver))).toThrow(/CUDA_ERROR_INVALID_HANDLE/);
  });

  it("need an event where two streams use the same memory", () => {
    using cuda = new EmulatedCuda();
    const { scale } = scaler(cuda);
    const { stream } = cuda.context;
    using other = new CudaStream(cuda.driver);
    using event = new CudaEvent(cuda.driver);
    const [a, b, c] = [cuda.array("float32", [1, 2]), cuda.empty(8), cuda.empty(8)];
    scale(stream, a, b, 2, 2);
    expect(() => scale(other, b, c, 2, 2)).toThrow(/race: scale on stream \d+ and scale on stream \d+ use/);
    scale(other, a, c, 3, 2); // both only read
    other.wait(event.record(stream));
    scale(other, b, c, 2, 2);
    expect(() => scale(stream, a, b, 1, 2)).toThrow(/race/); // b may still be read
    other.synchronize();
    scale(stream, c, b, 1, 2);
    expect([...cuda.read("float32", b, 2)]).toEqual([4, 8]);
    expect(other.idle).toBe(true);
  });

  it("are not used after they were destroyed", () => {
    using cuda = new EmulatedCuda();
    const stream = new CudaStream(cuda.driver);
    stream[Symbol.dispose]();
    expect(() => stream.synchronize()).toThrow(/cuStreamSynchronize failed with CUDA_ERROR_INVALID_HANDLE/);
    const { module, scale } = scaler(cuda);
    module[Symbol.dispose]();
    const a = cuda.empty(8);
    expect(() => scale(cuda.context.stream, a, a, 1, 2)).toThrow(
      /cuLaunchKernel failed with CUDA_ERROR_INVALID_HANDLE/,
    );
  });
});

describe.skipIf(emulatorMissing)("launches", () => {
  it("check sizes, names, freed memory and shared memory", () => {
    using cuda = new EmulatedCuda();
    const { module, scale } = scaler(cuda);
    const { stream } = cuda.context;
    const f = module.get("scale");
    const a = cuda.empty(8);
    const values = [pointer(a), pointer(a), f32(1), i32(2)];
    expect(() => f.launch(stream, { grid: [1], block: [2048] }, values)).toThrow(
      /scale: a block has 1 to 1024 threads, not 2048×1×1/,
    );
    expect(() => f.launch(stream, { grid: [0], block: [32] }, values)).toThrow(/a grid of 0×1×1 blocks/);
    expect(() => f.launch(stream, { grid: [1], block: [32], shared: 300_000 }, values)).toThrow(
      /cuFuncSetAttribute failed with CUDA_ERROR_INVALID_VALUE/,
    );
    expect(() => module.get("nothing")).toThrow(/cuModuleGetFunction failed with CUDA_ERROR_NOT_FOUND/);
    expect(() => new CudaModule(cuda.driver, new Uint8Array(200))).toThrow(/CUDA_ERROR_INVALID_IMAGE/);
    const { image } = compileCuda(cuda.nvrtc, SCALE, { arch: "sm_100" });
    expect(() => new CudaModule(cuda.driver, image)).toThrow(/CUDA_ERROR_NO_BINARY_FOR_GPU/);
    cuda.driver.cuMemFree_v2(a);
    expect(() => scale(stream, a, a, 1, 2)).toThrow(
      /scale, argument 0: 0x[0-9a-f]+ is used after it was freed/,
    );
    expect(f.blocksPerMultiprocessor(256)).toBe(8);
  });

  it("ask for shared memory above 48 KiB once", () => {
    using cuda = new EmulatedCuda({ emulate: false });
    const kernel = {
      ...sgemmKernel(true),
      launch: () => ({ grid: [1] as const, block: [256] as const, shared: 60_000 }),
    };
    const x = cuda.empty(64);
    const call = { a: x, b: x, c: x, m: 4, n: 4, k: 4 };
    cuda.run(kernel, call);
    expect(cuda.fake.calls.filter((name) => name === "cuFuncSetAttribute").length).toBe(1);
  });
});

describe.skipIf(emulatorMissing)("copies", () => {
  it("go through pinned pieces, in order, also when they are larger than all pieces", () => {
    using cuda = new EmulatedCuda();
    const { stream } = cuda.context;
    using staging = new Staging(cuda.driver, 1000, 3);
    const bytes = Uint8Array.from({ length: 7777 }, (_, i) => i * 7);
    const to = cuda.empty(bytes.length);
    const source = bytes.slice();
    staging.upload(source, to, stream);
    source.fill(0); // the copy was taken
    const back = new Uint8Array(bytes.length);
    staging.download(to, back, stream);
    expect(back).toEqual(bytes);
    expect(cuda.fake.calls.filter((name) => name === "cuMemHostAlloc").length).toBe(3);
  });

  it("need pinned memory where they are asynchronous, and stay inside allocations", () => {
    using cuda = new EmulatedCuda();
    const { driver, fake, context } = cuda;
    const to = cuda.empty(16);
    const host = new Uint8Array(new ArrayBuffer(8192));
    const address = fake.memory.addressOf(host);
    expect(() => driver.cuMemcpyHtoDAsync_v2(to, address, 16, context.stream.handle)).toThrow(
      /asynchronous copies need pinned host memory/,
    );
    expect(() => driver.cuMemcpyHtoD_v2(to, host, 17)).toThrow(/17 bytes at 0x[0-9a-f]+ go 1 beyond/);
  });

  it("go straight from the pinned heap, which is pinned again as it grows", () => {
    using cuda = new EmulatedCuda();
    const { driver, fake, context } = cuda;
    const whole = new ArrayBuffer(1 << 16);
    const base = fake.memory.addressOf(new Uint8Array(whole));
    using heap = new PinnedHeap(driver, base, true);
    const grown = (bytes: number) => ({ buffer: { byteLength: bytes }, byteOffset: 0, length: 100 });
    expect(heap.addressOf(grown(4096) as never)).toBe(base);
    expect(heap.addressOf({ ...grown(8192), byteOffset: 6000 } as never)).toBe(base + 6000);
    expect(heap.addressOf({ ...grown(8192), byteOffset: 5000 } as never)).toBe(base + 5000);
    expect(fake.calls.filter((name) => name === "cuMemHostRegister_v2").length).toBe(2);
    const to = cuda.array("float32", [1, 2]);
    driver.cuMemcpyDtoHAsync_v2(base + 16, to, 8, context.stream.handle);
    context.stream.synchronize();
    expect([...new Float32Array(whole, 16, 2)]).toEqual([1, 2]);
    using refused = new PinnedHeap(driver, base, true); // pinned already: the driver says no
    expect(refused.addressOf(grown(4096) as never)).toBe(null);
    expect(new PinnedHeap(driver, base, false).addressOf(grown(4096) as never)).toBe(null);
  });
});

describe.skipIf(emulatorMissing)("graphs", () => {
  it("record work, run it again and again, and take over other arguments", () => {
    using cuda = new EmulatedCuda();
    const { driver, context } = cuda;
    const { stream } = context;
    const { scale } = scaler(cuda);
    const [a, b, c] = [
      cuda.array("float32", [1, 2]),
      cuda.array("float32", [5, 5]),
      cuda.array("float32", [0, 0]),
    ];
    const record = (by: number) =>
      CudaGraph.capture(driver, stream, () => {
        scale(stream, a, b, by, 2);
        scale(stream, b, a, 1, 2);
      });
    using graph = record(2);
    expect(graph.size).toBe(2);
    expect([...cuda.read("float32", b, 2)]).toEqual([5, 5]); // nothing has run
    using exec = graph.instantiate();
    exec.launch(stream);
    exec.launch(stream);
    expect([...cuda.read("float32", a, 2)]).toEqual([4, 8]);
    using other = record(10);
    expect(exec.update(other)).toBe(true);
    exec.launch(stream);
    expect([...cuda.read("float32", a, 2)]).toEqual([40, 80]);
    using longer = CudaGraph.capture(driver, stream, () => scale(stream, a, c, 1, 2));
    expect(exec.update(longer)).toBe(false);
  });

  it("fork to other streams and join by events", () => {
    using cuda = new EmulatedCuda();
    const { driver, context } = cuda;
    const { stream } = context;
    const { scale } = scaler(cuda);
    using side = new CudaStream(driver);
    using fork = new CudaEvent(driver);
    using join = new CudaEvent(driver);
    const [a, b, c] = [cuda.array("float32", [1]), cuda.empty(4), cuda.empty(4)];
    const record = (joined: boolean) =>
      CudaGraph.capture(driver, stream, () => {
        scale(stream, a, b, 2, 1);
        side.wait(fork.record(stream));
        scale(side, b, c, 3, 1);
        if (joined) stream.wait(join.record(side));
      });
    using graph = record(true);
    expect(graph.size).toBe(2);
    using exec = graph.instantiate();
    exec.launch(stream);
    expect(cuda.read("float32", c, 1)[0]).toBe(6);
    expect(() => record(false)).toThrow(/cuStreamEndCapture failed with CUDA_ERROR_STREAM_CAPTURE_UNJOINED/);
  });

  it("end their capture when the body fails, and forbid waiting inside", () => {
    using cuda = new EmulatedCuda();
    const { driver, context } = cuda;
    expect(() =>
      CudaGraph.capture(driver, context.stream, () => {
        throw new Error("inside");
      }),
    ).toThrow("inside");
    expect(() => CudaGraph.capture(driver, context.stream, () => context.stream.synchronize())).toThrow(
      /CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED/,
    );
    context.stream.synchronize();
    expect(cuda.fake.leaks().filter((x) => /graph/.test(x))).toEqual([]);
  });

  it("must not outlive their memory", () => {
    using cuda = new EmulatedCuda();
    const { scale } = scaler(cuda);
    const { stream } = cuda.context;
    const a = cuda.array("float32", [1]);
    using graph = CudaGraph.capture(cuda.driver, stream, () => scale(stream, a, a, 2, 1));
    using exec = graph.instantiate();
    cuda.driver.cuMemFree_v2(a);
    expect(() => exec.launch(stream)).toThrow(/a graph uses 0x[0-9a-f]+, which was freed/);
  });
});

describe.skipIf(emulatorMissing)("cuBLAS", () => {
  it.each([
    ["plain", false, false],
    ["A transposed", true, false],
    ["B transposed", false, true],
    ["both transposed", true, true],
  ])("multiplies row-major matrices, %s", (_, ta, tb) => {
    using cuda = new EmulatedCuda();
    using blas = cuda.blas();
    blas.setStream(cuda.context.stream.handle);
    const [m, n, k, batch] = [3, 4, 5, 2];
    const [a, b] = [numbers(batch * m * k, 1), numbers(batch * k * n, 2)];
    const c = cuda.empty(batch * m * n * 8);
    blas.matmul({
      m,
      n,
      k,
      batch,
      compute: "float64",
      alpha: 2,
      a: {
        address: cuda.array("float64", a),
        dtype: "float64",
        ld: ta ? m : k,
        transposed: ta,
        stride: m * k,
      },
      b: {
        address: cuda.array("float64", b),
        dtype: "float64",
        ld: tb ? k : n,
        transposed: tb,
        stride: k * n,
      },
      c: { address: c, dtype: "float64", ld: n, stride: m * n },
    });
    const got = cuda.read("float64", c, batch * m * n);
    for (let z = 0; z < batch; z++)
      for (let i = 0; i < m; i++)
        for (let j = 0; j < n; j++) {
          let sum = 0;
          for (let l = 0; l < k; l++)
            sum += a[z * m * k + (ta ? l * m + i : i * k + l)] * b[z * k * n + (tb ? j * k + l : l * n + j)];
          expect(got[(z * m + i) * n + j]).toBeCloseTo(2 * sum, 12);
        }
  });

  it.each(["float32", "float16", "bfloat16"] as const)("multiplies %s, with beta", (dtype) => {
    using cuda = new EmulatedCuda();
    using blas = cuda.blas();
    blas.setStream(cuda.context.stream.handle);
    const c = cuda.array(dtype, [1, 1, 1, 1]);
    const matrix = (values: number[]) => ({ address: cuda.array(dtype, values), dtype, ld: 2 });
    blas.matmul({
      m: 2,
      n: 2,
      k: 2,
      compute: "float32",
      beta: 1,
      a: matrix([1, 2, 3, 4]),
      b: matrix([5, 6, 7, 8]),
      c: { address: c, dtype, ld: 2 },
    });
    expect([...cuda.read(dtype, c, 4)]).toEqual([20, 23, 44, 51]);
  });

  it("refuses types and sizes as the library does", () => {
    using cuda = new EmulatedCuda();
    using blas = cuda.blas();
    blas.setStream(cuda.context.stream.handle);
    const x = { address: cuda.empty(64), dtype: "float32" as const, ld: 1 };
    expect(() => blas.matmul({ m: 2, n: 2, k: 2, a: x, b: x, c: x, compute: "float32" })).toThrow(
      /cublasGemmEx failed with CUBLAS_STATUS_INVALID_VALUE/,
    );
    const y = { ...x, ld: 2 };
    expect(() => blas.matmul({ m: 2, n: 2, k: 2, a: y, b: y, c: y, compute: "float64" })).toThrow(
      /CUBLAS_STATUS_NOT_SUPPORTED/,
    );
  });
});

it.skipIf(emulatorMissing)("kernels that are only checked compute nothing", () => {
  using cuda = new EmulatedCuda({ emulate: false });
  const [from, to] = [cuda.array("float32", [1]), cuda.array("float16", [7])];
  cuda.run(castKernel("float32", "float16"), { from, to, count: 1 });
  expect(cuda.read("float16", to, 1)[0]).toBe(7);
});
