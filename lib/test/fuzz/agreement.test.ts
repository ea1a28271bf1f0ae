/**
 * Differential fuzzing: random programs give the same results, within what rounding explains, whichever way they run: by
 * the reference kernels, eagerly, compiled at every level, on streams, on several devices, by WebAssembly and by the C
 * compiler's code.
 *
 * Programs per run: few in `npm test`, more under MLSYS_TEST_ALL=1; `npm run fuzz` sets MLSYS_FUZZ_RUNS.
 */
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { captureWith, compile, type Graph, type GraphNode, interpret } from "../../src/graph/index.js";
import { compiler, getDevice, setDevice, type Tensor, tidy } from "../../src/index.js";
import { LEVELS, PassManager } from "../../src/ir/passes/manager.js";
import { nativeSupport } from "../../src/runtime/native/library.js";
import { argumentsOf, describeProgram, functionOf, type Program, programs } from "./programs.js";

const all = process.env.MLSYS_TEST_ALL === "1";
const RUNS = Number(process.env.MLSYS_FUZZ_RUNS ?? (all ? 600 : 60));

type Values = readonly ArrayLike<number | bigint>[];

/** A way of running a program. */
interface Way {
  readonly name: string;
  readonly device: string;
  run(graph: Graph, f: (...args: Tensor[]) => Tensor[], args: readonly Tensor[]): readonly Tensor[];
}

const compiled = (device: string, level: "O1" | "O2" | "O3", streams = 1): Way => ({
  name: `${device} ${level}${streams > 1 ? `, ${streams} streams` : ""}`,
  device,
  run: (graph, _, args) => compile(graph, { level, streams }).run(args),
});

const byName = (_: GraphNode, name: string): string => (name.length % 2 === 0 ? "cpu" : "wasm");

const WAYS: readonly Way[] = [
  { name: "wasm, eager", device: "wasm", run: (_graph, f, args) => f(...args) },
  ...(["O1", "O2", "O3"] as const).map((level) => compiled("wasm", level)),
  compiled("wasm", "O3", 2),
  {
    name: "reductions of any size with what is in front of them",
    device: "wasm",
    run: (graph, _, args) => {
      const passes = new PassManager({ stages: LEVELS.O3, reduceLimit: 1 });
      return compile(passes.run(graph).graph, { passes: [] }).run(args);
    },
  },
  {
    name: "subgraphs on two devices",
    device: "wasm",
    run: (graph, _, args) => compile(graph, { level: "O3", placement: byName }).run(args),
  },
];
const NATIVE: readonly Way[] = (["O1", "O3"] as const).map((level) => compiled("native", level));

const here = getDevice();
afterEach(() => setDevice(here));

function valuesBy(
  way: Way,
  graph: Graph,
  f: (...args: Tensor[]) => Tensor[],
  args: readonly Tensor[],
): Values {
  setDevice(way.device);
  try {
    let values: Values = [];
    tidy(() => {
      values = way.run(graph, f, args).map((y) => Array.from(y.toTypedArray() as Float64Array));
    });
    return values;
  } finally {
    setDevice(here);
  }
}

const REFERENCE: Way = { name: "reference", device: "cpu", run: (graph, _, args) => interpret(graph, args) };

/** The largest difference over all elements, relative to the larger of 1 and the value; infinite where only one is NaN. */
function distance(found: Values, wanted: Values): number {
  expect(found.map(({ length }) => length)).toEqual(wanted.map(({ length }) => length));
  let worst = 0;
  found.forEach((list, i) => {
    for (let k = 0; k < list.length; k++) {
      const [a, b] = [Number(list[k]), Number(wanted[i][k])];
      if (Object.is(a, b) || a === b) continue;
      const error = Math.abs(a - b) / Math.max(1, Math.abs(b));
      worst = Math.max(worst, Number.isNaN(error) ? Number.POSITIVE_INFINITY : error);
    }
  });
  return worst;
}

const TOLERANCE = { float32: 2e-5, float64: 1e-12 } as const;

/** How far rounding alone may carry this program: what the reference loses between its precision and double precision. */
function allowed(program: Program, wanted: Values): number {
  if (program.dtype === "float64") return 1e-9;
  const wide: Program = { ...program, dtype: "float64" };
  const f = functionOf(wide);
  return tidyNumbers(() => {
    const args = argumentsOf(wide, "float64");
    const graph = captureWith({ locations: false }, f, ...args);
    return 1e-4 + 64 * distance(valuesBy(REFERENCE, graph, f, args), wanted);
  });
}

function tidyNumbers(f: () => number): number {
  let result = 0;
  tidy(() => {
    result = f();
  });
  return result;
}

function agree(program: Program, ways: readonly Way[]): void {
  const f = functionOf(program);
  tidy(() => {
    const args = argumentsOf(program, program.dtype);
    const graph = captureWith({ locations: false }, f, ...args);
    const wanted = valuesBy(REFERENCE, graph, f, args);
    for (const way of ways) {
      const off = distance(valuesBy(way, graph, f, args), wanted);
      if (off <= TOLERANCE[program.dtype]) continue;
      const limit = allowed(program, wanted);
      if (off > limit)
        expect.fail(
          `${way.name} is off by ${off}, allowed are ${limit}, for ${describeProgram(program)}\n${graph}`,
        );
    }
  });
}

describe("random programs agree", () => {
  it(`${RUNS} programs: reference, eager, every level, streams, two devices`, {
    timeout: 60_000 + RUNS * 2_000,
  }, () => {
    fc.assert(
      fc.property(programs, (program) => agree(program, WAYS)),
      { numRuns: RUNS },
    );
  });

  it.skipIf(typeof nativeSupport() === "string")(
    `${RUNS} programs by the C compiler's code (needs a C compiler and koffi)`,
    { timeout: 300_000 + RUNS * 2_000 },
    async () => {
      // The first ones have the kernels compiled, which the others then run.
      fc.assert(
        fc.property(programs, (program) => agree(program, NATIVE)),
        { numRuns: Math.min(RUNS, 60) },
      );
      await compiler.nativeKernels().ready;
      fc.assert(
        fc.property(programs, (program) => agree(program, NATIVE)),
        { numRuns: RUNS },
      );
    },
  );
});
