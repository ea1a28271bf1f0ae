/** Sums, differences, products and quotients one after the other, as one scale and one shift. */
import type { GraphEditor } from "../edit.js";
import type { GraphNode, Value } from "../graph.js";

/** One op of such a chain: on what came before, and another value. */
export interface Link {
  readonly node: GraphNode;
  /** Which operand is what came before. */
  readonly at: number;
  readonly by: Value;
  /** What came before is the second operand of a difference. */
  readonly reversed: boolean;
}

/** What the links do to y, as scale · y + shift; `null`: 1, and 0. */
export function collectLinks(
  editor: GraphEditor,
  links: readonly Link[],
): { scale: Value | null; shift: Value | null } {
  let scale: Value | null = null;
  let shift: Value | null = null;
  const apply = (op: string, ...inputs: Value[]): Value => editor.emit(op, inputs)[0];
  for (const { node, by: given, reversed } of links) {
    const by = editor.now(given);
    if (node.op.name === "mul") {
      scale = scale ? apply("mul", scale, by) : by;
      shift = shift && apply("mul", shift, by);
    } else if (node.op.name === "div") {
      scale = scale ? apply("div", scale, by) : apply("reciprocal", by);
      shift = shift && apply("div", shift, by);
    } else if (reversed) {
      scale = scale ? apply("neg", scale) : editor.scalar(-1, by.dtype);
      shift = shift ? apply("sub", by, shift) : by;
    } else if (node.op.name === "add") shift = shift ? apply("add", shift, by) : by;
    else shift = shift ? apply("sub", shift, by) : apply("neg", by);
  }
  return { scale, shift };
}
