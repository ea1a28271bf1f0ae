/** Recurrent layers of Keras: LSTM, GRU, SimpleRNN, and what wraps them. */
import type { Tensor } from "../../core/tensor.js";
import { scan } from "../../graph/control/index.js";
import * as ops from "../../ops/index.js";
import type { Layer, LayerFunction, LayerRow } from "./layer.js";
import { isJson, type Json, TfjsError } from "./weights.js";

/** From products with the inputs, and the state, to the next state; its first part is the output. */
type Step = (x: Tensor, state: readonly Tensor[]) => Tensor[];

interface Cell {
  readonly units: number;
  readonly states: number;
  readonly step: Step;
}

const part = (x: Tensor, k: number, units: number): Tensor => x.slice("...", [k * units, (k + 1) * units]);

function lstm(layer: Layer): Cell {
  const units = layer.number("units");
  const recurrent = layer.weight("recurrent_kernel");
  const [f, g] = [layer.activation("recurrent_activation"), layer.activation()];
  return {
    units,
    states: 2,
    step: (x, [h, c]) => {
      const z = x.add(h.matmul(recurrent));
      const [input, forget, fresh, output] = [0, 1, 2, 3].map((k) => part(z, k, units));
      const next = f(forget)
        .mul(c)
        .add(f(input).mul(g(fresh)));
      return [f(output).mul(g(next)), next];
    },
  };
}

function gru(layer: Layer): Cell {
  const units = layer.number("units");
  const recurrent = layer.weight("recurrent_kernel");
  const [f, g] = [layer.activation("recurrent_activation"), layer.activation()];
  const after = layer.flag("reset_after");
  const bias = layer.optional("bias");
  const inner = after && bias && bias.ndim === 2 ? bias.at(1) : null;
  return {
    units,
    states: 1,
    step: (x, [h]) => {
      const weights = [0, 1, 2].map((k) => part(recurrent, k, units));
      const plus = (y: Tensor, k: number): Tensor => (inner ? y.add(part(inner, k, units)) : y);
      const update = f(part(x, 0, units).add(plus(h.matmul(weights[0]), 0)));
      const reset = f(part(x, 1, units).add(plus(h.matmul(weights[1]), 1)));
      const seen = after ? reset.mul(plus(h.matmul(weights[2]), 2)) : reset.mul(h).matmul(weights[2]);
      const fresh = g(part(x, 2, units).add(seen));
      return [update.mul(h).add(update.neg().add(1).mul(fresh))];
    },
  };
}

function simple(layer: Layer): Cell {
  const recurrent = layer.weight("recurrent_kernel");
  const f = layer.activation();
  return { units: layer.number("units"), states: 1, step: (x, [h]) => [f(x.add(h.matmul(recurrent)))] };
}

/** The loop over time. */
function loop(layer: Layer, cell: Cell): LayerFunction {
  const kernel = layer.weight("kernel");
  const all = layer.flag("use_bias", true) ? layer.weight("bias") : null;
  const bias = all && all.ndim === 2 ? all.at(0) : all;
  const backwards = layer.flag("go_backwards");
  const sequences = layer.flag("return_sequences");
  if (layer.flag("return_state")) layer.refuse("return_state", "false");
  return (x) => {
    const product = x.matmul(kernel);
    const inputs = (bias ? product.add(bias) : product).transpose([1, 0, 2]);
    const start = Array.from({ length: cell.states }, () =>
      ops.zeros([x.shape[0], cell.units], { dtype: x.dtype }),
    );
    const [state, outputs] = scan(
      (before: readonly Tensor[], entry: Tensor) => {
        const next = cell.step(entry, before);
        return [next, next[0]] as const;
      },
      start as readonly Tensor[],
      backwards ? ops.flip(inputs, 0) : inputs,
    );
    return sequences ? outputs.transpose([1, 0, 2]) : state[0];
  };
}

const CELLS: Readonly<Record<string, (layer: Layer) => Cell>> = { LSTM: lstm, GRU: gru, SimpleRNN: simple };

/** The layer that another one wraps. */
function wrapped(layer: Layer): { className: string; config: Json } {
  const inner = layer.config.layer;
  if (!isJson(inner) || typeof inner.class_name !== "string" || !isJson(inner.config))
    return layer.refuse("layer", "a layer");
  return { className: inner.class_name, config: inner.config };
}

/** Both directions side by side; weights of each are named after it. */
function bidirectional(layer: Layer): LayerFunction {
  const { className, config } = wrapped(layer);
  const cell = CELLS[className];
  if (!cell) throw new TfjsError(`${layer.where}: around a ${className}`);
  const mode = layer.config.merge_mode ?? "concat";
  const join = {
    concat: (a: Tensor, b: Tensor) => ops.concat([a, b], a.ndim - 1),
    sum: (a: Tensor, b: Tensor) => a.add(b),
    mul: (a: Tensor, b: Tensor) => a.mul(b),
    ave: (a: Tensor, b: Tensor) => a.add(b).div(2),
  }[String(mode)];
  if (!join) return layer.refuse("merge_mode", "concat, sum, mul or ave");
  const name = String(config.name ?? className.toLowerCase());
  const sides = ["forward", "backward"].map((side) => {
    const inner = layer.inside(className, `${side}_${name}`, {
      ...config,
      go_backwards: side === "backward",
    });
    return loop(inner, cell(inner));
  });
  const turns = config.return_sequences === true;
  return (x) => {
    const back = sides[1](x);
    return join(sides[0](x), turns ? ops.flip(back, 1) : back);
  };
}

export const RECURRENT: readonly LayerRow[] = [
  ...Object.entries(CELLS).map(([className, cell]) => ({
    className,
    make: (layer: Layer) => loop(layer, cell(layer)),
  })),
  { className: "Bidirectional", make: bidirectional },
];
