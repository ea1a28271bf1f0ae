/** softmax of the native device: rows that lie one behind the other; other layouts go to the WebAssembly kernel. */
import { bytesPerElement } from "../../core/dtype.js";
import { isContiguous } from "../../core/layout.js";
import { sizeOf } from "../../core/shape.js";
import type { DeviceKernel } from "../../runtime/kernels.js";
import { nativeSupport } from "../../runtime/native/library.js";
import { compileInBackground, type NativeProgram } from "../codegen/c/compile.js";
import { softmaxSchedule } from "../kernels/rows.js";
import { nativePrograms } from "./programs.js";

interface Attrs {
  readonly axis: number;
}

/** A native kernel in front of another, which runs what this one does not take. */
export function nativeSoftmax(spare: DeviceKernel<Attrs>): DeviceKernel<Attrs> {
  return {
    ...spare,
    prepare: undefined, // that would be the other one's
    run(inputs, outputs, attrs) {
      const [x] = inputs;
      const [out] = outputs;
      const columns = x.shape[x.shape.length - 1];
      const program =
        attrs.axis === x.shape.length - 1 && columns > 0 && isContiguous(x)
          ? programFor(x.dtype as "float32" | "float64").current()
          : null;
      if (!program) {
        spare.run(inputs, outputs, attrs);
        return;
      }
      const bytes = bytesPerElement(x.dtype);
      program.run(
        [x.ptr + x.offset * bytes, out.ptr + out.offset * bytes],
        [sizeOf(x.shape) / columns, columns],
      );
    },
  };
}

function programFor(dtype: "float32" | "float64"): NativeProgram {
  return nativePrograms(`softmax ${dtype}`, () =>
    compileInBackground(() => {
      const tools = nativeSupport();
      const lanes = typeof tools === "string" ? 4 : tools.vectorBytes / bytesPerElement(dtype);
      return softmaxSchedule(lanes, dtype).kernel;
    }),
  );
}
