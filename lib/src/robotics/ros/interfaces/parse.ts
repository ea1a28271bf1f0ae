/**
 * Reads `.msg`, `.srv` and `.action` text. The rules are those of ROS 2's own reader (`rosidl_adapter/parser.py`):
 * a `#` starts a comment wherever it stands, a line whose name is followed by `=` is a constant, a type without a
 * package is of the package that the file is in.
 */
import { MlsysError } from "../../../core/errors.js";
import type {
  ConstantDefinition,
  FieldDefinition,
  FieldValue,
  MessageDefinition,
  PrimitiveName,
} from "./types.js";

/** Interface text that breaks a rule of ROS; the message names the interface, the line and the rule. */
export class InterfaceError extends MlsysError {
  override name = "InterfaceError";
}

export interface ServiceDefinition {
  readonly name: string;
  readonly request: MessageDefinition;
  readonly response: MessageDefinition;
}

export interface ActionDefinition {
  readonly name: string;
  readonly goal: MessageDefinition;
  readonly result: MessageDefinition;
  readonly feedback: MessageDefinition;
}

/** Smallest and largest value of each integer type; `byte` and `char` are uint8, as ROS 2 has them. */
export const INTEGER_RANGE: Readonly<Record<string, readonly [bigint, bigint]>> = {
  byte: [0n, 255n],
  char: [0n, 255n],
  int8: [-128n, 127n],
  uint8: [0n, 255n],
  int16: [-32_768n, 32_767n],
  uint16: [0n, 65_535n],
  int32: [-2_147_483_648n, 2_147_483_647n],
  uint32: [0n, 4_294_967_295n],
  int64: [-9_223_372_036_854_775_808n, 9_223_372_036_854_775_807n],
  uint64: [0n, 18_446_744_073_709_551_615n],
};

const PRIMITIVES: ReadonlySet<string> = new Set<PrimitiveName>([
  "bool",
  "byte",
  "char",
  "float32",
  "float64",
  "int8",
  "uint8",
  "int16",
  "uint16",
  "int32",
  "uint32",
  "int64",
  "uint64",
  "string",
  "wstring",
]);

const LOWER = /^(?!.*__)(?!.*_$)[a-z][a-z0-9_]*$/;
const MESSAGE = /^[A-Z][A-Za-z0-9]*$/;
const CONSTANT = /^[A-Z](?:[A-Z0-9_]?[A-Z0-9]+)*$/;
const FULL_NAME = /^([^/]+)\/(msg|srv|action)\/([^/]+)$/;
const SEPARATOR = "---";

/**
 * Parts of a full name.
 * @throws {InterfaceError} if it is not `package/msg/Name`, `package/srv/Name` or `package/action/Name`
 */
export function splitName(name: string, kind?: "msg" | "srv" | "action"): { package: string; base: string } {
  const parts = FULL_NAME.exec(name);
  if (parts === null || (kind !== undefined && parts[2] !== kind) || !LOWER.test(parts[1])) {
    throw new InterfaceError(
      `"${name}" is not the name of an interface: expected package/${kind ?? "msg"}/Name, the package in lower case`,
    );
  }
  if (!MESSAGE.test(parts[3])) {
    throw new InterfaceError(`"${name}": "${parts[3]}" must be letters and digits, the first a capital`);
  }
  return { package: parts[1], base: parts[3] };
}

/**
 * One message.
 * @param name full name, `std_msgs/msg/String`
 * @param text what the `.msg` file holds
 * @throws {InterfaceError}
 */
export function parseMessage(name: string, text: string): MessageDefinition {
  splitName(name, "msg");
  return readLines(name, lines(text), 0);
}

/** Request and response, parted by `---`. @throws {InterfaceError} */
export function parseService(name: string, text: string): ServiceDefinition {
  splitName(name, "srv");
  const [request, response] = parts(name, text, ["_Request", "_Response"]);
  return { name, request, response };
}

/** Goal, result and feedback, parted by `---`. @throws {InterfaceError} */
export function parseAction(name: string, text: string): ActionDefinition {
  splitName(name, "action");
  const [goal, result, feedback] = parts(name, text, ["_Goal", "_Result", "_Feedback"]);
  return { name, goal, result, feedback };
}

const lines = (text: string): string[] => text.split(/\r\n|\r|\n/);

function parts(name: string, text: string, suffixes: readonly string[]): MessageDefinition[] {
  const all = lines(text);
  const cuts = all.flatMap((line, i) => (line.trim() === SEPARATOR ? [i] : []));
  if (cuts.length !== suffixes.length - 1) {
    const expected = suffixes.length === 2 ? "one line" : "two lines";
    throw new InterfaceError(`${name}: expected ${expected} "---" between its parts, found ${cuts.length}`);
  }
  const starts = [0, ...cuts.map((cut) => cut + 1)];
  return suffixes.map((suffix, i) => readLines(name + suffix, all.slice(starts[i], cuts[i]), starts[i]));
}

/** `first` is the number of lines before these, so that errors count as an editor does. */
function readLines(name: string, text: readonly string[], first: number): MessageDefinition {
  const fields: FieldDefinition[] = [];
  const constants: ConstantDefinition[] = [];
  for (const [i, line] of text.entries()) {
    const code = line.replace(/#.*$/, "").replaceAll("\t", " ").trim();
    if (code === "") continue;
    try {
      readLine(name, code, fields, constants);
    } catch (error) {
      if (!(error instanceof InterfaceError)) throw error;
      throw new InterfaceError(`${name}, line ${first + i + 1} "${code}": ${error.message}`);
    }
  }
  return { name, fields, constants, text: text.join("\n") };
}

function readLine(
  owner: string,
  code: string,
  fields: FieldDefinition[],
  constants: ConstantDefinition[],
): void {
  const [, typeText, rest] = /^(\S+)\s*(.*)$/.exec(code)!;
  if (rest === "") throw new InterfaceError("expected a type and a name");
  const equals = rest.indexOf("=");
  if (equals >= 0) {
    const constant = readConstant(
      typeText,
      rest.slice(0, equals).trimEnd(),
      rest.slice(equals + 1).trimStart(),
    );
    if (constants.some((c) => c.name === constant.name)) {
      throw new InterfaceError(`constant ${constant.name} is defined twice`);
    }
    constants.push(constant);
    return;
  }
  const [, name, defaultText] = /^(\S+)\s*(.*)$/.exec(rest)!;
  const field = readField(owner, typeText, name, defaultText);
  if (fields.some((f) => f.name === name)) throw new InterfaceError(`field ${name} is defined twice`);
  fields.push(field);
}

function readConstant(type: string, name: string, value: string): ConstantDefinition {
  if (!PRIMITIVES.has(type)) throw new InterfaceError(`a constant's type must be built in, not "${type}"`);
  if (!CONSTANT.test(name)) {
    throw new InterfaceError(`"${name}" is no name of a constant: capitals, digits and single underscores`);
  }
  return { name, type: type as PrimitiveName, value: readValue(type, value) };
}

function readField(owner: string, typeText: string, name: string, defaultText: string): FieldDefinition {
  if (!LOWER.test(name)) {
    throw new InterfaceError(
      `"${name}" is no name of a field: lower-case letters, digits and single underscores, a letter first`,
    );
  }
  const [element, array] = readArray(typeText);
  const [base, stringBound] = readBound(element);
  const isMessage = !PRIMITIVES.has(base);
  const type = isMessage ? messageName(owner, base) : base;
  const field: FieldDefinition = {
    name,
    type,
    isMessage,
    ...(array && { array }),
    ...(stringBound !== undefined && { stringBound }),
  };
  if (defaultText === "") return field;
  if (isMessage) throw new InterfaceError(`a field of type ${type} can have no default`);
  const defaultValue = array
    ? readArrayValue(base, defaultText, array, stringBound)
    : readValue(base, defaultText, stringBound);
  return { ...field, defaultValue };
}

function readArray(text: string): [element: string, array?: { length?: number; bound?: number }] {
  if (!text.endsWith("]")) return [text];
  const open = text.lastIndexOf("[");
  if (open < 0) throw new InterfaceError(`type "${text}" ends with "]" but has no "["`);
  const size = text.slice(open + 1, -1);
  const element = text.slice(0, open);
  if (size === "") return [element, {}];
  const bounded = size.startsWith("<=");
  const count = readCount(bounded ? size.slice(2) : size, `the size of array "${text}"`);
  return [element, bounded ? { bound: count } : { length: count }];
}

function readBound(text: string): [base: string, bound?: number] {
  const parts = /^(w?string)<=(.*)$/.exec(text);
  if (parts === null) return [text];
  return [parts[1], readCount(parts[2], `the bound of "${text}"`)];
}

function readCount(text: string, what: string): number {
  const count = /^\d+$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > 0xffff_ffff) throw new InterfaceError(`${what} must be a whole number above 0`);
  return count;
}

/** `Point` in package p is `p/msg/Point`, `p/Point` too. */
function messageName(owner: string, type: string): string {
  const parts = type.split("/");
  const [pkg, base] =
    parts.length === 1
      ? [owner.slice(0, owner.indexOf("/")), parts[0]]
      : parts.length === 3 && parts[1] === "msg"
        ? [parts[0], parts[2]]
        : parts;
  if (
    parts.length > 3 ||
    (parts.length === 3 && parts[1] !== "msg") ||
    !LOWER.test(pkg) ||
    !MESSAGE.test(base)
  ) {
    throw new InterfaceError(
      `"${type}" is no type: expected a built-in one (${[...PRIMITIVES].join(", ")}), Name or package/Name`,
    );
  }
  return `${pkg}/msg/${base}`;
}

type Value = boolean | number | bigint | string;

function readValue(type: string, text: string, bound?: number): Value {
  if (type === "string" || type === "wstring") return readString(text, bound);
  if (type === "bool") {
    const lower = text.toLowerCase();
    if (lower === "true" || lower === "1") return true;
    if (lower === "false" || lower === "0") return false;
    throw new InterfaceError(`"${text}" is no bool: expected true, false, 1 or 0`);
  }
  if (type === "float32" || type === "float64") return readFloat(text);
  const [low, high] = INTEGER_RANGE[type];
  const value = readInteger(text);
  if (value === undefined || value < low || value > high) {
    throw new InterfaceError(`"${text}" is no ${type}: expected a whole number from ${low} to ${high}`);
  }
  return type === "int64" || type === "uint64" ? value : Number(value);
}

/** Decimal, 0x, 0o and 0b, as Python reads them. */
function readInteger(text: string): bigint | undefined {
  const parts = /^([+-]?)(\d+|0[xX][\da-fA-F]+|0[oO][0-7]+|0[bB][01]+)$/.exec(text);
  if (parts === null) return undefined;
  const value = BigInt(parts[2]);
  return parts[1] === "-" ? -value : value;
}

function readFloat(text: string): number {
  const special = /^([+-]?)(inf|infinity|nan)$/i.exec(text);
  if (special) {
    const value = special[2].toLowerCase() === "nan" ? Number.NaN : Number.POSITIVE_INFINITY;
    return special[1] === "-" ? -value : value;
  }
  if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) {
    throw new InterfaceError(`"${text}" is no number: expected digits with "." as the separator`);
  }
  return Number(text);
}

function readString(text: string, bound?: number): string {
  const quote =
    text.length > 1 && (text[0] === '"' || text[0] === "'") && text.endsWith(text[0]) ? text[0] : "";
  let value = text;
  if (quote !== "") {
    value = text.slice(1, -1);
    if (new RegExp(`(?<!\\\\)${quote}`).test(value)) {
      throw new InterfaceError(`the quotes inside ${text} need a backslash before them`);
    }
    value = value.replaceAll(`\\${quote}`, quote);
  }
  if (bound !== undefined && value.length > bound) {
    throw new InterfaceError(`"${value}" is longer than the ${bound} characters that its type allows`);
  }
  return value;
}

function readArrayValue(
  type: string,
  text: string,
  array: { length?: number; bound?: number },
  stringBound?: number,
): FieldValue {
  if (!text.startsWith("[") || !text.endsWith("]")) {
    throw new InterfaceError(`the default ${text} of an array must stand in [ ]`);
  }
  const elements = splitElements(text.slice(1, -1)).map((element) => readValue(type, element, stringBound));
  if (array.length !== undefined && elements.length !== array.length) {
    throw new InterfaceError(`the default has ${elements.length} elements, its type ${array.length}`);
  }
  if (array.bound !== undefined && elements.length > array.bound) {
    throw new InterfaceError(`the default has ${elements.length} elements, its type at most ${array.bound}`);
  }
  return elements;
}

/** Elements between commas; a comma inside quotes parts nothing. */
function splitElements(text: string): string[] {
  if (text.trim() === "") return [];
  const elements = text.match(/\s*("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[^,]*)\s*(,|$)/g) ?? [];
  const kept = elements.map((element) => element.replace(/,$/, "").trim());
  if (!text.trimEnd().endsWith(",") && kept.at(-1) === "") kept.pop(); // the match at the text's end
  return kept;
}
