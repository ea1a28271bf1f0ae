/** Huffman's code against what must hold of it: entropy, all codes of small alphabets, and the way there and back. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { deploy } from "../../index.js";
import { ByteReader, ByteWriter } from "./bits.js";
import { codedBits, countsOf, readSymbols, writeSymbols } from "./huffman.js";

const { huffmanLengths, ModelFileError } = deploy;
const sum = (xs: readonly number[]): number => xs.reduce((a, b) => a + b, 0);
const counts = (most: number, alphabet: number) =>
  fc.array(fc.integer({ min: 0, max: most }), { minLength: 1, maxLength: alphabet });

/** Least bits of all codes: every choice of lengths that leaves each codeword its own place (Kraft). */
function leastBits(present: readonly number[]): number {
  const longest = Math.max(1, present.length - 1);
  const visit = (i: number, space: number, bits: number): number => {
    if (i === present.length) return bits;
    let best = Number.POSITIVE_INFINITY;
    for (let length = 1; length <= longest; length++)
      if (space >= 2 ** -length)
        best = Math.min(best, visit(i + 1, space - 2 ** -length, bits + length * present[i]));
    return best;
  };
  return visit(0, 1, 0);
}

function there(symbols: number[], lengths: readonly number[]): Uint8Array {
  const out = new ByteWriter();
  writeSymbols(out, symbols, lengths);
  return out.written.slice();
}
const back = (bytes: Uint8Array, lengths: readonly number[], count: number): number[] =>
  Array.from(readSymbols(new ByteReader(bytes, "x"), bytes, Uint8Array.from(lengths), count));

describe("the lengths of codewords", () => {
  it("give the least of all codes", () => {
    fc.assert(
      fc.property(counts(20, 6), (found) => {
        const present = found.filter((n) => n > 0);
        if (present.length < 2) return;
        expect(codedBits(found, huffmanLengths(found))).toBe(leastBits(present));
      }),
      { numRuns: 200 },
    );
  });

  it("lie within one bit of the entropy, and fill the space exactly", () => {
    fc.assert(
      fc.property(counts(1000, 300), (found) => {
        const total = sum(found);
        if (found.filter((n) => n > 0).length < 2) return;
        const lengths = huffmanLengths(found);
        const entropy = sum(found.map((n) => (n === 0 ? 0 : -(n / total) * Math.log2(n / total))));
        const mean = codedBits(found, lengths) / total;
        expect(mean).toBeGreaterThanOrEqual(entropy - 1e-9);
        expect(mean).toBeLessThan(entropy + 1);
        expect(sum(lengths.map((length) => (length === 0 ? 0 : 2 ** -length)))).toBe(1);
      }),
      { numRuns: 100 },
    );
  });

  it("of Fibonacci's numbers are as long as can be; of one symbol, one bit; of none, nothing", () => {
    const fibonacci = [1, 1];
    while (fibonacci.length < 40)
      fibonacci.push(fibonacci[fibonacci.length - 1] + fibonacci[fibonacci.length - 2]);
    expect(Math.max(...huffmanLengths(fibonacci))).toBe(39);
    expect([huffmanLengths([0, 7]), huffmanLengths([0, 0]), huffmanLengths([])]).toEqual([
      [0, 1],
      [0, 0],
      [],
    ]);
    expect(() => huffmanLengths([1, 0.5])).toThrow(/0.5 is no count/);
  });
});

describe("symbols", () => {
  it("come back", () => {
    const list = fc.array(fc.oneof(fc.constant(0), fc.nat(3), fc.nat(999)), { maxLength: 400 });
    fc.assert(
      fc.property(list, (symbols) => {
        const lengths = huffmanLengths(countsOf(symbols, 1000));
        expect(back(there(symbols, lengths), lengths, symbols.length)).toEqual(symbols);
      }),
      { numRuns: 100 },
    );
  });

  it("come back by codewords longer than the look-up and than a number's bits", () => {
    const lengths = [...Array.from({ length: 44 }, (_, i) => i + 1), 44];
    const symbols = [44, 0, 43, 20, 44, 11, 9, 30, 0, 24];
    expect(back(there(symbols, lengths), lengths, symbols.length)).toEqual(symbols);
  });

  it("are refused where they are none", () => {
    const refused = (bytes: number[], lengths: number[], count: number): unknown => {
      try {
        return back(Uint8Array.from(bytes), lengths, count);
      } catch (error) {
        expect(error).toBeInstanceOf(ModelFileError);
        return (error as Error).message;
      }
    };
    expect(refused([0], [1, 1, 1], 3)).toBe("x: the lengths of its codewords are no code"); // too many
    expect(refused([0], [2, 2], 3)).toBe("x: the lengths of its codewords are no code"); // a hole
    expect(refused([], [0, 0], 1)).toBe("x: 1 symbols in 0 bytes");
    expect(refused([0], [0, 0], 1)).toBe("x: the lengths of its codewords are no code");
    expect(refused([0], [1, 1], 9)).toBe("x: 9 symbols in 1 bytes");
    expect(refused([0b11000000], [1, 2, 2], 8)).toBe("x: its bits are no codewords"); // ends in a codeword
    expect(refused([128], [0, 1], 1)).toBe("x: its bits are no codewords"); // only 0 is one
    expect(refused([1], [1, 1], 7)).toBe("x: its last byte is not filled with zeros");
    expect(refused([1, 0], [1, 1], 8)).toBe("x: 1 bytes too many behind its codewords");
  });
});
