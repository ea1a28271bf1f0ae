/** Wrong calls of ops: the message says what was given, what is wanted, and where. */
import { describe, expect, it } from "vitest";
import * as M from "../index.js";
import { DTypeError, ones, ShapeError, tensor, ValueError, zeros } from "../index.js";

type Row = [string, () => unknown, new (...a: never[]) => Error, RegExp];
const x = zeros([3, 4]);

describe("wrong calls", () => {
  it.each<Row>([
    [
      "topk",
      () => M.topk(x, 5),
      ValueError,
      /k is a whole number from 0 to the size of axis 1 of \(3, 4\), got 5/,
    ],
    ["quantile", () => M.quantile(x, 1.5), ValueError, /q is between 0 and 1, got 1.5/],
    ["quantile of nothing", () => M.median(zeros([0])), ValueError, /axis 0 of \(0,\) is empty/],
    ["sort of a number", () => M.sort(1), ShapeError, /without axes/],
    ["searchsorted", () => M.searchsorted(x, 1), ShapeError, /sorted values \(n\) wanted, got \(3, 4\)/],
    ["histogram bins", () => M.histogram(x, 0), ValueError, /number of bins is a whole number from 1, got 0/],
    ["histogram range", () => M.histogram(x, 3, [2, 2]), ValueError, /from low to high, got \[2, 2\]/],
    ["roll axes", () => M.roll(x, [1, 2], [0]), ValueError, /one whole shift per axis/],
    ["roll without axes", () => M.roll(x, [1, 2]), ValueError, /several shifts need as many axes/],
    ["repeat", () => M.repeat(x, [1, -1, 2], 0), ValueError, /a count from 0, or 3 of them for axis 0/],
    ["moveAxis", () => M.moveAxis(x, [0, 0], [0, 1]), ValueError, /as many different axes as places/],
    ["rot90", () => M.rot90(x, 1, [0, -2]), ValueError, /two different axes/],
    ["chunk", () => M.chunk(x, 0), ValueError, /size is a whole number from 1, got 0/],
    [
      "padEdges mode",
      () =>
        M.padEdges(
          x,
          [
            [0, 0],
            [0, 0],
          ],
          "mirror" as never,
        ),
      ValueError,
      /one of edge, wrap/,
    ], // prettier-ignore
    ["padEdges widths", () => M.padEdges(x, [[0, 0]], "edge"), ShapeError, /2 pairs of non-negative widths/],
    [
      "padEdges of nothing",
      () => M.padEdges(zeros([0]), [[1, 0]], "edge"),
      ShapeError,
      /no element to repeat/,
    ],
    [
      "bitwiseAnd of floats",
      () => M.bitwiseAnd(x, 1),
      DTypeError,
      /integers up to int32, got float32\(3, 4\)/,
    ],
    ["polygamma", () => M.polygamma(-1, 2), ValueError, /order is a whole number from 0, got -1/],
    ["conv1d", () => M.conv1d(x, x), ShapeError, /sequences \(N, C, L\) and filters \(O, I, K\) wanted/],
    ["convTranspose1d", () => M.convTranspose1d(x, x), ShapeError, /filters \(I, O, K\)/],
    [
      "convTranspose2d channels",
      () => M.convTranspose2d(ones([1, 2, 3, 3]), ones([3, 1, 2, 2])),
      ShapeError,
      /filters \(I, O\/groups, kH, kW\) wanted/,
    ], // prettier-ignore
    [
      "convTranspose2d output padding",
      () => M.convTranspose2d(ones([1, 1, 2, 2]), ones([1, 1, 2, 2]), { outputPadding: 1 }),
      ValueError,
      /smaller than the stride/,
    ], // prettier-ignore
    [
      "convTranspose2d padding",
      () => M.convTranspose2d(ones([1, 1, 1, 1]), ones([1, 1, 1, 1]), { padding: 1 }),
      ShapeError,
      /leaves nothing/,
    ], // prettier-ignore
    [
      "adaptiveAvgPool2d",
      () => M.adaptiveAvgPool2d(x, 2),
      ShapeError,
      /images \(N, C, H, W\) wanted, got \(3, 4\)/,
    ],
    ["maxPool1d", () => M.maxPool1d(x, 2), ShapeError, /sequences \(N, C, L\) wanted/],
    [
      "resize mode",
      () => M.resize(ones([1, 1, 2, 2]), 4, { mode: "cubic" as never }),
      ValueError,
      /"nearest" or "bilinear"/,
    ], // prettier-ignore
    ["einsum operands", () => M.einsum("ij,jk", x), ValueError, /2 terms for 1 operands/],
    [
      "einsum rank",
      () => M.einsum("ijk->i", x),
      ShapeError,
      /term 0, "ijk", does not fit the shape \(3, 4\)/,
    ],
    ["einsum sizes", () => M.einsum("ij,ij->", x, zeros([3, 5])), ShapeError, /"j" stands for sizes 4 and 5/],
    ["einsum repeated", () => M.einsum("ii", x), ShapeError, /"i" stands for sizes 3 and 4/],
    ["einsum result", () => M.einsum("ij->ik", x), ValueError, /"k" of the result is in no operand/],
    ["einsum twice", () => M.einsum("ij->ii", x), ValueError, /"i" stands twice in the result/],
    ["einsum text", () => M.einsum("i1->i", x), ValueError, /letters, commas/],
    ["argwhere", () => M.argwhere(tensor(1)), ShapeError, /without axes/],
  ])("%s", (_, f, type, message) => {
    expect(f).toThrow(type);
    expect(f).toThrow(message);
  });
});
