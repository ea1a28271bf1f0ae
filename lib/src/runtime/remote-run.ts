/** Runs kernels of devices that have a memory of their own, on tensors. */
import { DeviceError } from "../core/errors.js";
import type { DenseTensor } from "./dense.js";
import { count, type DeviceArray, type Remote } from "./remote.js";

/**
 * Runs the device's kernel for an op; new `outputs`.
 * @returns false, after counting it, if the device has none for these arrays: the host is to do it
 */
export function runRemotely(
  remote: Remote,
  op: string,
  inputs: readonly DenseTensor[],
  outputs: readonly DenseTensor[],
  attrs: unknown,
): boolean {
  const kernel = remote.kernels.get(op);
  const fits = kernel && (!kernel.supports || kernel.supports(inputs, outputs, attrs as never));
  if (!fits) {
    count(remote, "fallback", op);
    return false;
  }
  launchOn(remote, op, inputs, outputs, (ins, outs) => kernel.run(ins, outs, attrs as never));
  return true;
}

/** Brings `inputs` to the device, gives `outputs` memory there, runs, and counts it under `name`. */
export function launchOn(
  remote: Remote,
  name: string,
  inputs: readonly DenseTensor[],
  outputs: readonly DenseTensor[],
  run: (inputs: readonly DeviceArray[], outputs: readonly DeviceArray[]) => void,
): void {
  const ins = inputs.map((x) => arrayOf(x, x.storage.on(remote)));
  const outs = outputs.map((y) => arrayOf(y, y.storage.writtenOn(remote)));
  try {
    run(ins, outs);
  } catch (error) {
    if (error instanceof DeviceError) throw error;
    throw new DeviceError(`${remote.memory.device}: ${name}: ${(error as Error).message}`, { cause: error });
  }
  count(remote, "native", name);
}

const arrayOf = (x: DenseTensor, handle: unknown): DeviceArray => ({
  shape: x.shape,
  strides: x.strides,
  offset: x.offset,
  dtype: x.dtype,
  handle,
  length: x.storage.length,
});
