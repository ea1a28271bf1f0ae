/** Deep Compression: shared weights as in the paper's figure, and files that come back bit for bit or are refused. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { regression } from "../../../test/deploy/training.js";
import { crc32c } from "../../data/formats/bytes/crc32c.js";
import {
  data,
  deploy,
  fit,
  Generator,
  nn,
  optim,
  type Tensor,
  tensor,
  train,
  valueAndGrad,
  zeros,
} from "../../index.js";

const { kMeans, shareWeights, encodeCompressed, decodeCompressed, prune, ModelFileError } = deploy;
const draw = new Generator(8);
const folder = mkdtempSync(join(tmpdir(), "mlsys-compress-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("k-means", () => {
  it("ends where no number is nearer to another centroid, and centroids are means", () => {
    const numbers = fc.array(fc.double({ min: -5, max: 5, noNaN: true }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(
        numbers,
        fc.integer({ min: 1, max: 8 }),
        fc.constantFrom("linear", "density"),
        (xs, k, initial) => {
          const { centroids, indices, error } = kMeans(xs, k, { initial });
          let sum = 0;
          xs.forEach((x, i) => {
            const distance = Math.abs(x - centroids[indices[i]]);
            sum += distance ** 2;
            for (const c of centroids) expect(distance).toBeLessThanOrEqual(Math.abs(x - c) + 1e-12);
          });
          expect(error).toBeCloseTo(sum, 9);
          centroids.forEach((c, j) => {
            const own = xs.filter((_, i) => indices[i] === j);
            if (own.length > 0) expect(c).toBeCloseTo(own.reduce((a, b) => a + b, 0) / own.length, 9);
          });
        },
      ),
      { numRuns: 100 },
    );
  });

  it("of as many clusters as values loses nothing, and says what is none", () => {
    expect(kMeans([3, 1, 3, 2, 1], 3).error).toBe(0);
    expect(Array.from(kMeans([5], 4).indices)).toHaveLength(1);
    expect(() => kMeans([], 2)).toThrow(/no number/);
    expect(() => kMeans([1], 0)).toThrow(/0 is no number of clusters/);
    expect(() => kMeans([1, Number.NaN], 1)).toThrow(/not finite/);
  });
});

describe("shared weights", () => {
  // Han, Mao & Dally 2016, figure 3
  const weight = [
    [2.09, -0.98, 1.48, 0.09],
    [0.05, -0.14, -1.08, 2.12],
    [-0.91, 1.92, 0, -1.03],
    [1.87, 0, 1.53, 1.49],
  ];
  const gradient = [
    [-0.03, -0.01, 0.03, 0.02],
    [-0.01, 0.01, -0.02, 0.12],
    [-0.01, 0.02, 0.04, 0.01],
    [-0.07, -0.02, 0.01, -0.02],
  ];

  it("are those of the paper's figure, and take its step", () => {
    const layer = new nn.Dense(4, 4, { bias: false });
    layer.weight.assign(weight);
    const { codebooks } = shareWeights(layer, { bits: 2, keepZeros: false });
    expect(codebooks).toHaveLength(1);
    const eye = tensor([0, 1, 2, 3].map((i) => [0, 1, 2, 3].map((j) => Number(i === j))));
    const rounded = (x: Tensor): number[] => Array.from(x.toTypedArray(), (v) => Math.round(v * 100) / 100);
    expect(rounded(codebooks[0])).toEqual([-1, 0, 1.5, 2]);
    expect(rounded(layer.forward(eye)).slice(0, 4)).toEqual([2, -1, 1.5, 0]);
    const optimizer = new optim.SGD(layer, { lr: 1 });
    const g = valueAndGrad((m: nn.Dense) => m.forward(eye).mul(tensor(gradient)).sum())(layer)[1];
    optimizer.step(g);
    expect(rounded(codebooks[0])).toEqual([-0.97, -0.04, 1.48, 1.96]);
  });

  it("train on with zeros at 0, and are weights again in the end", async () => {
    const { make, x, y } = regression();
    const model = make();
    const options = { loss: nn.mse, progress: false };
    const rows = data.batches({ x, y }, { size: 16 });
    await fit(model, rows, { ...options, epochs: 30, optimizer: new optim.Adam(model, { lr: 0.02 }) });
    prune.toSparsity(prune.weights(model), 0.5, "layer");
    const shared = shareWeights(model, { bits: ([layer]) => (layer === model.layers[0] ? 3 : 2) });
    expect(prune.isPruned(model)).toBe(false);
    expect(model.namedParameters().map(([name]) => name)).toEqual([
      ...["layers.0.bias", "layers.0.weightCodebook", "layers.2.bias", "layers.2.weightCodebook"],
    ]);
    const loss = (): number => nn.mse(model.forward(x), y).item();
    const before = loss();
    for (const captured of [false, true])
      await fit(model, rows, {
        ...options,
        epochs: 20,
        optimizer: new optim.Adam(model, { lr: 0.01 }),
        static: captured,
      });
    expect(loss()).toBeLessThan(before);
    const wanted = model.forward(x).toArray();
    shared.finish();
    expect(model.forward(x).toArray()).toEqual(wanted);
    expect(model.namedParameters()).toHaveLength(4);
    expect(prune.sparsityOf(prune.weights(model))).toBe(0.5);
    const distinct = (i: number): number => new Set((model.layers[i] as nn.Dense).weight.toTypedArray()).size;
    expect([distinct(0), distinct(2)].map((n, i) => n <= [9, 5][i])).toEqual([true, true]);
  });

  it("refuse what they can't share", () => {
    const layer = new nn.Dense(2, 2);
    expect(() => shareWeights(layer, { bits: 0 })).toThrow(/0 bits; 1 to 16/);
    expect(() => shareWeights(new nn.ReLU())).toThrow(/no parameter/);
    const { finish } = shareWeights(layer, { bits: 1 });
    expect(() => shareWeights(layer)).toThrow(/Dense.weight is shared already/);
    finish();
    finish();
    shareWeights(layer).finish();
  });
});

describe("compressed files", () => {
  const kinds: Record<string, () => Tensor> = {
    "sparse and shared": () =>
      draw
        .uniform([40, 30])
        .mul(4)
        .floor()
        .mul(draw.uniform([40, 30]).less(0.1)),
    "far apart": () =>
      zeros([3000]).add(tensor(Float32Array.from({ length: 3000 }, (_, i) => (i % 1499 === 7 ? 2 : 0)))),
    "dense and shared": () => draw.uniform([50, 7]).mul(3).floor().add(1),
    "all distinct": () => draw.normal([20, 3]),
    "only zeros": () => zeros([500]),
    empty: () => zeros([0, 3]),
    scalar: () => tensor(3),
    "negative zeros and infinities": () =>
      tensor([-0, 0, Number.POSITIVE_INFINITY, ...Array<number>(60).fill(-0)]),
    int8: () => draw.randint([300], -2, 2).cast("int8"),
    float16: () => draw.uniform([300]).mul(3).floor().cast("float16"),
    bool: () => draw.uniform([200]).less(0.05),
    int64: () => draw.randint([9], -2, 2).cast("int64"),
    float64: () => draw.uniform([9], 0, 1, { dtype: "float64" }),
  };

  it("hold every dtype and kind bit for bit, in fewer bytes where there is something to gain", () => {
    const tensors = new Map(Object.entries(kinds).map(([name, make]) => [name, make()]));
    const { bytes, tensors: how } = encodeCompressed(tensors);
    const found = decodeCompressed(bytes);
    for (const [name, wanted] of tensors) {
      expect(found.get(name)?.type, name).toBe(wanted.type);
      const bits = (x: Tensor): Uint8Array => train.encodeSafetensors({ x });
      expect(bits(found.get(name) as Tensor), name).toEqual(bits(wanted));
    }
    expect(how.filter((t) => t.encoding === "raw").map((t) => t.name)).toEqual([
      "all distinct",
      "empty",
      "scalar",
      "int64",
      "float64",
    ]);
    const sparse = how[0];
    expect(sparse.values).toBe(3);
    expect(sparse.gapBits).toBeGreaterThan(0);
    expect(sparse.bytes).toBeLessThan(sparse.bytesRaw / 20);
    for (const { bytes: size, bytesRaw, name } of how) expect(size).toBeLessThan(bytesRaw + 16 + name.length);
  });

  it("come back whatever stands in them", () => {
    const value = fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, fc.float(), fc.constantFrom(1, -1, 0.5));
    fc.assert(
      fc.property(fc.array(value, { maxLength: 300 }), (values) => {
        const x = tensor(Float32Array.from(values), { shape: [values.length] });
        const found = decodeCompressed(encodeCompressed({ x }).bytes).get("x") as Tensor;
        expect(Array.from(found.toTypedArray())).toEqual(Array.from(x.toTypedArray()));
      }),
      { numRuns: 60 },
    );
  });

  const file = encodeCompressed({
    a: kinds["sparse and shared"](),
    b: kinds["dense and shared"](),
    c: draw.normal([4]),
  }).bytes;
  /** With a checksum that is right, so that what is behind it is tried. */
  const sealed = (body: Uint8Array): Uint8Array => {
    const out = new Uint8Array(body.length + 4);
    out.set(body);
    new DataView(out.buffer).setUint32(body.length, crc32c(body), true);
    return out;
  };
  const tried = (bytes: Uint8Array): string => {
    try {
      for (const tensor of decodeCompressed(bytes, { limit: 1e6 }).values()) tensor.dispose();
      return "read";
    } catch (error) {
      expect(error).toBeInstanceOf(ModelFileError);
      expect((error as Error).message.length).toBeLessThan(200);
      return (error as Error).message;
    }
  };

  it("are refused when they are cut short, anywhere, and when a bit is wrong", () => {
    for (let length = 0; length < file.length; length += 3) {
      expect(tried(file.subarray(0, length))).not.toBe("read");
      if (length < file.length - 4) expect(tried(sealed(file.subarray(0, length)))).not.toBe("read");
    }
    fc.assert(
      fc.property(fc.nat(file.length * 8 - 1), (bit) => {
        const bad = file.slice();
        bad[bit >> 3] ^= 1 << (bit & 7);
        expect(tried(bad)).toMatch(/checksum is wrong|no compressed file/);
      }),
    );
  });

  it("are read or refused, and nothing else, when they are forged", () => {
    const body = file.subarray(0, -4);
    const edit = fc.tuple(fc.integer({ min: 8, max: body.length - 1 }), fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
        const bad = body.slice();
        for (const [at, byte] of edits) bad[at] = byte;
        tried(sealed(bad));
      }),
      { numRuns: 1500 },
    );
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 80 }),
        (bytes) => void tried(sealed(Uint8Array.from([...body.subarray(0, 8), ...bytes]))),
      ),
    );
  });

  it("do not make large tensors of a few bytes, unless that is allowed", () => {
    const { bytes } = encodeCompressed({ x: zeros([1_000_000]) });
    expect(bytes.length).toBeLessThan(60);
    expect(tried(bytes)).toMatch(/more than the 1000000 bytes that are allowed/);
    expect(decodeCompressed(bytes).get("x")?.size).toBe(1_000_000);
    const [head, shape] = [
      [...file.subarray(0, 8), 1, 1, 120, 1],
      [200, 200, 200, 200, 200, 100],
    ];
    expect(tried(sealed(Uint8Array.from([...head, 2, ...shape, ...shape, 0])))).toMatch(
      /larger than|more than the/,
    );
  });

  it("hold models; another model's are refused, and it stays as it was", async () => {
    const [a, b] = [1, 2].map(() => new nn.Sequential(new nn.Conv2d(1, 4, 3), new nn.BatchNorm(4)));
    prune.l1Unstructured(a.layers[0], "weight", 0.5);
    const path = join(folder, "a.mldc");
    const how = await deploy.saveCompressed(path, a);
    expect(how.reduce((sum, t) => sum + t.bytes, 13)).toBe(readFileSync(path).length);
    await deploy.loadCompressed(path, b);
    for (const [name, value] of a.stateDict())
      expect(b.stateDict().get(name)?.toArray()).toEqual(value.toArray());
    const small = new nn.Dense(1, 1);
    const was = small.weight.item();
    await expect(deploy.loadCompressed(path, small)).rejects.toThrow(
      /a.mldc: its tensors take more than the 8 bytes/,
    );
    await expect(deploy.loadCompressed(path, new nn.Dense(30, 30))).rejects.toThrow(/weight is missing/);
    expect(small.weight.item()).toBe(was);
    writeFileSync(path, readFileSync(path).subarray(0, 50));
    await expect(deploy.loadCompressed(path, b)).rejects.toThrow(ModelFileError);
  });

  it("are smaller than int8 and gzip when a model is pruned and shares its weights, with the same results", async () => {
    const model = new nn.Sequential(new nn.Dense(64, 100), new nn.ReLU(), new nn.Dense(100, 10));
    const x = draw.normal([5, 64]);
    prune.toSparsity(prune.weights(model), 0.9, "layer");
    shareWeights(model, { bits: 5 }).finish();
    const y = model.forward(x).toArray();
    const score = (): number => model.forward(x).sum().item();
    const table = await deploy.compressedSizes(model, { evaluate: score });
    const bytes = Object.fromEntries(table.rows.map((row) => [row.format, row.bytes]));
    expect(bytes.compressed).toBeLessThan(bytes["int8, gzip"]);
    expect(bytes["int8, gzip"]).toBeLessThan(bytes["safetensors, gzip"]);
    expect(bytes.int8).toBeLessThan(bytes.safetensors / 3);
    expect(table.rows.map((row) => row.score === score())).toEqual([true, true, false, false, true]);
    expect(model.forward(x).toArray()).toEqual(y);
    expect(String(table)).toMatch(/^format +bytes +ratio +score\nsafetensors +\d+ +1.00×/);
  });
});
