/**
 * Cells of recurrent networks (循环神经网络): one step in time. A cell has the weights of all its gates side by side, so that a
 * step is one matrix product, and the inputs of a whole sequence are multiplied at once before the steps begin.
 */
import { Variable } from "../autodiff/variable.js";
import { ShapeError } from "../core/errors.js";
import { formatShape } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import { full, zeros } from "../ops/create.js";
import { concat, split } from "../ops/shape.js";
import { checkSizes } from "./check.js";
import { type InitOptions, orthogonal, xavierUniform } from "./init.js";
import { Module } from "./module.js";

export interface CellOptions extends InitOptions {
  readonly bias?: boolean;
}

/** One step of a recurrent network; `S` is what it carries from step to step. */
export abstract class RecurrentCell<S> extends Module {
  /** (inputs, gates·size) */
  inputWeight: Variable;
  /** (size, gates·size) */
  stateWeight: Variable;
  /** (gates·size) */
  bias: Variable | null;

  constructor(
    readonly inputs: number,
    readonly size: number,
    gates: number,
    { bias = true, generator, dtype }: CellOptions,
  ) {
    super();
    checkSizes(new.target.name, { inputs, size });
    const perGate = (make: () => Tensor): Tensor => concat(Array.from({ length: gates }, make), -1);
    const init = { generator, dtype };
    this.inputWeight = new Variable(
      perGate(() => xavierUniform([inputs, size], init)),
      { name: "inputWeight" },
    );
    this.stateWeight = new Variable(
      perGate(() => orthogonal([size, size], init)),
      { name: "stateWeight" },
    );
    this.bias = bias ? new Variable(zeros([gates * size], { dtype }), { name: "bias" }) : null;
  }

  /** The state before the first step: zeros. */
  abstract start(batch: number): S;

  /** The next state. @param projected `project(x)`, (n, gates·size) */
  abstract step(projected: Tensor, state: S): S;

  /** What a state shows to the outside: h (n, size). */
  abstract output(state: S): Tensor;

  /** What the inputs (…, inputs) bring into the gates: (…, gates·size). */
  project(x: Tensor): Tensor {
    if (x.shape.at(-1) !== this.inputs)
      throw new ShapeError(
        `${this.constructor.name}: (…, ${this.inputs}) wanted, got ${formatShape(x.shape)}`,
      );
    const y = x.matmul(this.inputWeight);
    return this.bias ? y.add(this.bias) : y;
  }

  /** One step: x (n, inputs) and the state before → the state after. */
  override forward(x: Tensor, state: S = this.start(x.shape[0])): S {
    return this.step(this.project(x), state);
  }

  protected zeroState(batch: number): Tensor {
    return zeros([batch, this.size], { dtype: this.stateWeight.dtype });
  }
}

export interface RNNOptions extends CellOptions {
  /** Default "tanh". */
  readonly activation?: "tanh" | "relu";
}

/** h′ = tanh(x·W + h·U + b) (Elman 1990). */
export class RNNCell extends RecurrentCell<Tensor> {
  readonly activation: "tanh" | "relu";

  constructor(inputs: number, size: number, { activation = "tanh", ...options }: RNNOptions = {}) {
    super(inputs, size, 1, options);
    this.activation = activation;
  }

  start(batch: number): Tensor {
    return this.zeroState(batch);
  }

  step(projected: Tensor, h: Tensor): Tensor {
    return projected.add(h.matmul(this.stateWeight))[this.activation]();
  }

  output(h: Tensor): Tensor {
    return h;
  }
}

export type LSTMState = readonly [h: Tensor, c: Tensor];

export interface LSTMOptions extends CellOptions {
  /** First bias of the forget gate: near 1 it remembers from the start (Jozefowicz et al. 2015). Default 1. */
  readonly forgetBias?: number;
}

/**
 * Long short-term memory (长短期记忆; Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000):
 * c′ = f⊙c + i⊙g, h′ = o⊙tanh(c′); i, f, o = σ(…), g = tanh(…). Order of the gates: i, f, g, o.
 */
export class LSTMCell extends RecurrentCell<LSTMState> {
  constructor(inputs: number, size: number, { forgetBias = 1, ...options }: LSTMOptions = {}) {
    super(inputs, size, 4, options);
    const gate = (value: number): Tensor => full([size], value, { dtype: options.dtype });
    this.bias?.assign(concat([gate(0), gate(forgetBias), gate(0), gate(0)]));
  }

  start(batch: number): LSTMState {
    return [this.zeroState(batch), this.zeroState(batch)];
  }

  step(projected: Tensor, [h, c]: LSTMState): LSTMState {
    const [i, f, g, o] = split(projected.add(h.matmul(this.stateWeight)), 4, -1);
    const memory = f.sigmoid().mul(c).add(i.sigmoid().mul(g.tanh()));
    return [o.sigmoid().mul(memory.tanh()), memory];
  }

  output([h]: LSTMState): Tensor {
    return h;
  }
}

/**
 * Gated recurrent unit (门控循环单元; Cho et al. 2014, in the form of cuDNN): r, z = σ(…),
 * n = tanh(x·W + r⊙(h·U + b′)), h′ = (1 − z)⊙n + z⊙h. Order of the gates: r, z, n.
 */
export class GRUCell extends RecurrentCell<Tensor> {
  /** b′, (size): the part of n's bias that the reset gate closes too. */
  stateBias: Variable | null;

  constructor(inputs: number, size: number, options: CellOptions = {}) {
    super(inputs, size, 3, options);
    const { bias = true, dtype } = options;
    this.stateBias = bias ? new Variable(zeros([size], { dtype }), { name: "stateBias" }) : null;
  }

  start(batch: number): Tensor {
    return this.zeroState(batch);
  }

  step(projected: Tensor, h: Tensor): Tensor {
    const [xr, xz, xn] = split(projected, 3, -1);
    const [hr, hz, hn] = split(h.matmul(this.stateWeight), 3, -1);
    const [r, z] = [xr.add(hr).sigmoid(), xz.add(hz).sigmoid()];
    const n = xn.add(r.mul(this.stateBias ? hn.add(this.stateBias) : hn)).tanh();
    return n.add(z.mul(h.sub(n)));
  }

  output(h: Tensor): Tensor {
    return h;
  }
}
