/**
 * A function as a CUDA graph: its kernels are recorded once and then launched by one call, so that the host's share of a
 * step is a single launch (sunk execution, 下沉执行). After PyTorch's `torch.cuda.graphs`.
 */
import { Variable } from "../../autodiff/variable.js";
import { DeviceError, TransformError } from "../../core/errors.js";
import { formatType } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { flatten, leaves, type TreeDef, unflatten } from "../../core/tree.js";
import { tidy } from "../../ops/tidy.js";
import { type Block, MemoryPool } from "../../runtime/cuda/allocator.js";
import { CudaGraph, type CudaGraphExec } from "../../runtime/cuda/graph.js";
import { DenseTensor, emptyDense } from "../../runtime/dense.js";
import { getDevice } from "../../runtime/devices.js";
import { type Remote, remoteOf } from "../../runtime/remote.js";
import { outsideScopes } from "../../runtime/tidy.js";
import { cuda } from "./device.js";

export interface GraphedOptions {
  /** Variables (or trees of them, modules, optimizers' variables) that the function assigns to. */
  readonly state?: unknown;
}

interface Recorded {
  readonly exec: CudaGraphExec;
  readonly graph: CudaGraph;
  readonly pool: MemoryPool;
  /** Constants that the host had made while the function was recorded. */
  readonly constants: readonly Block[];
  readonly inputs: readonly DenseTensor[];
  readonly outputs: readonly DenseTensor[];
  readonly def: TreeDef;
}

/** A function that runs as a graph, and gives its memory back by `dispose`. */
export type Graphed<A extends unknown[], R> = ((...args: A) => R) & { dispose(): void };

/**
 * The function as a CUDA graph. Its first call with arguments of given shapes and dtypes runs it as it is (kernels are
 * compiled then), the second records it, later ones launch the recording. What the host computes while the function is
 * recorded (a learning rate, a random key) stays as it was then. Variables that it assigns must be named in `state`.
 * @example const step = compiler.cuda.graphed((x: Tensor) => x.mul(2)); typeof step.dispose // "function"
 * @throws DeviceError off the device, and if the function reads numbers on the host or leaves an op to it
 */
export function graphed<A extends unknown[], R>(
  f: (...args: A) => R,
  options: GraphedOptions = {},
): Graphed<A, R> {
  const known = new Map<string, Recorded | null>();
  const call = (...args: A): R => {
    const remote = remoteOf("cuda") as Remote;
    if (getDevice() !== "cuda") throw new DeviceError(`graphed: the device is ${getDevice()}, not cuda`);
    const { leaves: given, def } = flatten(args);
    const inputs = given.filter((x) => !(x instanceof Variable));
    if (inputs.some((x) => !(x instanceof DenseTensor)))
      throw new TransformError("graphed: it runs as a whole, and no transformation sees through it");
    const key = JSON.stringify(given.map((x) => (x instanceof Variable ? "variable" : formatType(x))));
    const found = known.get(key);
    if (found === undefined) {
      known.set(key, null);
      return f(...args);
    }
    const recorded = found ?? record(f, given, def, options.state, remote);
    known.set(key, recorded);
    return launch(recorded, inputs as DenseTensor[], remote) as R;
  };
  const dispose = (): void => {
    for (const recorded of known.values()) if (recorded) release(recorded);
    known.clear();
  };
  return Object.assign(call, { dispose });
}

const addressOn = (x: DenseTensor, remote: Remote): number => (x.storage.on(remote) as Block).address;

/** A contiguous tensor of its own on the device. */
const placed = (x: Tensor): DenseTensor =>
  outsideScopes(() => emptyDense(x.shape, x.dtype, "cuda")).retained();

function record<A extends unknown[], R>(
  f: (...args: A) => R,
  given: readonly Tensor[],
  def: TreeDef,
  state: unknown,
  remote: Remote,
): Recorded {
  const device = cuda();
  const { context } = device;
  const inputs = given.flatMap((x) => (x instanceof Variable ? [] : [placed(x)]));
  for (const x of inputs) x.storage.writtenOn(remote);
  let next = 0;
  const args = unflatten(
    def,
    given.map((x) => (x instanceof Variable ? x : inputs[next++])),
  ) as unknown as A;
  const variables = leaves(state ?? []).filter((x): x is Variable => x instanceof Variable);
  // The graph finds a variable where it is now, and leaves it there.
  const before = variables.map((v) => {
    v.value.storage.on(remote);
    return v.value.retained();
  });
  const pool = new MemoryPool();
  const constants: Block[] = [];
  let outputs: DenseTensor[] = [];
  let resultDef: TreeDef | undefined;
  const graph = context.memory.withPool(pool, () =>
    device.recording(constants, () =>
      CudaGraph.capture(context.driver, context.stream, () => {
        const result = flatten(tidy(() => f(...args)));
        resultDef = result.def;
        outputs = result.leaves.map((y) => (y as DenseTensor).retained());
        for (const y of outputs) y.storage.on(remote);
        for (const [i, v] of variables.entries()) {
          const [from, to] = [v.value, before[i]];
          if (from.storage === to.storage) continue;
          context.driver.cuMemcpyDtoDAsync_v2(
            addressOn(to, remote),
            addressOn(from, remote) + from.offset * (from.storage.byteLength / from.storage.length),
            to.storage.byteLength,
            context.stream.handle,
          );
        }
      }),
    ),
  );
  for (const [i, v] of variables.entries()) {
    if (v.value.storage !== before[i].storage) v.assign(before[i]);
    before[i].dispose();
  }
  return { exec: graph.instantiate(), graph, pool, constants, inputs, outputs, def: resultDef as TreeDef };
}

function launch(
  { exec, inputs, outputs, def }: Recorded,
  given: readonly DenseTensor[],
  remote: Remote,
): unknown {
  const { context } = cuda();
  const { driver, stream } = context;
  for (const [i, x] of given.entries()) {
    const to = inputs[i];
    const whole = x.storage.byteLength === to.storage.byteLength && x.offset === 0 && sameStrides(x, to);
    const from = whole ? x : contiguous(x);
    if (to.size > 0)
      driver.cuMemcpyDtoDAsync_v2(
        addressOn(to, remote),
        addressOn(from, remote),
        to.storage.byteLength,
        stream.handle,
      );
    if (from !== x) from.dispose();
  }
  exec.launch(stream);
  return unflatten(
    def,
    outputs.map((y) => contiguous(y)),
  );
}

const sameStrides = (x: DenseTensor, y: DenseTensor): boolean =>
  x.shape.every((n, d) => n === 1 || x.strides[d] === y.strides[d]);

/** A copy on the device, row by row. */
const contiguous = (x: DenseTensor): DenseTensor => {
  const copy = emptyDense(x.shape, x.dtype, "cuda");
  const remote = remoteOf("cuda") as Remote;
  remote.kernels.get("reshape")?.run([arrayOf(x, remote)], [arrayOf(copy, remote, true)], {} as never);
  return copy;
};

const arrayOf = (x: DenseTensor, remote: Remote, written = false) => ({
  ...{ shape: x.shape, strides: x.strides, offset: x.offset, dtype: x.dtype, length: x.storage.length },
  handle: written ? x.storage.writtenOn(remote) : x.storage.on(remote),
});

function release({ exec, graph, pool, constants, inputs, outputs }: Recorded): void {
  const { context } = cuda();
  context.synchronize();
  exec[Symbol.dispose]();
  graph[Symbol.dispose]();
  for (const x of [...inputs, ...outputs]) x.dispose();
  for (const block of constants) context.memory.free(block);
  context.memory.releasePool(pool);
}
