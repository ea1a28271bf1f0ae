import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { countParts } from "./frames.js";
import { KIND, PipeError, PipeReader, pack } from "./pipe.js";

const LIMITS = { [KIND.frames]: 1_000, [KIND.text]: 10 };

describe("the pipe", () => {
  it("gives back the pieces, however the bytes are cut", () => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 8 });
    fc.assert(
      fc.property(pieces, fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 }), (bodies, cuts) => {
        const bytes = Buffer.concat(bodies.map((body) => pack(KIND.frames, body)));
        const reader = new PipeReader(LIMITS);
        const got: number[][] = [];
        for (let at = 0, cut = 0; at < bytes.length; cut++) {
          const size = cuts[cut % cuts.length];
          for (const { body } of reader.push(bytes.subarray(at, at + size))) got.push([...body]);
          at += size;
        }
        expect(got).toEqual(bodies.map((body) => [...body]));
      }),
    );
  });

  it("refuses a piece by its header, before its bytes arrive", () => {
    const header = Buffer.from([255, 255, 255, 127, KIND.frames]);
    expect(() => new PipeReader(LIMITS).push(header)).toThrow(/2147483647 bytes; the limit is 1000/);
    expect(() => new PipeReader(LIMITS).push(pack(KIND.text, "12345678901"))).toThrow(PipeError);
    expect(() => new PipeReader(LIMITS).push(Buffer.from([0, 0, 0, 0, 77]))).toThrow(/unknown kind \(77\)/);
  });
});

describe("countParts", () => {
  /** Every value counts once, an empty list or object twice: it opens, and holds no value that would stand for that. */
  const count = (value: unknown): number => {
    if (value === null || typeof value !== "object") return 1;
    const items = Object.values(value);
    return 1 + (items.length === 0 ? 1 : items.reduce((sum: number, item) => sum + count(item), 0));
  };

  it("is the number of values, and of empty lists and objects", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(countParts(JSON.stringify(value), 1e9)).toBe(count(value));
      }),
    );
  });

  it("does not count what stands in texts, and stops at the limit", () => {
    expect(countParts(JSON.stringify(["[[,,{", '\\",[', "\\\\"]), 1e9)).toBe(4);
    expect(countParts("[".repeat(1000), 10)).toBe(10);
  });
});
