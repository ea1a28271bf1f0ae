/** Thousands of random cases beside the NumPy of this machine: indices, broadcasting, promotion, reductions, chains of views. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as M from "../src/index.js";
import {
  addAt,
  arange,
  type DType,
  devices,
  get,
  getDevice,
  setAt,
  setDevice,
  type Tensor,
  tensor,
} from "../src/index.js";
import { remoteOf } from "../src/runtime/remote.js";
import { indexCase, ourIndex, sizeOf } from "./support/random-index.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const VENV = join(ROOT, ".mlsys", "numpy-venv");
const SCRIPT = fileURLToPath(new URL("./support/numpy_oracle.py", import.meta.url));

/** A Python that has NumPy: the machine's, or one of the tests' own. `null`: there is no Python. In CI that is an error. */
function pythonWithNumpy(): string | null {
  const own = join(VENV, "bin", "python");
  const has = (python: string): boolean =>
    spawnSync(python, ["-c", "import numpy; assert numpy.__version__ >= '2'"]).status === 0;
  if (has("python3")) return "python3";
  if (existsSync(own) && has(own)) return own;
  if (spawnSync("python3", ["--version"]).status !== 0 && process.env.CI !== "true") return null;
  mkdirSync(join(ROOT, ".mlsys"), { recursive: true });
  execFileSync("python3", ["-m", "venv", VENV], { stdio: "pipe" });
  execFileSync(own, ["-m", "pip", "install", "-q", "numpy>=2"], { stdio: "pipe" });
  return own;
}

interface Dumped {
  readonly shape: number[];
  readonly dtype: string;
  readonly values: (number | string)[];
}
type Answer = { readonly found: Dumped[] } | { readonly error: string };

const numberOf = (v: number | string): number =>
  typeof v === "number" ? v : v === "inf" ? Infinity : v === "-inf" ? -Infinity : Number.NaN;

function ask(python: string, cases: readonly object[]): Answer[] {
  const input = cases.map((c) => JSON.stringify(c)).join("\n");
  const done = spawnSync(python, [SCRIPT], { input, encoding: "utf8", maxBuffer: 2 ** 30 });
  if (done.status !== 0) throw new Error(done.stderr);
  return done.stdout.trim().split("\n").map((line) => JSON.parse(line) as Answer); // biome-ignore format: one line
}

const numbers = (x: Tensor): number[] => Array.from(x.toTypedArray());

/** The first differences as readable lines, so that a failure shows its case. */
function compare(
  cases: readonly object[],
  answers: readonly Answer[],
  ours: (c: never) => Tensor[],
  tolerance = 0,
): string[] {
  const bad: string[] = [];
  cases.forEach((c, k) => {
    if (bad.length >= 5) return;
    const answer = answers[k];
    let found: Tensor[] | string;
    try {
      found = ours(c as never);
    } catch (error) {
      found = String(error);
    }
    const say = (what: string) => bad.push(`${JSON.stringify(c)}: ${what}`);
    if (typeof found === "string") {
      if (!("error" in answer)) say(`threw ${found}`);
      return;
    }
    if ("error" in answer) {
      say(`did not throw, NumPy: ${answer.error}`);
      return;
    }
    answer.found.forEach((wanted, i) => {
      const y = found[i];
      if (y.dtype !== wanted.dtype || y.shape.join() !== wanted.shape.join())
        say(`result ${i} is ${y.type}, not ${wanted.dtype}(${wanted.shape})`);
      const off = numbers(y).findIndex((v, at) => {
        const w = numberOf(wanted.values[at]);
        return !(Object.is(v, w) || v === w || Math.abs(v - w) <= tolerance * Math.max(1, Math.abs(w)));
      });
      if (off >= 0) say(`result ${i} at ${off} is ${numbers(y)[off]}, not ${wanted.values[off]}`);
    });
  });
  return bad;
}

const LAYOUTS: Record<string, (shape: readonly number[]) => Tensor> = {
  packed: (shape) => arange(sizeOf(shape)).reshape(shape),
  transposed: (shape) => packed(arange(sizeOf(shape)).reshape(shape).transpose()).transpose(),
  reversed: (shape) => packed(arange(sizeOf(shape)).reshape(shape).flip()).flip(),
};
const packed = (x: Tensor): Tensor => tensor(Int32Array.from(x.toTypedArray()), { shape: x.shape });

/** bfloat16 is not NumPy's; float16 rounds each step its own way and is compared loosely. */
const DTYPES = ["float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool"] as const;

interface Operand {
  readonly dtype: DType;
  readonly shape: number[];
  readonly values: number[];
}

const operandOf = (shape: readonly number[], dtypes: readonly DType[] = DTYPES): fc.Arbitrary<Operand> =>
  fc.constantFrom(...dtypes).chain((dtype) => {
    const value =
      dtype === "bool" ? fc.constantFrom(0, 1) : fc.integer({ min: dtype === "uint8" ? 0 : -6, max: 6 });
    const scale = dtype.startsWith("float") ? 4 : 1;
    return fc
      .array(value, { minLength: sizeOf(shape), maxLength: sizeOf(shape) })
      .map((values) => ({ dtype, shape: [...shape], values: values.map((v) => v / scale) }));
  });

const read = ({ dtype, shape, values }: Operand): Tensor =>
  tensor(Float64Array.from(values), { dtype, shape });

/** Two shapes that broadcast mostly. */
const pairOfShapes = fc
  .record({
    shape: fc.array(fc.constantFrom(1, 2, 3, 3, 0), { maxLength: 4 }),
    drop: fc.nat(3),
    ones: fc.array(fc.constantFrom(0, 0, 0, 1, 2), { minLength: 4, maxLength: 4 }),
    wrong: fc.integer({ min: 0, max: 20 }),
    swap: fc.boolean(),
  })
  .map(({ shape, drop, ones, wrong, swap }) => {
    const first = shape.map((dim, i) => (ones[i] === 1 ? 1 : dim));
    const second = shape
      .slice(Math.min(drop, shape.length))
      .map((dim, i) => (ones[3 - i] === 2 ? 1 : wrong === 0 ? dim + 1 : dim));
    return swap ? [second, first] : [first, second];
  });

/** Our name and NumPy's; where ours gives another dtype by intention, what operands it is compared for. */
const BINARY: readonly (readonly [ours: string, numpy: string, dtypes?: readonly DType[]])[] = [
  ["add", "add", DTYPES.filter((d) => d !== "bool")],
  ["mul", "multiply", DTYPES.filter((d) => d !== "bool")],
  ["sub", "subtract", DTYPES.filter((d) => d !== "bool")],
  ["maximum", "maximum", DTYPES.filter((d) => d !== "bool")],
  ["minimum", "minimum", DTYPES.filter((d) => d !== "bool")],
  ["div", "divide", ["float64", "float32"]],
  ["atan2", "arctan2", ["float64", "float32"]],
  ["hypot", "hypot", ["float64", "float32"]],
  ["copySign", "copysign", ["float64", "float32"]],
  ["logAddExp", "logaddexp", ["float64", "float32"]],
  ["fmod", "fmod", ["float64", "float32"]],
  ["remainder", "remainder", ["float64", "float32", "int64", "int32", "int16", "int8"]],
  ["floorDivide", "floor_divide", ["float64", "float32"]],
  ["equal", "equal"],
  ["notEqual", "not_equal"],
  ["less", "less"],
  ["lessEqual", "less_equal"],
  ["greater", "greater"],
  ["greaterEqual", "greater_equal"],
  ["logicalAnd", "logical_and"],
  ["logicalOr", "logical_or"],
  ["logicalXor", "logical_xor"],
  ["bitwiseAnd", "bitwise_and", ["int32", "int16", "int8", "uint8", "bool"]],
  ["bitwiseOr", "bitwise_or", ["int32", "int16", "int8", "uint8", "bool"]],
  ["bitwiseXor", "bitwise_xor", ["int32", "int16", "int8", "uint8", "bool"]],
];

const binaryCase = fc
  .constantFrom(...BINARY)
  .chain(([ours, numpy, dtypes]) =>
    pairOfShapes
      .chain(([a, b]) => fc.tuple(operandOf(a, dtypes), operandOf(b, dtypes)))
      .map((operands) => ({ case: "binary", op: numpy, ours, operands })),
  );

const NAMED = M as unknown as Record<string, (x: Tensor, ...rest: unknown[]) => Tensor>;

const REDUCE = { sum: "sum", prod: "prod", max: "max", min: "min", mean: "mean", any: "any", all: "all", variance: "var", std: "std" } as const; // biome-ignore format: one line
const reduceCase = fc
  .record({
    ours: fc.constantFrom(...(Object.keys(REDUCE) as (keyof typeof REDUCE)[])),
    shape: fc.array(fc.constantFrom(1, 2, 3, 0), { maxLength: 4 }),
    keepDims: fc.boolean(),
  })
  .chain(({ ours, shape, keepDims }) =>
    fc
      .record({
        operand: operandOf(shape, ["float64"]),
        axis: fc.option(
          fc.uniqueArray(fc.integer({ min: -shape.length, max: shape.length }), { maxLength: shape.length }),
        ),
      })
      .map(({ operand, axis }) => ({ case: "reduce", op: REDUCE[ours], ours, operand, axis, keepDims })),
  );

/** NumPy's functions on one array and ours; each takes and gives plain numbers. */
const VIEWS: Record<string, (x: Tensor, ...args: never[]) => Tensor> = {
  transpose: (x, axes: number[]) => x.transpose(axes),
  flip: (x, axis: number) => M.flip(x, axis),
  roll: (x, shift: number, axis: number) => M.roll(x, shift, axis),
  swapaxes: (x, a: number, b: number) => M.swapAxes(x, a, b),
  expand_dims: (x, axis: number) => x.expandDims(axis),
  moveaxis: (x, a: number, b: number) => M.moveAxis(x, [a], [b]),
  repeat: (x, count: number, axis: number) => M.repeat(x, count, axis),
  tile: (x, counts: number[]) => M.tile(x, counts),
  cumsum: (x, axis: number) => M.cumsum(x, axis),
  sort: (x, axis: number) => M.sort(x, axis),
};

const viewCase = fc
  .array(fc.constantFrom(1, 2, 3), { minLength: 1, maxLength: 3 })
  .chain((shape) => {
    const axis = fc.integer({ min: -shape.length, max: shape.length - 1 });
    const step = fc.oneof(
      fc.shuffledSubarray(shape.map((_, i) => i), { minLength: shape.length }).map((axes) => ["transpose", axes]), // biome-ignore format: one line
      axis.map((a) => ["flip", a]),
      fc.tuple(fc.integer({ min: -4, max: 4 }), axis).map(([s, a]) => ["roll", s, a]),
      fc.tuple(axis, axis).map(([a, b]) => ["swapaxes", a, b]),
      fc.tuple(axis, axis).map(([a, b]) => ["moveaxis", a, b]),
      fc.tuple(fc.integer({ min: 0, max: 2 }), axis).map(([n, a]) => ["repeat", n, a]),
      fc.array(fc.integer({ min: 0, max: 2 }), { minLength: shape.length, maxLength: shape.length }).map((n) => ["tile", n]), // biome-ignore format: one line
      axis.map((a) => ["cumsum", a]),
      axis.map((a) => ["sort", a]),
    );
    return fc.record({
      operand: operandOf(shape, ["float64"]),
      steps: fc.array(step, { minLength: 1, maxLength: 6 }),
      last: fc.option(fc.integer({ min: -shape.length - 1, max: shape.length })),
    });
  })
  .map(({ operand, steps, last }) => ({
    case: "view",
    operand,
    steps: last === null ? steps : [...steps, ["expand_dims", last]],
  }));

const python = pythonWithNumpy();
const before = getDevice();
// Those that compute in the host's memory; the others have a suite of their own, and pay for each reading.
const names = devices().filter((d) => d.available && !remoteOf(d.name)).map((d) => d.name); // biome-ignore format: one line

describe.skipIf(python === null)("as NumPy", () => {
  const draw = <T>(arbitrary: fc.Arbitrary<T>, count: number): T[] =>
    fc.sample(arbitrary, { numRuns: count, seed: 41 });
  const seen = new Map<string, { cases: object[]; answers: Answer[] }>();
  const asked = (name: string, arbitrary: fc.Arbitrary<object>, count: number) => {
    const known = seen.get(name) ?? { cases: draw(arbitrary, count), answers: [] };
    if (known.answers.length === 0) known.answers.push(...ask(python as string, known.cases));
    seen.set(name, known);
    return known;
  };

  describe.each(names)("on %s", (device) => {
    beforeAll(() => setDevice(device));
    afterAll(() => setDevice(before));

    it.each(Object.keys(LAYOUTS))("4,000 indices of %s arrays", (layout) => {
      const { cases, answers } = asked(layout, indexCase.map((c) => ({ case: "index", layout, ...c })), 4000); // biome-ignore format: one line
      const failing = answers.filter((a) => "error" in a).length;
      expect(failing).toBeGreaterThan(20);
      expect(failing).toBeLessThan(2000);
      const ours = (c: { shape: number[]; index: Parameters<typeof ourIndex>[0] }): Tensor[] => {
        const [x, index] = [LAYOUTS[layout](c.shape), ourIndex(c.index)];
        const part = get(x, ...index);
        const values = arange(1000, 1000 + part.size).reshape(part.shape);
        return [part, setAt(x, index, values), addAt(x, index, values)];
      };
      expect(compare(cases, answers, ours)).toEqual([]);
    });

    it("5,000 operations of two operands, of all pairs of dtypes", () => {
      const { cases, answers } = asked("binary", binaryCase, 5000);
      const ours = ({ ours: op, operands: [a, b] }: { ours: string; operands: Operand[] }): Tensor[] => [
        NAMED[op](read(a), read(b)),
      ];
      expect(compare(cases, answers, ours, 1e-6)).toEqual([]);
    });

    it("3,000 reductions", () => {
      const { cases, answers } = asked("reduce", reduceCase, 3000);
      const ours = (c: {
        ours: keyof typeof REDUCE;
        operand: Operand;
        axis: number[] | null;
        keepDims: boolean;
      }): Tensor[] => [NAMED[c.ours](read(c.operand), c.axis, c.keepDims)];
      expect(compare(cases, answers, ours, 1e-13)).toEqual([]);
    });

    it("3,000 chains of views and rearrangements", () => {
      const { cases, answers } = asked("view", viewCase, 3000);
      const ours = (c: { operand: Operand; steps: [string, ...never[]][] }): Tensor[] => [
        c.steps.reduce((x, [name, ...args]) => VIEWS[name](x, ...args), read(c.operand)),
      ];
      expect(compare(cases, answers, ours, 1e-12)).toEqual([]);
    });
  });
});
