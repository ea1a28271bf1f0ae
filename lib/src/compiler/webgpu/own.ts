/** Kernels of the reader's own on the `webgpu` device: WGSL by hand, and WGSL generated from loop IR. */
import { bytesPerElement, type DType } from "../../core/dtype.js";
import { DeviceError, ShapeError, ValueError } from "../../core/errors.js";
import { isContiguous } from "../../core/layout.js";
import { type Shape, sizeOf } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { type DenseTensor, emptyDense } from "../../runtime/dense.js";
import { remoteOf } from "../../runtime/remote.js";
import { launchOn } from "../../runtime/remote-run.js";
import type { DispatchTime } from "../../runtime/webgpu/protocol.js";
import type { GpuBuffer, Shader } from "../../runtime/webgpu/queue.js";
import { gpu } from "../../runtime/webgpu/start.js";
import { type GpuProgram, gpuProgram } from "../codegen/gpu/index.js";
import type { LoopKernel } from "../loop/ir.js";
import { copy } from "./indexing.js";
import type { GpuArray } from "./shader.js";

/** What a kernel is to write: a new tensor. */
export interface ResultType {
  readonly shape: Shape;
  readonly dtype?: DType;
}

export interface WgslOptions {
  /** For messages and times. Default: the entry point. */
  readonly name?: string;
  /** Default: `main`. */
  readonly entry?: string;
}

export interface WgslCall {
  /** Tensors to be read: the bindings from 0 on, of `@group(0)`, as `var<storage, read>`. */
  readonly inputs: readonly Tensor[];
  /** What is written: the bindings behind them, as `var<storage, read_write>`. They hold anything at first. */
  readonly outputs: readonly ResultType[];
  /** 32-bit words of a `var<uniform>` at the last binding; floats by `Float32Array`. */
  readonly uniform?: Int32Array | Uint32Array | Float32Array;
  /** Workgroups along x, y and z. */
  readonly workgroups: readonly number[];
}

/** A compute shader written by hand, to be called on tensors. */
export interface WgslKernel {
  /** @throws DeviceError with the line and the column where the WGSL is not valid, once a result is read. */
  run(call: WgslCall): Tensor[];
  /** Runs it, waits, and says how long it took: by the device's clock where it has one, else by the host's, with the way there. */
  time(call: WgslCall): { readonly results: Tensor[]; readonly milliseconds: number };
}

/**
 * A kernel from its WGSL. Tensors are bound as they lie: row-major, four bytes an element of float32 and int32, one of bool,
 * uint8 and int8.
 * @throws DeviceError if this machine has no adapter (see `devices()`).
 * @example
 * if (devices().some((d) => d.name === "webgpu" && d.available)) {
 *   const twice = compiler.webgpu.wgsl(`@group(0) @binding(0) var<storage, read> x: array<f32>; @group(0) @binding(1) var<storage, read_write> y: array<f32>; @compute @workgroup_size(4) fn main(@builtin(global_invocation_id) i: vec3u) { y[i.x] = 2 * x[i.x]; }`);
 *   twice.run({ inputs: [tensor([1, 2, 3, 4])], outputs: [{ shape: [4] }], workgroups: [1] })[0] // [2, 4, 6, 8]
 * }
 */
export function wgsl(source: string, { entry = "main", name = entry }: WgslOptions = {}): WgslKernel {
  gpu();
  const run = ({ inputs, outputs, uniform, workgroups }: WgslCall): Tensor[] => {
    if (
      workgroups.length < 1 ||
      workgroups.length > 3 ||
      workgroups.some((n) => !Number.isInteger(n) || n < 0)
    )
      throw new ValueError(`${name}: workgroups are one to three whole numbers, got [${workgroups}]`);
    const bindings = "r".repeat(inputs.length) + "w".repeat(outputs.length) + (uniform ? "u" : "");
    const shader: Shader = { label: name, wgsl: source, entry, bindings };
    const words = uniform ? [...new Int32Array(uniform.buffer, uniform.byteOffset, uniform.length)] : [];
    return onTensors(name, inputs, outputs, (ins, outs) =>
      gpu().dispatch(
        shader,
        [...ins, ...outs].map(({ handle }) => handle),
        words,
        workgroups,
      ),
    );
  };
  return { run, time: (call) => timedCall(() => run(call)) };
}

/** A kernel of loop IR on the device. */
export interface LoopsOnGpu {
  /** The WGSL that was generated, with its launches. */
  readonly program: GpuProgram;
  /**
   * @param args by the kernel's parameters: a tensor where it reads, the type of a new one where it only writes
   * @returns the tensors that it wrote, in the order of the parameters
   */
  run(args: readonly (Tensor | ResultType)[], sizes?: readonly number[]): Tensor[];
  time(
    args: readonly (Tensor | ResultType)[],
    sizes?: readonly number[],
  ): { readonly results: Tensor[]; readonly milliseconds: number };
}

/**
 * Generates WGSL from a scheduled kernel, for the adapter's limits.
 * @throws LoopError for what WGSL has not, or the adapter has not enough of.
 * @example
 * if (devices().some((d) => d.name === "webgpu" && d.available)) {
 *   const s = new compiler.schedule.Schedule(compiler.loop.elementwise("twice", [64], [[64]], ([x]) => compiler.loop.op("add", x, x)));
 *   s.split("i0", 32, ["b", "t"]);
 *   compiler.webgpu.loops(s.bind("block", "b").bind("thread", "t").kernel).run([ones([64]), { shape: [64] }])[0].sum() // 128
 * }
 */
export function loops(kernel: LoopKernel): LoopsOnGpu {
  const { maxComputeInvocationsPerWorkgroup: threads, maxComputeWorkgroupStorageSize: workgroupBytes } =
    gpu().facts.limits;
  const program = gpuProgram(kernel, "wgsl", { limits: { threads, workgroupBytes } });
  const run: LoopsOnGpu["run"] = (args, sizes = []) => {
    if (args.length !== kernel.params.length)
      throw new ValueError(`${kernel.name}: ${kernel.params.length} arguments wanted, got ${args.length}`);
    if (sizes.length !== kernel.sizes.length)
      throw new ValueError(`${kernel.name}: sizes ${kernel.sizes.join(", ")} wanted, got [${sizes}]`);
    for (const [i, arg] of args.entries()) {
      const { name, bytes, dtype } = program.buffers[i];
      const have = sizeOf(arg.shape) * bytesPerElement((arg.dtype as DType | undefined) ?? "float32");
      if (have < bytes(sizes))
        throw new ShapeError(
          `${kernel.name}: "${name}" wants ${bytes(sizes) / bytesPerElement(dtype)} elements of ${dtype}, got [${arg.shape}]`,
        );
    }
    const isTensor = (arg: Tensor | ResultType): arg is Tensor => "storage" in arg;
    const given = args.filter(isTensor);
    const made = args.filter((arg) => !isTensor(arg));
    const written = args.filter((arg, i) => isTensor(arg) && program.buffers[i].written) as Tensor[];
    // What is read and written is copied first: tensors do not change.
    const results = onTensors(kernel.name, given, [...made, ...written], (ins, outs) => {
      let [input, output, changed] = [0, 0, made.length];
      const handles = args.map((arg, i) => {
        if (!isTensor(arg)) return outs[output++].handle;
        const source = ins[input++];
        if (!program.buffers[i].written) return source.handle;
        const target = outs[changed++];
        copy(kernel.name, source, target);
        return target.handle;
      });
      launchAll(program, handles, sizes);
    });
    let [fresh, changed] = [0, made.length];
    return args.flatMap((arg, i) => {
      if (!isTensor(arg)) return [results[fresh++]];
      return program.buffers[i].written ? [results[changed++]] : [];
    });
  };
  return { program, run, time: (args, sizes) => timedCall(() => run(args, sizes)) };
}

/** Runs the launches of a program; temporaries go back behind it. */
function launchAll(program: GpuProgram, given: readonly GpuBuffer[], sizes: readonly number[]): void {
  const { buffers, launches, source } = program;
  const own = buffers.slice(given.length).map(({ bytes }) => gpu().allocate(Math.max(16, bytes(sizes))));
  const all = [...given, ...own];
  const letters = buffers.map(({ written }) => (written ? "w" : "r")).join("");
  const bindings = letters + (program.kernel.sizes.length > 0 ? "u" : "");
  try {
    for (const { entry, blocks } of launches)
      gpu().dispatch(
        { label: program.kernel.name, wgsl: source, entry, bindings },
        all,
        sizes,
        blocks(sizes),
      );
  } finally {
    for (const buffer of own) gpu().release(buffer);
  }
}

/** New tensors on the device, written by `run` from contiguous inputs. */
function onTensors(
  name: string,
  inputs: readonly Tensor[],
  outputs: readonly ResultType[],
  run: (ins: readonly GpuArray[], outs: readonly GpuArray[]) => void,
): Tensor[] {
  const remote = remoteOf("webgpu");
  if (!remote) throw new DeviceError("the webgpu device is not registered");
  const made = outputs.map(({ shape, dtype = "float32" }) => emptyDense(shape, dtype, "webgpu"));
  launchOn(remote, name, inputs as readonly DenseTensor[], made, (ins, outs) => {
    const scratch: GpuBuffer[] = [];
    const lying = (ins as readonly GpuArray[]).map((x): GpuArray => {
      if (isContiguous(x) && x.offset === 0) return x;
      const length = sizeOf(x.shape);
      const handle = gpu().allocate(Math.max(4, length * bytesPerElement(x.dtype)));
      scratch.push(handle);
      const out = { ...x, handle, length, offset: 0, strides: rowMajor(x.shape) };
      copy(`${name} (copy)`, x, out);
      return out;
    });
    try {
      run(lying, outs as readonly GpuArray[]);
    } finally {
      for (const buffer of scratch) gpu().release(buffer);
    }
  });
  return made;
}

const rowMajor = (shape: Shape): number[] => shape.map((_, d) => sizeOf(shape.slice(d + 1)));

function timedCall(run: () => Tensor[]): { results: Tensor[]; milliseconds: number } {
  let results: Tensor[] = [];
  if (gpu().facts.features.includes("timestamp-query")) {
    const times = gpu().timed(() => {
      results = run();
    });
    return { results, milliseconds: times.reduce((sum, { nanoseconds }) => sum + nanoseconds, 0) / 1e6 };
  }
  gpu().finish();
  const start = performance.now();
  results = run();
  gpu().finish();
  return { results, milliseconds: performance.now() - start };
}

/**
 * Runs `body` and says how long each kernel took on the device, by the device's clock.
 * @throws DeviceError if the adapter offers no timestamps.
 * @example
 * if (devices().some((d) => d.name === "webgpu" && d.available) && compiler.webgpu.adapter().features.includes("timestamp-query")) {
 *   const twice = compiler.webgpu.loops(compiler.loop.elementwise("twice", [64], [[64]], ([x]) => compiler.loop.op("add", x, x)));
 *   compiler.webgpu.timeKernels(() => twice.run([ones([64]), { shape: [64] }]))[0].label // "twice"
 * }
 */
export function timeKernels(body: () => void): readonly DispatchTime[] {
  return gpu().timed(body);
}

/**
 * The adapter's names, limits and features.
 * @throws DeviceError without one
 * @example
 * if (devices().some((d) => d.name === "webgpu" && d.available)) {
 *   compiler.webgpu.adapter().limits.maxComputeInvocationsPerWorkgroup >= 128 // true
 * }
 */
export function adapter() {
  return gpu().facts;
}

/**
 * Bytes of the device's buffers, and what was sent to it so far.
 * @throws DeviceError without an adapter
 * @example
 * if (devices().some((d) => d.name === "webgpu" && d.available)) {
 *   compiler.webgpu.gpuStats().dispatches >= 0 // true
 * }
 */
export function gpuStats() {
  return { ...gpu().buffers.stats(), ...gpu().counts };
}

/**
 * The elements' bytes, row-major, without blocking this thread.
 * @throws DeviceError if they can't be read
 * @example
 * if (devices().some((d) => d.name === "webgpu" && d.available)) {
 *   new Float32Array(await compiler.webgpu.readAsync(tensor([1, 2, 3]))) // [1, 2, 3]
 * }
 */
export async function readAsync(x: Tensor): Promise<ArrayBuffer> {
  const remote = remoteOf("webgpu");
  const dense = x as DenseTensor;
  if (!remote) throw new DeviceError("the webgpu device is not registered");
  const bytes = sizeOf(x.shape) * bytesPerElement(x.dtype);
  const handle = dense.storage.on(remote) as GpuBuffer;
  if (isContiguous(dense) && dense.offset === 0) return gpu().read(handle, bytes);
  const apart = gpu().allocate(Math.max(4, bytes));
  const { shape, strides, offset, dtype, storage } = dense;
  copy(
    "read (copy)",
    { shape, strides, offset, dtype, handle, length: storage.length },
    {
      ...{ shape, strides: rowMajor(shape), offset: 0, dtype, handle: apart, length: sizeOf(shape) },
    },
  );
  const read = gpu().read(apart, bytes);
  gpu().release(apart); // commands take effect in order
  return read;
}
