/** Which kernels a node may have: by device, dtype and layout, with rough costs. */

import { type DType, encodingOf, isFloat } from "../../core/dtype.js";
import { contiguousLayout } from "../../core/layout.js";
import { sameShape, type TensorType } from "../../core/shape.js";
import type { PlacedKernel } from "../../graph/placement.js";
import { workOf } from "../../graph/schedule.js";
import { type GraphNode, regionsOf } from "../../ir/graph.js";
import type { HostArray } from "../../runtime/host-array.js";
import { findKernel } from "../../runtime/kernels.js";

/** Operations per millisecond, of products and of other ops; the reference kernels' where a device has no kernel. */
const RATES: Readonly<Record<string, readonly [contraction: number, other: number]>> = {
  native: [6e7, 1e6],
  wasm: [2e7, 1e6],
};
const REFERENCE = [2e5, 1e5] as const;
const LAUNCH = 0.002;

/** What programs that say nothing about layouts have. */
export const PLAIN = "NCHW";

/** The kernels of one node, the program's own format among them. */
export function candidatesOf(
  node: GraphNode,
  devices: readonly string[],
  table: readonly PlacedKernel[],
): PlacedKernel[] {
  const listed = table.filter(({ op, device }) => op === node.op.name && devices.includes(device));
  if (listed.length > 0) return listed;
  const own = programType(node);
  const layouts = [PLAIN, ...(followsImages(node) ? layoutsIn(table) : [])];
  const found: PlacedKernel[] = [];
  for (const device of devices)
    for (const dtype of dtypesFor(node, own))
      for (const layout of layouts)
        found.push({ op: node.op.name, device, dtype, layout, cost: costOn(device, node, own, dtype) });
  return found;
}

/** The floating-point dtype that a node computes in; `null` where casts would change its meaning. */
export function programType({ op, attrs, inputs, outputs }: GraphNode): DType | null {
  const floats = new Set([...inputs, ...outputs].map(({ dtype }) => dtype).filter(isFloat));
  if (op.kind === "control" || op.kind === "view" || "dtype" in attrs || floats.size !== 1) return null;
  return outputs.some(({ dtype }) => isFloat(dtype)) && regionsOf(attrs).length === 0 ? [...floats][0] : null;
}

/** Encoded numbers (bfloat16, float16) may be computed as what they are decoded to anyway. */
function dtypesFor({ outputs }: GraphNode, own: DType | null): string[] {
  if (own === null) return [outputs[0].dtype];
  return encodingOf(own) ? [own, "float32"] : [own];
}

/** Elementwise over images: it takes them in any order of axes. */
function followsImages({ op, inputs, outputs: [output] }: GraphNode): boolean {
  return (
    op.kind === "elementwise" &&
    output.shape.length === 4 &&
    inputs.every(({ shape }) => shape.length === 0 || sameShape(shape, output.shape))
  );
}

/** Layouts without filling: what is computed in the filling of blocked ones might reach a neighbour. */
const layoutsIn = (table: readonly PlacedKernel[]): string[] =>
  table.some(({ layout }) => layout === "NHWC") ? ["NHWC"] : [];

function costOn(device: string, node: GraphNode, own: DType | null, dtype: string): number {
  if (node.op.kind === "view") return 0;
  const retyped = (type: TensorType): TensorType =>
    type.dtype === own ? { ...type, dtype: dtype as DType } : type;
  const taken = device !== "cpu" && takes(device, node, retyped);
  const [contraction, other] = taken ? (RATES[device] ?? RATES.wasm) : REFERENCE;
  return LAUNCH + workOf(node) / (node.op.kind === "contraction" ? contraction : other);
}

/** True if the device has a kernel of its own for such operands. */
function takes(device: string, node: GraphNode, retyped: (type: TensorType) => TensorType): boolean {
  const kernel = findKernel(device, node.op.name);
  if (!kernel) return node.op.kind === "control";
  const arrays = (types: readonly TensorType[]): HostArray[] =>
    types.map(retyped).map(({ dtype, shape }) => ({
      ...contiguousLayout(shape),
      dtype,
      ptr: 0,
      data: new Float64Array(0),
    }));
  return kernel.supports?.(arrays(node.inputs), arrays(node.outputs), node.attrs) ?? true;
}
