import type { Magic } from "./magic.js";

const MAX_ROWS = 200;

export const who: Magic = {
  name: "who",
  usage: ["%who", "%who NAME…"],
  summary: "lists the variables of the session with kind and value",
  form: "line",
  run: ({ args, variables, brief, show }) => {
    const wanted = args.split(/[\s,]+/).filter(Boolean);
    const all = variables().filter(([name]) => wanted.length === 0 || wanted.includes(name));
    if (all.length === 0) {
      show({ "text/plain": wanted.length > 0 ? `No variable ${wanted.join(", ")}.` : "No variables." });
      return;
    }
    const rows = all.slice(0, MAX_ROWS).map(([name, value]) => [name, kind(value), brief(value)]);
    const width = (column: number) => Math.max(...rows.map((row) => row[column]!.length));
    const [first, second] = [width(0), width(1)];
    const lines = rows.map(([name, type, text]) =>
      `${name!.padEnd(first)}  ${type!.padEnd(second)}  ${text}`.trimEnd(),
    );
    if (all.length > MAX_ROWS) lines.push(`… truncated: ${MAX_ROWS} of ${all.length} variables shown`);
    show({ "text/plain": lines.join("\n") });
  },
};

/** `number`, `function`, `class`, or the name of the object's class. */
function kind(value: unknown): string {
  if (value === null) return "null";
  if (typeof value === "function")
    return /^class\b/.test(Function.prototype.toString.call(value)) ? "class" : "function";
  if (typeof value !== "object") return typeof value;
  try {
    const name = (value as { constructor?: { name?: unknown } }).constructor?.name;
    return typeof name === "string" && name !== "" ? name : "object";
  } catch {
    return "object";
  }
}
