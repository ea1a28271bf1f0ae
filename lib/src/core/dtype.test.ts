import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { expectedFile } from "../../test/support/expected.js";
import { concat, DTYPES, type DType, DTypeError, promoteTypes, type Tensor, tensor } from "../index.js";
import { type DenseTensor, denseFromBytes, elementBytes } from "../runtime/dense.js";

type Numbers = (number | string)[];
interface File {
  readonly promotions: Record<string, Record<string, string>>;
  readonly input: Numbers;
  readonly float16: { values: Numbers; codes: number[] };
  readonly bfloat16: { values: Numbers; codes: number[] };
  readonly allFloat16: Numbers;
  readonly int64: { values: number[]; bytes: number[] };
}
const expected = expectedFile<File>("dtypes.json");
const numbersOf = (values: Numbers): number[] =>
  values.map((v) =>
    v === "inf" ? Infinity : v === "-inf" ? -Infinity : v === "nan" ? Number.NaN : Number(v),
  );
const codesOf = (x: Tensor): number[] => {
  const bytes = elementBytes(x as DenseTensor);
  return [...new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2)];
};

describe("promotion", () => {
  it("is NumPy's for each pair", () => {
    for (const [a, row] of Object.entries(expected.promotions))
      for (const [b, both] of Object.entries(row))
        expect(promoteTypes(a as DType, b as DType), `${a} with ${b}`).toBe(both);
  });

  it("is symmetric, and joins bfloat16 as ml_dtypes does", () => {
    for (const a of DTYPES) for (const b of DTYPES) expect(promoteTypes(a, b)).toBe(promoteTypes(b, a));
    expect(promoteTypes("bfloat16", "float16")).toBe("float32");
    expect(promoteTypes("bfloat16", "uint8")).toBe("bfloat16");
    expect(promoteTypes("bfloat16", "int16")).toBe("float32");
  });
});

describe.each(["float16", "bfloat16"] as const)("%s", (dtype) => {
  const input = numbersOf(expected.input);
  it("rounds as NumPy and PyTorch do, halves to even", () => {
    const x = tensor(Float64Array.from(input), { dtype });
    expect(codesOf(x)).toEqual(expected[dtype].codes);
    expect([...x.toTypedArray()]).toEqual(numbersOf(expected[dtype].values));
    expect([...tensor(input).cast(dtype).cast("float64").toTypedArray()]).toEqual(
      numbersOf(expected[dtype].values),
    );
  });

  it("gives each of its 65,536 codes back", () => {
    const codes = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const x = denseFromBytes(new Uint8Array(codes.buffer), [65536], dtype, "cpu");
    const values = x.toTypedArray();
    const again = codesOf(tensor(values, { dtype }));
    for (const code of codes) if (!Number.isNaN(values[code])) expect(again[code]).toBe(code);
    if (dtype === "float16")
      expect([...values].filter((_, i) => i % 97 === 0)).toEqual(numbersOf(expected.allFloat16));
  });

  it("computes: sums, products, layouts, gradients", () => {
    const x = tensor(
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
      { dtype },
    ); // prettier-ignore
    expect(x.add(x).type).toBe(`${dtype}(2, 3)`);
    expect(x.mul(2).sum().item()).toBe(42);
    expect(x.transpose().reshape([6]).slice("::-2").toArray()).toEqual([6, 5, 4]);
    expect(concat([x, x.flip(1)], 1).toArray()).toEqual([
      [1, 2, 3, 3, 2, 1],
      [4, 5, 6, 6, 5, 4],
    ]);
    expect(x.matmul(x.transpose()).toArray()).toEqual([
      [14, 32],
      [32, 77],
    ]);
    expect(x.take([1], 0).toArray()).toEqual([[4, 5, 6]]);
  });
});

describe("int64", () => {
  it("lies in memory as NumPy's", () => {
    const { values, bytes } = expected.int64;
    const x = tensor(values, { dtype: "int64" });
    expect([...elementBytes(x)]).toEqual(bytes);
    expect(x.toArray()).toEqual(values);
  });

  it("keeps all 64 bits of a BigInt64Array through layouts", () => {
    const big = BigInt64Array.from([2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n + 1n, -1n, 5n, 6n]);
    const x = tensor(big, { shape: [2, 3] });
    expect(x.type).toBe("int64(2, 3)");
    expect([...x.transpose().reshape([6]).toBigInt64Array()]).toEqual([
      big[0],
      big[3],
      big[1],
      big[4],
      big[2],
      big[5],
    ]);
    expect(() => x.cast("int32").toBigInt64Array()).toThrow(DTypeError);
  });

  it("computes as numbers do up to 2⁵³, and truncates towards 0", () => {
    const x = tensor([3_000_000_000, -7], { dtype: "int64" });
    expect(x.mul(3).toArray()).toEqual([9_000_000_000, -21]);
    expect(x.mul(3).dtype).toBe("int64");
    expect(x.sum().item()).toBe(2_999_999_993);
    expect(tensor([1.9, -1.9]).cast("int64").toArray()).toEqual([1, -1]);
    expect(x.greater(0).toArray()).toEqual([true, false]);
    expect(
      tensor([10, 20, 30])
        .take(tensor([2, 0], { dtype: "int64" }))
        .toArray(),
    ).toEqual([30, 10]);
  });

  it("survives memory and back, for every safe integer", () => {
    fc.assert(
      fc.property(fc.array(fc.maxSafeInteger(), { minLength: 1 }), (values) => {
        expect(tensor(values, { dtype: "int64" }).toArray()).toEqual(values);
      }),
    );
  });
});
