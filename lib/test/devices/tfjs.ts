/** What the device `tfjs` must do on each backend of TensorFlow.js: conformance, the library's own meaning at the edges, and no tensor left. */
import { describe, expect, it } from "vitest";
import {
  deviceCounts,
  grad,
  resetDeviceCounts,
  setDevice,
  type Tensor,
  tensor,
  tidy,
} from "../../src/index.js";
import { bind } from "../../src/ops/bind.js";
import { getOp } from "../../src/ops/registry.js";
import type { DenseTensor } from "../../src/runtime/dense.js";
import { loadTfjs } from "../../src/runtime/tfjs/load.js";
import { piecesInUse } from "../../src/runtime/tfjs/memory.js";
import { BINARY, UNARY } from "../../src/runtime/tfjs/ops/elementwise.js";
import { RAW } from "../../src/runtime/tfjs/ops/raw.js";
import type { Row } from "../../src/runtime/tfjs/row.js";
import { DISGUISES } from "../support/disguises.js";
import { describeConformance } from "./conformance.js";

// Halves, both zeros, infinities, NaN, and numbers whose squares leave float32.
const FLOATS = [0, 0.5, 1, 1.5, 2.5, 3.7, 1e-20, 1e25, Number.POSITIVE_INFINITY, Number.NaN].flatMap((x) => [
  x,
  -x,
]);
// Their products wrap around, and are exact in the reference's doubles.
const INTS = [0, 1, 2, 3, 7, 46341, 20000003].flatMap((x) => [x, -x]);

/** Differences of numbers near 1: float32 leaves them an absolute error. */
const CANCELLING = new Set(["erf", "gelu", "geluTanh", "sinc"]);

export interface TfjsOptions {
  /** Ops of the registry done without the host. */
  readonly native: number;
  /** TensorFlow itself computes: what is called by its names is there too. */
  readonly tensorflow?: boolean;
  /** Ops whose results at the edges are this backend's own, with the reason. */
  readonly edges?: Readonly<Record<string, string>>;
  /** Ops that this backend leaves to the host in a training step; float64 counters aside. */
  readonly hostOps?: { readonly MLP: readonly string[]; readonly CNN: readonly string[] };
}

export function describeTfjs({ native, tensorflow = false, edges = {}, hostOps }: TfjsOptions): void {
  const there = <T>(f: () => T): T => {
    setDevice("tfjs");
    try {
      return f();
    } finally {
      setDevice("cpu");
    }
  };

  // The optimizer counts its steps in float64, which TensorFlow.js does not have.
  const counter = ["add", "cast"];
  describeConformance("tfjs", {
    native,
    pieces: piecesInUse,
    hostOps: hostOps ?? { MLP: counter, CNN: counter },
  });

  describe("at the edges", () => {
    const pick = (...ops: string[]): Record<string, Row> =>
      Object.fromEntries(tensorflow ? ops.map((op) => [op, RAW[op]]) : []);
    const unary: Readonly<Record<string, Row>> = { ...UNARY, ...pick("digamma", "erfc", "erfinv", "lgamma") };
    const binary: Readonly<Record<string, Row>> = {
      ...BINARY,
      ...pick("fmod", "bitwiseAnd", "bitwiseOr", "bitwiseXor"),
    };
    const names = (rows: object) => Object.keys(rows).filter((op) => !Object.hasOwn(edges, op));

    it.each(names(unary))("%s", (op) => {
      tidy(() => {
        const { takes } = unary[op];
        if (takes.includes("float32")) compare(op, [tensor(FLOATS, { dtype: "float32" })]);
        if (takes.includes("int32")) compare(op, [tensor(INTS, { dtype: "int32" })]);
      });
    });

    it.each(names(binary))("%s", (op) => {
      tidy(() => {
        const grid = (values: number[], dtype: "float32" | "int32") => [
          tensor(values, { dtype }).reshape([-1, 1]),
          tensor(values, { dtype }),
        ];
        const { takes } = binary[op];
        if (takes.includes("float32")) compare(op, grid(FLOATS, "float32"));
        if (takes.includes("int32")) compare(op, grid(INTS, "int32"));
      });
    });

    it.each(["max", "min", "sum", "argmax", "argmin"].filter((op) => !Object.hasOwn(edges, op)))(
      "%s with NaN",
      (op) => {
        tidy(() => {
          const [nan, inf] = [Number.NaN, Number.POSITIVE_INFINITY];
          const x = tensor([[1, nan, inf], [nan, -inf, nan], [1, 3, 3], [-inf, -inf, -inf]], { dtype: "float32" }); // biome-ignore format: rows
          compare(op, [x], op.startsWith("arg") ? { axis: 1 } : { axes: [1], keepDims: false });
        });
      },
    );

    /** As the reference, to 6 digits, which is what kernels of float32 give; NaN and infinities exactly; either zero. */
    function compare(op: string, inputs: readonly Tensor[], attrs = {}): void {
      const run = () => bind(getOp(op), inputs, attrs)[0].toTypedArray();
      const wanted = run();
      resetDeviceCounts("tfjs");
      const found = there(run);
      expect([...deviceCounts("tfjs").native.keys()]).toEqual([op]);
      const least = CANCELLING.has(op) ? 1e-6 : 1e-30;
      wanted.forEach((y, i) => {
        const same =
          Object.is(found[i], y) || found[i] === y || Math.abs(found[i] - y) <= 2e-6 * Math.abs(y) + least;
        if (same) return;
        const [a, b] = inputs.map((x) => x.toTypedArray());
        const of = b ? `${a[Math.floor(i / b.length)]}, ${b[i % b.length]}` : a[i];
        expect.fail(`${op} of ${of}: ${found[i]}, not ${y}`);
      });
    }
  });

  it("refuses positions that lead outside", () => {
    tidy(() => {
      const x = tensor([[1, 2, 3]]);
      expect(there(() => x.take([-1], 1).toArray())).toEqual([[3]]);
      expect(() => there(() => x.take([3], 1))).toThrow(
        "take: index 3 is out of range for an axis of size 3",
      );
      expect(() => there(() => x.takeAlongAxis([[-4]], 1))).toThrow("index -4 is out of range");
    });
  });

  it("finds elements by many positions, too many to be read back", () => {
    tidy(() => {
      const [rows, columns] = [300, 400];
      const x = tensor(Float32Array.from({ length: rows * columns }, (_, i) => Math.sin(i))).reshape([
        rows,
        columns,
      ]);
      const index = tensor(Int32Array.from({ length: rows * columns }, (_, i) => ((i * 7) % (2 * columns)) - columns)).reshape([rows, columns]); // biome-ignore format: one line
      for (const axis of [0, 1]) {
        const at = axis === 1 ? index : index.remainder(rows).sub(rows);
        const find = () => x.takeAlongAxis(at, axis).toTypedArray();
        const wanted = find();
        resetDeviceCounts("tfjs");
        expect(there(find)).toEqual(wanted);
        expect(deviceCounts("tfjs").fallback.size).toBe(0);
        const outside = at.add(axis === 1 ? 1 : rows + 1);
        expect(() => there(() => x.takeAlongAxis(outside, axis))).toThrow(/index \d+ is out of range/);
      }
    });
  });

  it("leaves no tensor behind: values, views of any layout, gradients", () => {
    const work = () =>
      there(() =>
        tidy(() => {
          const x = tensor([[1, 2, 3], [4, 5, 6]]) as DenseTensor; // biome-ignore format: rows
          for (const disguise of Object.values(DISGUISES)) disguise(x).exp().sum().item();
          grad((w: Tensor) => w.matmul(x).tanh().mul(w.sum()).sum())(tensor([[0.1, 0.2]])).toArray();
        }),
      );
    work(); // constants of the library stay
    const { numTensors, numBytes } = loadTfjs().memory();
    work();
    expect(loadTfjs().memory()).toMatchObject({ numTensors, numBytes });
  });

  it("keeps its tensors inside the user's own tf.tidy", () => {
    tidy(() => {
      setDevice("tfjs");
      let y = tensor([0]);
      loadTfjs().tidy(() => {
        y = tensor([1, 2]).add(1);
      });
      expect(there(() => y.mul(2).toArray())).toEqual([4, 6]);
    });
  });
}
