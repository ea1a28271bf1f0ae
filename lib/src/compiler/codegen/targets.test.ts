/** What the targets emit, as text; and native code where a compiler is missing, broken, or has been here before. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { nativeSupport } from "../../runtime/native/library.js";
import { gemmSchedule } from "../kernels/gemm.js";
import { lit, op } from "../loop/compute.js";
import { elementwise, matmul, softmaxRows } from "../loop/definitions.js";
import { LoopError } from "../loop/ir.js";
import { parseKernel } from "../loop/parse.js";
import { Schedule } from "../schedule/schedule.js";
import { cSource } from "./c/compile.js";
import { typescriptFunction, typescriptSource } from "./typescript/source.js";
import { compileWasm, wasmModule } from "./wasm/compile.js";
import { wasmText } from "./wasm/text.js";

const missing = nativeSupport();
const withoutCompiler = typeof missing === "string";

describe("TypeScript", () => {
  it("reads as one would write it", () => {
    expect(
      typescriptSource(matmul(2, "N", 4)),
    ).toBe(`function matmul(A: Float32Array, B: Float32Array, C: Float32Array, N: number): void {
  for (let i_0 = 0, end = 2; i_0 < end; i_0++) {
    for (let j_0 = 0, end = N; j_0 < end; j_0++) {
      C[i_0 * N + j_0] = 0;
    }
  }
  for (let i = 0, end = 2; i < end; i++) {
    for (let j = 0, end = N; j < end; j++) {
      for (let k = 0, end = 4; k < end; k++) {
        C[i * N + j] += Math.fround(A[i * 4 + k] * B[k * N + j]);
      }
    }
  }
}
`);
  });

  it("names what is missing when it is called", () => {
    const f = typescriptFunction(matmul(1, "N", 1));
    const [A, B, C] = [0, 0, 0].map(() => new Float32Array(1));
    expect(() => f({ A, B })).toThrow('matmul: the buffer "C" is missing');
    expect(() => f({ A, B, C: new Int32Array(1) })).toThrow(
      '"C" is float32, which lies in a Float32Array, not in a Int32Array',
    );
    expect(() => f({ A, B, C })).toThrow('matmul: the size "N" is undefined, not a whole number');
  });
});

describe("WebAssembly", () => {
  it("as text: vectors, and a pointer that is moved along", () => {
    const s = new Schedule(elementwise("twice", [64], [[64]], ([x]) => op("mul", x, lit(2))));
    s.split("i0", 4, ["o", "v"]);
    s.vectorize("v");
    const text = wasmText(wasmModule(s.kernel).bytes());
    expect(text).toContain('(func $0 (export "phase0") (param i32 i32 i32 i32 i32)');
    expect(text).toContain("v128.load\n");
    expect(text).toContain("f32x4.mul");
    expect(text).toContain("v128.store");
    expect(text.match(/f32x4\.mul/g)).toHaveLength(1);
  });

  it("fuses multiplication and addition only where it may", () => {
    const { kernel } = gemmSchedule({ rows: 2, columns: 8, down: 2, across: 2, depth: 16 });
    expect(wasmText(wasmModule(kernel, { relaxed: true }).bytes())).toContain("f32x4.relaxed_madd");
    expect(wasmText(wasmModule(kernel, { relaxed: false }).bytes())).not.toContain("relaxed");
  });

  it("every module that is emitted can be read as text to its end", () => {
    for (const kernel of [
      softmaxRows("M", "N"),
      matmul("M", "N", "K", { dtype: "bfloat16" }),
      matmul(3, 4, 5, { dtype: "uint8" }),
    ])
      expect(wasmText(wasmModule(kernel).bytes()).endsWith(")\n")).toBe(true);
    expect(() => wasmText(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 10, 5, 1]))).toThrow();
  });

  it("says what does not fit", () => {
    const large = parseKernel(
      "kernel f(out A: float32[4]) { for i in 0..4 { local T: float32[1048576]\n T[0] = 1f32\n A[i] = T[0] } }",
    );
    expect(() => compileWasm(large)).toThrow("local buffers of 4194304 bytes; a thread has 2097152");
    const open = parseKernel(
      "kernel f(N; out A: float32[N]) { for i in 0..N { local T: float32[N]\n T[i] = 1f32\n A[i] = T[i] } }",
    );
    expect(() => compileWasm(open)).toThrow('the local buffer "T" has the shape [N]');
    const indexed = parseKernel(
      "kernel f(out A: float32[4]) { for i in 0..4 { register T: float32[4]\n for j in 0..4 { T[j] = 1f32 }\n A[i] = T[0] } }",
    );
    expect(() => compileWasm(indexed)).toThrow(LoopError);
    expect(() => compileWasm(indexed)).toThrow('the register buffer "T" is not constant; unroll its loops');
    expect(() => compileWasm(matmul(2, 2, 2)).run([0])).toThrow(
      "matmul takes 3 buffers and 0 sizes, not 1 and 0",
    );
  });
});

describe("C", () => {
  it("has vectors as wide as the processor's", () => {
    const s = new Schedule(elementwise("twice", [64], [[64]], ([x]) => op("mul", x, lit(2))));
    s.split("i0", 16, ["o", "v"]);
    s.vectorize("v");
    expect(cSource(s.kernel, 64)).toContain("typedef float f32x16 __attribute__((vector_size(64)));");
    expect(cSource(s.kernel, 16)).toContain("typedef float f32x4 __attribute__((vector_size(16)));");
  });

  /** A program in a process of its own, with another environment. */
  const run = (script: string, env: Record<string, string>): string => {
    const entry = fileURLToPath(new URL("../../../dist/index.js", import.meta.url));
    const text = `const M = await import(${JSON.stringify(entry)}); const { codegen, loop } = M.compiler; ${script}`;
    return execFileSync(process.execPath, ["--input-type=module", "-e", text], {
      encoding: "utf8",
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    }).trim();
  };
  const PRODUCT = `
    const p = codegen.nativeProgram(loop.matmul(2, 2, 2));
    const a = M.tensor([1, 2, 3, 4], { shape: [2, 2] }), c = M.tensor([0, 0, 0, 0], { shape: [2, 2] });
    const go = () => { p.run([a.storage.ptr, a.storage.ptr, c.storage.ptr]); return p.target + " " + c.toTypedArray().join(); };
    const first = go(); await p.ready; console.log(first, "then", go());`;

  it("is silently absent without a compiler", () => {
    expect(run(PRODUCT, { MLSYS_CC: "" })).toBe("wasm 7,10,15,22 then wasm 7,10,15,22");
    expect(
      run(`console.log(M.devices().find((d) => d.name === "native").detail)`, {
        MLSYS_CC: "no-such-compiler",
      }),
    ).toBe("no C compiler (tried no-such-compiler); install one, or name it in MLSYS_CC");
    expect(run(`try { M.setDevice("native") } catch (e) { console.log(e.name) }`, { MLSYS_CC: "" })).toBe(
      "DeviceError",
    );
  }, 120_000);

  it.skipIf(withoutCompiler)(
    "runs as WebAssembly until it is compiled, and at once from the cache (needs a C compiler and koffi)",
    () => {
      const cache = mkdtempSync(join(tmpdir(), "mlsys-cache-"));
      try {
        expect(run(PRODUCT, { MLSYS_CACHE: cache })).toBe("wasm 7,10,15,22 then c 7,10,15,22");
        expect(run(PRODUCT, { MLSYS_CACHE: cache })).toBe("c 7,10,15,22 then c 7,10,15,22");
        expect(readdirSync(join(cache, "native")).every((name) => /^[0-9a-f]{40}\.so$/.test(name))).toBe(
          true,
        );
      } finally {
        rmSync(cache, { recursive: true });
      }
    },
    60_000,
  );

  it.skipIf(withoutCompiler)(
    "stays WebAssembly, with a warning, where the cache cannot be written (needs a C compiler and koffi)",
    () => {
      const warned = `let text = ""; process.on("warning", (w) => { text += w.message; }); ${PRODUCT} await 0; setImmediate(() => console.log(text.includes("stays WebAssembly")));`;
      expect(run(warned, { MLSYS_CACHE: "/dev/null/cache" })).toBe(
        "wasm 7,10,15,22 then wasm 7,10,15,22\ntrue",
      );
    },
    120_000,
  );

  it.skipIf(withoutCompiler)(
    "serves several JavaScript threads at once (needs a C compiler and koffi)",
    () => {
      const script = `
      const { Worker, isMainThread } = await import("node:worker_threads");
      const work = async () => {
        M.setDevice("native"); M.setNumThreads(2);
        const n = 200, x = M.tensor(Array.from({ length: n * n }, (_, i) => (i % 7) - 3), { shape: [n, n] });
        const want = x.matmul(x).toTypedArray();
        await M.compiler.nativeKernels().ready;
        for (let i = 0; i < 60; i++) {
          const got = x.matmul(x);
          if (got.toTypedArray().some((v, k) => v !== want[k])) return "wrong";
          got.dispose();
        }
        return "right " + M.compiler.nativeKernels().compiled;
      };`;
      const entry = fileURLToPath(new URL("../../../dist/index.js", import.meta.url));
      const inWorker = `import("node:worker_threads").then(async ({ parentPort }) => { const M = await import(${JSON.stringify(entry)}); ${script} parentPort.postMessage(await work()); })`;
      const main = `${script}
      const other = () => new Promise((resolve, reject) => { const w = new Worker(${JSON.stringify(inWorker)}, { eval: true }); w.on("message", resolve); w.on("error", reject); });
      console.log((await Promise.all([work(), other(), other()])).join("; ")); process.exit(0);`;
      expect(run(main, {})).toBe("right 1; right 1; right 1");
    },
    120_000,
  );
});
