/** conv2d on a device of the host: by the algorithm that is asked for or chosen, else by the kernel that was there before. */
import { bytesPerElement } from "../../core/dtype.js";
import { sizeOf } from "../../core/shape.js";
import type { HostArray } from "../../runtime/host-array.js";
import type { DeviceKernel } from "../../runtime/kernels.js";
import { withContiguous } from "../../runtime/wasm/copy.js";
import type { ConvAttrs } from "../../runtime/wasm/kernels/conv.js";
import type { HostDevice } from "./algorithm.js";
import { chosenFor, convolutionMode, findAlgorithm, preparedFor } from "./choose.js";
import { geometryOf } from "./geometry.js";
import { rule } from "./rule.js";

/**
 * In front of another kernel, which runs what this one does not take and while the compiler works. Takes float32.
 * @throws ValueError where the algorithm asked for does not take the sizes.
 */
export function convByAlgorithm(device: HostDevice, spare: DeviceKernel<ConvAttrs>): DeviceKernel<ConvAttrs> {
  const mine = ([x, w]: readonly HostArray[], y: HostArray, attrs: ConvAttrs): boolean =>
    x.dtype === "float32" && sizeOf(y.shape) > 0 && prefers(device, x.shape, w.shape, attrs);
  const run = (
    [x, w]: readonly HostArray[],
    [y]: readonly HostArray[],
    attrs: ConvAttrs,
    otherwise: () => void,
  ): void =>
    withContiguous(x, (images) =>
      withContiguous(w, (filters) => {
        const g = geometryOf(images.shape, filters.shape, attrs);
        const addresses = [images, filters, y].map((a) => a.ptr + a.offset * bytesPerElement(a.dtype));
        const operands = addresses as [number, number, number];
        const { algorithm = convolutionMode() } = attrs;
        const free = algorithm === "measured" || algorithm === "rule";
        const chosen = free ? chosenFor(g, device, algorithm, operands) : findAlgorithm(algorithm, g);
        const kernels = chosen && preparedFor(chosen, g, device);
        // what is asked for by name runs as WebAssembly until it is compiled; what is chosen can wait
        if (kernels && (!free || kernels.isReady())) kernels.run(...operands);
        else otherwise();
      }),
    );
  return {
    ...spare,
    run(inputs, outputs, attrs) {
      const plain = (): void => spare.run(inputs, outputs, attrs);
      if (mine(inputs, outputs[0], attrs)) run(inputs, outputs, attrs, plain);
      else plain();
    },
    prepare(inputs, outputs, attrs) {
      const other = spare.prepare?.(inputs, outputs, attrs) ?? null;
      if (!other || !mine(inputs, outputs[0], attrs)) return other;
      return {
        workspace: other.workspace,
        run: (workspace) => run(inputs, outputs, attrs, () => other.run(workspace)),
      };
    },
  };
}

/** True where something else than the device's own kernel is asked for, or better. */
export function prefers(
  device: HostDevice,
  x: readonly number[],
  w: readonly number[],
  attrs: ConvAttrs,
): boolean {
  if (attrs.algorithm !== undefined || convolutionMode() === "measured") return true;
  return rule(geometryOf(x, w, attrs), device) !== null;
}
