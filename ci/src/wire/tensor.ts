/** TensorData: what a tensor of the library looks like after it has crossed: a dtype, a shape and the elements. */
import { type AnyTypedArray, typedArrayName, WireError } from "./typed-arrays.js";

/** What a tensor must offer to be recognised, whatever library it comes from. */
export interface TensorLike {
  readonly dtype: string;
  readonly shape: readonly number[];
  toTypedArray(): AnyTypedArray;
}

export class TensorData implements TensorLike {
  /**
   * @param shape sizes, outermost axis first
   * @param data elements, row-major; booleans as 0 and 1
   */
  constructor(
    readonly dtype: string,
    readonly shape: readonly number[],
    readonly data: AnyTypedArray,
  ) {}

  /** Copies a tensor's metadata and elements. @throws WireError if they disagree. */
  static from(tensor: TensorLike): TensorData {
    const shape = Array.from(tensor.shape, Number);
    const data = tensor.toTypedArray();
    if (typedArrayName(data) === undefined)
      throw new WireError("a tensor whose elements are not in a typed array");
    const size = shape.reduce((product, dim) => product * dim, 1);
    if (size !== data.length)
      throw new WireError(`a tensor of shape (${shape.join(", ")}) with ${data.length} elements`);
    return new TensorData(String(tensor.dtype), shape, data);
  }

  get size(): number {
    return this.data.length;
  }

  toTypedArray(): AnyTypedArray {
    return this.data;
  }

  /** Nested arrays of numbers (booleans for dtype `bool`); a bare number for shape (). */
  toArray(): unknown {
    const read = this.dtype === "bool" ? (i: number) => this.data[i] !== 0 : (i: number) => this.data[i];
    const build = (axis: number, start: number, span: number): unknown => {
      if (axis === this.shape.length) return read(start);
      const inner = span / (this.shape[axis] || 1);
      return Array.from({ length: this.shape[axis] }, (_, i) => build(axis + 1, start + i * inner, inner));
    };
    return build(0, 0, this.data.length);
  }

  toString(): string {
    return `${this.dtype}(${this.shape.join(", ")}) ${JSON.stringify(this.toArray(), (_, v) => (typeof v === "bigint" ? String(v) : v))}`;
  }
}

export function isTensorLike(value: object): value is TensorLike {
  const { dtype, shape, toTypedArray } = value as Partial<TensorLike>;
  return typeof dtype === "string" && Array.isArray(shape) && typeof toTypedArray === "function";
}
