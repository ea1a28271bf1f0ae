/** Evaluates an op at once: as a view of its input where the op only changes the layout, else by the device's kernel or the reference kernel. */
import { type DenseTensor, emptyDense, viewOf } from "../runtime/dense.js";
import { getDevice } from "../runtime/devices.js";
import { commit } from "../runtime/host-array.js";
import { findKernel } from "../runtime/kernels.js";
import { remoteOf } from "../runtime/remote.js";
import { runRemotely } from "../runtime/remote-run.js";
import type { Attrs, OpDef } from "./registry.js";

export function evaluate(op: OpDef, inputs: readonly DenseTensor[], attrs: Attrs): DenseTensor[] {
  if (op.composite) return op.composite(inputs, attrs) as DenseTensor[];
  const types = op.type(inputs, attrs);
  if (op.view) {
    const [input] = inputs;
    input.needAlive();
    const layout = op.view(input, attrs);
    if (layout) return [viewOf(input, layout)];
  }
  const device = getDevice();
  for (const input of inputs) input.needAlive();
  const outputs = types.map((type) => emptyDense(type.shape, type.dtype, device));
  compute(op, inputs, outputs, attrs, device);
  return outputs;
}

/** Computes new `outputs` by the device's kernel, or by the reference kernel. */
export function compute(
  op: OpDef,
  inputs: readonly DenseTensor[],
  outputs: readonly DenseTensor[],
  attrs: Attrs,
  device: string,
): void {
  const remote = remoteOf(device);
  if (remote && runRemotely(remote, op.name, inputs, outputs, attrs)) return;
  const hosts = inputs.map((input) => input.host());
  const outs = outputs.map((output) => output.host());
  const kernel = device === "cpu" ? undefined : findKernel(remote ? "wasm" : device, op.name);
  if (kernel && (!kernel.supports || kernel.supports(hosts, outs, attrs))) kernel.run(hosts, outs, attrs);
  else {
    op.reference(hosts, outs, attrs as never);
    commit(outs);
  }
}
