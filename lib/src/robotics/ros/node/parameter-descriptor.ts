/** What a parameter may hold: its type, range and whether it may change, `rcl_interfaces/msg/ParameterDescriptor`. */
import {
  NOT_SET,
  PARAMETER_TYPES,
  type ParameterType,
  parameterType,
  shown,
  type TypedValue,
} from "./parameter-value.js";

/** Values from one to another, both included, in steps from the lower (0 or absent: any between). */
export interface ParameterRange {
  readonly from: number | bigint;
  readonly to: number | bigint;
  readonly step?: number | bigint;
}

export interface DescriptorOptions {
  /** Needed where the value does not tell: `integer` for a number, the type of an empty array, or without a value. */
  readonly type?: Exclude<ParameterType, "not_set">;
  readonly description?: string;
  /** For people: what the value must fulfil beside type and range. */
  readonly additionalConstraints?: string;
  /** For integers and doubles. */
  readonly range?: ParameterRange;
  /** Set at creation only. */
  readonly readOnly?: boolean;
  /** Whether the type may change; then it may be unset too. */
  readonly dynamicTyping?: boolean;
}

/** A whole descriptor. */
export interface ParameterDescriptor extends Required<Omit<DescriptorOptions, "range" | "type">> {
  readonly name: string;
  readonly type: ParameterType;
  readonly range?: ParameterRange;
}

/** @throws TypeError if the range does not fit the type */
export function descriptor(
  name: string,
  type: ParameterType,
  {
    description = "",
    additionalConstraints = "",
    range,
    readOnly = false,
    dynamicTyping = false,
  }: DescriptorOptions,
): ParameterDescriptor {
  if (range) checkRange(name, type, range, dynamicTyping);
  return { name, type, description, additionalConstraints, readOnly, dynamicTyping, ...(range && { range }) };
}

function checkRange(name: string, type: ParameterType, range: ParameterRange, dynamic: boolean): void {
  if (type !== "integer" && type !== "double" && !dynamic)
    throw new TypeError(`parameter ${name}: a ${type} has no range`);
  for (const key of ["from", "to", "step"] as const) {
    const bound = range[key];
    if (bound === undefined && key === "step") continue;
    const fits =
      typeof bound === "bigint"
        ? type !== "double"
        : type === "integer"
          ? Number.isSafeInteger(bound)
          : typeof bound === "number" && !Number.isNaN(bound);
    if (!fits) throw new TypeError(`parameter ${name}: ${key} of its range is ${String(bound)}, no ${type}`);
  }
}

/** Why a value does not fit, or undefined if it does. `isSet` tells whether the parameter has a value now. */
export function misfit(
  value: TypedValue,
  descriptor: ParameterDescriptor,
  isDeclared: boolean,
): string | undefined {
  const { name, type, range, dynamicTyping } = descriptor;
  if (!dynamicTyping) {
    if (value.type === "not_set")
      return isDeclared ? `parameter ${name} has the type ${type}: it can't be unset` : undefined;
    if (value.type !== type) {
      const hint =
        type === "double" && value.type === "integer"
          ? `: write it with a point, ${value.value}.0`
          : type === "double_array" && value.type === "integer_array"
            ? ": write its numbers with a point"
            : "";
      return `parameter ${name} is of type ${type}, not ${value.type} (${shown(value)})${hint}`;
    }
  }
  if (!range) return undefined;
  if (value.type === "integer") return outsideIntegers(value.value as bigint, range, name);
  if (value.type === "double") return outsideDoubles(value.value as number, range, name);
  return undefined;
}

const described = ({ from, to, step }: ParameterRange): string =>
  `${from} … ${to}${step ? ` in steps of ${step}` : ""}`;

function outsideIntegers(value: bigint, range: ParameterRange, name: string): string | undefined {
  const [a, b, step] = [range.from, range.to, range.step ?? 0].map(BigInt);
  const [low, high] = a < b ? [a, b] : [b, a];
  if (value === low || value === high) return undefined;
  if (value < low || value > high)
    return `parameter ${name} is out of its range ${described(range)}: ${value}`;
  const size = step < 0n ? -step : step;
  if (size !== 0n && (value - low) % size !== 0n)
    return `parameter ${name} is on no step of its range ${described(range)}: ${value}`;
  return undefined;
}

/** rclpy's tolerance. */
const TOLERANCE = 1e-6;
const close = (a: number, b: number): boolean =>
  a === b || (Number.isFinite(a - b) && Math.abs(a - b) <= TOLERANCE * Math.max(Math.abs(a), Math.abs(b)));

function outsideDoubles(value: number, range: ParameterRange, name: string): string | undefined {
  const [a, b, step] = [range.from, range.to, range.step ?? 0].map(Number);
  const low = Math.min(a, b);
  const high = Math.max(a, b);
  if (close(value, low) || close(value, high)) return undefined;
  if (!(value > low && value < high))
    return `parameter ${name} is out of its range ${described(range)}: ${value}`;
  if (step !== 0 && !close(low + Math.round((value - low) / step) * step, value))
    return `parameter ${name} is on no step of its range ${described(range)}: ${value}`;
  return undefined;
}

/** `rcl_interfaces/msg/ParameterDescriptor`, as it is received. */
export interface DescriptorMessage {
  name: string;
  type: number;
  description: string;
  additional_constraints: string;
  read_only: boolean;
  dynamic_typing: boolean;
  floating_point_range: { from_value: number; to_value: number; step: number }[];
  integer_range: { from_value: bigint; to_value: bigint; step: bigint }[];
}

export function descriptorMessage(d: ParameterDescriptor): DescriptorMessage {
  const { from = 0, to = 0, step = 0 } = d.range ?? {};
  const isInteger = d.type === "integer";
  return {
    name: d.name,
    type: PARAMETER_TYPES[d.type],
    description: d.description,
    additional_constraints: d.additionalConstraints,
    read_only: d.readOnly,
    dynamic_typing: d.dynamicTyping,
    floating_point_range:
      d.range && !isInteger ? [{ from_value: Number(from), to_value: Number(to), step: Number(step) }] : [],
    integer_range:
      d.range && isInteger ? [{ from_value: BigInt(from), to_value: BigInt(to), step: BigInt(step) }] : [],
  };
}

export function fromDescriptorMessage(message: Readonly<DescriptorMessage>): ParameterDescriptor {
  const found = message.integer_range[0] ?? message.floating_point_range[0];
  const range = found && { from: found.from_value, to: found.to_value, step: found.step };
  return {
    name: message.name,
    type: parameterType(message.type),
    description: message.description,
    additionalConstraints: message.additional_constraints,
    readOnly: message.read_only,
    dynamicTyping: message.dynamic_typing,
    ...(range && { range }),
  };
}

/** For nodes that allow parameters nobody declared. */
export const undeclaredDescriptor = (name: string): ParameterDescriptor =>
  descriptor(name, NOT_SET.type, { dynamicTyping: true });
