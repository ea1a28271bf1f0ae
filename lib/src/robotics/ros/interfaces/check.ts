/** The checks of a message's fields that the compiled makers call, and how a problem finds its path. */
import { INTEGER_RANGE } from "./parse.js";
import type { FieldDefinition, FieldValue } from "./types.js";

type TypedArray =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array;
interface TypedArrayConstructor {
  new (length: number): TypedArray;
  new (from: ArrayLike<number> | ArrayLike<bigint>): TypedArray;
}

/** What an array of each numeric type is held in. */
export const TYPED_ARRAYS: Readonly<Record<string, TypedArrayConstructor | undefined>> = {
  byte: Uint8Array,
  char: Uint8Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  float32: Float32Array,
  float64: Float64Array,
  int64: BigInt64Array as unknown as TypedArrayConstructor,
  uint64: BigUint64Array as unknown as TypedArrayConstructor,
};

/** A wrong field; the path grows as the problem leaves message after message. */
export class FieldProblem extends Error {
  path = "";
}

function inside(error: unknown, at: string): unknown {
  if (error instanceof FieldProblem && at !== "") {
    error.path = error.path === "" || error.path.startsWith("[") ? at + error.path : `${at}.${error.path}`;
  }
  return error;
}

/** What was given, short enough for a message. */
export function shown(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === "string") return `string ${JSON.stringify(clipped(value))}`;
  if (typeof value === "bigint") return `bigint ${value}n`;
  if (typeof value === "number" || typeof value === "boolean") return `${typeof value} ${value}`;
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (ArrayBuffer.isView(value)) return `a ${value.constructor.name}`;
  if (typeof value === "function") return "a function";
  const name = Object.getPrototypeOf(value)?.constructor?.name;
  return typeof name === "string" && name !== "Object" ? `a ${name}` : "an object";
}

const clipped = (text: string): string => (text.length > 60 ? `${text.slice(0, 60)}…` : text);

const EXPECTED: Readonly<Record<string, string>> = {
  int64: "int64 (a bigint, or a number that is a safe integer)",
  uint64: "uint64 (a bigint, or a number that is a safe integer)",
};

function expectation(type: string): string {
  const range = INTEGER_RANGE[type];
  if (range === undefined || EXPECTED[type]) return EXPECTED[type] ?? type;
  return `${type} (a whole number from ${range[0]} to ${range[1]})`;
}

function wrong(type: string, given: unknown): never {
  throw new FieldProblem(`expected ${expectation(type)}, got ${shown(given)}`);
}

function unknownField(name: string, key: string, known: ReadonlySet<string>): never {
  const fields = known.size === 0 ? "has no fields" : `has ${[...known].join(", ")}`;
  throw new FieldProblem(`there is no field "${clipped(key)}": ${name} ${fields}`);
}

function float32(value: unknown): number {
  if (typeof value !== "number") return wrong("float32", value);
  const rounded = Math.fround(value);
  if (!Number.isFinite(rounded) && Number.isFinite(value)) return wrong("float32", value);
  return rounded;
}

function bigInteger(value: unknown, type: string): bigint {
  const given = typeof value === "number" && Number.isSafeInteger(value) ? BigInt(value) : value;
  if (typeof given !== "bigint") return wrong(type, value);
  const [low, high] = INTEGER_RANGE[type];
  return given >= low && given <= high ? given : wrong(type, value);
}

function text(value: unknown, type: string, bound: number | undefined): string {
  if (typeof value !== "string") return wrong(type, value);
  // Characters as rclpy counts them: code points. No more of them than UTF-16 units.
  if (bound !== undefined && value.length > bound && [...value].length > bound) {
    throw new FieldProblem(`expected at most ${bound} characters, got ${[...value].length}`);
  }
  return value;
}

type ArrayShape = NonNullable<FieldDefinition["array"]>;

function checkLength(length: number, array: ArrayShape, type: string): void {
  if (array.length !== undefined && length !== array.length) {
    throw new FieldProblem(`expected ${array.length} elements of ${type}, got ${length}`);
  }
  if (array.bound !== undefined && length > array.bound) {
    throw new FieldProblem(`expected at most ${array.bound} elements of ${type}, got ${length}`);
  }
}

function elementProblem(index: number, type: string, given: unknown): never {
  const problem = new FieldProblem(`expected ${expectation(type)}, got ${shown(given)}`);
  problem.path = `[${index}]`;
  throw problem;
}

const isList = (value: unknown): value is ArrayLike<unknown> =>
  Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));

/** A typed array of its own memory. */
function numbers(
  value: unknown,
  Elements: TypedArrayConstructor,
  type: string,
  array: ArrayShape,
  initial: FieldValue | undefined,
): TypedArray {
  if (value === undefined) {
    return initial === undefined ? new Elements(array.length ?? 0) : new Elements(initial as number[]);
  }
  if (!isList(value)) return wrong(`an array of ${type}`, value);
  checkLength(value.length, array, type);
  if (value instanceof Elements) return new Elements(value as ArrayLike<number>);
  if (type === "int64" || type === "uint64") {
    const whole = Array.from(value, (element, i) => inElement(i, () => bigInteger(element, type)));
    return new Elements(whole);
  }
  const made = new Elements(value.length) as Exclude<TypedArray, BigInt64Array | BigUint64Array>;
  const real = type === "float32" || type === "float64";
  for (let i = 0; i < made.length; i++) {
    const element = value[i];
    if (typeof element !== "number") elementProblem(i, type, element);
    made[i] = element;
    // An integer that did not fit reads back as another; a float32 only where it became infinite.
    if (made[i] !== element && (!real || (made[i] - made[i] !== 0 && Number.isFinite(element)))) {
      elementProblem(i, type, element);
    }
  }
  return made;
}

/** Arrays of bool and strings. */
function plain(
  value: unknown,
  type: string,
  array: ArrayShape,
  initial: FieldValue | undefined,
  bound: number | undefined,
): unknown[] {
  if (value === undefined) {
    if (initial !== undefined) return [...(initial as readonly unknown[])];
    return new Array(array.length ?? 0).fill(type === "bool" ? false : "");
  }
  if (!Array.isArray(value)) return wrong(`an array of ${type}`, value);
  checkLength(value.length, array, type);
  return Array.from(value, (element, i) => {
    if (type !== "bool") return inElement(i, () => text(element, type, bound));
    return typeof element === "boolean" ? element : elementProblem(i, type, element);
  });
}

function messages(
  value: unknown,
  make: (given: unknown) => unknown,
  array: ArrayShape,
  type: string,
): unknown[] {
  if (value === undefined) return Array.from({ length: array.length ?? 0 }, () => make({}));
  if (!Array.isArray(value)) return wrong(`an array of ${type}`, value);
  checkLength(value.length, array, type);
  const made = new Array(value.length);
  let i = 0;
  try {
    for (; i < made.length; i++) made[i] = make(value[i]);
  } catch (error) {
    throw inside(error, `[${i}]`);
  }
  return made;
}

function inElement<T>(index: number, check: () => T): T {
  try {
    return check();
  } catch (error) {
    throw inside(error, `[${index}]`);
  }
}

const own = (given: object, key: string): unknown =>
  Object.hasOwn(given, key) ? (given as Record<string, unknown>)[key] : undefined;

/** By the names that the compiled source calls them. */
export const checks = {
  inside,
  wrong,
  unknownField,
  float32,
  bigInteger,
  text,
  numbers,
  plain,
  messages,
  own,
} as const;
