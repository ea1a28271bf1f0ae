/** Loop IR to C, compiled by the system's compiler and called on the shared memory. */
import { existsSync, rmSync } from "node:fs";
import { DeviceError } from "../../../core/errors.js";
import { loadKernel, type NativeRun, nativeSupport, POOL_LIBRARY } from "../../../runtime/native/library.js";
import {
  buildLibrary,
  buildLibrarySync,
  libraryPath,
  type Toolchain,
} from "../../../runtime/native/toolchain.js";
import type { LoopKernel } from "../../loop/ir.js";
import { onHost } from "../host.js";
import { Frame, type LoopProgram } from "../program.js";
import { Walker } from "../walker.js";
import { compileWasm } from "../wasm/compile.js";
import { definitionsOf, PRELUDE, SCALAR_TYPES } from "./prelude.js";
import { CTarget } from "./target.js";

export interface COptions {
  /** Outputs may lie where inputs lie, element for element: the compiler is not told that they do not. */
  readonly inPlace?: boolean;
}

/**
 * The kernel as C: a function for each phase, and `mls_run` that runs them on the pool's threads.
 * @param vectorBytes bytes of the processor's vector registers (16, 32 or 64).
 * @example cSource(loop.matmul(4, 4, 4), 16).includes("static void phase0") // true
 */
export function cSource(given: LoopKernel, vectorBytes = 16, { inPlace = false }: COptions = {}): string {
  const kernel = onHost(given);
  const restrict = inPlace ? "" : "restrict ";
  const frame = new Frame(kernel);
  const helpers = new Set<string>();
  const buffers = new Map([...kernel.params, ...frame.temporaryBuffers].map((b) => [b.name, b]));
  let functions = "";
  const calls: string[] = [];
  frame.phases.forEach(({ phase }, k) => {
    const target = new CTarget(vectorBytes);
    const start = frame.names.map((name, i) => {
      const buffer = buffers.get(name);
      if (!buffer) return `  const int64_t ${name} = args[${i}];`;
      const type = SCALAR_TYPES[buffer.dtype];
      return `  ${buffer.scope === "param" && !buffer.output ? "const " : ""}${type} *${restrict}${name} = (${type} *)(base + (uint32_t)args[${i}]);`;
    });
    const walker = new Walker(kernel, target);
    if (phase.loops.length === 0) walker.block(phase.body);
    else {
      target.line("for (int64_t item = from; item < to; item++) {");
      target.nested(() => {
        target.line("int64_t rest = item;");
        // The innermost loop changes fastest.
        for (const [i, loop] of [...phase.loops.entries()].reverse()) {
          const { variable: v } = loop;
          const extent = target.integer(loop.to.minus(loop.from));
          const place = i === 0 ? "rest" : `rest % ${v}_extent`;
          if (i > 0) target.line(`const int64_t ${v}_extent = ${extent};`);
          target.line(`const int64_t ${v} = ${target.integer(loop.from)} + ${place};`);
          if (i > 0) target.line(`rest /= ${v}_extent;`);
        }
        walker.block(phase.body);
      });
      target.line("}");
    }
    for (const h of target.helpers) helpers.add(h);
    const declarations = target.declarations.map((d) => `  ${d}`);
    functions += `\nstatic void phase${k}(uint8_t *base, const int32_t *args, int64_t from, int64_t to, uint8_t *scratch) {\n${[...start, ...declarations, ...target.lines].join("\n")}\n}\n`;
    const at = frame.names.length + 2 * k;
    calls.push(
      `  launch(phase${k}, base, args, args[${at}], args[${at + 1}], ${target.scratchBytes}, threads);`,
    );
  });
  return `${PRELUDE}${definitionsOf(helpers)}${functions}
typedef void (*phase_fn)(uint8_t *, const int32_t *, int64_t, int64_t, uint8_t *);
typedef void (*launch_fn)(phase_fn, uint8_t *, const int32_t *, int64_t, int64_t, int64_t, int);

void mls_run(uint8_t *base, const int32_t *args, launch_fn launch, int threads) {
${calls.join("\n")}
}
`;
}

/**
 * True where native kernels can be compiled and loaded.
 * @example typeof nativeAvailable() // "boolean"
 */
export function nativeAvailable(): boolean {
  return typeof nativeSupport() !== "string";
}

function support(): Toolchain {
  const tools = nativeSupport();
  if (typeof tools === "string") throw new DeviceError(`native kernels: ${tools}`);
  return tools;
}

/**
 * Compiles a kernel by the C compiler and waits for it. `keep` false: the library does not stay in the cache (candidates of
 * a search).
 * @throws DeviceError saying what is missing, or with the compiler's message.
 * @example nativeAvailable() ? compileC(loop.matmul(4, 4, 4)).target : "c" // "c"
 */
export function compileC(kernel: LoopKernel, options: { readonly keep?: boolean } = {}): LoopProgram {
  const { keep = true } = options;
  const tools = support();
  const source = cSource(kernel, tools.vectorBytes);
  const path = buildLibrarySync(source, tools);
  const program = programOf(kernel, source, loadKernel(path));
  if (!keep) rmSync(path, { force: true }); // it stays loaded
  return program;
}

/** A kernel on its way to being native. */
export interface NativeProgram {
  /** The compiled kernel; null while the compiler works, or if it failed. */
  current(): LoopProgram | null;
  /** Settles when the compiler is done. */
  readonly ready: Promise<void>;
}

/**
 * Compiles in the background: the calling thread makes the C source (milliseconds), the compiler runs as a process of
 * its own. From the cache the kernel is there at once. A failure is a warning, once; `current` stays null.
 * @example typeof compileInBackground(() => loop.matmul(4, 4, 4)).current // "function"
 */
export function compileInBackground(make: () => LoopKernel, options: COptions = {}): NativeProgram {
  let name = "a kernel";
  return inBackground(
    (tools) => {
      const kernel = make();
      name = kernel.name;
      const source = cSource(kernel, tools.vectorBytes, options);
      return { source, load: (path) => programOf(kernel, source, loadKernel(path)) };
    },
    () => name,
  );
}

/** The same for C that was written by hand, with an `mls_run` as `cSource` writes it. */
export function compileTextInBackground(
  name: string,
  text: (tools: Toolchain) => string,
): { current(): NativeRun | null; readonly ready: Promise<void> } {
  return inBackground(
    (tools) => ({ source: text(tools), load: loadKernel }),
    () => name,
  );
}

function inBackground<T>(
  make: (tools: Toolchain) => { readonly source: string; readonly load: (path: string) => T },
  name: () => string,
): { current(): T | null; readonly ready: Promise<void> } {
  let current: T | null = null;
  const warn = (error: Error): void => process.emitWarning(`${name()} stays WebAssembly: ${error.message}`);
  const start = (): Promise<void> => {
    const tools = nativeSupport();
    if (typeof tools === "string") return Promise.resolve();
    const { source, load } = make(tools);
    const finish = (path: string): void => {
      current = load(path);
    };
    const paths = [POOL_LIBRARY, source].map((text) => libraryPath(text, tools));
    if (paths.every((path) => existsSync(path))) {
      finish(paths[1]);
      return Promise.resolve();
    }
    return Promise.all([buildLibrary(POOL_LIBRARY, tools), buildLibrary(source, tools)]).then(([, path]) =>
      finish(path),
    );
  };
  try {
    return { current: () => current, ready: start().catch(warn) };
  } catch (error) {
    warn(error as Error); // a cache that cannot be written, say
    return { current: () => null, ready: Promise.resolve() };
  }
}

/**
 * A program that runs at once: natively where that is compiled, as WebAssembly until then and where it can't be.
 * @example nativeProgram(loop.matmul(4, 4, 4)).kernel.name // "matmul"
 */
export function nativeProgram(
  kernel: LoopKernel,
  spare: LoopKernel = kernel,
): LoopProgram & { readonly ready: Promise<void> } {
  const native = compileInBackground(() => kernel);
  let wasm: LoopProgram | undefined;
  const current = (): LoopProgram => {
    const compiled = native.current();
    if (compiled) return compiled;
    wasm ??= compileWasm(spare);
    return wasm;
  };
  return {
    kernel,
    ready: native.ready,
    get target() {
      return current().target;
    },
    get code() {
      return current().code;
    },
    run: (addresses, sizes) => current().run(addresses, sizes),
  };
}

/** A kernel whose library is loaded. */
export function programOf(kernel: LoopKernel, code: string, run: NativeRun): LoopProgram {
  const frame = new Frame(kernel);
  return {
    kernel,
    target: "c",
    code,
    run(addresses, sizes = []) {
      frame.call(addresses, sizes, (args, { launches }) => {
        for (const { items, grain } of launches) args.push(items, grain);
        run(args);
      });
    },
  };
}
