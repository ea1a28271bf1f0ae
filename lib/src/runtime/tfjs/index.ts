/**
 * The device `tfjs`: eager ops run on TensorFlow.js (`@tensorflow/tfjs-node`, `@tensorflow/tfjs-node-gpu`, or whatever
 * `useTfjs` is given); derivatives, graphs and everything else stay ours. Loading this registers it; TensorFlow is loaded when
 * the device is first used.
 */
import { sizeOf } from "../../core/shape.js";
import {
  type DeviceArray,
  type RemoteKernel,
  type RemoteType,
  registerRemote,
  registerRemoteKernel,
} from "../remote.js";
import { findTfjs, loadTfjs, MISSING, tfjsInUse } from "./load.js";
import { hold, isTfDType, memory, type Piece } from "./memory.js";
import { CONTRACT } from "./ops/contract.js";
import { BINARY, CHOSEN, UNARY } from "./ops/elementwise.js";
import { MOVE } from "./ops/move.js";
import { isTensorFlow, RAW } from "./ops/raw.js";
import { REDUCE } from "./ops/reduce.js";
import type { Row } from "./row.js";
import type { Tfjs, TfTensor } from "./tfjs.js";

const TABLE: Readonly<Record<string, Row>> = {
  ...UNARY,
  ...BINARY,
  ...CHOSEN,
  ...REDUCE,
  ...MOVE,
  ...CONTRACT,
  ...RAW,
};

registerRemote(memory, () => {
  const used = tfjsInUse();
  if (used) return { available: true, detail: `TensorFlow.js, backend ${used.getBackend()}` };
  const found = findTfjs();
  if (!found) return { available: false, detail: MISSING };
  const { installed, name, from } = found;
  return {
    available: true,
    detail: installed
      ? `${name} ${installed.version}, TensorFlow ${installed.tensorflow} (${installed.from})`
      : `${name} of ${from}`,
  };
});

for (const [op, row] of Object.entries(TABLE)) registerRemoteKernel("tfjs", kernelOf(op, row));

function kernelOf(op: string, row: Row): RemoteKernel<Piece, object> {
  return {
    op,
    supports: (inputs, outputs, attrs) =>
      inputs.every(({ dtype }) => row.takes.includes(dtype)) &&
      outputs.every(({ dtype }) => isTfDType(dtype)) &&
      (row.supports?.(inputs, attrs as never) ?? true) &&
      hasKernels(row),
    run(inputs, outputs, attrs) {
      const t = loadTfjs();
      const results = t.tidy(() => {
        if (outputs.every(({ shape }) => sizeOf(shape) === 0)) return outputs.map((y) => emptyOf(t, y));
        const made = row.run(t, inputs, attrs as never, outputs);
        const list = Array.isArray(made) ? (made as TfTensor[]) : [made as TfTensor];
        return list.map((y, i) => fitted(t, y, outputs[i], inputs));
      });
      results.forEach((y, i) => {
        hold(outputs[i].handle, y);
      });
    },
  };
}

function hasKernels({ needs = [], tensorflow }: Row): boolean {
  if (!tensorflow && needs.length === 0) return true;
  const t = loadTfjs();
  return (!tensorflow || isTensorFlow(t)) && needs.every((name) => t.getKernel(name, t.getBackend()));
}

const emptyOf = (t: Tfjs, { shape, dtype }: RemoteType): TfTensor =>
  t.tensor([], [...shape], dtype as "float32");

/** A result of the output's dtype and number of elements, and a tensor of its own: an op may return what it was given. */
function fitted(
  t: Tfjs,
  y: TfTensor,
  { shape, dtype }: RemoteType,
  inputs: readonly DeviceArray<Piece>[],
): TfTensor {
  const size = sizeOf(shape);
  const whole = y.size === size ? y : t.broadcastTo(y, [...shape]);
  const cast = whole.dtype === dtype ? whole : t.cast(whole, dtype as "float32");
  return inputs.some((x) => x.handle.tensor === cast) ? t.clone(cast) : cast;
}

export { useTfjs } from "./use.js";
