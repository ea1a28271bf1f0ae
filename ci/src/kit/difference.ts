/** Deep comparison of plain data, and the short text forms that messages use. */
import { inspect } from "node:util";
import { remoteOf } from "../wire/peer.js";
import { isTensorLike, TensorData } from "../wire/tensor.js";
import { type AnyTypedArray, typedArrayName } from "../wire/typed-arrays.js";

export interface Difference {
  /** `.nodes[2].name`; empty at the top. */
  path: string;
  got: string;
  expected: string;
}

/** The first place where two values differ, `undefined` if they are equal. */
export function firstDifference(got: unknown, expected: unknown, path = ""): Difference | undefined {
  const differ = (suffix = ""): Difference => ({
    path,
    got: show(got, 300) + suffix,
    expected: show(expected, 300),
  });
  if (got === expected || Object.is(got, expected)) return undefined;
  if (!isObject(got) || !isObject(expected)) return differ();
  if (remoteOf(got) || remoteOf(expected)) return differ();
  const kind = kindOf(got);
  if (kind !== kindOf(expected))
    return {
      path,
      got: `${show(got, 300)} (${kind})`,
      expected: `${show(expected, 300)} (${kindOf(expected)})`,
    };

  if (kind === "array") return sequences(got as unknown[], expected as unknown[], path);
  if (isTensorLike(got) && isTensorLike(expected)) {
    const [a, b] = [TensorData.from(got), TensorData.from(expected)];
    if (a.dtype !== b.dtype || a.shape.join() !== b.shape.join()) {
      return {
        path,
        got: `${a.dtype}(${a.shape.join(", ")})`,
        expected: `${b.dtype}(${b.shape.join(", ")})`,
      };
    }
    return firstDifference(a.toArray(), b.toArray(), path);
  }
  if (typedArrayName(got) !== undefined) return sequences(elements(got), elements(expected), path);
  if (got instanceof ArrayBuffer)
    return sequences(elements(new Uint8Array(got)), elements(new Uint8Array(expected as ArrayBuffer)), path);
  if (got instanceof Map) return maps(got, expected as Map<unknown, unknown>, path);
  if (got instanceof Set) return sets(got, expected as Set<unknown>, path);
  if (got instanceof Date)
    return Object.is(got.getTime(), (expected as Date).getTime()) ? undefined : differ();
  if (got instanceof RegExp) return String(got) === String(expected) ? undefined : differ();
  if (got instanceof Error) {
    const other = expected as Error;
    return got.name === other.name && got.message === other.message ? undefined : differ();
  }
  return records(got as Record<string, unknown>, expected as Record<string, unknown>, path);
}

/** A value as short text on one line. */
export function show(value: unknown, maxLength: number): string {
  const remote = remoteOf(value);
  const text = remote
    ? String(value)
    : isObject(value) && isTensorLike(value)
      ? TensorData.from(value).toString()
      : inspect(value, {
          depth: 6,
          breakLength: Number.POSITIVE_INFINITY,
          maxArrayLength: 60,
          maxStringLength: 500,
          customInspect: false,
          getters: false,
        });
  return text.length > maxLength ? `${text.slice(0, maxLength)}…` : text;
}

function sequences(got: unknown[], expected: unknown[], path: string): Difference | undefined {
  const shared = Math.min(got.length, expected.length);
  for (let i = 0; i < shared; i++) {
    const difference = firstDifference(got[i], expected[i], `${path}[${i}]`);
    if (difference)
      return got.length === expected.length ? difference : { ...difference, ...lengths(got, expected) };
  }
  return got.length === expected.length ? undefined : { path, ...lengths(got, expected) };
}

function lengths(got: unknown[], expected: unknown[]): { got: string; expected: string } {
  return {
    got: `${show(got, 300)} (length ${got.length})`,
    expected: `${show(expected, 300)} (length ${expected.length})`,
  };
}

function records(
  got: Record<string, unknown>,
  expected: Record<string, unknown>,
  path: string,
): Difference | undefined {
  for (const key of Object.keys(expected)) {
    if (!Object.hasOwn(got, key))
      return { path: `${path}.${key}`, got: "nothing", expected: show(expected[key], 300) };
    const difference = firstDifference(got[key], expected[key], `${path}.${key}`);
    if (difference) return difference;
  }
  const extra = Object.keys(got).find((key) => !Object.hasOwn(expected, key));
  return extra === undefined
    ? undefined
    : { path: `${path}.${extra}`, got: show(got[extra], 300), expected: "nothing" };
}

/** Each expected entry takes one of the same key and value away: keys may be equal without being the same. */
function maps(
  got: Map<unknown, unknown>,
  expected: Map<unknown, unknown>,
  path: string,
): Difference | undefined {
  const left = [...got];
  for (const [key, want] of expected) {
    const sameKey = left.filter(([other]) => !firstDifference(other, key));
    const match = sameKey.find(([, value]) => !firstDifference(value, want));
    if (match) left.splice(left.indexOf(match), 1);
    else if (sameKey.length > 0) return firstDifference(sameKey[0][1], want, `${path}.get(${show(key, 80)})`);
    else
      return {
        path,
        got: `${show(got, 300)} without the key ${show(key, 80)}`,
        expected: show(expected, 300),
      };
  }
  if (left.length === 0) return undefined;
  return {
    path,
    got: `${show(got, 300)} (${got.size} entries)`,
    expected: `${show(expected, 300)} (${expected.size} entries)`,
  };
}

function sets(got: Set<unknown>, expected: Set<unknown>, path: string): Difference | undefined {
  const left = [...got];
  for (const item of expected) {
    const index = left.findIndex((other) => !firstDifference(other, item));
    if (index < 0) return { path, got: show(got, 300), expected: show(expected, 300) };
    left.splice(index, 1);
  }
  return left.length === 0 ? undefined : { path, got: show(got, 300), expected: show(expected, 300) };
}

function kindOf(value: object): string {
  if (Array.isArray(value)) return "array";
  const typed = typedArrayName(value);
  if (typed !== undefined) return typed;
  if (isTensorLike(value)) return "tensor";
  for (const type of [Map, Set, Date, RegExp, Error, ArrayBuffer])
    if (value instanceof type) return type.name;
  return "object";
}

function elements(value: object): unknown[] {
  return Array.from(value as AnyTypedArray as ArrayLike<unknown>);
}

function isObject(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}
