// This library. BENCH_MODE: "eager" or "graph" on WebAssembly kernels; "c" or "c graph": on kernels made by the C compiler.
import { compiler, setDevice } from "../../dist/index.js";
import { mlsysWork } from "./mlsys-work.mjs";
import { measureAll } from "./tasks.mjs";

const asC = process.env.BENCH_MODE.startsWith("c");
if (asC) setDevice("native");

/** The work, once the kernels that it needs are compiled. */
async function ready(run) {
  for (let before = -1; asC && compiler.nativeKernels().count > before; ) {
    before = compiler.nativeKernels().count;
    run();
    await compiler.nativeKernels().ready;
  }
  return run;
}

await measureAll(mlsysWork({ asGraph: process.env.BENCH_MODE.endsWith("graph"), ready }));
process.exit(0);
