// biome-ignore-all lint/suspicious/noThenProperty: thenables are what is tested
/** The kit as a test cell uses it, against functions in this very process. */
import { beforeAll, describe, expect, it } from "vitest";
import { TensorData } from "../wire/tensor.js";
import { besideHost, peerBeside } from "./beside.js";
import { runTest, type TestOutcome } from "./check.js";
import { createKit } from "./create.js";
import {
  ExpectationError,
  expectClose,
  expectEqual,
  expectShape,
  expectThrows,
  expectTrue,
} from "./expect.js";
import { rng } from "./rng.js";
import { type Handle, portable, read, snapshot } from "./student.js";

const { student, check } = createKit(peerBeside(), besideHost);

/** Stands for the learner's notebook. */
class Counter {
  count = 0;
  parts = [{ name: "a" }];
  add(n: number): this {
    this.count += n;
    return this;
  }
}
beforeAll(() => {
  Object.assign(globalThis, {
    double: (x: number) => 2 * x,
    Counter,
    boom: () => {
      throw new RangeError("too big");
    },
    stub: () => {
      throw new Error("Not implemented");
    },
    mutate: (list: number[]) => list.push(9),
    apply: (f: (x: number) => unknown, x: number) => f(x),
    adder: (a: number) => (b: number) => a + b,
    rate: 0.5,
    thenable: () => ({ then: (resolve: (x: unknown) => void) => resolve({ then: 3 }) }),
    sizeOf: (x: { size: number }) => x.size,
  });
});

async function failure(action: () => unknown): Promise<string> {
  try {
    await action();
  } catch (error) {
    expect(error).toBeInstanceOf(ExpectationError);
    return (error as Error).message;
  }
  throw new Error("it did not fail");
}

describe("student", () => {
  it("calls functions, copies arguments", async () => {
    expect(await student.double(21)).toBe(42);
    const list = [1];
    expect(await student.mutate(list)).toBe(2);
    expect(list).toEqual([1]);
  });
  it("keeps instances, with methods, properties, identity and snapshots", async () => {
    const counter = await student.new<Handle>("Counter");
    expect(await counter.add(3)).toBe(counter);
    expect(await read(counter, "count")).toBe(3);
    expect(await snapshot({ list: [counter] })).toEqual({ list: [{ count: 3, parts: [{ name: "a" }] }] });
  });
  it("passes functions both ways: by handle, by source with its scope", async () => {
    const add = await student.adder<Handle>(2);
    expect(await add(5)).toBe(7);
    expect(await student.apply(async (x: number) => x + 1, 1)).toBe(2);
    const k = 10;
    expect(
      await student.apply(
        portable((x: number) => x * k, { k }),
        4,
      ),
    ).toBe(40);
  });
  it("reads variables; tensors cross as data", async () => {
    expect(await read(student, "rate")).toBe(0.5);
    expect(await student.sizeOf(new TensorData("float32", [2, 3], new Float32Array(6)))).toBe(6);
  });
  it("names what is missing, hands over what is thrown, awaits nothing of the student's here", async () => {
    await expect(student.nothing()).rejects.toMatchObject({
      kind: "missing",
      message: "nothing is not defined: run the cell that defines it",
    });
    await expect(student.rate()).rejects.toMatchObject({
      kind: "missing",
      message: "rate is not a function (it is number)",
    });
    await expect(student.boom()).rejects.toMatchObject({
      thrownName: "RangeError",
      thrownMessage: "too big",
    });
    expect(await student.thenable()).toEqual({ then: 3 });
    expect(await (student as unknown as Promise<unknown>)).toBe(student);
  });
});

describe("expectations", () => {
  it("equal: path of the first difference", async () => {
    expectEqual(
      { a: [1, Number.NaN], m: new Map([["k", new Set([1])]]) },
      { a: [1, Number.NaN], m: new Map([["k", new Set([1])]]) },
    );
    expect(await failure(() => expectEqual({ a: [1, { b: 2 }] }, { a: [1, { b: 3 }] }))).toBe(
      "got 2, expected 3 (first difference at .a[1].b)",
    );
    expect(await failure(() => expectEqual([1, 2], [1, 2, 3], "order"))).toBe(
      "order: got [ 1, 2 ] (length 2), expected [ 1, 2, 3 ] (length 3)",
    );
    expect(await failure(() => expectEqual([1], new Float32Array([1])))).toMatch(
      /\(array\).*\(Float32Array\)/,
    );
    expect(await failure(() => expectEqual(Promise.resolve(1), 1))).toMatch(/write await/);
    expect(await failure(() => expectEqual({ a: 1 }, { a: 1, b: undefined }))).toMatch(
      /got nothing, expected undefined .*\.b/,
    );
    expect(await failure(() => expectEqual("1", 1))).toBe("got '1', expected 1");
  });
  it("equal: Maps and Sets by content, each element once", async () => {
    expectEqual(new Set([[1], [2]]), new Set([[2], [1]]));
    expect(await failure(() => expectEqual(new Set([[1], [2]]), new Set([[1], [1]])))).toMatch(/^got Set/);
    const twins = () => new Map<unknown, unknown>([[[1], "a"], [[1], "b"]]); // biome-ignore format: short
    expectEqual(twins(), new Map([...twins()].reverse()));
    expect(await failure(() => expectEqual(new Map([["x", 1]]), new Map([["x", 2]])))).toBe(
      "got 1, expected 2 (first difference at .get('x'))",
    );
  });
  it("close: NumPy's figures, shapes, dtypes, ragged arrays", async () => {
    expectClose([[1, 2 + 1e-9]], new TensorData("float32", [1, 2], new Float32Array([1, 2])));
    expectClose([Number.POSITIVE_INFINITY, Number.NaN], [Number.POSITIVE_INFINITY, Number.NaN]);
    const message = await failure(() => expectClose([[1, 2], [3, 4.5]], [[1, 2], [3, 4]])); // biome-ignore format: short
    expect(message).toContain("mismatched elements: 1 / 4 (25.0 %)");
    expect(message).toContain("largest difference at [1, 1]: got 4.5, expected 4");
    expect(message).toContain("max absolute difference: 0.500000, max relative difference: 0.125000");
    expect(await failure(() => expectClose([1, 2, 3], [[1, 2, 3]]))).toMatch(
      /shapes differ: got \(3,\), expected \(1, 3\)/,
    );
    expect(await failure(() => expectClose([[1], [1, 2]], [[1], [1]]))).toMatch(
      /ragged array: element 0 has shape \(1,\), element 1 has \(2,\)/,
    );
    expect(await failure(() => expectClose(Number.NaN, 1))).toMatch(/got NaN, expected 1/);
    expect(await failure(() => expectClose(1, Number.NaN))).toMatch(/got 1, expected NaN/);
    expect(await failure(() => expectClose(undefined, 1))).toMatch(/got undefined, which is not a number/);
    expect(await failure(() => expectClose("1", 1))).toMatch(/which is not a number/);
    expect(await failure(() => expectClose(new Float64Array([1]), [1], { dtype: "float32" }))).toMatch(
      /dtypes differ: got float64, expected float32/,
    );
  });
  it("shape and truth", async () => {
    expectShape([[1, 2, 3]], [1, 3]);
    expect(await failure(() => expectShape([1], [1, 1]))).toBe("got shape (1), expected (1, 1)");
    expect(await failure(() => expectTrue(1, "it is so"))).toBe("expected: it is so");
  });
  it("throws: the right error only; a stub never counts", async () => {
    await expectThrows(() => student.boom(), /big/);
    await expectThrows(() => student.boom(), { name: "RangeError", message: "too" });
    expect(await failure(() => expectThrows(() => student.boom(), /small/))).toMatch(
      /got the error RangeError: too big, expected one that matches \/small\//,
    );
    expect(await failure(() => expectThrows(() => student.double(1), /x/))).toMatch(/got the value 2/);
    await expect(expectThrows(() => student.stub(), /./)).rejects.toMatchObject({ isStub: true });
    await expect(expectThrows(() => student.nothing(), /./)).rejects.toMatchObject({ kind: "missing" });
  });
});

describe("tests", () => {
  const run = (body: () => unknown): Promise<TestOutcome> =>
    runTest({ name: "t", points: 2, hidden: false, body });
  it("pass, fail, stumble", async () => {
    expect(await run(async () => expectEqual(await student.double(1), 2))).toMatchObject({
      status: "passed",
      score: 2,
    });
    expect(await run(async () => expectEqual(await student.double(1), 3))).toMatchObject({
      status: "failed",
      score: 0,
    });
    expect(await run(async () => student.boom())).toMatchObject({
      status: "error",
      message: "your code threw RangeError: too big",
    });
    expect(await run(async () => ((await student.double(1)) as number[])[0].toFixed())).toMatchObject({
      status: "error",
      message: expect.stringMatching(/could not use the value/),
    });
  });
  it("silence is never a pass: the author is told", async () => {
    expect(await run(() => {})).toMatchObject({
      status: "grader",
      message: expect.stringMatching(/never asks/),
    });
    expect(await run(() => student.double(1))).toMatchObject({
      status: "grader",
      message: expect.stringMatching(/states nothing/),
    });
    expect(await run(() => expectEqual(1, 1))).toMatchObject({ status: "grader" });
    expect(await run(() => { throw new TypeError("bug"); })).toMatchObject({ status: "grader", message: "TypeError: bug" }); // biome-ignore format: short
  });
  it("run() gives the points as a plain number; all passed gives nothing to nbgrader's Validate", async () => {
    const build = () =>
      check("c")
        .test("a", { points: 0.1 }, async () => expectEqual(await student.double(1), 2))
        .test("b", { points: 0.2 }, async () => expectEqual(await student.double(2), 4));
    expect(await build().run()).toBe(0.3);
    process.env.NBGRADER_EXECUTION = "validate";
    try {
      expect(await build().run()).toBeUndefined();
      expect(
        await build()
          .test("c", { points: 1 }, () => student.boom())
          .run(),
      ).toBe(0.3);
    } finally {
      delete process.env.NBGRADER_EXECUTION;
    }
  });
  it("mistakes in a declaration", () => {
    const c = check("c").test("a", { points: 1 }, () => {});
    expect(() => c.test("a", { points: 1 }, () => {})).toThrow('c: test "a" is declared twice');
    expect(() => c.test("b", { points: 0 }, () => {})).toThrow("points must be positive, not 0");
    expect(() => c.test("b|c", { points: 1 }, () => {})).toThrow('without "|"');
  });
});

describe("rng", () => {
  it("is the same for the same seed, also on other machines", () => {
    const draw = (seed: string) => {
      const r = rng(seed);
      return [r.int(0, 1000), r.int(0, 1000), r.uniform(), ...r.shape(3)];
    };
    expect(draw("a")).toEqual(draw("a"));
    expect(draw("a")).not.toEqual(draw("b"));
    expect(draw("topo")).toMatchInlineSnapshot(`
      [
        123,
        6,
        0.7440738149583812,
        9,
        13,
        7,
      ]
    `);
  });
  it("has the moments of its distributions, odd distinct shapes", () => {
    const r = rng(1);
    const xs = Array.from({ length: 20_000 }, () => r.normal());
    const mean = xs.reduce((a, b) => a + b) / xs.length;
    const variance = xs.reduce((a, b) => a + (b - mean) ** 2, 0) / xs.length;
    expect(Math.abs(mean)).toBeLessThan(0.03);
    expect(Math.abs(variance - 1)).toBeLessThan(0.05);
    const shape = r.shape(4);
    expect(new Set(shape).size).toBe(4);
    expect(shape.every((size) => size % 2 === 1)).toBe(true);
    expect([...r.shuffle([1, 2, 3, 4])].sort()).toEqual([1, 2, 3, 4]);
    expectShape(r.array([3, 5]), [3, 5]);
  });
});
