/**
 * The `webgpu` device: kernels in WGSL, run by Dawn on a thread of its own. Loading this registers it; no thread is started
 * before the device is asked for.
 */
import type { DType } from "../../core/dtype.js";
import { LruMap } from "../../core/lru.js";
import { sizeOf } from "../../core/shape.js";
import { registerRemoteFusion } from "../../graph/remote.js";
import { registerRemote, registerRemoteKernel } from "../../runtime/remote.js";
import { programOfOp } from "../../runtime/wasm/elementwise/program.js";
import type { GpuBuffer } from "../../runtime/webgpu/queue.js";
import { describeAdapter, gpu, openGpu } from "../../runtime/webgpu/start.js";
import { attrsKey, keyOf, Plans } from "./commands.js";
import { convKernels } from "./conv.js";
import { doubleAdd, doubleCast, doubleCopy } from "./double.js";
import { programTypes, runProgram } from "./elementwise.js";
import { FORMULA_OPS } from "./formulas.js";
import { fuse } from "./fuse.js";
import { type GpuKernel, indexingKernels } from "./indexing.js";
import { matmulKernel } from "./matmul.js";
import { randomKernels } from "./random.js";
import { reduceKernels } from "./reduce.js";
import { rowKernels } from "./rows.js";
import { fitsBinding } from "./shader.js";

const DEVICE = "webgpu";
const MOST_ANSWERS = 4096;

registerRemote<GpuBuffer>(
  {
    device: DEVICE,
    allocate: (bytes) => gpu().allocate(bytes),
    free: (buffer) => buffer.owner.release(buffer),
    upload: (ptr, bytes, to) => gpu().upload(ptr, bytes, to),
    download: (from, bytes, ptr) => gpu().download(from, bytes, ptr),
  },
  () => {
    const opened = openGpu();
    return typeof opened === "string"
      ? { available: false, detail: opened }
      : { available: true, detail: describeAdapter(opened.facts) };
  },
);

type Attrs = Readonly<Record<string, unknown>>;

const elementwise = (op: string): GpuKernel<Attrs> => ({
  op,
  supports: (inputs, outputs, attrs) =>
    [...inputs, ...outputs].every(fitsBinding) &&
    programTypes(programOfOp(op, inputs, attrs))?.at(-1) === outputs[0].dtype,
  run(inputs, outputs, attrs) {
    if (sizeOf(outputs[0].shape) === 0) return;
    const program = programOfOp(op, inputs, attrs);
    runProgram(op, program, programTypes(program) as DType[], inputs, outputs);
  },
});

const KERNELS: readonly GpuKernel[] = [
  ...(FORMULA_OPS.map(elementwise) as readonly GpuKernel[]),
  ...indexingKernels,
  ...reduceKernels,
  ...rowKernels,
  ...randomKernels,
  ...convKernels,
  matmulKernel as GpuKernel,
  doubleAdd as GpuKernel,
  doubleCast as GpuKernel,
  ...(["reshape", "broadcastTo"].map(doubleCopy) as readonly GpuKernel[]),
];

/** The first that takes the arrays. */
const either = (...kernels: readonly GpuKernel[]): GpuKernel => ({
  op: kernels[0].op,
  supports: (...call) => kernels.some((kernel) => kernel.supports?.(...call) ?? true),
  run(...call) {
    kernels.find((kernel) => kernel.supports?.(...call) ?? true)?.run(...call);
  },
});

const byOp = new Map<string, GpuKernel>();
for (const kernel of KERNELS) {
  const other = byOp.get(kernel.op);
  byOp.set(kernel.op, other ? either(other, kernel) : kernel);
}
/** The same kernel; what depends on dtypes, layouts and attributes alone is found out once. */
function planned(kernel: GpuKernel): GpuKernel {
  const plans = new Plans();
  const supported = new LruMap<string, boolean>(MOST_ANSWERS);
  return {
    op: kernel.op,
    supports(inputs, outputs, attrs) {
      const key = `${attrsKey(attrs)}|${keyOf(inputs, outputs)}`;
      let answer = supported.get(key);
      if (answer === undefined) {
        answer = kernel.supports?.(inputs, outputs, attrs) ?? true;
        supported.set(key, answer);
      }
      return answer;
    },
    run(inputs, outputs, attrs) {
      plans.run(attrsKey(attrs), inputs, outputs, () => kernel.run(inputs, outputs, attrs));
    },
  };
}

for (const kernel of byOp.values()) registerRemoteKernel<GpuBuffer, never>(DEVICE, planned(kernel));
registerRemoteFusion<GpuBuffer>(DEVICE, fuse);

export {
  adapter,
  gpuStats,
  type LoopsOnGpu,
  loops,
  type ResultType,
  readAsync,
  timeKernels,
  type WgslCall,
  type WgslKernel,
  type WgslOptions,
  wgsl,
} from "./own.js";
