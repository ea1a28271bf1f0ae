/** Recurrent layers: cells that walk along sequences, in several layers and both directions. */
import { ShapeError, ValueError } from "../core/errors.js";
import { formatShape } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import { map as treeMap } from "../core/tree.js";
import { scan } from "../graph/control/index.js";
import { asTensor, type TensorLike } from "../ops/convert.js";
import { arange } from "../ops/create.js";
import { where } from "../ops/select.js";
import { concat } from "../ops/shape.js";
import {
  type CellOptions,
  GRUCell,
  LSTMCell,
  type LSTMOptions,
  type LSTMState,
  type RecurrentCell,
  RNNCell,
  type RNNOptions,
} from "./cells.js";
import { checkSizes } from "./check.js";
import { Dropout } from "./dropout.js";
import { Module } from "./module.js";

export interface StackOptions {
  /** Layers, each over the outputs of the one below. Default 1. */
  readonly layers?: number;
  /** A second cell walks from the end; outputs are side by side. Default false. */
  readonly bidirectional?: boolean;
  /** Between layers, while training. Default 0. */
  readonly dropout?: number;
}

export interface RunOptions<S> {
  /** One per cell: those of the first layer (forward, backward), then of the second … Default: zeros. */
  readonly state?: readonly S[];
  /** (n) integers: steps of each sequence; behind them the outputs are 0 and the state stays. Default: all. */
  readonly lengths?: TensorLike;
}

export interface RunResult<S> {
  /** h of each step: (n, t, size), or (n, t, 2·size) where both directions are walked. */
  readonly output: Tensor;
  /** The last state of each cell. */
  readonly state: readonly S[];
}

/** Layers of cells over sequences (n, t, inputs). `S`: the state of a cell. */
abstract class Recurrent<S> extends Module {
  /** By layer, then by direction. */
  readonly cells: readonly (readonly RecurrentCell<S>[])[];
  private readonly dropout: Dropout | null;

  constructor(
    readonly inputs: number,
    readonly size: number,
    make: (inputs: number) => RecurrentCell<S>,
    { layers = 1, bidirectional = false, dropout = 0 }: StackOptions,
    generator: ConstructorParameters<typeof Dropout>[1],
  ) {
    super();
    checkSizes(new.target.name, { inputs, size, layers });
    if (dropout > 0 && layers === 1)
      throw new ValueError(
        `${new.target.name}: dropout acts between layers, and there is one; use nn.Dropout behind it`,
      );
    const directions = bidirectional ? 2 : 1;
    this.cells = Array.from({ length: layers }, (_, k) =>
      Array.from({ length: directions }, () => make(k === 0 ? inputs : size * directions)),
    );
    this.dropout = dropout > 0 ? new Dropout(dropout, generator) : null;
  }

  /** The outputs of all steps: (n, t, inputs) → (n, t, size·directions). For states and lengths see `run`. */
  override forward(x: Tensor): Tensor {
    return this.run(x).output;
  }

  /**
   * Walks along the sequences.
   * @throws ShapeError if x is not (n, t, inputs), or the states or lengths do not fit it.
   */
  run(x: Tensor, { state, lengths }: RunOptions<S> = {}): RunResult<S> {
    const name = this.constructor.name;
    if (x.ndim !== 3 || x.shape[2] !== this.inputs)
      throw new ShapeError(`${name}: sequences (n, t, ${this.inputs}) wanted, got ${formatShape(x.shape)}`);
    const count = this.cells.flat().length;
    if (state && state.length !== count)
      throw new ShapeError(`${name}: a state for each of the ${count} cells wanted, got ${state.length}`);
    const live = lengths === undefined ? null : liveSteps(name, x, asTensor(lengths, "int32"));
    const last: S[] = [];
    let y = x;
    for (const [k, layer] of this.cells.entries()) {
      if (k > 0 && this.dropout) y = this.dropout.forward(y);
      const walks = layer.map((cell, d) => {
        const start = state?.[k * layer.length + d] ?? cell.start(x.shape[0]);
        return walk(cell, y, start, d === 1, live);
      });
      last.push(...walks.map((w) => w.state));
      y =
        walks.length === 1
          ? walks[0].output
          : concat(
              walks.map((w) => w.output),
              -1,
            );
    }
    return { output: y, state: last };
  }
}

/** (t, n, 1) bool: which steps belong to each sequence. */
function liveSteps(name: string, x: Tensor, lengths: Tensor): Tensor {
  const [n, t] = x.shape;
  if (lengths.ndim !== 1 || lengths.shape[0] !== n)
    throw new ShapeError(`${name}: lengths (${n},) wanted, got ${formatShape(lengths.shape)}`);
  return arange(t, undefined, 1, { dtype: "int32" })
    .reshape([t, 1, 1])
    .less(lengths.reshape([1, n, 1]));
}

function walk<S>(
  cell: RecurrentCell<S>,
  x: Tensor,
  start: S,
  reverse: boolean,
  live: Tensor | null,
): { output: Tensor; state: S } {
  const projected = cell.project(x).swapAxes(0, 1); // time in front
  const [state, outputs] = live
    ? scan(
        (s: S, [p, on]: [Tensor, Tensor]): [S, Tensor] => {
          const next = treeMap((a, b) => where(on, a, b), cell.step(p, s), s);
          return [next, where(on, cell.output(next), 0)];
        },
        start,
        [projected, live] as [Tensor, Tensor],
        { reverse },
      )
    : scan(
        (s: S, p: Tensor): [S, Tensor] => {
          const next = cell.step(p, s);
          return [next, cell.output(next)];
        },
        start,
        projected,
        { reverse },
      );
  return { output: outputs.swapAxes(0, 1), state };
}

/** Elman's recurrent network (循环神经网络): (n, t, inputs) → (n, t, size). */
export class RNN extends Recurrent<Tensor> {
  constructor(inputs: number, size: number, options: StackOptions & RNNOptions = {}) {
    super(inputs, size, (n) => new RNNCell(n, size, options), options, options.generator);
  }
}

/** Long short-term memory (长短期记忆): (n, t, inputs) → (n, t, size). States are [h, c]. */
export class LSTM extends Recurrent<LSTMState> {
  constructor(inputs: number, size: number, options: StackOptions & LSTMOptions = {}) {
    super(inputs, size, (n) => new LSTMCell(n, size, options), options, options.generator);
  }
}

/** Gated recurrent units (门控循环单元): (n, t, inputs) → (n, t, size). */
export class GRU extends Recurrent<Tensor> {
  constructor(inputs: number, size: number, options: StackOptions & CellOptions = {}) {
    super(inputs, size, (n) => new GRUCell(n, size, options), options, options.generator);
  }
}
