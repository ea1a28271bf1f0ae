/**
 * If, Loop and Scan as the library's cond, whileLoop and scan. Their bodies are functions of the host program that read the
 * values around them; captured, they become regions.
 */
import type { Tensor } from "../../../core/tensor.js";
import { cond, scan, whileLoop } from "../../../graph/control/index.js";
import { isTracing } from "../../../ir/trace.js";
import * as ops from "../../../ops/index.js";
import { concrete } from "../../../ops/read.js";
import { OnnxError } from "../schema.js";
import type { ImportRow, RowContext, Subgraph } from "./row.js";
import { int64 } from "./shapes.js";

/** Loops of at most so many steps are written out, if their state changes its type from step to step. */
const MOST_UNROLLED = 1024;

const truth = (x: Tensor): Tensor => (x.ndim === 0 ? x : x.reshape([]));
const yes = (): Tensor => ops.tensor(true);

function branch(c: RowContext): readonly Tensor[] {
  const [then, otherwise] = [c.subgraph("then_branch"), c.subgraph("else_branch")];
  const test = truth(c.input(0));
  const known = concrete(test);
  if (known && !isTracing()) return (known.item() !== 0 ? then : otherwise)([]);
  if (known) return (known.item() !== 0 ? then : otherwise)([]);
  return cond(
    test,
    () => then([]),
    () => otherwise([]),
  );
}

interface LoopParts {
  readonly body: Subgraph;
  /** Number of iterations; `null` where only the condition ends it. */
  readonly most: Tensor | null;
  readonly test: Tensor | null;
  readonly state: readonly Tensor[];
}

function loop(c: RowContext): readonly Tensor[] {
  const parts: LoopParts = {
    body: c.subgraph("body"),
    most: c.optional(0) && truth(c.input(0)),
    test: c.optional(1) && truth(c.input(1)),
    state: c.inputs.slice(2).map((_, i) => c.input(2 + i)),
  };
  const most = parts.most && concrete(parts.most);
  const test = parts.test === null ? yes() : concrete(parts.test);
  const collected = c.outputs - parts.state.length;
  if (most && test && test.item() !== 0 && !needsHost(parts)) {
    const counted = asCounted(parts, most.item());
    if (counted) return counted;
  }
  if (collected === 0) return asWhile(parts);
  return onHost(parts);
}

const needsHost = ({ state, most, test }: LoopParts): boolean =>
  !isTracing() && [...state, most, test].every((x) => x === null || concrete(x) !== null);

/** The loop as a scan; `null` if its body decides when it ends, or changes the type of its state. */
function asCounted({ body, state }: LoopParts, most: number): readonly Tensor[] | null {
  const counts = ops.tensor(
    Float64Array.from({ length: most }, (_, i) => i),
    { dtype: "int64" },
  );
  let ends = false;
  try {
    const [last, collected] = scan(
      (now: readonly Tensor[], i: Tensor) => {
        const [on, ...results] = body([i, yes(), ...now]);
        if (concrete(on)?.item() !== 1) {
          ends = true;
          throw new OnnxError("the body decides when the loop ends");
        }
        return [results.slice(0, state.length), results.slice(state.length)] as const;
      },
      state,
      counts,
    );
    return [...last, ...collected];
  } catch (error) {
    if (ends) return null;
    if (most > MOST_UNROLLED || !/state/.test((error as Error).message)) throw error;
    return unrolled(body, state, most);
  }
}

function unrolled(body: Subgraph, start: readonly Tensor[], most: number): readonly Tensor[] {
  let state = start;
  const rows: Tensor[][] = [];
  for (let i = 0; i < most; i++) {
    const [, ...results] = body([int64([i], []), yes(), ...state]);
    state = results.slice(0, start.length);
    rows.push(results.slice(start.length));
  }
  return [...state, ...stacked(rows)];
}

const stacked = (rows: readonly (readonly Tensor[])[]): Tensor[] =>
  (rows[0] ?? []).map((_, k) =>
    ops.stack(
      rows.map((row) => row[k]),
      0,
    ),
  );

function asWhile({ body, most, test, state }: LoopParts): readonly Tensor[] {
  const [, , ...last] = whileLoop(
    (i: Tensor, on: Tensor, ..._state: Tensor[]) => (most ? on.logicalAnd(i.less(most)) : on),
    (i: Tensor, on: Tensor, ...now: Tensor[]) => {
      const [next, ...results] = body([i, on, ...now]);
      return [i.add(int64([1], [])), truth(next), ...results] as [Tensor, Tensor, ...Tensor[]];
    },
    [int64([0], []), test ?? yes(), ...state] as [Tensor, Tensor, ...Tensor[]],
  );
  return last;
}

/** Collects as many outputs as the loop has steps, which only a run shows. */
function onHost({ body, most, test, state: start }: LoopParts): readonly Tensor[] {
  const read = (x: Tensor): number => {
    const value = concrete(x);
    if (!value)
      throw new OnnxError(
        "it collects outputs over a number of steps that depends on the model's input values, so that their shape is not known when the graph is captured; run the model op by op: model.call(…)",
      );
    return value.item();
  };
  const limit = most ? read(most) : Infinity;
  let on = test === null || read(test) !== 0;
  let state = start;
  const rows: Tensor[][] = [];
  for (let i = 0; on && i < limit; i++) {
    const [next, ...results] = body([int64([i], []), yes(), ...state]);
    on = read(next) !== 0;
    state = results.slice(0, start.length);
    rows.push(results.slice(start.length));
  }
  return [...state, ...stacked(rows)];
}

function scanRow(c: RowContext): readonly Tensor[] {
  const { attributes } = c;
  const count = attributes.int("num_scan_inputs");
  const carried = c.inputs.length - count;
  const body = c.subgraph("body");
  const list = (name: string, length: number): number[] =>
    attributes.ints(name) ?? new Array<number>(length).fill(0);
  const outputs = c.outputs - carried;
  const [axesIn, flipsIn] = [list("scan_input_axes", count), list("scan_input_directions", count)];
  const [axesOut, flipsOut] = [list("scan_output_axes", outputs), list("scan_output_directions", outputs)];
  const arrays = axesIn.map((axis, k) => {
    const x = c.input(carried + k);
    const front = ops.moveAxis(x, c.axis(axis, x.ndim), 0);
    return flipsIn[k] ? ops.flip(front, 0) : front;
  });
  const state = Array.from({ length: carried }, (_, k) => c.input(k));
  const [last, collected] = scan(
    (now: readonly Tensor[], entry: readonly Tensor[]) => {
      const results = body([...now, ...entry]);
      return [results.slice(0, carried), results.slice(carried)] as const;
    },
    state,
    arrays,
  );
  const placed = collected.map((y, k) => {
    const turned = flipsOut[k] ? ops.flip(y, 0) : y;
    return ops.moveAxis(turned, 0, c.axis(axesOut[k], y.ndim));
  });
  return [...last, ...placed];
}

export const CONTROL: readonly ImportRow[] = [
  { op: "If", run: branch },
  { op: "Loop", run: loop },
  { op: "Scan", run: scanRow },
];
