/** LSTM, GRU and RNN of ONNX: loops over time whose products with the inputs are done once, ahead of them. */
import type { Tensor } from "../../../core/tensor.js";
import { scan } from "../../../graph/control/index.js";
import * as ops from "../../../ops/index.js";
import { concrete } from "../../../ops/read.js";
import { OnnxError } from "../schema.js";
import type { ImportRow, RowContext } from "./row.js";
import { window } from "./shapes.js";

type Activation = (x: Tensor) => Tensor;

const ACTIVATIONS: Readonly<Record<string, Activation>> = {
  sigmoid: (x) => x.sigmoid(),
  tanh: (x) => x.tanh(),
  relu: (x) => x.relu(),
  softsign: (x) => x.softsign(),
  softplus: (x) => x.softplus(),
};

/** One direction: `recurrent` and `bias` of the hidden state, from a product with the inputs to the next state. */
interface Cell {
  readonly gates: number;
  readonly states: number;
  readonly activations: readonly string[];
  readonly step: (parts: StepParts) => Tensor[];
}

interface StepParts {
  /** Products with the inputs, a gate each, with the biases of the inputs. */
  readonly x: readonly Tensor[];
  readonly state: readonly Tensor[];
  /** Weights and biases of the hidden state, by gate. */
  readonly recurrent: readonly Tensor[];
  readonly bias: readonly (Tensor | null)[];
  readonly f: readonly Activation[];
  readonly peepholes: readonly Tensor[] | null;
  readonly c: RowContext;
}

const plus = (x: Tensor, y: Tensor | null): Tensor => (y ? x.add(y) : x);
const hidden = ({ state, recurrent, bias }: StepParts, gate: number, h = state[0]): Tensor =>
  plus(h.matmul(recurrent[gate].transpose([1, 0])), bias[gate]);

const LSTM: Cell = {
  gates: 4,
  states: 2,
  activations: ["sigmoid", "tanh", "tanh"],
  step: (p) => {
    const [, before] = p.state;
    const gate = (k: number): Tensor => p.x[k].add(hidden(p, k));
    const peep = (y: Tensor, k: number, state: Tensor): Tensor =>
      p.peepholes ? y.add(state.mul(p.peepholes[k])) : y;
    const [f, g, h] = p.f;
    const input = f(peep(gate(0), 0, before));
    const forget = p.c.attributes.int("input_forget", 0) ? input.neg().add(1) : f(peep(gate(2), 2, before));
    const cell = forget.mul(before).add(input.mul(g(gate(3))));
    const output = f(peep(gate(1), 1, cell));
    return [output.mul(h(cell)), cell];
  },
};

const GRU: Cell = {
  gates: 3,
  states: 1,
  activations: ["sigmoid", "tanh"],
  step: (p) => {
    const [h] = p.state;
    const [f, g] = p.f;
    const update = f(p.x[0].add(hidden(p, 0)));
    const reset = f(p.x[1].add(hidden(p, 1)));
    const fresh = p.c.attributes.int("linear_before_reset", 0)
      ? g(p.x[2].add(reset.mul(hidden(p, 2))))
      : g(p.x[2].add(hidden(p, 2, reset.mul(h))));
    return [fresh.mul(update.neg().add(1)).add(update.mul(h))];
  },
};

const RNN: Cell = {
  gates: 1,
  states: 1,
  activations: ["tanh"],
  step: (p) => [p.f[0](p.x[0].add(hidden(p, 0)))],
};

function run(c: RowContext, cell: Cell): Tensor[] {
  const batchFirst = c.attributes.int("layout", 0) === 1;
  const x = batchFirst ? c.input(0).transpose([1, 0, 2]) : c.input(0);
  const [steps, batch] = x.shape;
  const size = c.attributes.int("hidden_size");
  const direction = c.attributes.string("direction", "forward");
  const backwards = { forward: [false], reverse: [true], bidirectional: [false, true] }[direction];
  if (!backwards) throw new OnnxError(`direction is "${direction}"`);
  if (c.attributes.has("clip")) throw new OnnxError("clip is not supported");
  const lengths = c.optional(4);
  const full =
    !lengths ||
    concrete(lengths)
      ?.toTypedArray()
      .every((n) => n === steps);
  if (!full && backwards.includes(true))
    throw new OnnxError("sequence_lens shorter than the input, in reverse");
  const results = backwards.map((reverse, d) => {
    const start = Array.from({ length: cell.states }, (_, k) =>
      startOf(c, 5 + k, d, batch, size, batchFirst),
    );
    return oneDirection(c, cell, { x, d, reverse, start, size, lengths: full ? null : lengths });
  });
  const outputs = ops.stack(
    results.map(({ outputs }) => outputs),
    1,
  ); // (steps, directions, batch, hidden)
  const last = Array.from({ length: cell.states }, (_, k) =>
    ops.stack(
      results.map(({ state }) => state[k]),
      0,
    ),
  );
  if (!batchFirst) return [outputs, ...last];
  return [outputs.transpose([2, 0, 1, 3]), ...last.map((state) => state.transpose([1, 0, 2]))];
}

function startOf(
  c: RowContext,
  i: number,
  d: number,
  batch: number,
  size: number,
  batchFirst: boolean,
): Tensor {
  const given = c.optional(i);
  if (!given) return ops.zeros([batch, size], { dtype: c.input(0).dtype });
  return batchFirst ? given.transpose([1, 0, 2]).at(d) : given.at(d);
}

interface Direction {
  readonly x: Tensor;
  readonly d: number;
  readonly reverse: boolean;
  readonly start: readonly Tensor[];
  readonly size: number;
  readonly lengths: Tensor | null;
}

function oneDirection(c: RowContext, cell: Cell, { x, d, reverse, start, size, lengths }: Direction) {
  const { gates } = cell;
  const byGate = (y: Tensor, axis: number, first = 0): Tensor[] =>
    Array.from({ length: gates }, (_, k) => window(y, axis, (first + k) * size, size));
  const weights = c.input(1).at(d);
  const recurrent = byGate(c.input(2).at(d), 0);
  const all = c.optional(3)?.at(d) ?? null;
  const bias = all ? byGate(all, 0, gates) : recurrent.map(() => null);
  const product = x.matmul(weights.transpose([1, 0]));
  const inputs = all ? product.add(window(all, 0, 0, gates * size)) : product;
  const peepholes = c.optional(7) ? [0, 1, 2].map((k) => window(c.input(7).at(d), 0, k * size, size)) : null;
  const f = activationsOf(c, cell, d);
  const times = ops.arange(0, x.shape[0], 1, { dtype: "int32" });
  const [state, outputs] = scan(
    (before: readonly Tensor[], entry: { x: Tensor; t: Tensor }) => {
      const parts = { x: byGate(entry.x, 1), state: before, recurrent, bias, f, peepholes, c };
      const next = cell.step(parts);
      if (!lengths) return [next, next[0]] as const;
      const on = lengths.cast("int32").greater(entry.t).reshape([-1, 1]);
      const kept = next.map((y, k) => ops.where(on, y, before[k]));
      return [kept, ops.where(on, next[0], ops.zerosLike(next[0]))] as const;
    },
    start,
    { x: inputs, t: times },
    { reverse },
  );
  return { state, outputs };
}

function activationsOf(c: RowContext, cell: Cell, d: number): Activation[] {
  const all = c.attributes.strings("activations");
  const own = all
    ? all.slice(d * cell.activations.length, (d + 1) * cell.activations.length)
    : cell.activations;
  return cell.activations.map((_, k) => {
    const name = (own[k] ?? "").toLowerCase();
    if (!Object.hasOwn(ACTIVATIONS, name))
      throw new OnnxError(`activation "${own[k]}"; supported: ${Object.keys(ACTIVATIONS).join(", ")}`);
    return ACTIVATIONS[name];
  });
}

export const RECURRENT: readonly ImportRow[] = [
  { op: "LSTM", run: (c) => run(c, LSTM) },
  { op: "GRU", run: (c) => run(c, GRU) },
  { op: "RNN", run: (c) => run(c, RNN) },
];
