/**
 * Slices move ahead of the ops whose result they cut, so that those work on less: elementwise ops, transpositions, products
 * (rows and columns), convolutions (examples) and other slices. (Book, chapter 8: reordering, Crop and Slice upward.)
 */
import type { Shape } from "../../core/shape.js";
import { editRegions, GraphEditor } from "../edit.js";
import type { Graph, GraphNode, Value } from "../graph.js";
import type { Pass } from "./pass.js";

interface SliceAttrs {
  readonly starts: readonly number[];
  readonly sizes: readonly number[];
  readonly steps: readonly number[];
}

export const sliceUp: Pass = {
  name: "slice-up",
  summary: "moves slices ahead of elementwise ops, transpositions, products and convolutions",
  run: moveSlices,
};

function moveSlices(graph: Graph): Graph {
  const editor = new GraphEditor(graph);
  for (const node of graph.nodes) {
    const inner = editRegions(node, moveSlices);
    if (inner !== node) editor.changed();
    const now = editor.current(inner);
    const before =
      node.op.name === "slice" && onlyReader(graph, node) ? editor.producer(now.inputs[0]) : null;
    const found = before && moved(now, before, editor);
    if (found) editor.replace(node.outputs[0], found);
    else editor.push(now);
  }
  return editor.finish();
}

/** What else is read of the value must be computed anyway. */
function onlyReader(graph: Graph, { inputs: [value] }: GraphNode): boolean {
  return graph.users(value).length === 1 && !graph.results.includes(value);
}

/** The value that stands for the slice; `null` where it can't move. */
function moved(slice: GraphNode, before: GraphNode, editor: GraphEditor): Value | null {
  if (before.outputs.length !== 1) return null;
  const attrs = slice.attrs as SliceAttrs;
  const [y] = before.outputs;
  if (before.op.kind === "elementwise") {
    const inputs = before.inputs.map((input) => cut(editor, input, alongside(attrs, input.shape, y.shape)));
    return editor.emit(before.op, inputs, before.attrs, before.loc)[0];
  }
  if (before.op.name === "transpose") {
    const { axes } = before.attrs as { axes: readonly number[] };
    const back = (list: readonly number[]): number[] => axes.map((_, i) => list[axes.indexOf(i)]);
    const parts = { starts: back(attrs.starts), sizes: back(attrs.sizes), steps: back(attrs.steps) };
    return editor.emit(before.op, [cut(editor, before.inputs[0], parts)], before.attrs, before.loc)[0];
  }
  if (before.op.name === "slice") {
    const inner = before.attrs as SliceAttrs;
    const parts = {
      starts: attrs.starts.map((start, i) => inner.starts[i] + start * inner.steps[i]),
      sizes: attrs.sizes,
      steps: attrs.steps.map((step, i) => step * inner.steps[i]),
    };
    return cut(editor, before.inputs[0], parts);
  }
  if (before.op.name === "matmul" && before.inputs.every(({ shape }) => shape.length === 2))
    return product(attrs, before, editor);
  if (before.op.name === "conv2d") return examples(attrs, before, editor);
  return null;
}

/** Rows of the left operand, columns of the right one. */
function product(attrs: SliceAttrs, before: GraphNode, editor: GraphEditor): Value {
  const [a, b] = before.inputs;
  const one = (x: Value, axis: number): SliceAttrs => ({
    starts: x.shape.map((_, i) => (i === axis ? attrs.starts[axis] : 0)),
    sizes: x.shape.map((dim, i) => (i === axis ? attrs.sizes[axis] : dim)),
    steps: x.shape.map((_, i) => (i === axis ? attrs.steps[axis] : 1)),
  });
  const inputs = [cut(editor, a, one(a, 0)), cut(editor, b, one(b, 1))];
  return editor.emit(before.op, inputs, before.attrs, before.loc)[0];
}

/** Examples of a convolution; and, of one group, filters. What is cut of the images' axes stays behind it. */
function examples(attrs: SliceAttrs, before: GraphNode, editor: GraphEditor): Value | null {
  const [x, w] = before.inputs;
  const [y] = before.outputs;
  const { groups } = before.attrs as { groups: number };
  const whole = (axis: number): boolean => attrs.sizes[axis] === y.shape[axis] && attrs.steps[axis] === 1;
  const filters = groups === 1 && !whole(1);
  if (whole(0) && !filters) return null;
  const along = (value: Value, axis: number): SliceAttrs => ({
    starts: value.shape.map((_, i) => (i === 0 ? attrs.starts[axis] : 0)),
    sizes: value.shape.map((dim, i) => (i === 0 ? attrs.sizes[axis] : dim)),
    steps: value.shape.map((_, i) => (i === 0 ? attrs.steps[axis] : 1)),
  });
  if (attrs.sizes[0] === 0 || (filters && attrs.sizes[1] === 0)) return null;
  const inputs = [cut(editor, x, along(x, 0)), filters ? cut(editor, w, along(w, 1)) : w];
  const [less] = editor.emit(before.op, inputs, before.attrs, before.loc);
  const rest = (axis: number): boolean => axis > 1 || (axis === 1 && !filters);
  return cut(editor, less, {
    starts: attrs.starts.map((start, axis) => (rest(axis) ? start : 0)),
    sizes: attrs.sizes,
    steps: attrs.steps.map((step, axis) => (rest(axis) ? step : 1)),
  });
}

/** The part of an operand that a part of the result reads: axes of 1 that were repeated stay whole. */
function alongside({ starts, sizes, steps }: SliceAttrs, shape: Shape, result: Shape): SliceAttrs {
  const ahead = result.length - shape.length;
  const repeated = (i: number): boolean => shape[i] === 1 && result[ahead + i] !== 1;
  return {
    starts: shape.map((_, i) => (repeated(i) ? 0 : starts[ahead + i])),
    sizes: shape.map((_, i) => (repeated(i) ? 1 : sizes[ahead + i])),
    steps: shape.map((_, i) => (repeated(i) ? 1 : steps[ahead + i])),
  };
}

function cut(editor: GraphEditor, x: Value, attrs: SliceAttrs): Value {
  const all = x.shape.every(
    (dim, i) => attrs.starts[i] === 0 && attrs.sizes[i] === dim && attrs.steps[i] === 1,
  );
  return all ? x : editor.emit("slice", [x], attrs)[0];
}
