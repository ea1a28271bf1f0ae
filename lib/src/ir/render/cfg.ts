/** The control-flow graph: basic blocks and the edges between them. (Book, chapter 4.) */
import { type Block, type BlockFunction, blocksOf } from "./blocks.js";
import type { Rendering } from "./rendering.js";
import { expression } from "./three-address.js";

/** Labels of the blocks that may run next. */
export function successorsOf({ end }: Block): string[] {
  if (end.kind === "jump") return [end.to];
  if (end.kind === "branch") return [end.yes, end.no];
  return end.kind === "switch" ? [...end.to] : [];
}

function blockText(block: Block, f: BlockFunction): string {
  const { end, phis, instructions } = block;
  const from = f.blocks
    .filter((other) => successorsOf(other).includes(block.label))
    .map(({ label }) => label);
  const lines = [
    ...phis.map(
      ({ result, incoming }) =>
        `${result.text} = φ(${incoming.map(([v, l]) => `${l}: ${v.text}`).join(", ")})`,
    ),
    ...instructions.map((each) => `${each.results.map(({ text }) => text).join(", ")} = ${expression(each)}`),
    ...(end.kind === "branch" ? [`if ${end.test.text}`] : []),
    ...(end.kind === "switch" ? [`case ${end.index.text}`] : []),
    ...(end.kind === "return" ? [`return ${end.values.map(({ text }) => text).join(", ")}`.trimEnd()] : []),
  ];
  const head = `${block.label}${from.length > 0 ? ` (from ${from.join(", ")})` : ""}:`;
  const to = successorsOf(block);
  return [head, ...lines.map((line) => `  ${line}`), ...(to.length > 0 ? [`  → ${to.join(", ")}`] : [])].join(
    "\n",
  );
}

export const cfg: Rendering = {
  name: "cfg",
  summary: "the control-flow graph: basic blocks with the edges into and out of each",
  render: (graph) =>
    blocksOf(graph)
      .map((f) =>
        [
          `${f.name}(${f.params.map(({ text }) => text).join(", ")})`,
          ...f.blocks.map((b) => blockText(b, f)),
        ].join("\n"),
      )
      .join("\n\n"),
};
