/** The form of LLVM's representation: typed single assignments in basic blocks, phi where paths meet. (Book, chapter 4.) */
import { formatType, type TensorType } from "../../core/shape.js";
import { type Block, type BlockFunction, blocksOf, type Operand } from "./blocks.js";
import { shortDType } from "./names.js";
import type { Rendering } from "./rendering.js";

/** `f32` for scalars, `<2 x 3 x f32>` for tensors. */
function typeText({ shape, dtype }: TensorType): string {
  const element = shortDType(dtype, "i1");
  return shape.length === 0 ? element : `<${[...shape, element].join(" x ")}>`;
}

const use = ({ text, literal }: Operand): string => (literal ? text : `%${text}`);
const typed = (operand: Operand): string => `${typeText(operand.type)} ${use(operand)}`;
const listed = (types: readonly TensorType[]): string =>
  types.length === 1 ? typeText(types[0]) : `{ ${types.map(typeText).join(", ")} }`;

function blockLines({ label, phis, instructions, end }: Block): string[] {
  const lines = [
    ...phis.map(({ result, incoming }) => {
      const from = incoming.map(([value, at]) => `[ ${use(value)}, %${at} ]`).join(", ");
      return `%${result.text} = phi ${typeText(result.type)} ${from}`;
    }),
    ...instructions.map(({ op, results, args, attrs }) => {
      const types = results.map(({ type }) => type);
      const left = results.map(use).join(", ");
      if (op === "call")
        return `${left} = call ${listed(types)} @${attrs[0][1]}(${args.map(typed).join(", ")})`;
      const named = attrs.map(([key, value]) => `, ${key} ${JSON.stringify(value)}`).join("");
      const differs = args.some(({ type }) => !types[0] || formatType(type) !== formatType(types[0]));
      if (args.length === 0) return `${left} = ${op} ${listed(types)}`;
      return `${left} = ${op} ${args.map(typed).join(", ")}${named}${differs ? ` to ${listed(types)}` : ""}`;
    }),
  ];
  const last =
    end.kind === "jump"
      ? `br label %${end.to}`
      : end.kind === "branch"
        ? `br i1 ${use(end.test)}, label %${end.yes}, label %${end.no}`
        : end.kind === "switch"
          ? `switch ${typed(end.index)} [ ${end.to.map((to, i) => `${i}: label %${to}`).join(", ")} ]`
          : `ret ${end.values.map(typed).join(", ")}`.trimEnd();
  return [`${label}:`, ...[...lines, last].map((line) => `  ${line}`)];
}

function functionText(f: BlockFunction): string {
  const end = f.blocks.map((block) => block.end).find(({ kind }) => kind === "return");
  const results = end?.kind === "return" ? end.values.map(({ type }) => type) : [];
  const head = `define ${listed(results)} @${f.name}(${f.params.map(typed).join(", ")}) {`;
  return [head, ...f.blocks.flatMap(blockLines), "}"].join("\n");
}

export const ssa: Rendering = {
  name: "ssa",
  summary: "as LLVM writes it: typed single assignments in basic blocks, with phi",
  render: (graph) => blocksOf(graph).map(functionText).join("\n\n"),
};
