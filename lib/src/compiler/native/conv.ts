/**
 * The gradient of a convolution by its images, by a kernel of the loop compiler for each geometry: a convolution again, without
 * columns. Other strides, dilations and groups go to the kernel that was there before.
 */
import { bytesPerElement } from "../../core/dtype.js";
import { isContiguous } from "../../core/layout.js";
import type { HostArray } from "../../runtime/host-array.js";
import type { DeviceKernel } from "../../runtime/kernels.js";
import { nativeSupport } from "../../runtime/native/library.js";
import type { ConvAttrs } from "../../runtime/wasm/kernels/conv.js";
import { compileInBackground } from "../codegen/c/compile.js";
import type { LoopProgram } from "../codegen/program.js";
import { type ConvTiles, convSchedule } from "../kernels/conv.js";
import type { Conv2dShape } from "../loop/definitions.js";
import { nativePrograms } from "./programs.js";

const WORTH_A_KERNEL = 1e6; // multiplications
/** Share of a vector's lanes that must be pixels of the line. */
const FILLED = 0.7;

/** The kernel in front of another, which runs what this one does not take or while the compiler works. */
export function directInputGrad(spare: DeviceKernel<ConvAttrs>): DeviceKernel<ConvAttrs> {
  const programFor = (
    [g, w]: readonly HostArray[],
    [x]: readonly HostArray[],
    attrs: ConvAttrs,
  ): (() => LoopProgram | null) | null => {
    if (g.dtype !== "float32" || !isContiguous(g) || !isContiguous(w) || attrs.groups > 1) return null;
    const shape = geometry(x, w, g, attrs);
    const tiles = shape && tilesFor();
    if (!shape || !tiles) return null;
    const width = x.shape[3];
    const round = width > tiles.columns ? tiles.columns : tiles.lanes;
    if (width / (Math.ceil(width / round) * round) < FILLED) return null;
    const program = nativePrograms(`conv2dInputGrad ${JSON.stringify(shape)}`, () =>
      compileInBackground(() => convSchedule(shape, tiles, "input gradient").kernel),
    );
    return () => program.current();
  };
  const run = (program: LoopProgram, arrays: readonly HostArray[]): void =>
    program.run(
      arrays.map((x) => x.ptr + x.offset * bytesPerElement(x.dtype)),
      [arrays[0].shape[0]],
    );
  return {
    ...spare,
    run(inputs, outputs, attrs) {
      const program = programFor(inputs, outputs, attrs)?.();
      if (program) run(program, [...inputs, ...outputs]);
      else spare.run(inputs, outputs, attrs);
    },
    prepare(inputs, outputs, attrs) {
      const other = spare.prepare?.(inputs, outputs, attrs) ?? null;
      const program = programFor(inputs, outputs, attrs);
      if (!program || !other) return other;
      return {
        workspace: other.workspace,
        run(workspace) {
          const ready = program();
          if (ready) run(ready, [...inputs, ...outputs]);
          else other.run(workspace);
        },
      };
    },
  };
}

/** What the loop kernels take: square filters, stride 1, the same zeros on all sides; `null` for anything else. */
function geometry(x: HostArray, w: HostArray, y: HostArray, attrs: ConvAttrs): Conv2dShape | null {
  const [, channels, height, width] = x.shape;
  const [filters, perGroup, kernel, across] = w.shape;
  const sides = attrs.padding.flat();
  const padding = sides[0];
  if (kernel !== across || sides.some((side) => side !== padding) || padding > kernel - 1) return null;
  if ([...attrs.stride, ...attrs.dilation].some((step) => step !== 1)) return null;
  const outputs = y.shape.reduce((n, dim) => n * dim, 1);
  if (outputs * perGroup * kernel * kernel < WORTH_A_KERNEL) return null;
  return { n: "N", channels, filters, height, width, kernel, padding };
}

/** Sixteen accumulators of AVX-512 or eight of the others; `null` without a compiler. */
function tilesFor(): ConvTiles | null {
  const tools = nativeSupport();
  if (typeof tools === "string") return null;
  const lanes = tools.vectorBytes / 4;
  return { rows: tools.registers >= 32 ? 8 : 4, columns: 2 * lanes, lanes };
}
