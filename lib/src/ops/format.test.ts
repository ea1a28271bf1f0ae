import { describe, expect, it } from "vitest";
import { expectedFile } from "../../test/support/expected.js";
import { arange, type DType, grad, type Tensor, tensor, variable, zeros } from "../index.js";
import { type DenseTensor, denseFromBytes } from "../runtime/dense.js";
import { formatValues } from "./format.js";

interface Case {
  readonly shape: number[];
  readonly dtype: DType;
  readonly text: string;
  readonly values: string[] | null;
  readonly base64: string | null;
  readonly arange: boolean;
}

const numberOf = (v: string): number =>
  v === "inf" ? Infinity : v === "-inf" ? -Infinity : v === "True" ? 1 : v === "False" ? 0 : Number(v);

function tensorOf({ shape, dtype, values, base64, arange: counted }: Case): DenseTensor {
  if (counted) return arange(shape.reduce((a, b) => a * b, 1)).reshape(shape) as DenseTensor;
  if (base64) return denseFromBytes(new Uint8Array(Buffer.from(base64, "base64")), shape, dtype, "cpu");
  if (dtype === "int64") return tensor(BigInt64Array.from((values as string[]).map(BigInt)), { shape });
  return tensor(Float64Array.from((values as string[]).map(numberOf)), { shape, dtype });
}

describe("tensors print as NumPy's arrays", () => {
  const cases = expectedFile<Case[]>("printing.json").map((c, i) => ({
    title: `#${i} ${c.dtype} [${c.shape}]`,
    c,
  }));
  it.each(cases)("$title", ({ c }) => {
    expect(formatValues(tensorOf(c), "tensor(".length)).toBe(c.text);
  });
});

describe("with their type", () => {
  it("tensors, variables, tracers", () => {
    expect(String(tensor([[1, 2.5]]))).toBe("tensor([[1. , 2.5]], float32(1, 2))");
    expect(String(variable([1], { name: "w" }))).toBe("variable([1.], float32(1,))");
    let seen = "";
    grad((x: Tensor) => {
      seen = String(x);
      return x.sum();
    })(zeros([2]));
    expect(seen).toBe("grad([0., 0.], float32(2,))");
    const gone = tensor([1]);
    gone.dispose();
    expect(String(gone)).toMatch(/disposed/);
  });

  it("bfloat16 by its own digits", () => {
    expect(String(tensor([0.1, 2.71875], { dtype: "bfloat16" }))).toBe("tensor([0.1 , 2.72], bfloat16(2,))");
  });
});
