/** Stack machine code: operands are pushed, ops take them from the top. A value used once never gets a name. (Book, chapter 4.) */
import { type Block, type BlockFunction, blocksOf, type Instruction, type Operand } from "./blocks.js";
import type { Rendering } from "./rendering.js";
import { copiesOf } from "./three-address.js";

const WORDS: Readonly<Record<string, string>> = {
  add: "add",
  sub: "subtract",
  mul: "multiply",
  div: "divide",
};

/** Reads of each name in a function. */
function countReads(f: BlockFunction): Map<string, number> {
  const counts = new Map<string, number>();
  const read = ({ text, literal }: Operand): void => {
    if (!literal) counts.set(text, (counts.get(text) ?? 0) + 1);
  };
  for (const block of f.blocks) {
    for (const { args } of block.instructions) args.forEach(read);
    for (const { incoming } of block.phis) for (const [value] of incoming) read(value);
    const { end } = block;
    if (end.kind === "branch") read(end.test);
    if (end.kind === "switch") read(end.index);
    if (end.kind === "return") end.values.forEach(read);
  }
  return counts;
}

function blockCode(block: Block, f: BlockFunction, reads: ReadonlyMap<string, number>): string[] {
  const lines: string[] = [];
  const pending = new Map<string, Instruction>();
  const produce = (instruction: Instruction): void => {
    for (const arg of instruction.args) push(arg);
    const attrs = instruction.attrs.map(([key, value]) => ` ${key}=${JSON.stringify(value)}`).join("");
    lines.push(`${WORDS[instruction.op] ?? instruction.op}${attrs}`);
  };
  const push = (operand: Operand): void => {
    const inner = operand.literal ? undefined : pending.get(operand.text);
    if (!inner) lines.push(`push ${operand.text}`);
    else {
      pending.delete(operand.text);
      produce(inner);
    }
  };
  const store = ({ results }: Instruction): void => {
    for (const { text } of [...results].reverse()) lines.push(`store ${text}`);
  };
  for (const instruction of block.instructions) {
    const [only] = instruction.results;
    const here =
      block.instructions.some(({ args }) => args.some(({ text }) => text === only?.text)) ||
      usedAtEnd(block, only, f);
    if (instruction.results.length === 1 && reads.get(only.text) === 1 && here)
      pending.set(only.text, instruction);
    else {
      produce(instruction);
      store(instruction);
    }
  }
  const copies = copiesOf(block, f).filter(([to, from]) => to.text !== from.text);
  for (const [, from] of copies) push(from);
  for (const [to] of [...copies].reverse()) lines.push(`store ${to.text}`);
  const { end } = block;
  if (end.kind === "jump") lines.push(`jump ${end.to}`);
  if (end.kind === "branch") {
    push(end.test);
    lines.push(`jumpIf ${end.yes}`, `jump ${end.no}`);
  }
  if (end.kind === "switch") {
    push(end.index);
    lines.push(`jumpTable ${end.to.join(" ")}`);
  }
  if (end.kind === "return") {
    for (const value of end.values) push(value);
    lines.push("return");
  }
  return lines;
}

/** True if the one reader of a value stands in this block, so that the value may wait on the stack. */
function usedAtEnd(block: Block, value: Operand | undefined, f: BlockFunction): boolean {
  if (!value) return false;
  const { end } = block;
  const atEnd =
    end.kind === "branch"
      ? [end.test]
      : end.kind === "switch"
        ? [end.index]
        : end.kind === "return"
          ? end.values
          : [];
  return [...atEnd, ...copiesOf(block, f).map(([, from]) => from)].some(({ text }) => text === value.text);
}

function codeOf(f: BlockFunction): string {
  const reads = countReads(f);
  const lines = f.blocks.flatMap((block) => [
    ...(block.label === "entry" ? [] : [`${block.label}:`]),
    ...blockCode(block, f, reads).map((line) => `  ${line}`),
  ]);
  return [`${f.name}(${f.params.map(({ text }) => text).join(", ")}):`, ...lines].join("\n");
}

export const stackMachine: Rendering = {
  name: "stack-machine",
  summary: "stack machine code: push operands, apply ops to the top",
  render: (graph) => blocksOf(graph).map(codeOf).join("\n\n"),
};
