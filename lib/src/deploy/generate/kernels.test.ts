/** Attention over blocks, and products with packed weights: against the library's attention and products in float64. */
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { attention, concat, Generator, getDevice, setDevice, type Tensor, tidy } from "../../index.js";
import { PackedDense } from "./packed-dense.js";
import { PagedCache } from "./paged-cache.js";

const device = getDevice();
afterEach(() => setDevice(device));

const numbers = (t: Tensor): number[] => Array.from(t.toTypedArray());
const worst = (a: Tensor, b: Tensor): number => Number(a.cast("float64").sub(b).abs().max().item());

interface Case {
  readonly heads: number;
  readonly headSize: number;
  readonly blockSize: number;
  readonly lengths: readonly number[];
}
const cases: fc.Arbitrary<Case> = fc.record({
  heads: fc.integer({ min: 1, max: 3 }),
  headSize: fc.constantFrom(3, 4, 12, 16, 20, 64, 80),
  blockSize: fc.integer({ min: 1, max: 9 }),
  lengths: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 4 }),
});

/** All tokens of some sequences at once, in blocks that lie in any order. Results (rows, size) of layer 1 of 2. */
function paged({ heads, headSize, blockSize, lengths }: Case, joined: Tensor, seed: number): Tensor {
  const counts = lengths.map((length) => Math.ceil(length / blockSize));
  const blocks = counts.reduce((a, b) => a + b) + 2;
  const order = numbers(new Generator(seed).permutation(blocks));
  const cache = new PagedCache({ blocks, blockSize, layers: 2, heads, headSize });
  const [tables, spans, slots]: [number[], number[], number[]] = [[], [], []];
  for (const [i, length] of lengths.entries()) {
    const start = tables.length;
    tables.push(...order.splice(0, counts[i]));
    for (let at = 0; at < length; at++) {
      spans.push(start, at + 1);
      slots.push(tables[start + Math.floor(at / blockSize)] * blockSize + (at % blockSize));
    }
  }
  const [a, b, c] = [tables, spans, slots].map((list) => Int32Array.from(list));
  cache.prepare({ tables: a, spans: b, slots: c });
  cache.attend(0, joined.mul(-3)); // another layer's keys lie beside
  const out = cache.attend(1, joined);
  cache.dispose();
  return out;
}

/** The same by the library's attention, in float64, sequence by sequence. */
function plain({ heads, headSize, lengths }: Case, joined: Tensor): Tensor {
  const size = heads * headSize;
  let from = 0;
  const parts = lengths.map((length) => {
    const rows = joined.slice([from, from + length]).cast("float64");
    from += length;
    const [q, k, v] = [0, 1, 2].map((i) =>
      rows
        .slice([null, null], [i * size, (i + 1) * size])
        .reshape([length, heads, headSize])
        .transpose([1, 0, 2]),
    );
    return attention(q, k, v, { causal: true }).transpose([1, 0, 2]).reshape([length, size]);
  });
  return concat(parts, 0);
}

const inputs = ({ heads, headSize, lengths }: Case, seed: number): Tensor =>
  new Generator(seed).normal([lengths.reduce((a, b) => a + b), 3 * heads * headSize], 0, 2);

describe("attention over blocks", () => {
  it.each(["wasm", "cpu"])("is the library's attention (%s)", (name) => {
    setDevice(name);
    fc.assert(
      fc.property(cases, fc.nat(1000), (one, seed) => {
        tidy(() => {
          const joined = inputs(one, seed);
          expect(worst(paged(one, joined, seed), plain(one, joined))).toBeLessThan(1e-5);
          return null;
        });
      }),
      { numRuns: 40 },
    );
  });

  it("gives the same bits whatever the size of blocks and whatever is computed beside", () => {
    fc.assert(
      fc.property(cases, fc.integer({ min: 1, max: 9 }), fc.nat(1000), (one, other, seed) => {
        tidy(() => {
          const joined = inputs(one, seed);
          const out = numbers(paged(one, joined, seed));
          expect(numbers(paged({ ...one, blockSize: other }, joined, seed + 1))).toEqual(out);
          const first = { ...one, lengths: one.lengths.slice(0, 1) };
          const alone = numbers(paged(first, joined.slice([0, one.lengths[0]]), seed));
          expect(out.slice(0, alone.length)).toEqual(alone);
          return null;
        });
      }),
      { numRuns: 40 },
    );
  });
});

describe("products with packed weights", () => {
  it("are products, the same bits for a row beside any others", () => {
    const sizes = fc.record({
      rows: fc.integer({ min: 1, max: 70 }),
      inputs: fc.constantFrom(1, 3, 16, 255, 256, 257, 600),
      outputs: fc.constantFrom(1, 5, 15, 16, 17, 48, 83),
      bias: fc.boolean(),
    });
    fc.assert(
      fc.property(sizes, fc.nat(1000), ({ rows, inputs: k, outputs: n, bias }, seed) => {
        tidy(() => {
          const draw = new Generator(seed);
          const [x, w, b] = [draw.normal([rows, k]), draw.normal([k, n]), draw.normal([n])];
          const values = (t: Tensor): Float32Array => t.toTypedArray() as Float32Array;
          const layer = new PackedDense(k, n, values(w), bias ? values(b) : null);
          const y = layer.forward(x);
          const product = x.cast("float64").matmul(w.cast("float64"));
          expect(worst(y, bias ? product.add(b) : product)).toBeLessThan(1e-6 * k + 1e-6);
          const last = layer.forward(x.slice([rows - 1, rows]));
          expect(numbers(y.slice(rows - 1))).toEqual(numbers(last));
          expect(numbers(layer.forward(x.transpose().add(0).transpose()))).toEqual(numbers(y));
          layer.dispose();
          return null;
        });
      }),
      { numRuns: 60 },
    );
  });
});
