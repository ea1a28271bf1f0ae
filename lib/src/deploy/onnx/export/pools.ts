/** Pooling: in this library a reduction over windows, in ONNX one op. */
import type { GraphNode, Value } from "../../../ir/graph.js";
import type { Exporter, Size } from "./exporter.js";
import type { NodeExport } from "./row.js";

interface Windows {
  readonly size: readonly [number, number];
  readonly stride: readonly [number, number];
}

interface Unslice {
  readonly shape: readonly Size[];
  readonly starts: readonly Size[];
  readonly sizes: readonly Size[];
  readonly steps: readonly number[];
}

/** Zeros around, as pads before and after each axis; `null` if anything else is written between. */
export function padsOf(node: GraphNode): { before: number[]; after: number[] } | null {
  const { shape, starts, sizes, steps } = node.attrs as Unslice;
  if (!steps.every((step) => step === 1)) return null;
  const before: number[] = [];
  const after: number[] = [];
  for (let i = 0; i < shape.length; i++) {
    const [whole, start, size] = [shape[i], starts[i], sizes[i]];
    if (typeof whole === "number" && typeof start === "number" && typeof size === "number") {
      before.push(start);
      after.push(whole - start - size);
    } else if (String(whole) === String(size) && start === 0) {
      before.push(0);
      after.push(0);
    } else return null;
  }
  return { before, after };
}

/** The windows that a node reduces whole; `null` if it does something else. */
function windowsOf(n: NodeExport, reduced: GraphNode): GraphNode | null {
  const { axes, keepDims } = reduced.attrs as { axes: readonly number[]; keepDims: boolean };
  const from = n.exporter.graph.producer(reduced.inputs[0]);
  if (from?.op.name !== "windows2d" || keepDims || axes.length !== 2) return null;
  return axes.includes(4) && axes.includes(5) ? from : null;
}

/** The image under pads on its spatial axes. */
function underPads(exporter: Exporter, image: Value): { image: Value; pads: number[] } {
  const plain = { image, pads: [0, 0, 0, 0] };
  const node = exporter.graph.producer(image);
  if (node?.op.name !== "unslice") return plain;
  const pads = padsOf(node);
  if (!pads || pads.before.slice(0, 2).some((n) => n !== 0) || pads.after.slice(0, 2).some((n) => n !== 0))
    return plain;
  return { image: node.inputs[0], pads: [...pads.before.slice(2), ...pads.after.slice(2)] };
}

/** `where(inside, padded, −∞)`: pads that no maximum takes. */
function underInfinity(exporter: Exporter, image: Value): { image: Value; pads: number[] } {
  const plain = { image, pads: [0, 0, 0, 0] };
  const { graph } = exporter;
  const node = graph.producer(image);
  if (node?.op.name !== "where") return plain;
  const [test, padded, other] = node.inputs;
  const known = (value: Value) => graph.constants.find((constant) => constant.value === value)?.data;
  const [mask, least] = [known(test), known(other)];
  if (!mask || !least || least.size !== 1 || least.item() !== -Infinity) return plain;
  const found = underPads(exporter, padded);
  if (found.image === padded) return plain;
  const [top, left, bottom, right] = found.pads;
  const shape = mask.shape;
  const [rows, columns] = shape.slice(-2);
  const inside = mask.toTypedArray().every((on, i) => {
    const [r, c] = [Math.floor(i / columns) % rows, i % columns];
    return (on !== 0) === (r >= top && r < rows - bottom && c >= left && c < columns - right);
  });
  return inside ? found : plain;
}

const poolAttributes = (windows: GraphNode, pads: number[]) => {
  const { size, stride } = windows.attrs as Windows;
  return { kernel_shape: [...size], strides: [...stride], pads };
};

/** MaxPool, where a maximum over windows is written; `null` elsewhere. */
export function maxPool(n: NodeExport): string | null {
  const windows = windowsOf(n, n.node);
  if (!windows) return null;
  const { image, pads } = underInfinity(n.exporter, windows.inputs[0]);
  return n.emit("MaxPool", [n.exporter.nameOf(image)], poolAttributes(windows, pads));
}

/** AveragePool, where a sum over windows is divided by their size. */
export function averagePool(n: NodeExport): string | null {
  const { graph } = n.exporter;
  const at = n.node.inputs.findIndex((input) => graph.producer(input)?.op.name === "sum");
  const sum = at < 0 ? null : graph.producer(n.node.inputs[at]);
  const windows = sum ? windowsOf(n, sum) : null;
  const factor = graph.constants.find(({ value }) => value === n.node.inputs[1 - at])?.data;
  if (!windows || !factor || factor.ndim !== 0) return null;
  const { size } = windows.attrs as Windows;
  if (Math.abs(factor.item() * size[0] * size[1] - 1) > 1e-6) return null;
  const { image, pads } = underPads(n.exporter, windows.inputs[0]);
  return n.emit("AveragePool", [n.exporter.nameOf(image)], {
    ...poolAttributes(windows, pads),
    count_include_pad: 1,
  });
}

/** Windows that nothing reduces: rows, then columns, gathered by constant positions. */
export function windows(n: NodeExport): string {
  const { size, stride } = n.attrs<Windows>();
  const [, , , , ...rest] = n.node.outputs[0].shape;
  const counts = n.node.outputs[0].shape.slice(2, 4);
  const places = (axis: 0 | 1): string => {
    const list: number[] = [];
    for (let i = 0; i < counts[axis]; i++)
      for (let k = 0; k < rest[axis]; k++) list.push(i * stride[axis] + k);
    return n.exporter.constant(list, "int64", [counts[axis], size[axis]]);
  };
  const rows = n.emit("Gather", [n.inputs[0], places(0)], { axis: 2 });
  const both = n.emit("Gather", [rows, places(1)], { axis: 4 });
  return n.emit("Transpose", [both], { perm: [0, 1, 2, 4, 3, 5] });
}
