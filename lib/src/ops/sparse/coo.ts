/**
 * Sparse tensors in coordinate form (COO): where the entries are, and what they are. Everything is made of dense ops on
 * the entries, so derivatives with respect to values pass through. (Book, chapter 3: sparse tensors.)
 */
import { displaySymbol, type MimeBundle } from "../../core/display.js";
import { MlsysError, ShapeError, ValueError } from "../../core/errors.js";
import { formatShape, formatType, type Shape, sizeOf } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { type TreeNode, treeFlatten } from "../../core/tree.js";
import { asTensor, type TensorLike, tensor } from "../convert.js";
import { scatterAdd } from "../gather.js";
import { concrete } from "../read.js";
import { concat } from "../shape.js";

/** Most positions that an int32 index can tell apart. */
const MOST = 2 ** 31 - 1;

export class SparseTensor implements TreeNode {
  /**
   * Takes what it is given unchecked; `sparse` checks.
   * @param indices coordinates of the entries: entry i is at `indices[i·rank … i·rank + rank − 1]`
   * @param values (entries,); entries at the same place add up
   */
  constructor(
    readonly indices: Int32Array,
    readonly values: Tensor,
    readonly shape: Shape,
  ) {}

  get ndim(): number {
    return this.shape.length;
  }

  get dtype(): Tensor["dtype"] {
    return this.values.dtype;
  }

  /** Number of entries, zeros among them included. */
  get entries(): number {
    return this.values.shape[0];
  }

  /** The part of all places that have an entry. */
  get density(): number {
    return this.entries / sizeOf(this.shape);
  }

  /**
   * One entry per place, in row-major order; entries at the same place are added.
   * @throws ShapeError if the shape has 2⁵³ places or more.
   */
  coalesce(): SparseTensor {
    const flat = this.places();
    const unique = [...new Set(flat)].sort((a, b) => a - b);
    const at = new Map(unique.map((place, i) => [place, i]));
    const to = Int32Array.from(flat, (place) => at.get(place) as number);
    const indices = new Int32Array(unique.length * this.ndim);
    for (const [i, place] of unique.entries()) {
      let rest = place;
      for (let axis = this.ndim - 1; axis >= 0; axis--) {
        indices[i * this.ndim + axis] = rest % this.shape[axis];
        rest = Math.floor(rest / this.shape[axis]);
      }
    }
    return new SparseTensor(indices, scatterAdd(tensor(to), this.values, unique.length), this.shape);
  }

  /** The dense tensor. @throws ShapeError if it has 2³¹ elements or more. */
  toDense(): Tensor {
    if (sizeOf(this.shape) > MOST)
      throw new ShapeError(`toDense: ${formatShape(this.shape)} has more elements than can be indexed`);
    return scatterAdd(tensor(Int32Array.from(this.places())), this.values, sizeOf(this.shape)).reshape(
      this.shape,
    );
  }

  /**
   * Matrix product with a dense matrix: (n, k) · (k, m) → (n, m), in time of the entries times m.
   * @throws ShapeError unless both are matrices that fit.
   */
  matmul(other: TensorLike): Tensor {
    const dense = asTensor(other, this.dtype);
    if (this.ndim !== 2 || dense.ndim !== 2 || dense.shape[0] !== this.shape[1])
      throw new ShapeError(
        `sparse matmul: ${formatShape(this.shape)} times ${formatShape(dense.shape)}: matrices (n, k) and (k, m) wanted`,
      );
    const rows = this.values.expandDims(1).mul(dense.take(this.axis(1), 0));
    return scatterAdd(this.axis(0), rows, this.shape[0]);
  }

  /** The matrix with rows and columns exchanged. @throws ShapeError for other ranks. */
  transpose(): SparseTensor {
    if (this.ndim !== 2)
      throw new ShapeError(`sparse transpose: a matrix wanted, got ${formatShape(this.shape)}`);
    const turned = this.indices.map((_, i) => this.indices[i ^ 1]); // pairs (row, column) exchanged
    return new SparseTensor(turned, this.values, [this.shape[1], this.shape[0]]);
  }

  /** Sum with a sparse tensor of the same shape. */
  add(other: SparseTensor): SparseTensor {
    if (formatShape(other.shape) !== formatShape(this.shape))
      throw new ShapeError(`sparse add: ${formatShape(this.shape)} and ${formatShape(other.shape)} differ`);
    const indices = new Int32Array(this.indices.length + other.indices.length);
    indices.set(this.indices);
    indices.set(other.indices, this.indices.length);
    return new SparseTensor(indices, concat([this.values, other.values]), this.shape).coalesce();
  }

  /** Each entry times a number. @throws ShapeError for more than one number. */
  mul(factor: number | Tensor): SparseTensor {
    if (typeof factor !== "number" && factor.size !== 1)
      throw new ShapeError(`sparse mul: the factor is one number, got ${formatType(factor)}`);
    return new SparseTensor(
      this.indices,
      this.values.mul(typeof factor === "number" ? factor : factor.reshape([])),
      this.shape,
    );
  }

  toString(): string {
    const rank = this.ndim;
    const known = concrete(this.values)?.toTypedArray();
    const shown = Math.min(this.entries, 10);
    const lines = Array.from({ length: shown }, (_, i) => {
      const place = Array.from(this.indices.subarray(i * rank, (i + 1) * rank)).join(", ");
      return `  (${place}) → ${known ? +Number(known[i]).toPrecision(6) : "?"}`;
    });
    if (this.entries > shown) lines.push(`  … ${this.entries - shown} more`);
    const percent = +(100 * this.density).toPrecision(3);
    return [
      `sparse ${formatType({ shape: this.shape, dtype: this.dtype })}, ${this.entries} entries (${percent} %)`,
      ...lines,
    ].join("\n");
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }

  [displaySymbol](): MimeBundle {
    return { "text/plain": this.toString() };
  }

  /** A tree whose leaf is the values; where they are is part of its structure. */
  [treeFlatten](): ReturnType<TreeNode[typeof treeFlatten]> {
    const { indices, shape, values } = this;
    return {
      children: { indices, shape, values },
      rebuild: ({ values }) => new SparseTensor(this.indices, values as Tensor, this.shape),
    };
  }

  /** Coordinates of all entries on one axis. */
  private axis(axis: number): Tensor {
    return tensor(Int32Array.from({ length: this.entries }, (_, i) => this.indices[i * this.ndim + axis]));
  }

  /** Row-major positions of all entries. */
  private places(): number[] {
    if (!Number.isSafeInteger(sizeOf(this.shape)))
      throw new ShapeError(`sparse: ${formatShape(this.shape)} has more places than can be counted`);
    return Array.from({ length: this.entries }, (_, i) =>
      this.shape.reduce((place, dim, axis) => place * dim + this.indices[i * this.ndim + axis], 0),
    );
  }
}

/**
 * A sparse tensor from coordinates and values.
 * @param indices per entry its coordinates
 * @param values per entry its value
 * @example sparse([[0, 1], [2, 0]], [5, 3], [3, 4])
 * @throws ShapeError if the numbers differ; ValueError for a coordinate outside of the shape.
 */
export function sparse(
  indices: readonly (readonly number[])[],
  values: TensorLike,
  shape: Shape,
): SparseTensor {
  const given = asTensor(values);
  for (const [axis, dim] of shape.entries())
    if (!Number.isInteger(dim) || dim < 0 || dim > MOST)
      throw new ShapeError(`sparse: axis ${axis} has size ${dim}; sizes are whole numbers from 0 to ${MOST}`);
  if (given.ndim !== 1 || given.shape[0] !== indices.length)
    throw new ShapeError(
      `sparse: ${indices.length} places have values of ${formatType(given)}; one each wanted`,
    );
  for (const [i, place] of indices.entries()) {
    const inside =
      place.length === shape.length &&
      place.every((p, axis) => Number.isInteger(p) && p >= 0 && p < shape[axis]);
    if (!inside)
      throw new ValueError(
        `sparse: entry ${i}, (${place.join(", ")}), is not inside of ${formatShape(shape)}`,
      );
  }
  return new SparseTensor(Int32Array.from(indices.flat()), given, shape);
}

/**
 * The elements of a dense tensor that are not 0. @throws MlsysError under a transformation, where they are not known yet.
 * @example toSparse([[0, 5], [0, 0]]).toDense() // [[0, 5], [0, 0]]
 */
export function toSparse(x: TensorLike): SparseTensor {
  const t = asTensor(x);
  const values = concrete(t)?.toTypedArray();
  if (!values)
    throw new MlsysError(
      "toSparse: where the zeros are is not known while the function is being captured or mapped",
    );
  const places = Array.from(values, (_, i) => i).filter((i) => Number(values[i]) !== 0);
  const indices = places.flatMap((place) => {
    const coordinates: number[] = [];
    let rest = place;
    for (let axis = t.ndim - 1; axis >= 0; axis--) {
      coordinates[axis] = rest % t.shape[axis];
      rest = Math.floor(rest / t.shape[axis]);
    }
    return coordinates;
  });
  const kept = t.reshape([-1]).take(tensor(Int32Array.from(places)), 0);
  return new SparseTensor(Int32Array.from(indices), kept, t.shape);
}
