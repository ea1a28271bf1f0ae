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
  const count = (value: unknown): number => {
    if (value === null || typeof value !== "object") return 1;
    return 1 + Object.values(value).reduce((sum: number, item) => sum + count(item), 0);
  };

  it("is never below the number of values, and not far above", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const parts = countParts(JSON.stringify(value), 1e9);
        expect(parts).toBeGreaterThanOrEqual(Math.floor(count(value) / 2));
        expect(parts).toBeLessThanOrEqual(count(value) + 1);
      }),
    );
  });

  it("does not count what stands in texts, and stops at the limit", () => {
    expect(countParts(JSON.stringify(["[[,,{", '\\",[', "\\\\"]), 1e9)).toBe(4);
    expect(countParts("[".repeat(1000), 10)).toBe(10);
  });
});
