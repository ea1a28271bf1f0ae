/** What ranks do together. */
interface Group {
  rank: number;
  size: number;
  /** The sums over all ranks of `values`, of which this rank gets the `rank`-th of `size` equal parts. */
  reduceScatter(values: Float64Array): Promise<Float64Array>;
  /** The parts of all ranks, one behind the other. */
  allGather(part: Float64Array): Promise<Float64Array>;
}
interface AdamState {
  step: number;
  mean: Float64Array;
  variance: Float64Array;
}
interface Layer {
  forward(i: number, weights: Float64Array, x: Float64Array): Float64Array;
  backward(i: number, weights: Float64Array, x: Float64Array, gradient: Float64Array): [gw: Float64Array, gx: Float64Array];
}
export { Group, AdamState, Layer };
