/** The typed arrays that cross the wire, told by what they are and not by what they say. */

/** A value that may not cross, or a message that is not what it should be. */
export class WireError extends Error {
  override readonly name = "WireError";
}

// biome-ignore format: a table
export const TYPED_ARRAYS = {
  Float64Array, Float32Array, Int32Array, Int16Array, Int8Array,
  Uint32Array, Uint16Array, Uint8Array, Uint8ClampedArray, BigInt64Array, BigUint64Array,
} as const;
export type TypedArrayName = keyof typeof TYPED_ARRAYS;
export type AnyTypedArray = InstanceType<(typeof TYPED_ARRAYS)[TypedArrayName]>;

const tag = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)!
  .get!;

/** The name of a typed array's own type, whatever its class says; `undefined` for other values. */
export function typedArrayName(value: unknown): TypedArrayName | undefined {
  const name = tag.call(value) as string | undefined;
  return name !== undefined && Object.hasOwn(TYPED_ARRAYS, name) ? (name as TypedArrayName) : undefined;
}
