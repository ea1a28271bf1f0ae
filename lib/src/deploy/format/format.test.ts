import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { modelCases } from "../../../test/deploy/models.js";
import { expectClose } from "../../../test/support/close.js";
import {
  deploy,
  Generator,
  heapStats,
  MlsysError,
  nn,
  ones,
  type Tensor,
  tensor,
  tree,
} from "../../index.js";
import { ALIGNMENT, COVERED, HEADER } from "./layout.js";

const { decodeModelFile, encodeModelFile, openModel, saveModel, ModelFileError } = deploy;
const folder = mkdtempSync(join(tmpdir(), "mlsys-model-"));
afterAll(() => rmSync(folder, { recursive: true }));
const draw = new Generator(9);

/** The header's checksum made right again. */
function sealed(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const size = Number(view.getBigUint64(32, true));
  if (HEADER + size <= bytes.length) view.setUint32(48, crc32(bytes.subarray(HEADER, HEADER + size)), true);
  view.setUint32(COVERED, crc32(bytes.subarray(0, COVERED)), true);
  return bytes;
}

describe("model files", () => {
  const cases = modelCases();
  it.each(Object.keys(cases))("%s: the same model comes back", (name) => {
    const { f, args } = cases[name];
    const model = decodeModelFile(encodeModelFile(f, args));
    expectClose(model.call(...args), tree.flatten(f(...args)).leaves, 1e-5);
  });

  it("reads weights when they are needed, each once, and only those", async () => {
    const model = new nn.Sequential(new nn.Dense(64, 64), new nn.ReLU(), new nn.Dense(64, 8));
    const file = join(folder, "lazy.mlsys");
    const x = draw.normal([3, 64]);
    await saveModel(file, model, [x]);
    const before = heapStats().liveBytes;
    using opened = openModel(file);
    expect(opened.bytesRead).toBe(0);
    expect(heapStats().liveBytes).toBe(before);
    expect(opened.weights.filter(({ name }) => name !== null).map(({ shape }) => shape)).toContainEqual([
      64, 64,
    ]);
    opened.weight("bias").toArray();
    expect(opened.bytesRead).toBe(64 * 4);
    expectClose(opened.call(x), [model.forward(x) as Tensor], 1e-5);
    expect(opened.bytesRead).toBe(4 * (64 * 64 + 64 + 64 * 8 + 8));
    opened.call(x);
    expect(opened.bytesRead).toBe(4 * (64 * 64 + 64 + 64 * 8 + 8));
    expect(readdirSync(folder)).toEqual(["lazy.mlsys"]);
    expect(() => opened.weight("nothing")).toThrow(/there is no weight "nothing"/);
  });

  it("says so when something reads a weight after the file was closed", async () => {
    const file = join(folder, "closed.mlsys");
    await saveModel(file, (x: Tensor) => x.add(tensor([1, 2, 3])), [ones([3])]);
    const model = openModel(file);
    model.close();
    expect(() => model.call(ones([3]))).toThrow(/closed\.mlsys: the file is closed/);
  });

  it("starts every weight at a cache line, and writes a shared one once", () => {
    const w = draw.normal([5, 5]);
    const bytes = encodeModelFile(
      (x: Tensor) =>
        x
          .matmul(w)
          .matmul(w)
          .add(tensor([1, 2, 3, 4, 5])),
      [ones([1, 5])],
    );
    const at = Number(new DataView(bytes.buffer).getBigUint64(40, true));
    expect(at % ALIGNMENT).toBe(0);
    expect(bytes.length).toBe(at + 128 + 20); // 100 bytes, then 20 at the next line
    const model = decodeModelFile(bytes);
    const x = draw.normal([1, 5]);
    expectClose(model.call(x), [
      x
        .matmul(w)
        .matmul(w)
        .add(tensor([1, 2, 3, 4, 5])),
    ]);
  });

  it("names what is wrong", () => {
    const good = encodeModelFile((x: Tensor) => x.add(tensor([1, 2, 3])), [ones([3])]);
    const changed = (change: (bytes: Uint8Array, view: DataView) => void, seal = true): Uint8Array => {
      const bytes = good.slice();
      change(bytes, new DataView(bytes.buffer));
      return seal ? sealed(bytes) : bytes;
    };
    const cases: [Uint8Array, RegExp][] = [
      [new Uint8Array(10), /model: not a model file: it has 10 bytes/],
      [changed((b) => b.fill(65, 0, 8)), /does not begin with MLSYSFB1/],
      [changed((_, v) => v.setUint32(8, 7, true)), /version 7, this library reads version 1/],
      [changed((_, v) => v.setUint32(8, 7, true), false), /header is damaged/],
      [
        changed((b) => {
          b[HEADER + 70] ^= 1;
        }, false),
        /tables are damaged/,
      ],
      [good.subarray(0, good.length - 1), /it was cut short/],
      [changed((_, v) => v.setBigUint64(32, 2n ** 40n, true)), /parts overlap, or lie outside/],
      [changed((_, v) => v.setUint32(HEADER + 4, 2 ** 31, true)), /table of strings lies outside/],
    ];
    for (const [bytes, message] of cases) {
      expect(() => decodeModelFile(bytes)).toThrow(message);
      expect(() => decodeModelFile(bytes)).toThrow(ModelFileError);
    }
    const damaged = good.slice();
    damaged[damaged.length - 1] ^= 1;
    expect(() => decodeModelFile(damaged).call(ones([3]))).toThrow(
      /weight .* is damaged: its checksum is wrong/,
    );
    expect(() => encodeModelFile((x: Tensor) => x.neg(), ["float32(n)"])).toThrow(
      /open sizes can't be written/,
    );
  });

  it("comes to one error, whatever the bytes, checksums made right", () => {
    const { f, args } = cases["nested while"];
    const good = encodeModelFile(f, args);
    const change = fc.record({ at: fc.nat(good.length - 1), to: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), (changes) => {
        const bytes = good.slice();
        for (const { at, to } of changes) bytes[at] = to;
        try {
          decodeModelFile(sealed(bytes));
        } catch (error) {
          expect(error, String((error as Error).stack)).toBeInstanceOf(MlsysError);
        }
      }),
      { numRuns: 300 },
    );
    fc.assert(
      fc.property(fc.nat(good.length - 1), (length) => {
        expect(() => decodeModelFile(good.subarray(0, length))).toThrow(ModelFileError);
      }),
      { numRuns: 50 },
    );
  });
});

describe("weights as safetensors", () => {
  it("go from one module to another, by their paths", async () => {
    const file = join(folder, "weights.safetensors");
    const make = (): nn.Sequential => new nn.Sequential(new nn.Dense(3, 4), new nn.BatchNorm(4));
    const [a, b] = [make(), make()];
    await deploy.saveWeights(file, a, { made: "here" });
    await deploy.loadWeights(file, b);
    const x = draw.normal([2, 3]);
    expectClose([b.eval().forward(x) as Tensor], [a.eval().forward(x) as Tensor], 0);
    await expect(deploy.loadWeights(file, new nn.Dense(3, 4))).rejects.toThrow(/is missing/);
    const inner = await deploy.loadWeights(file, new nn.Dense(3, 4), {
      rename: (name) => /layers\.0\.(.*)/.exec(name)?.[1] ?? null,
    });
    expectClose([inner.forward(x) as Tensor], [(a.layers[0] as nn.Dense).forward(x)], 0);
    writeFileSync(file, readFileSync(file).subarray(0, 50));
    await expect(deploy.loadWeights(file, b)).rejects.toThrow(MlsysError);
  });
});
