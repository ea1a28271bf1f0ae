/** Quantizing and dequantizing, which are several ops here and one in ONNX. */
import type { GraphNode, Value } from "../../../ir/graph.js";
import type { DenseTensor } from "../../../runtime/dense.js";
import type { NodeExport } from "./row.js";

const LIMITS: Readonly<Record<string, readonly [number, number]>> = { int8: [-128, 127], uint8: [0, 255] };

const constantOf = (n: NodeExport, value: Value): DenseTensor | null =>
  n.exporter.graph.constants.find((constant) => constant.value === value)?.data ?? null;

const producer = (n: NodeExport, value: Value, op: string): GraphNode | null => {
  const found = n.exporter.graph.producer(value);
  return found?.op.name === op ? found : null;
};

/** Scale and zero point as ONNX has them: scalars, or vectors along an axis; `null` for other shapes. */
function placed(
  scale: DenseTensor,
  zero: DenseTensor,
  rank: number,
): { axis: number | null; size: number } | null {
  if (scale.size === 1 && zero.size === 1) return { axis: null, size: 1 };
  const axes = scale.shape.flatMap((dim, i) => (dim === 1 ? [] : [i]));
  const same = scale.shape.length === rank && (zero.size === 1 || String(zero.shape) === String(scale.shape));
  return axes.length === 1 && same ? { axis: axes[0], size: scale.size } : null;
}

function names(
  n: NodeExport,
  scale: DenseTensor,
  zero: DenseTensor,
  dtype: "int8" | "uint8",
  size: number,
  axis: number | null,
): string[] {
  const shape = axis === null ? [] : [size];
  const zeros = Array.from(zero.toTypedArray());
  const all = zeros.length === size ? zeros : new Array<number>(size).fill(zeros[0]);
  return [
    n.exporter.constant(Array.from(scale.toTypedArray()), "float32", shape),
    n.exporter.constant(all, dtype, shape),
  ];
}

/** cast(clip(round(x / scale) + zero)) as QuantizeLinear; `null` for other casts. */
export function quantizeLinear(n: NodeExport): string | null {
  const { dtype } = n.node.outputs[0];
  const clip = dtype === "int8" || dtype === "uint8" ? producer(n, n.value(0), "clip") : null;
  const add = clip && producer(n, clip.inputs[0], "add");
  const round = add && producer(n, add.inputs[0], "round");
  const div = round && producer(n, round.inputs[0], "div");
  if (!clip || !add || !div) return null;
  const [scale, zero] = [constantOf(n, div.inputs[1]), constantOf(n, add.inputs[1])];
  const [x] = div.inputs;
  if (!scale || !zero || scale.size !== 1 || zero.size !== 1 || x.dtype !== "float32") return null;
  const { low, high } = clip.attrs as { low: number; high: number };
  const [least, most] = LIMITS[dtype];
  let given = n.exporter.nameOf(x);
  if (low !== least || high !== most) {
    // fewer levels than the dtype has: what is outside of them is cut off first
    const at = (limit: number): string => n.exporter.scalar((limit - zero.item()) * scale.item(), "float32");
    given = n.emit("Clip", [given, at(low), at(high)]);
  }
  return n.emit("QuantizeLinear", [given, ...names(n, scale, zero, dtype as "int8", 1, null)]);
}

/** (cast(q) − zero) · scale as DequantizeLinear; `null` for other products. */
export function dequantizeLinear(n: NodeExport): string | null {
  const sub = producer(n, n.value(0), "sub");
  const cast = sub && producer(n, sub.inputs[0], "cast");
  const [q] = cast?.inputs ?? [];
  if (!sub || !q || (q.dtype !== "int8" && q.dtype !== "uint8") || cast?.outputs[0].dtype !== "float32")
    return null;
  const [scale, zero] = [constantOf(n, n.value(1)), constantOf(n, sub.inputs[1])];
  const found = scale && zero && placed(scale, zero, q.shape.length);
  if (!scale || !zero || !found) return null;
  const inputs = [n.exporter.nameOf(q), ...names(n, scale, zero, q.dtype, found.size, found.axis)];
  return n.emit("DequantizeLinear", inputs, found.axis === null ? {} : { axis: found.axis });
}
