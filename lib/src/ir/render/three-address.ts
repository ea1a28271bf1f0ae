/** Three-address code: one operator an instruction, jumps between labels; and the same as quadruples. (Book, chapter 4.) */
import { type Block, type BlockFunction, blocksOf, type Instruction, type Operand } from "./blocks.js";
import { SIGNS } from "./names.js";
import type { Rendering } from "./rendering.js";

const text = ({ text }: Operand): string => text;

/** What an instruction computes: `b * 5`, `sin x`, `sum(x, axes=[0])`. */
export function expression({ op, args, attrs }: Instruction): string {
  const parts = args.map(text);
  if (op === "call") return `${attrs[0][1]}(${parts.join(", ")})`;
  const sign = SIGNS[op];
  if (sign && parts.length === 2) return `${parts[0]} ${sign} ${parts[1]}`;
  if (op === "entry") return `${parts[0]}[${parts[1]}]`;
  if (op === "neg") return `-${parts[0]}`;
  const named = attrs.map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  return parts.length === 1 && named.length === 0
    ? `${op} ${parts[0]}`
    : `${op}(${[...parts, ...named].join(", ")})`;
}

/** Copies at the end of a block, in the place of the phis of the block that it jumps to. */
export function copiesOf(block: Block, { blocks }: BlockFunction): [to: Operand, from: Operand][] {
  const { end } = block;
  if (end.kind !== "jump") return [];
  const target = blocks.find(({ label }) => label === end.to);
  return (target?.phis ?? []).flatMap(({ result, incoming }): [Operand, Operand][] => {
    const found = incoming.find(([, from]) => from === block.label);
    return found ? [[result, found[0]]] : [];
  });
}

function linesOf(f: BlockFunction): string[] {
  const lines = f.blocks.flatMap((block, i) => {
    const end = block.end;
    const next = f.blocks[i + 1]?.label;
    const jump = (label: string): string[] => (label === next ? [] : [`  goto ${label}`]);
    const last = {
      jump: () => (end.kind === "jump" ? jump(end.to) : []),
      branch: () => (end.kind === "branch" ? [`  if ${end.test.text} goto ${end.yes}`, ...jump(end.no)] : []),
      switch: () => (end.kind === "switch" ? [`  goto ${end.index.text} of ${end.to.join(", ")}`] : []),
      return: () => (end.kind === "return" ? [`  return ${end.values.map(text).join(", ")}`.trimEnd()] : []),
    }[end.kind]();
    const copies = copiesOf(block, f).filter(([to, from]) => to.text !== from.text);
    const copied =
      copies.length > 1
        ? [
            `  ${copies.map(([to]) => to.text).join(", ")} = ${copies.map(([, from]) => from.text).join(", ")}`,
          ]
        : copies.map(([to, from]) => `  ${to.text} = ${from.text}`);
    return [
      ...(block.label === "entry" ? [] : [`${block.label}:`]),
      ...block.instructions.map((each) => `  ${each.results.map(text).join(", ")} = ${expression(each)}`),
      ...copied,
      ...last,
    ];
  });
  return [`${f.name}(${f.params.map(text).join(", ")}):`, ...lines];
}

export const threeAddress: Rendering = {
  name: "three-address",
  summary: "three-address code: one operator an instruction, labels and jumps",
  render: (graph) =>
    blocksOf(graph)
      .map((f) => linesOf(f).join("\n"))
      .join("\n\n"),
};

/** `(op, argument 1, argument 2, result)`, as a table. */
function quadruplesOf(f: BlockFunction): string[] {
  const rows: string[][] = [];
  for (const block of f.blocks) {
    if (block.label !== "entry") rows.push(["label", "", "", block.label]);
    for (const { op, args, attrs, results } of block.instructions) {
      const given = [...args.map(text), ...attrs.map(([key, value]) => `${key}=${JSON.stringify(value)}`)];
      rows.push([SIGNS[op] ?? op, given[0] ?? "", given.slice(1).join(" "), results.map(text).join(" ")]);
    }
    for (const [to, from] of copiesOf(block, f)) rows.push(["=", from.text, "", to.text]);
    const { end } = block;
    if (end.kind === "jump") rows.push(["goto", "", "", end.to]);
    if (end.kind === "branch") rows.push(["if", end.test.text, "", end.yes], ["goto", "", "", end.no]);
    if (end.kind === "switch") rows.push(["case", end.index.text, end.to.join(" "), ""]);
    if (end.kind === "return") rows.push(["return", end.values.map(text).join(" "), "", ""]);
  }
  return [f.name, ...rows.map((row, i) => `  ${i}: (${row.join(", ")})`)];
}

export const quadruples: Rendering = {
  name: "quadruples",
  summary: "three-address code as records of operator, two arguments and result",
  render: (graph) =>
    blocksOf(graph)
      .map((f) => quadruplesOf(f).join("\n"))
      .join("\n\n"),
};
