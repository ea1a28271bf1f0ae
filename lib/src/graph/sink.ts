/**
 * Sunk execution: many steps of a training loop as one dispatch. The host program hands over the data of all steps and gets
 * all results back; in between nothing of it runs but schedules. (Book, chapter 5: the whole graph sunk to the device.)
 */
import type { Variable } from "../autodiff/variable.js";
import { bytesPerElement } from "../core/dtype.js";
import { ShapeError, TransformError, ValueError } from "../core/errors.js";
import { isContiguous } from "../core/layout.js";
import { formatType } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import { flatten, type TreeDef, unflatten } from "../core/tree.js";
import { isTracing } from "../ir/trace.js";
import { DenseTensor, elementBytes, emptyDense } from "../runtime/dense.js";
import { getDevice } from "../runtime/devices.js";
import { closeScope, disposeEarly, openScope } from "../runtime/tidy.js";
import { type CapturedState, captureState } from "./capture.js";
import { compile, type Executable } from "./execute.js";
import { type Captureable, isVariable } from "./families.js";
import { donations, type StaticOptions } from "./static.js";

/** A function of stacked arguments: axis 0 counts the steps. */
export type SunkFunction<A extends unknown[], R> = (...args: A) => R;

interface Sunk extends CapturedState {
  readonly executable: Executable;
  readonly output: TreeDef;
}

/**
 * The step as a loop: `sink(step)(xs, ys)` does what `step(xs[0], ys[0])`, `step(xs[1], ys[1])`, … do one after the other,
 * and returns their results stacked. Every tensor in the arguments has the steps along its first axis; variables keep their
 * state from step to step, and have it in the end.
 * @example
 * const total = new Variable(tensor(0), { requiresGrad: false });
 * const sunk = graph.sink((x: Tensor) => { total.assign(total.add(x)); return total.mul(2); });
 * sunk(tensor([1, 2, 3])) // [2, 6, 12]
 * @throws ShapeError for arguments that differ in the number of steps; TransformError under a transformation.
 */
export function sink<A extends unknown[], R>(
  f: (...args: A) => R,
  options: Omit<StaticOptions, "dynamic" | "beforeAssign"> = {},
): SunkFunction<A, R> {
  const known = new Map<string, Sunk>();
  return (...args: A): R => {
    const { leaves, def } = flatten(args);
    const data = leaves.filter((leaf) => !isVariable(leaf));
    const steps = stepsOf(data);
    if (isTracing() || data.some((leaf) => !(leaf instanceof DenseTensor)))
      throw new TransformError(
        "sink: it runs as a whole, and no transformation sees through it; transform the step",
      );
    const key = JSON.stringify([
      getDevice(),
      leaves.map((leaf, i) => (isVariable(leaf) ? `v${i}` : formatType(leaf))),
    ]);
    let sunk = known.get(key);
    if (!sunk || !sameVariables(sunk, leaves)) {
      sunk = capturedStep(f as Captureable, leaves, def, options);
      known.set(key, sunk);
    }
    return unflatten(sunk.output, loop(sunk, data as DenseTensor[], steps)) as R;
  };
}

function stepsOf(data: readonly Tensor[]): number {
  const [first] = data;
  if (!first) throw new ValueError("sink: the arguments hold no tensor that says how many steps there are");
  for (const leaf of data)
    if (leaf.ndim === 0 || leaf.shape[0] !== first.shape[0])
      throw new ShapeError(
        `sink: axis 0 counts the steps; the arguments are ${data.map(formatType).join(", ")}`,
      );
  return first.shape[0];
}

const sameVariables = ({ graph }: Sunk, leaves: readonly Tensor[]): boolean =>
  leaves.filter(isVariable).every((variable) => graph.origin.captured?.includes(variable) ?? false);

function capturedStep(
  f: Captureable,
  leaves: readonly Tensor[],
  def: TreeDef,
  { name, locations, onRead, warn, ...compiling }: StaticOptions,
): Sunk {
  const options = { name: name ?? (f.name || "step"), locations, onRead, warn };
  openScope();
  try {
    const slices = leaves.map((leaf) => (isVariable(leaf) ? leaf : leaf.at(0)));
    const state = captureState(options, f, unflatten(def, slices) as unknown[], true);
    return {
      ...state,
      executable: compile(state.graph, { level: "O3", ...compiling, donate: donations(state) }),
      output: state.graph.origin.output as TreeDef,
    };
  } finally {
    closeScope([]);
  }
}

/** Runs the steps. What a step makes of the variables goes straight into the next one. */
function loop(
  { graph, updated, hooks, executable }: Sunk,
  data: readonly DenseTensor[],
  steps: number,
): Tensor[] {
  const around = graph.origin.captured ?? [];
  const slotOf = around.map((x) => updated.indexOf(x as Variable));
  const count = graph.results.length - updated.length;
  const device = getDevice();
  openScope();
  let kept: DenseTensor[] = [];
  try {
    const stacked = graph.results
      .slice(0, count)
      .map(({ shape, dtype }) => emptyDense([steps, ...shape], dtype, device));
    const rows = data.map(rowsOf);
    let state: DenseTensor[] | null = null;
    for (let k = 0; k < steps; k++) {
      for (const hook of hooks) hook();
      const given: Tensor[] = rows.map((row) => row(k));
      around.forEach((x, i) => {
        given.push(state !== null && slotOf[i] >= 0 ? state[slotOf[i]] : x);
      });
      const results = executable.run(given);
      results.slice(0, count).forEach((y, i) => {
        const bytes = elementBytes(y);
        stacked[i].storage.bytes().set(bytes, k * bytes.length);
        disposeEarly(y);
      });
      for (const old of state ?? []) disposeEarly(old);
      state = results.slice(count);
      // schedules read what the step before left in its variables
      if (hooks.length > 0 || k === steps - 1) {
        updated.forEach((variable, i) => {
          variable.assign((state as DenseTensor[])[i]);
          disposeEarly((state as DenseTensor[])[i]);
        });
        state = null;
      }
    }
    kept = stacked;
    return stacked;
  } finally {
    closeScope(kept);
  }
}

/** Copies one step's part of a tensor to where every step finds it. */
function rowsOf(data: DenseTensor): (k: number) => DenseTensor {
  const { shape, dtype, device } = data;
  const row = emptyDense(shape.slice(1), dtype, device);
  const from = isContiguous(data) ? data.offset * bytesPerElement(dtype) : 0;
  const bytes = isContiguous(data) ? data.storage.readableBytes() : elementBytes(data);
  return (k) => {
    const target = row.storage.bytes();
    const at = from + k * target.length;
    target.set(bytes.subarray(at, at + target.length));
    return row;
  };
}
