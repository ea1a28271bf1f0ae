/**
 * Reconstruction: elementwise ops on both sides of a reshape come to one side of it, so that they can be one kernel. A
 * reshape keeps the order of elements; it may as well stand in front of the ops whose result it changes. (Book, chapter 5:
 * fusion groups are rebuilt by class of op.)
 */
import { type Shape, sameShape } from "../../core/shape.js";
import { GraphEditor } from "../edit.js";
import type { Graph, GraphNode, Value } from "../graph.js";
import { eliminateDeadCode } from "./dce.js";
import type { Pass } from "./pass.js";

export function reconstruct(graph: Graph): Graph {
  const lifted = new Set(graph.nodes.filter((node) => isReshape(node) && mayLift(graph, node)));
  if (lifted.size === 0) return graph;
  const editor = new GraphEditor(graph);
  const shaped = shaper(graph, editor);
  for (const node of graph.nodes) {
    const [output] = node.outputs;
    if (lifted.has(node)) editor.replace(output, shaped(node.inputs[0], output.shape));
    else editor.push(editor.current(node));
  }
  return eliminateDeadCode(editor.finish());
}

export const reconstructPass: Pass = {
  name: "reconstruct",
  summary: "moves reshapes in front of elementwise ops, so that those behind them join the others",
  run: reconstruct,
};

const isReshape = ({ op }: GraphNode): boolean => op.name === "reshape";

const isElementwise = ({ op, outputs }: GraphNode): boolean =>
  op.kind === "elementwise" && outputs.length === 1;

/** True if ops wait on both sides, and nothing is lost in front. */
function mayLift(graph: Graph, node: GraphNode): boolean {
  const source = graph.producer(node.inputs[0]);
  const waiting = graph.users(node.outputs[0]).some(isElementwise);
  const single = node.inputs[0].shape.length === 0; // it has no other operand to take a shape from
  return waiting && !single && source !== null && isMovable(graph, source) && endsWell(graph, source);
}

/** An elementwise node that only reshapes read, over operands of its own shape or single numbers. */
function isMovable(graph: Graph, node: GraphNode): boolean {
  const [output] = node.outputs;
  return (
    isElementwise(node) &&
    graph.users(output).length === 1 &&
    !graph.results.includes(output) &&
    node.inputs.every((input) => input.shape.length === 0 || sameShape(input.shape, output.shape))
  );
}

/**
 * The reshape would end at values that lie row-major: at other views it would be a copy, and behind a product or a
 * convolution it would keep the ops from being its epilogue.
 */
function endsWell(graph: Graph, node: GraphNode): boolean {
  return node.inputs.every((input) => {
    const source = graph.producer(input);
    if (input.shape.length === 0 || source === null || isReshape(source)) return true;
    if (isMovable(graph, source)) return endsWell(graph, source);
    return source.op.kind !== "view" && source.op.kind !== "contraction";
  });
}

/** Makes a value in another shape, once, with the reshape as far in front as it goes. */
function shaper(graph: Graph, editor: GraphEditor): (value: Value, shape: Shape) => Value {
  const made = new Map<string, Value>();
  const shaped = (value: Value, shape: Shape): Value => {
    if (value.shape.length === 0) return editor.now(value);
    const key = `${value.id}:${shape.join()}`;
    const found = made.get(key) ?? make(value, shape);
    made.set(key, found);
    return found;
  };
  const make = (value: Value, shape: Shape): Value => {
    const source = graph.producer(value);
    if (source && isReshape(source)) return shaped(source.inputs[0], shape);
    if (sameShape(value.shape, shape)) return editor.now(value);
    if (source && isMovable(graph, source)) {
      const inputs = source.inputs.map((input) => shaped(input, shape));
      const node = editor.make(source.op, inputs, source.attrs, source.loc);
      if (sameShape(node.outputs[0].shape, shape)) {
        editor.push(node);
        editor.changed();
        return node.outputs[0];
      }
    }
    return editor.emit("reshape", [editor.now(value)], { shape })[0];
  };
  return shaped;
}
