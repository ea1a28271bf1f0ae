/** Small float formats: every code, and rounding against its definition. */
import { describe, expect, it } from "vitest";
import { BFLOAT16, FLOAT16 } from "../../core/encoding.js";
import { distributed, nn, optim, type Tensor, tensor, toStatic } from "../../index.js";

const { CompactAdam, decodeFloat, encodeFloat, floatFormat } = distributed;
const NAMES = ["1-6-9", "0-6-10", "1-5-10", "1-8-7", "1-5-2", "1-4-3", "0-4-4"];

const all = (bits: number) => Uint16Array.from({ length: 2 ** bits }, (_, code) => code);

describe.each(NAMES)("%s", (name) => {
  const format = floatFormat(name);
  const codes = all(format.bits);
  const numbers = format.decode(codes);
  const half = format.signed ? codes.length / 2 : codes.length;
  const finite = 2 ** (format.exponent + format.mantissa) - 2 ** format.mantissa;

  it("every code comes back; NaN as one of its codes", () => {
    const back = format.encode(numbers);
    const isSame = (code: number) =>
      Number.isNaN(numbers[code]) ? Number.isNaN(numbers[back[code]]) : back[code] === code;
    expect(codes.filter((code) => !isSame(code))).toHaveLength(0);
  });

  it("codes are in the order of numbers, end with infinity, and the sign is the first bit", () => {
    expect(numbers[0]).toBe(0);
    const upTo = codes.subarray(0, finite + 1);
    expect(upTo.filter((code) => code > 0 && !(numbers[code] > numbers[code - 1]))).toHaveLength(0);
    expect(numbers[finite]).toBe(Number.POSITIVE_INFINITY);
    expect(numbers[finite - 1]).toBe(format.largest);
    expect(numbers[1]).toBe(format.smallest);
    expect(numbers[2 ** format.mantissa]).toBe(format.smallestNormal);
    expect(codes.subarray(finite + 1, half).filter((code) => !Number.isNaN(numbers[code]))).toHaveLength(0);
    if (format.signed)
      expect(upTo.filter((code) => !Object.is(numbers[half + code], -numbers[code]))).toHaveLength(0);
  });

  it("what lies between two numbers goes to the nearer, the middle to the even code", () => {
    const values: number[] = [];
    const wanted: number[] = [];
    const limit = 2 * numbers[finite - 1] - numbers[finite - 2]; // the next one, if exponents went on
    for (let code = 0; code < finite; code++) {
      const [low, high] = [numbers[code], code + 1 < finite ? numbers[code + 1] : limit];
      const middle = (low + high) / 2;
      values.push(middle, middle * (1 - 2 ** -40), middle * (1 + 2 ** -40));
      wanted.push(code % 2 === 0 ? code : code + 1, code, code + 1);
    }
    const differing = (got: Uint16Array, add: number) => got.filter((code, i) => code !== wanted[i] + add);
    expect(differing(format.encode(values), 0)).toHaveLength(0);
    if (format.signed) expect(differing(format.encode(values.map((x) => -x)), half)).toHaveLength(0);
    else expect(format.encode([-1, -0, Number.NEGATIVE_INFINITY])).toEqual(new Uint16Array(3));
  });
});

describe("formats", () => {
  it.each([
    ["1-5-10", FLOAT16],
    ["1-8-7", BFLOAT16],
  ] as const)("%s is what the library's dtype is", (name, encoding) => {
    const format = floatFormat(name);
    const codes = all(16);
    const wanted = encoding.decode(codes.buffer, 0, codes.length);
    const got = format.decode(codes);
    expect(codes.filter((code) => !Object.is(got[code], wanted[code]))).toHaveLength(0);
    const values = Float64Array.from({ length: 5000 }, (_, i) => Math.sin(i * 7.3) * 10 ** ((i % 90) - 45));
    const encoded = new Uint16Array(values.length);
    encoding.encode(values, encoded.buffer, 0);
    expect(format.encode(values)).toEqual(encoded);
  });

  it("DALL-E's have the ranges that their bits say", () => {
    const mean = floatFormat("1-6-9");
    expect([mean.largest, mean.smallestNormal, mean.smallest]).toEqual([
      (2 - 2 ** -9) * 2 ** 31,
      2 ** -30,
      2 ** -39,
    ]);
    const square = floatFormat("0-6-10");
    expect([square.bits, square.largest, square.smallest]).toEqual([16, (2 - 2 ** -10) * 2 ** 31, 2 ** -40]);
  });

  it("others are refused", () => {
    for (const name of ["2-5-8", "1-9-6", "1-6-10", "1-1-4", "fp8"])
      expect(() => floatFormat(name)).toThrow(/sign-exponent-mantissa/);
  });

  it("as ops: codes are int16, also those with the first bit set", () => {
    const x = tensor([
      [1.5, -2],
      [0.1, 1e12],
    ]);
    const codes = encodeFloat(x, "1-6-9");
    expect(codes.dtype).toBe("int16");
    expect(codes.shape).toEqual([2, 2]);
    expect(decodeFloat(codes, "1-6-9").toArray()).toEqual([
      [1.5, -2],
      [floatFormat("1-6-9").decode(floatFormat("1-6-9").encode([0.1]))[0], Number.POSITIVE_INFINITY],
    ]);
    expect(() => decodeFloat(x, "1-6-9")).toThrow(/int16/);
  });
});

describe("CompactAdam", () => {
  const train = (make: (net: nn.Module) => optim.Optimizer, captured = false) => {
    const net = new nn.Dense(6, 3, { bias: true });
    const wave = (shape: number[], rate: number) =>
      tensor(
        Float32Array.from({ length: shape[0] * shape[1] }, (_, i) => Math.sin(i * rate)),
        { shape },
      );
    net.weight.assign(wave([6, 3], 1));
    const optimizer = make(net);
    const x = wave([16, 6], 3.7);
    const y = x.slice(":", [0, 3]).mul(0.5).add(0.2);
    const step = () => {
      optimizer.zeroGrad();
      const loss = net.forward(x).sub(y).square().mean();
      loss.backward();
      optimizer.step();
      return loss.detach();
    };
    const run = captured ? toStatic(step) : step;
    const losses: number[] = [];
    for (let i = 0; i < 150; i++) losses.push((run() as Tensor).item());
    return { losses, optimizer };
  };

  it("follows Adam closely, with half the state", () => {
    const wide = train((net) => new optim.Adam(net, { lr: 0.02 }));
    for (const captured of [false, true]) {
      const small = train((net) => new CompactAdam(net, { lr: 0.02 }), captured);
      const last = wide.losses.length - 1;
      expect(small.losses[0]).toBe(wide.losses[0]);
      expect(Math.abs(small.losses[last] - wide.losses[last])).toBeLessThan(0.02 * wide.losses[0]);
      expect(small.losses[last]).toBeLessThan(0.1 * small.losses[0]);
      const bytes = (optimizer: optim.Optimizer) =>
        [...optimizer.stateDict()]
          .filter(([name]) => name !== "step")
          .reduce((sum, [, x]) => sum + (x.dtype === "int16" ? 2 : 4) * x.size, 0);
      expect(bytes(small.optimizer)).toBe(bytes(wide.optimizer) / 2);
    }
  });

  it("its state can be saved and taken up", () => {
    const { optimizer } = train((net) => new CompactAdam(net, { lr: 0.02 }));
    const state = optimizer.stateDict();
    const other = train((net) => new CompactAdam(net, { lr: 0.02 })).optimizer;
    other.loadStateDict(state);
    for (const [name, value] of other.stateDict())
      expect(value.toArray()).toEqual(state.get(name)?.toArray());
  });
});
