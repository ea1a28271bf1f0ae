/** Visits every node of an ESTree syntax tree, parents first. */
import type { Node } from "acorn";

/** Returning `false` from `visit` leaves the node's children out. */
// biome-ignore lint/suspicious/noConfusingVoidType: a visitor that returns nothing goes on
export function walk(node: Node, visit: (node: Node) => boolean | void): void {
  if (visit(node) === false) return;
  for (const value of Object.values(node)) {
    if (Array.isArray(value)) for (const item of value) isNode(item) && walk(item, visit);
    else if (isNode(value)) walk(value, visit);
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && typeof (value as Node).type === "string";
}
