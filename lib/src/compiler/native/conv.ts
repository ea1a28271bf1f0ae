/**
 * Convolutions by kernels of the loop compiler, one for each geometry: without columns, and depthwise without a product for
 * each channel. Other strides, dilations and groups go to the kernel that was there before.
 */
import { bytesPerElement } from "../../core/dtype.js";
import { isContiguous } from "../../core/layout.js";
import type { HostArray } from "../../runtime/host-array.js";
import type { DeviceKernel } from "../../runtime/kernels.js";
import { nativeSupport } from "../../runtime/native/library.js";
import type { ConvAttrs } from "../../runtime/wasm/kernels/conv.js";
import { compileInBackground } from "../codegen/c/compile.js";
import type { LoopProgram } from "../codegen/program.js";
import { compileWasm } from "../codegen/wasm/compile.js";
import { type ConvTiles, convSchedule, depthwiseSchedule } from "../kernels/conv.js";
import type { Conv2dShape } from "../loop/definitions.js";
import { nativePrograms } from "./programs.js";

type Device = "wasm" | "native";
type Op = "conv2d" | "conv2dInputGrad";

const WORTH_A_KERNEL = 1e6; // multiplications
/** Share of a vector's lanes that must be pixels of the line. */
const FILLED = 0.7;

const wasm = new Map<string, LoopProgram>();

/** The kernel in front of another, which runs what this one does not take or while the compiler works. */
export function directConv(device: Device, op: Op, spare: DeviceKernel<ConvAttrs>): DeviceKernel<ConvAttrs> {
  const programFor = (
    [a, w]: readonly HostArray[],
    [out]: readonly HostArray[],
    attrs: ConvAttrs,
  ): (() => LoopProgram | null) | null => {
    if (a.dtype !== "float32" || !isContiguous(a) || !isContiguous(w)) return null;
    const [images, gradient] = op === "conv2d" ? [a, out] : [out, a];
    const shape = geometry(images, w, gradient, attrs);
    if (!shape) return null;
    const depthwise = attrs.groups > 1;
    if (depthwise ? op !== "conv2d" || !isDepthwise(w, attrs) : device === "wasm") return null;
    const tiles = tilesFor(device, depthwise);
    const width = out.shape[3];
    if (!tiles) return null;
    const round = width > tiles.columns ? tiles.columns : tiles.lanes;
    if (width / (Math.ceil(width / round) * round) < FILLED) return null;
    const schedule = () =>
      depthwise
        ? depthwiseSchedule(shape, tiles)
        : convSchedule(shape, tiles, op === "conv2d" ? "output" : "input gradient");
    const key = `${op} ${depthwise} ${JSON.stringify(shape)}`;
    if (device === "native") {
      const program = nativePrograms(key, () => compileInBackground(() => schedule().kernel));
      return () => program.current();
    }
    let program = wasm.get(key);
    if (!program) {
      program = compileWasm(schedule().kernel);
      wasm.set(key, program);
    }
    return () => program;
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

const isDepthwise = (w: HostArray, { groups }: ConvAttrs): boolean =>
  w.shape[0] === groups && w.shape[1] === 1;

/** Sixteen accumulators of AVX-512 or eight of the others; `null` without a compiler. */
function tilesFor(device: Device, depthwise: boolean): ConvTiles | null {
  if (device === "wasm") return { rows: 2, columns: 16, lanes: 4 };
  const tools = nativeSupport();
  if (typeof tools === "string") return null;
  const lanes = tools.vectorBytes / 4;
  const rows = depthwise ? 4 : tools.registers >= 32 ? 8 : 4;
  return { rows, columns: 2 * lanes, lanes };
}
