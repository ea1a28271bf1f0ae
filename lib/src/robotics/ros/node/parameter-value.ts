/** Parameters' values: JavaScript's on one side, `rcl_interfaces/msg/ParameterValue` on the other. */

/** Types of parameters and their numbers in `rcl_interfaces/msg/ParameterType`. */
export const PARAMETER_TYPES = Object.freeze({
  not_set: 0,
  bool: 1,
  integer: 2,
  double: 3,
  string: 4,
  byte_array: 5,
  bool_array: 6,
  integer_array: 7,
  double_array: 8,
  string_array: 9,
});

export type ParameterType = keyof typeof PARAMETER_TYPES;

/** A value to declare or set. A `number` is a double unless the parameter is declared an integer; a `bigint` is an integer. */
export type ParameterInput =
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Float64Array
  | BigInt64Array
  | readonly boolean[]
  | readonly number[]
  | readonly bigint[]
  | readonly string[];

/**
 * A value as it is read: an integer is a `number`, or a `bigint` if it was declared with one. Undefined if it is not set.
 */
export type ParameterValue =
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | boolean[]
  | number[]
  | bigint[]
  | string[]
  | undefined;

/** What a parameter declared with a value of type `T` is read as. */
export type ReadAs<T> = T extends boolean
  ? boolean
  : T extends number
    ? number
    : T extends bigint
      ? bigint
      : T extends string
        ? string
        : T extends Uint8Array
          ? Uint8Array
          : T extends Float64Array | readonly number[]
            ? number[]
            : T extends BigInt64Array | readonly bigint[]
              ? bigint[]
              : T extends readonly boolean[]
                ? boolean[]
                : T extends readonly string[]
                  ? string[]
                  : ParameterValue;

/** What each type is read as. */
export interface ParameterTypeValues {
  not_set: undefined;
  bool: boolean;
  integer: number;
  double: number;
  string: string;
  byte_array: Uint8Array;
  bool_array: boolean[];
  integer_array: number[];
  double_array: number[];
  string_array: string[];
}

/** A value with its type; integers are `bigint`s, arrays are never changed. @internal */
export interface TypedValue {
  readonly type: ParameterType;
  readonly value:
    | boolean
    | number
    | bigint
    | string
    | Uint8Array
    | readonly (boolean | number | bigint | string)[]
    | undefined;
}

export const NOT_SET: TypedValue = Object.freeze({ type: "not_set", value: undefined });

const LIMIT = 2n ** 63n;

/**
 * A JavaScript value with its type; `expected` decides where JavaScript leaves it open: a whole `number` is an integer
 * or a double, an empty array is of any type.
 * @throws TypeError that names the parameter and what was given
 */
export function typed(name: string, input: ParameterInput | undefined, expected?: ParameterType): TypedValue {
  const bad = (why: string) => new TypeError(`parameter ${name}: ${why}`);
  const integer = (value: number | bigint): bigint => {
    const whole = BigInt(value);
    if (whole >= LIMIT || whole < -LIMIT) throw bad(`${value} does not fit into a 64-bit integer`);
    return whole;
  };
  if (input === undefined || input === null) return NOT_SET;
  switch (typeof input) {
    case "boolean":
      return { type: "bool", value: input };
    case "string":
      return { type: "string", value: input };
    case "bigint":
      return { type: "integer", value: integer(input) };
    case "number":
      return expected === "integer" && Number.isSafeInteger(input)
        ? { type: "integer", value: BigInt(input) }
        : { type: "double", value: input };
  }
  if (input instanceof Uint8Array) return { type: "byte_array", value: Uint8Array.from(input) };
  if (input instanceof BigInt64Array) return { type: "integer_array", value: [...input] };
  if (!Array.isArray(input) && !(input instanceof Float64Array))
    throw bad(
      `a value is a boolean, number, bigint, string, Uint8Array or an array of one of these, not ${String(input)}`,
    );
  const elements = [...(input as readonly unknown[])];
  if (elements.length === 0) {
    if (expected === "byte_array") return { type: expected, value: new Uint8Array() };
    if (expected?.endsWith("_array")) return { type: expected, value: [] };
    if (input instanceof Float64Array) return { type: "double_array", value: [] };
    throw bad("an empty array has no type of its own: declare it with { type }");
  }
  const kind = typeof elements[0];
  const other = elements.findIndex((element) => typeof element !== kind);
  if (other >= 0) throw bad(`element ${other} is a ${typeof elements[other]}, the first is a ${kind}`);
  switch (kind) {
    case "boolean":
      return { type: "bool_array", value: elements as boolean[] };
    case "string":
      return { type: "string_array", value: elements as string[] };
    case "bigint":
      return { type: "integer_array", value: (elements as bigint[]).map(integer) };
    case "number":
      return expected === "integer_array" && elements.every(Number.isSafeInteger)
        ? { type: "integer_array", value: (elements as number[]).map(BigInt) }
        : { type: "double_array", value: elements as number[] };
    default:
      throw bad(`an array holds booleans, numbers, bigints or strings, not a ${kind}`);
  }
}

/** Whether a value has integers that no `number` holds. */
export function needsBigint({ type, value }: TypedValue): boolean {
  const unsafe = (integer: unknown) => !Number.isSafeInteger(Number(integer as bigint));
  if (type === "integer") return unsafe(value);
  return type === "integer_array" && (value as readonly bigint[]).some(unsafe);
}

/** What a reader gets; arrays are copies. */
export function plain({ type, value }: TypedValue, bigints: boolean): ParameterValue {
  if (type === "integer") return bigints ? (value as bigint) : Number(value);
  if (type === "integer_array")
    return bigints ? [...(value as readonly bigint[])] : (value as readonly bigint[]).map(Number);
  if (value instanceof Uint8Array) return Uint8Array.from(value);
  return Array.isArray(value) ? ([...value] as boolean[] | number[] | string[]) : (value as ParameterValue);
}

/** `rcl_interfaces/msg/ParameterValue`, as it is received. */
export interface ParameterValueMessage {
  type: number;
  bool_value: boolean;
  integer_value: bigint;
  double_value: number;
  string_value: string;
  byte_array_value: Uint8Array;
  bool_array_value: boolean[];
  integer_array_value: BigInt64Array;
  double_array_value: Float64Array;
  string_array_value: string[];
}

/** The type of a number of `rcl_interfaces/msg/ParameterType`. @throws TypeError if there is none */
export function parameterType(number: number): ParameterType {
  const found = Object.entries(PARAMETER_TYPES).find(([, value]) => value === number);
  if (!found) throw new TypeError(`there is no type of parameters with number ${number}`);
  return found[0] as ParameterType;
}

/** @throws TypeError if the message's type is none */
export function fromMessage(message: Readonly<ParameterValueMessage>): TypedValue {
  const type = parameterType(message.type);
  if (type === "not_set") return NOT_SET;
  const value = message[`${type}_value`];
  if (type === "byte_array") return { type, value: Uint8Array.from(value as Uint8Array) };
  return { type, value: typeof value === "object" ? [...(value as Iterable<number>)] : value };
}

/** The fields of `rcl_interfaces/msg/ParameterValue` that differ from the default. */
export function toMessage({ type, value }: TypedValue): Partial<ParameterValueMessage> {
  if (type === "not_set") return { type: 0 };
  const field = type === "integer_array" ? BigInt64Array.from(value as bigint[]) : value;
  return { type: PARAMETER_TYPES[type], [`${type}_value`]: field };
}

/** For error messages: `integer 3`. */
export const shown = ({ type, value }: TypedValue): string =>
  type === "not_set" ? "nothing" : type === "string" ? `string "${value}"` : `${type} ${String(value)}`;
