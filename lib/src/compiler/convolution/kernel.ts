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

/** Takes float32; other dtypes go to `spare`. @throws ValueError where the algorithm asked for does not take the sizes. */
export function convByAlgorithm(device: HostDevice, spare: DeviceKernel<ConvAttrs>): DeviceKernel<ConvAttrs> {
  const mine = (x: HostArray, y: HostArray, { algorithm }: ConvAttrs): boolean =>
    (algorithm !== undefined || convolutionMode() === "measured") &&
    x.dtype === "float32" &&
    sizeOf(y.shape) > 0;
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
        const { algorithm = "measured" } = attrs;
        const chosen =
          algorithm === "measured" ? chosenFor(g, device, "measured", operands) : findAlgorithm(algorithm, g);
        if (chosen) preparedFor(chosen, g, device).run(...operands);
        else otherwise();
      }),
    );
  return {
    ...spare,
    run(inputs, outputs, attrs) {
      const plain = (): void => spare.run(inputs, outputs, attrs);
      if (mine(inputs[0], outputs[0], attrs)) run(inputs, outputs, attrs, plain);
      else plain();
    },
    prepare(inputs, outputs, attrs) {
      const other = spare.prepare?.(inputs, outputs, attrs) ?? null;
      if (!mine(inputs[0], outputs[0], attrs) || !other) return other;
      return {
        workspace: other.workspace,
        run: (workspace) => run(inputs, outputs, attrs, () => other.run(workspace)),
      };
    },
  };
}
