/**
 * Further samples for the registry-wide checks, at awkward shapes: sizes of 1 and 0, no axes, five axes; positions that repeat, count
 * from the back, or are none. For elementwise and reducing ops by rule, for others by the table.
 */
import type { OpDef, OpSample } from "../../src/ops/registry.js";

type Samples = readonly OpSample<object>[];

const ELEMENTWISE: Readonly<Record<number, readonly (readonly number[])[][]>> = {
  1: [[[1]], [[2, 1, 2, 1, 2]]],
  2: [
    [
      [2, 1],
      [1, 3],
    ],
    [[1], [1, 1, 1]],
    [[], []],
    [
      [2, 1, 1, 1, 2],
      [1, 3, 1, 1],
    ],
  ],
  3: [
    [
      [2, 1, 1],
      [1, 3, 1],
      [1, 1, 2],
    ],
    [[], [], []],
  ],
};

const reduced = (nonEmpty: boolean): Samples => [
  { shapes: [[2, 1, 2, 1, 3]], attrs: { axes: [1, 2, 4], keepDims: false } },
  { shapes: [[1]], attrs: { axes: [0], keepDims: false } },
  { shapes: [[1, 1]], attrs: { axes: [0, 1], keepDims: true } },
  { shapes: [[0, 2]], attrs: { axes: [1], keepDims: true } },
  ...(nonEmpty ? [] : [{ shapes: [[0]], attrs: { axes: [0], keepDims: false } }]),
];

const floatInt = ["float64", "int32"] as const;
const intFloat = ["int32", "float64"] as const;
const along = (axis: number, shape: readonly number[]): OpSample<object> => ({
  shapes: [shape],
  attrs: { axis },
});
const lines: Samples = [along(0, [1]), along(2, [1, 2, 3, 1, 2]), along(0, [0, 2])];

const TABLE: Readonly<Record<string, Samples>> = {
  reshape: [
    { shapes: [[1, 1]], attrs: { shape: [] } },
    { shapes: [[2, 1, 3, 1, 2]], attrs: { shape: [12] } },
  ],
  transpose: [
    { shapes: [[]], attrs: { axes: [] } },
    { shapes: [[2, 1, 3, 1, 2]], attrs: { axes: [4, 1, 0, 3, 2] } },
    { shapes: [[0, 3]], attrs: { axes: [1, 0] } },
  ],
  broadcastTo: [
    { shapes: [[2, 1, 1, 1, 2]], attrs: { shape: [2, 3, 1, 2, 2] } },
    { shapes: [[0, 1]], attrs: { shape: [2, 0, 3] } },
    { shapes: [[]], attrs: { shape: [] } },
  ],
  slice: [
    { shapes: [[]], attrs: { starts: [], sizes: [], steps: [] } },
    { shapes: [[7]], attrs: { starts: [6], sizes: [3], steps: [-3] } },
    {
      shapes: [[2, 1, 3, 1, 4]],
      attrs: { starts: [1, 0, 2, 0, 0], sizes: [1, 1, 3, 1, 2], steps: [1, 1, -1, -1, 3] },
    },
    { shapes: [[0, 2]], attrs: { starts: [0, 0], sizes: [0, 1], steps: [1, 1] } },
  ],
  unslice: [
    { shapes: [[]], attrs: { shape: [], starts: [], sizes: [], steps: [] } },
    { shapes: [[0]], attrs: { shape: [3], starts: [0], sizes: [0], steps: [1] } },
    { shapes: [[3]], attrs: { shape: [7], starts: [6], sizes: [3], steps: [-3] } },
  ],
  concat: [
    { shapes: [[1]], attrs: { axis: 0 } },
    {
      shapes: [
        [2, 1, 1, 2, 1],
        [2, 1, 1, 2, 2],
      ],
      attrs: { axis: 4 },
    },
    {
      shapes: [
        [0, 2],
        [0, 2],
      ],
      attrs: { axis: 0 },
    },
  ],
  take: [
    { shapes: [[4, 2], []], attrs: { axis: 0 }, dtypes: floatInt, values: [null, [-1]] },
    { shapes: [[4, 2], [0]], attrs: { axis: 0 }, dtypes: floatInt },
    { shapes: [[3], [2, 2]], attrs: { axis: 0 }, dtypes: floatInt, values: [null, [0, -3, 2, 0]] },
    { shapes: [[2, 1, 3, 1], [2]], attrs: { axis: 2 }, dtypes: floatInt, values: [null, [1, 1]] },
  ],
  scatterAdd: [
    { shapes: [[], [2]], attrs: { axis: 0, size: 3, rank: 0 }, dtypes: intFloat, values: [[-1], null] },
    { shapes: [[0], [0, 2]], attrs: { axis: 0, size: 3, rank: 1 }, dtypes: intFloat },
    {
      shapes: [
        [2, 2],
        [3, 2, 2],
      ],
      attrs: { axis: 1, size: 2, rank: 2 },
      dtypes: intFloat,
      values: [[0, 0, -2, 1], null],
    },
  ],
  takeAlongAxis: [
    { shapes: [[3], [5]], attrs: { axis: 0 }, dtypes: floatInt, values: [null, [0, 0, -1, 2, -3]] },
    {
      shapes: [
        [2, 3],
        [2, 0],
      ],
      attrs: { axis: 1 },
      dtypes: floatInt,
    },
    {
      shapes: [
        [1, 1, 2, 1, 3],
        [1, 1, 2, 1, 1],
      ],
      attrs: { axis: 4 },
      dtypes: floatInt,
      values: [null, [2, -1]],
    },
  ],
  scatterAddAlongAxis: [
    { shapes: [[4], [4]], attrs: { axis: 0, size: 2 }, dtypes: intFloat, values: [[0, 0, -1, 1], null] },
    {
      shapes: [
        [2, 0],
        [2, 0],
      ],
      attrs: { axis: 1, size: 3 },
      dtypes: intFloat,
    },
  ],
  replace: [
    { shapes: [[3], [0], [0]], dtypes: ["float64", "int32", "float64"] },
    { shapes: [[3], [4], [4]], dtypes: ["float64", "int32", "float64"], values: [null, [2, 0, 2, 2], null] },
    { shapes: [[1], [1], [1]], dtypes: ["float64", "int32", "float64"], values: [null, [0], null] },
  ],
  scatterReduce: (["prod", "max", "min"] as const).map((reduce) => ({
    shapes: [[2], [5], [5]],
    attrs: { axis: 0, reduce },
    dtypes: ["float64", "int32", "float64"] as const,
    values: [null, [0, 0, -1, 0, 0], null],
  })),
  sort: [
    { shapes: [[1]], attrs: { axis: 0, descending: false } },
    { shapes: [[1, 2, 3, 1, 2]], attrs: { axis: 2, descending: true } },
  ],
  cumsum: lines,
  cumprod: lines,
  cummax: lines,
  cummin: lines,
  softmax: lines,
  logSoftmax: lines,
  linearRecurrence: lines.map(({ shapes: [shape], attrs }) => ({
    shapes: [shape, shape],
    attrs: { ...attrs, reverse: true },
  })),
  matmul: [
    {
      shapes: [
        [1, 1],
        [1, 1],
      ],
    },
    {
      shapes: [
        [0, 3],
        [3, 2],
      ],
    },
    {
      shapes: [
        [0, 2, 3],
        [3, 2],
      ],
    },
    {
      shapes: [
        [2, 1, 1, 1, 2],
        [1, 3, 1, 2, 1],
      ],
    },
  ],
  cholesky: [{ shapes: [[1, 1]], ranges: [[1, 2]] }, { shapes: [[0, 2, 2]] }, { shapes: [[0, 0]] }],
  eigh: [{ shapes: [[0, 0]] }, { shapes: [[0, 2, 2]] }, { shapes: [[4, 4]] }],
  inv: [{ shapes: [[0, 0]] }, { shapes: [[2, 1, 2, 2]], diagonals: [4] }],
  triangularSolve: [
    {
      shapes: [
        [1, 1],
        [1, 1],
      ],
      diagonals: [4, 0],
      attrs: { lower: false, transpose: false, unitDiagonal: false },
    },
    {
      shapes: [
        [2, 2],
        [2, 0],
      ],
      diagonals: [4, 0],
      attrs: { lower: true, transpose: true, unitDiagonal: false },
    },
  ],
  svd: [{ shapes: [[1, 3]] }, { shapes: [[3, 1]] }, { shapes: [[0, 2, 2]] }],
  qr: [
    { shapes: [[1, 1]], attrs: { complete: false }, ranges: [[1, 2]] },
    { shapes: [[0, 3, 2]], attrs: { complete: false } },
  ],
};

/** Further samples of an op. */
export function awkwardSamples(op: OpDef): Samples {
  const [first] = op.samples;
  if (first === undefined) return [];
  const own = TABLE[op.name] ?? [];
  if (op.kind === "elementwise") {
    const { values: _, ...how } = first;
    return [...own, ...(ELEMENTWISE[first.shapes.length] ?? []).map((shapes) => ({ ...how, shapes }))];
  }
  if (op.kind === "reduction" && "axes" in (first.attrs ?? {}))
    return reduced(op.name === "max" || op.name === "min");
  return own;
}

/** Ops of the table, so that a renamed one is noticed. */
export const namesInTable = Object.keys(TABLE);
