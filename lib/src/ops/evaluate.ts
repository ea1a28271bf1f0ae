/** Evaluates an op at once: as a view of its input where the op only changes the layout, else by the device's kernel or the reference kernel. */
import { type DenseTensor, emptyDense, viewOf } from "../runtime/dense.js";
import { getDevice } from "../runtime/devices.js";
import { commit } from "../runtime/host-array.js";
import { findKernel } from "../runtime/kernels.js";
import type { Attrs, OpDef } from "./registry.js";

export function evaluate(op: OpDef, inputs: readonly DenseTensor[], attrs: Attrs): DenseTensor[] {
  if (op.composite) return op.composite(inputs, attrs) as DenseTensor[];
  const types = op.type(inputs, attrs);
  if (op.view) {
    const [input] = inputs;
    input.host();
    const layout = op.view(input, attrs);
    if (layout) return [viewOf(input, layout)];
  }
  const device = getDevice();
  const hosts = inputs.map((input) => input.host());
  const outputs = types.map((type) => emptyDense(type.shape, type.dtype, device));
  const outs = outputs.map((output) => output.host());
  const kernel = device === "cpu" ? undefined : findKernel(device, op.name);
  if (kernel && (!kernel.supports || kernel.supports(hosts, outs, attrs))) kernel.run(hosts, outs, attrs);
  else {
    op.reference(hosts, outs, attrs as never);
    commit(outs);
  }
  return outputs;
}
