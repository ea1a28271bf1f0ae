/** From interface text to a TypeScript file: types to hover over, constants, and the text itself. */
import { INTEGER_RANGE, parseAction, parseMessage, parseService, splitName } from "./parse.js";
import type { FieldDefinition, MessageDefinition } from "./types.js";

/** An interface file of a package: `name` full, `text` as it stands in the file. */
export interface InterfaceSource {
  readonly name: string;
  readonly text: string;
}

/** One interface as TypeScript sees it. */
export interface RenderedInterface {
  readonly name: string;
  readonly kind: "msg" | "srv" | "action";
  /** Interfaces and constants, exported. */
  readonly declarations: string;
  /** The type that a map of names gives for it. */
  readonly type: string;
  /** Packages whose modules the declarations name. */
  readonly packages: readonly string[];
  /** The text without comments and blank lines. */
  readonly text: string;
}

/**
 * Declarations of one interface. Names of other packages' messages are written `package.Name`.
 * @throws {InterfaceError}
 */
export function renderInterface({ name, text }: InterfaceSource): RenderedInterface {
  const { package: pkg, base } = splitName(name);
  const packages = new Set<string>();
  const render = (definition: MessageDefinition, as: string) => renderMessage(definition, as, pkg, packages);
  const bare = { name, text: withoutComments(text) };
  if (name.includes("/srv/")) {
    const { request, response } = parseService(name, text);
    const declarations = [render(request, `${base}_Request`), render(response, `${base}_Response`)].join(
      "\n",
    );
    const type = `{ request: ${base}_Request; response: ${base}_Response }`;
    return { ...bare, kind: "srv", declarations, type, packages: [...packages] };
  }
  if (name.includes("/action/")) {
    const { goal, result, feedback } = parseAction(name, text);
    const declarations = [
      render(goal, `${base}_Goal`),
      render(result, `${base}_Result`),
      render(feedback, `${base}_Feedback`),
    ].join("\n");
    const type = `{ goal: ${base}_Goal; result: ${base}_Result; feedback: ${base}_Feedback }`;
    return { ...bare, kind: "action", declarations, type, packages: [...packages] };
  }
  const declarations = render(parseMessage(name, text), base);
  return { ...bare, kind: "msg", declarations, type: base, packages: [...packages] };
}

function withoutComments(text: string): string {
  return text
    .split(/\r\n|\r|\n/)
    .map((line) => line.replace(/#.*$/, "").trim().replace(/\s+/g, " "))
    .filter((line) => line !== "")
    .join("\n");
}

function renderMessage(
  definition: MessageDefinition,
  as: string,
  pkg: string,
  packages: Set<string>,
): string {
  const comments = readComments(definition.text);
  const head = [`\`${definition.name}\``, ...(comments.get("") ?? [])];
  const fields = definition.fields.map(
    (field) =>
      `${doc(withBounds(comments.get(field.name) ?? [], field), "  ")}  ${field.name}: ${typeOf(field, pkg, packages)};`,
  );
  const type =
    fields.length === 0
      ? `${doc(head, "")}export type ${as} = Record<string, never>;`
      : `${doc(head, "")}export interface ${as} {\n${fields.join("\n")}\n}`;
  if (definition.constants.length === 0) return `${type}\n`;
  const constants = definition.constants.map(
    (c) => `${doc(comments.get(c.name) ?? [], "  ")}  ${c.name}: ${literal(c.value)},`,
  );
  return `${type}\n/** Constants of \`${definition.name}\`. */\nexport const ${as} = {\n${constants.join("\n")}\n} as const;\n`;
}

const literal = (value: unknown): string => (typeof value === "bigint" ? `${value}n` : JSON.stringify(value));

/** What TypeScript's type does not tell, at the end of the comment. */
function withBounds(comment: readonly string[], { type, array, stringBound }: FieldDefinition): string[] {
  const said: string[] = [];
  if (type in INTEGER_RANGE || type.startsWith("float")) said.push(type);
  if (array?.length !== undefined) said.push(`${array.length} elements`);
  if (array?.bound !== undefined) said.push(`at most ${array.bound} elements`);
  if (stringBound !== undefined) said.push(`at most ${stringBound} characters`);
  if (said.length === 0) return [...comment];
  const kept = comment.join("\n").trimEnd().split("\n");
  return [...kept.slice(0, -1), `${kept.at(-1)} (${said.join(", ")})`];
}

const SCALARS: Readonly<Record<string, string>> = {
  bool: "boolean",
  string: "string",
  wstring: "string",
  int64: "bigint",
  uint64: "bigint",
};
const ARRAYS: Readonly<Record<string, string>> = {
  byte: "Uint8Array",
  char: "Uint8Array",
  int8: "Int8Array",
  uint8: "Uint8Array",
  int16: "Int16Array",
  uint16: "Uint16Array",
  int32: "Int32Array",
  uint32: "Uint32Array",
  float32: "Float32Array",
  float64: "Float64Array",
  int64: "BigInt64Array",
  uint64: "BigUint64Array",
};

function typeOf(field: FieldDefinition, pkg: string, packages: Set<string>): string {
  if (!field.isMessage) {
    const scalar = SCALARS[field.type] ?? "number";
    return field.array ? (ARRAYS[field.type] ?? `${scalar}[]`) : scalar;
  }
  const { package: from, base } = splitName(field.type, "msg");
  if (from !== pkg) packages.add(from);
  const name = from === pkg ? base : `${from}.${base}`;
  return field.array ? `${name}[]` : name;
}

/**
 * Comments by the name that they speak of: those right above it, on its line, and indented ones below it; by `""`
 * those that open the file, up to the first line that is not one.
 */
function readComments(text: string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  let above: string[] = [];
  let opening = true;
  let last = "";
  for (const line of text.split(/\r\n|\r|\n/)) {
    const [, code, comment] = /^([^#]*)(?:#+ ?(.*))?$/.exec(line)!;
    const name = /^\s*\S+\s+([A-Za-z]\w*)/.exec(code)?.[1];
    if (name !== undefined) {
      if (opening && above.length > 0) found.set("", above);
      else if (above.length > 0) found.set(name, above);
      if (comment?.trim()) found.set(name, [...(found.get(name) ?? []), comment]);
    }
    if (name === undefined && comment !== undefined) {
      if (code !== "" && last !== "") found.set(last, [...(found.get(last) ?? []), comment.trim()]);
      else above.push(comment);
      continue;
    }
    last = name ?? last;
    if (name === undefined && opening && above.length > 0) found.set("", above);
    opening &&= above.length === 0 && name === undefined;
    above = [];
  }
  if (opening && above.length > 0) found.set("", above);
  return found;
}

/** A docstring, or nothing; what would end it early is spaced. */
function doc(text: readonly string[], indent: string): string {
  const kept = text.map((line) => line.trimEnd().replaceAll("*/", "* /"));
  while (kept.length > 0 && kept[0].trim() === "") kept.shift();
  while (kept.length > 0 && kept.at(-1)!.trim() === "") kept.pop();
  if (kept.length === 0) return "";
  if (kept.length === 1) return `${indent}/** ${kept[0].trim()} */\n`;
  return `${indent}/**\n${kept.map((line) => `${indent} * ${line}`.trimEnd()).join("\n")}\n${indent} */\n`;
}
