/**
 * Matrix products by seven instead of eight products of quarters (Strassen 1969), in Winograd's form with 15 additions, and in
 * the order that needs two temporaries a level (Douglas et al. 1994; Boyer et al. 2009). Below the crossover, and for odd rows
 * and columns, the device's own product.
 */
import { bytesPerElement } from "../../core/dtype.js";
import { DTypeError, ShapeError, ValueError } from "../../core/errors.js";
import { formatShape, formatType } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { needConcrete } from "../../ops/read.js";
import { emptyDense } from "../../runtime/dense.js";
import { getDevice } from "../../runtime/devices.js";
import { allocate, release } from "../../runtime/heap.js";
import type { HostArray } from "../../runtime/host-array.js";
import { withContiguous } from "../../runtime/wasm/copy.js";
import { gemm } from "../../runtime/wasm/kernels/gemm.js";
import { type HostDevice, type Piece, piece } from "../convolution/algorithm.js";
import { Definition, op } from "../loop/compute.js";
import type { LoopKernel } from "../loop/ir.js";
import { Schedule } from "../schedule/schedule.js";

export interface StrassenOptions {
  /** Products with a side below twice this are not divided. Default 1024. */
  readonly crossover?: number;
}

/** Where one level began to pay on the machines at hand (`measureStrassen` measures here). */
export const CROSSOVER = 1024;

/** A matrix of float32 in memory: address, and elements from row to row. */
interface Block {
  readonly ptr: number;
  readonly stride: number;
}

type Size = readonly [m: number, n: number, k: number];

/**
 * a · b of float32 matrices, eagerly and without a gradient. Its error grows by a small factor for each level (Higham 2002,
 * §23.2.2), measured some two to three times that of the plain product.
 * @param a (m, k)
 * @param b (k, n)
 * @throws DTypeError, ShapeError if they are no float32 matrices that fit; ValueError for a crossover below 1.
 * @example compiler.product.strassen(tensor([[1, 2], [3, 4]]), tensor([[5, 6], [7, 8]]), { crossover: 1 }) // [[19, 22], [43, 50]]
 */
export function strassen(a: Tensor, b: Tensor, { crossover = CROSSOVER }: StrassenOptions = {}): Tensor {
  if (!Number.isInteger(crossover) || crossover < 1)
    throw new ValueError(`strassen: the crossover is a whole number from 1, not ${crossover}`);
  return ofMatrices("strassen", a, b, (size, x, y, z) => multiply(size, x, y, z, crossover));
}

/** Checks operands, and runs `body` on the blocks that they and the result are. */
export function ofMatrices(
  who: string,
  a: Tensor,
  b: Tensor,
  body: (size: Size, a: Block, b: Block, c: Block) => void,
): Tensor {
  if (a.dtype !== "float32" || b.dtype !== "float32")
    throw new DTypeError(`${who}: float32 matrices wanted, got ${formatType(a)} and ${formatType(b)}`);
  if (a.ndim !== 2 || b.ndim !== 2 || a.shape[1] !== b.shape[0])
    throw new ShapeError(
      `${who}: matrices (m, k) and (k, n) wanted, got ${formatShape(a.shape)} and ${formatShape(b.shape)}`,
    );
  const [[m, k], n] = [a.shape, b.shape[1]];
  const [x, y] = [a, b].map((t) => needConcrete(t, who));
  const result = emptyDense([m, n], "float32", x.device);
  const block = (array: HostArray, stride: number): Block => ({
    ptr: array.ptr + array.offset * bytesPerElement("float32"),
    stride,
  });
  withContiguous(x.host(), (p) =>
    withContiguous(y.host(), (q) => body([m, n, k], block(p, k), block(q, n), block(result.host(), n))),
  );
  return result;
}

/** Multiplications and additions of elements that `strassen` needs. */
export interface StrassenCost {
  readonly levels: number;
  readonly multiplications: number;
  readonly additions: number;
}

/**
 * What the algorithm costs, beside m·n·k multiplications of the definition.
 * @example compiler.product.strassenCost([1024, 1024, 1024], 256).multiplications / 1024 ** 3 // 0.765625
 */
export function strassenCost([m, n, k]: Size, crossover = CROSSOVER): StrassenCost {
  if (Math.min(m, n, k) < 2 * crossover)
    return { levels: 0, multiplications: m * n * k, additions: m * n * (k - 1) };
  const half: Size = [m >> 1, n >> 1, k >> 1];
  const { levels, multiplications, additions } = strassenCost(half, crossover);
  const [p, q, r] = half;
  const whole = 8 * p * q * r;
  const rest = m * n * k - whole; // odd rows and columns, by the definition
  return {
    levels: levels + 1,
    multiplications: 7 * multiplications + rest,
    additions: 7 * additions + 4 * p * r + 4 * r * q + 7 * p * q + rest,
  };
}

/** c = a · b, by seven products where all sides are long enough. */
export function multiply([m, n, k]: Size, a: Block, b: Block, c: Block, crossover: number): void {
  if (Math.min(m, n, k) < 2 * crossover) {
    product([m, n, k], a, b, c);
    return;
  }
  const [p, q, r] = [m >> 1, n >> 1, k >> 1];
  const at = ({ ptr, stride }: Block, row: number, column: number): Block => ({
    ptr: ptr + (row * stride + column) * 4,
    stride,
  });
  const [a11, a12, a21, a22] = [at(a, 0, 0), at(a, 0, r), at(a, p, 0), at(a, p, r)];
  const [b11, b12, b21, b22] = [at(b, 0, 0), at(b, 0, q), at(b, r, 0), at(b, r, q)];
  const [c11, c12, c21, c22] = [at(c, 0, 0), at(c, 0, q), at(c, p, 0), at(c, p, q)];
  const bytes = [p * Math.max(r, q) * 4, r * q * 4];
  const [first, second] = bytes.map(allocate);
  const s: Block = { ptr: first, stride: r };
  const t: Block = { ptr: second, stride: q };
  const p1: Block = { ptr: first, stride: q }; // where s was
  const times = (x: Block, y: Block, z: Block): void => multiply([p, q, r], x, y, z, crossover);
  const [ofA, ofB, ofC] = [
    [p, r],
    [r, q],
    [p, q],
  ] as const;
  try {
    subtract(ofA, a11, a21, s);
    subtract(ofB, b22, b12, t);
    times(s, t, c21); // P7
    add(ofA, a21, a22, s);
    subtract(ofB, b12, b11, t);
    times(s, t, c22); // P5
    subtract(ofA, s, a11, s);
    subtract(ofB, b22, t, t);
    times(s, t, c12); // P6
    subtract(ofA, a12, s, s);
    times(s, b22, c11); // P3
    times(a11, b11, p1);
    add(ofC, p1, c12, c12); // U2
    add(ofC, c12, c21, c21); // U3
    add(ofC, c12, c22, c12); // U4
    add(ofC, c21, c22, c22); // C22
    add(ofC, c12, c11, c12); // C12
    subtract(ofB, t, b21, t);
    times(a22, t, c11); // P4
    subtract(ofC, c21, c11, c21); // C21
    times(a12, b21, c11); // P2
    add(ofC, p1, c11, c11); // C11
  } finally {
    release(first, bytes[0]);
    release(second, bytes[1]);
  }
  // Odd sides: the last column of a with the last row of b, then the last column and row of c.
  if (k % 2 === 1) product([2 * p, 2 * q, 1], at(a, 0, k - 1), at(b, k - 1, 0), c, true);
  if (n % 2 === 1) product([2 * p, 1, k], a, at(b, 0, n - 1), at(c, 0, n - 1));
  if (m % 2 === 1) product([1, n, k], at(a, m - 1, 0), b, at(c, m - 1, 0));
}

function product(size: Size, a: Block, b: Block, c: Block, accumulate = false): void {
  const matrix = ({ ptr, stride }: Block) => ({ ptr, rows: stride, columns: 1, batch: 0 });
  gemm("float32", size, matrix(a), matrix(b), matrix(c), 1, accumulate);
}

const add = (size: readonly [number, number], x: Block, y: Block, z: Block): void =>
  combine("add", size, x, y, z);
const subtract = (size: readonly [number, number], x: Block, y: Block, z: Block): void =>
  combine("sub", size, x, y, z);

/** z = x ± y; z may be x or y. */
function combine(
  sign: "add" | "sub",
  [rows, columns]: readonly [number, number],
  x: Block,
  y: Block,
  z: Block,
): void {
  const device: HostDevice = getDevice() === "native" ? "native" : "wasm";
  const kernel: Piece = piece(device, `matrices ${sign}`, (lanes) => combination(sign, lanes), true);
  kernel.run([x.ptr, y.ptr, z.ptr], [rows, columns, x.stride, y.stride, z.stride]);
}

function combination(sign: "add" | "sub", lanes: number): LoopKernel {
  const d = new Definition("matrices", ["M", "N", "ldx", "ldy", "ldz"]);
  const x = d.input("X", "float32", ["M", "N"], ["ldx", 1]);
  const y = d.input("Y", "float32", ["M", "N"], ["ldy", 1]);
  const z = d.output("Z", "float32", ["M", "N"], ["ldz", 1]);
  d.compute(z, { i: "M", j: "N" }, ({ i, j }) => [[i, j], op(sign, x.at(i, j), y.at(i, j))]);
  const s = new Schedule(d.kernel());
  s.split("j", 2 * lanes, ["jb", "jv"]);
  return s.vectorize("jv").parallel("i").kernel;
}
