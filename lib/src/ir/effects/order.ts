/** The rules of tokens: one chain through all effects, from `token` to the last result. */
import { formatType, sameShape, type TensorType } from "../../core/shape.js";
import type { Graph, GraphNode, Value } from "../graph.js";
import { type CellAttrs, EFFECTS, type ReadAttrs } from "./ops.js";

export const hasEffects = (graph: Graph): boolean => graph.nodes.some(({ op }) => EFFECTS.has(op.name));

/** What breaks the order of effects, a line each. */
export function tokenProblems(graph: Graph, inRegion: boolean): string[] {
  const chain = graph.nodes.filter(({ op }) => EFFECTS.has(op.name));
  if (chain.length === 0) return [];
  const at = ({ op, outputs, loc }: GraphNode): string =>
    `${op.name} (%${outputs[0].id})${loc ? ` at ${loc}` : ""}`;
  if (inRegion)
    return [
      `${at(chain[0])} has an effect inside of a region: how often it happens is not in the chain of tokens`,
    ];
  const found: string[] = [];
  const begins = chain.filter(({ op }) => op.name === "token");
  if (begins.length !== 1)
    found.push(`${begins.length} chains of tokens: effects in different ones have no order`);
  const tokens = new Set(chain.map(({ outputs }) => outputs[0]));
  const uses = new Map<Value, string[]>([...tokens].map((token) => [token, []]));
  for (const node of graph.nodes)
    node.inputs.forEach((input, i) => {
      const isEffect = EFFECTS.has(node.op.name) && i === 0;
      if (isEffect && !tokens.has(input)) found.push(`${at(node)} takes %${input.id}, which is no token`);
      if (!isEffect && tokens.has(input))
        found.push(`${node.op.name} reads %${input.id}, a token, as a value`);
      if (isEffect) uses.get(input)?.push(at(node));
    });
  for (const result of graph.results) uses.get(result)?.push("the results");
  for (const [token, by] of uses) {
    if (by.length === 0) found.push(`%${token.id}, a token, is not used: its effect may be dropped`);
    if (by.length > 1)
      found.push(`%${token.id}, a token, is used by ${by.join(" and ")}: these have no order`);
  }
  if (!tokens.has(graph.results[graph.results.length - 1]))
    found.push("the last result is not the last token");
  const types = new Map<string, TensorType>();
  for (const node of chain) {
    const { cell } = node.attrs as Partial<CellAttrs>;
    if (cell === undefined) continue;
    const type = node.op.name === "read" ? (node.attrs as ReadAttrs) : node.inputs[1];
    const known = types.get(cell);
    if (known && !(known.dtype === type.dtype && sameShape(known.shape, type.shape)))
      found.push(`${at(node)}: the cell "${cell}" is ${formatType(known)} and ${formatType(type)}`);
    types.set(cell, type);
  }
  return found;
}
