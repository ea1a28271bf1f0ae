/** Reductions of the native device: a kernel for each operator, dtype and direction. */
import { bytesPerElement, type DType } from "../../core/dtype.js";
import { nativeSupport } from "../../runtime/native/library.js";
import { launchesDiverted } from "../../runtime/pool/pool.js";
import type { Loops, OwnReduction } from "../../runtime/wasm/kernels/reduce.js";
import { compileInBackground } from "../codegen/c/compile.js";
import { reduceSchedule } from "../kernels/reduce.js";
import type { Reduction } from "../loop/ir.js";
import { nativePrograms } from "./programs.js";

const OPERATORS: Readonly<Record<string, Reduction>> = {
  sum: "add",
  prod: "mul",
  max: "maximum",
  min: "minimum",
};

/** `null` for what has no kernel here: more axes, runs shorter than a vector. */
export function nativeReduction(
  name: string,
  dtype: DType,
  kept: Loops,
  reduced: Loops,
): OwnReduction | null {
  const tools = nativeSupport();
  const operator = OPERATORS[name];
  if (typeof tools === "string" || !operator || (dtype !== "float32" && dtype !== "float64")) return null;
  if (kept.sizes.length > 2 || reduced.sizes.length > 2) return null;
  const lanes = tools.vectorBytes / bytesPerElement(dtype);
  const isRun = ({ sizes, strides }: Loops): boolean =>
    strides.at(-1) === 1 && (sizes.at(-1) as number) >= lanes;
  const along = isRun(reduced);
  if (!along && !isRun(kept)) return null;
  const program = nativePrograms(`${name} ${dtype} ${along}`, () =>
    compileInBackground(() => reduceSchedule(operator, along, lanes, dtype).kernel),
  );
  const two = (list: readonly number[], fill: number): number[] => [
    ...new Array<number>(2 - list.length).fill(fill),
    ...list,
  ];
  const sizes = [
    two(kept.sizes, 1),
    two(reduced.sizes, 1),
    two(kept.strides, 0),
    two(reduced.strides, 0),
  ].flat();
  return {
    run(x, out) {
      const compiled = launchesDiverted() ? null : program.current();
      compiled?.run([x, out], sizes);
      return compiled !== null;
    },
  };
}
