/** Loop IR to WebAssembly SIMD, run on the pool's threads over the shared memory. */
import { launch, SCRATCH_BYTES } from "../../../runtime/pool/pool.js";
import { i32, type Local, ModuleBuilder, op, type ValueType } from "../../../runtime/wasm/assembler.js";
import { wasmFeatures } from "../../../runtime/wasm/features.js";
import { compileKernels } from "../../../runtime/wasm/module.js";
import { LoopError, type LoopKernel } from "../../loop/ir.js";
import { onHost } from "../host.js";
import { Frame, type LoopProgram } from "../program.js";
import { Walker } from "../walker.js";
import { WasmTarget } from "./target.js";

export interface WasmOptions {
  /** Fused multiply-add; default: where the engine has it. */
  readonly relaxed?: boolean;
}

/**
 * The module that computes the kernel: an export `phase0`, `phase1` … for each phase, with the arguments
 * (buffers…, temporaries…, sizes… | from, to, scratch).
 * @throws LoopError if its local buffers do not fit a thread's working memory.
 * @example wasmModule(loop.matmul(4, 4, 4)).bytes()[1] // 97
 */
export function wasmModule(given: LoopKernel, options: WasmOptions = {}): ModuleBuilder {
  const kernel = onHost(given);
  const frame = new Frame(kernel);
  const module = new ModuleBuilder();
  const { relaxed = wasmFeatures().relaxed } = options;
  const params = new Array<ValueType>(frame.names.length + 3).fill("i32");
  frame.phases.forEach(({ phase }, k) => {
    module.func(`phase${k}`, params, null, (f) => {
      const names = new Map(frame.names.map((name, i): [string, Local<"i32">] => [name, f.param(i)]));
      const [from, to, scratch] = [0, 1, 2].map((i) => f.param<"i32">(frame.names.length + i));
      const target = new WasmTarget(module, f, names, scratch, relaxed);
      const walker = new Walker(kernel, target);
      if (phase.loops.length === 0) target.once(() => walker.block(phase.body));
      else {
        const item = f.let(from);
        const rest = f.local("i32");
        f.for(item, to, 1, () => {
          f.set(rest, item);
          // The innermost loop changes fastest.
          for (const [i, loop] of [...phase.loops.entries()].reverse()) {
            const start = target.integer(loop.from);
            if (i === 0) target.bind(loop.variable, f.let(op("i32.add", start, rest)));
            else {
              const extent = f.let(target.integer(loop.to.minus(loop.from)));
              target.bind(loop.variable, f.let(op("i32.add", start, op("i32.rem_s", rest, extent))));
              f.set(rest, op("i32.div_s", rest, extent));
            }
          }
          target.once(() => walker.block(phase.body));
        });
      }
      if (target.scratchBytes > SCRATCH_BYTES)
        throw new LoopError(
          `${kernel.name}: local buffers of ${target.scratchBytes} bytes; a thread has ${SCRATCH_BYTES}`,
        );
      if (f.code.length === 0) f.set(f.local("i32"), i32(0));
    });
  });
  return module;
}

/**
 * Compiles a kernel to WebAssembly.
 * @example compileWasm(loop.matmul(4, 4, 4)).target // "wasm"
 */
export function compileWasm(kernel: LoopKernel, options: WasmOptions = {}): LoopProgram {
  const frame = new Frame(kernel);
  const module = wasmModule(kernel, options);
  const exports = compileKernels(
    module,
    frame.phases.map((_, k) => `phase${k}`),
  );
  return {
    kernel,
    target: "wasm",
    code: module.bytes(),
    run(addresses, sizes = []) {
      frame.call(addresses, sizes, (args, { launches }) => {
        launches.forEach(({ items, grain }, k) => {
          if (items > 0) launch(exports[`phase${k}`], args, items, grain);
        });
      });
    },
  };
}
