// What the machine can do. BENCH_MODE "openblas": products by OpenBLAS through FFI; "memory": as many bytes read and written
// as the row's operands have, by a copy on all threads.
import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { compiler, tensor } from "../../dist/index.js";
import { measureAll, numbers, sizeOf } from "./tasks.mjs";

/** The library that NumPy brings along, in the venv. Its integers have 64 bits. */
function openblas() {
  const koffi = createRequire(import.meta.url)("koffi");
  const packages = join(process.env.BENCH_VENV, "lib");
  const [python] = readdirSync(packages).filter((name) => name.startsWith("python"));
  const folder = join(packages, python, "site-packages", "numpy.libs");
  const file = readdirSync(folder).find((name) => name.includes("openblas"));
  const types = [
    "int",
    "int",
    "int",
    "int64",
    "int64",
    "int64",
    "float",
    "void *",
    "int64",
    "void *",
    "int64",
  ];
  return koffi
    .load(join(folder, file))
    .func("scipy_cblas_sgemm64_", "void", [...types, "float", "void *", "int64"]);
}

const work = {
  openblas: () => {
    const sgemm = openblas();
    const [ROWS, PLAIN] = [101, 111];
    return {
      matmul({ a, b }) {
        const [m, k] = a.slice(-2);
        const n = b.at(-1);
        const count = sizeOf(a.slice(0, -2));
        const [x, y, z] = [numbers(sizeOf(a), 1), numbers(sizeOf(b), 2), new Float32Array(count * m * n)];
        const parts = Array.from({ length: count }, (_, i) =>
          [
            [x, m * k],
            [y, k * n],
            [z, m * n],
          ].map(([array, size]) => array.subarray(i * size, (i + 1) * size)),
        );
        return () => {
          for (const [p, q, r] of parts) sgemm(ROWS, PLAIN, PLAIN, m, n, k, 1, p, k, q, n, 0, r, n);
        };
      },
    };
  },
  memory: () => {
    const { codegen, loop, schedule } = compiler;
    const plan = new schedule.Schedule(loop.elementwise("copy", ["N"], [["N"]], ([x]) => x));
    plan.split("i0", 16_384, ["part", "rest"]);
    plan.split("rest", 64, ["block", "lane"]);
    const copy = codegen.compileC(plan.parallel("part").vectorize("lane").kernel);
    const copies = (count) => {
      const arrays = [1, 2].map((seed) => tensor(numbers(count, seed)));
      const addresses = arrays.map((x) => x.host().ptr);
      return () => copy.run(addresses, [arrays[0].size]);
    };
    return {
      chain: ({ count }) => copies(count),
      softmax: ({ shape }) => copies(sizeOf(shape)),
      layernorm: ({ shape }) => copies(sizeOf(shape)),
    };
  },
}[process.env.BENCH_MODE];

await measureAll(work());
process.exit(0);
