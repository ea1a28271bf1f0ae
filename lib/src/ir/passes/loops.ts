/** What passes ask about loops. */
import { type DenseTensor, readElements } from "../../runtime/dense.js";
import type { Graph, GraphNode, Value } from "../graph.js";
import { hasPreparedDerivative } from "../region-rules.js";
import { sameType } from "../verify.js";

/** Attributes of `while` and `scan` that passes read. */
export interface Loop {
  readonly constants: number;
  /** Number of entries of the state. */
  readonly carry: number;
  readonly body: Graph;
}

/** A node's loop; `null` for other nodes. */
export function loopOf({ op, attrs }: GraphNode): Loop | null {
  if (op.name !== "while" && op.name !== "scan") return null;
  const { constants, body, carry } = attrs as { constants: number; body: Graph; carry?: number };
  return { constants, body, carry: carry ?? body.results.length };
}

/**
 * Parameters of the state that no iteration changes, which therefore equal their operand (it has the same index): those
 * that the body returns as they are, and constants that it returns where the loop began with the same. Loops whose
 * derivative is prepared are left out: what they save is tied to the state.
 */
export function invariantState(
  node: GraphNode,
  constantData: (value: Value) => DenseTensor | null,
): ReadonlySet<number> {
  const loop = loopOf(node);
  if (!loop || hasPreparedDerivative(node)) return new Set();
  const { constants, carry, body } = loop;
  const at = Array.from({ length: carry }, (_, i) => constants + i);
  return new Set(
    at.filter((param) => {
      const next = body.results[param - constants];
      if (next === body.params[param]) return true;
      const after = body.constants.find(({ value }) => value === next)?.data;
      const before = constantData(node.inputs[param]);
      return after !== undefined && before !== null && equalData(before, after);
    }),
  );
}

/** True for the same elements bit by bit. */
export function equalData(a: DenseTensor, b: DenseTensor): boolean {
  if (a === b) return true;
  if (!sameType(a, b)) return false;
  const [x, y] = [readElements(a), readElements(b)];
  return x.every((element, i) => Object.is(element, y[i]));
}
