/** Every algorithm against the definition in float64, over all sizes that it takes; on WebAssembly and in C. */
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import {
  compiler,
  conv2d,
  Generator,
  getDevice,
  grad,
  setDevice,
  type Tensor,
  toStatic,
} from "../../index.js";
import { apply } from "../../ops/bind.js";
import { conv2dOp } from "../../ops/conv.js";
import { withDevice } from "../../runtime/devices.js";
import type { ConvGeometry } from "./geometry.js";

const { convolution } = compiler;
const home = getDevice();
afterEach(() => {
  convolution.setConvolutionMode("rule");
  setDevice(home);
});

/**
 * What each may be off by, as a share of the greatest Σ |x| · |w| (a tile's outputs round together): rounding of sums alone
 * for those that compute the definition; what the transforms of Winograd's add grows with the tile.
 */
const BOUNDS: Readonly<Record<string, number>> = {
  im2col: 1e-6,
  direct: 1e-6,
  depthwise: 1e-6,
  indirect: 1e-6,
  winograd1d: 2e-6,
  winograd: 4e-6,
  winograd4: 4e-5,
};

const size = (least: number, most: number) => fc.integer({ min: least, max: most });
const pair = (least: number, most: number) => fc.tuple(size(least, most), size(least, most));

/** Sizes of all kinds; many of them plain, as winograd wants them. */
const geometries: fc.Arbitrary<ConvGeometry> = fc
  .record({
    n: size(1, 3),
    groups: fc.oneof(fc.constant(1), size(1, 4)),
    inner: size(1, 9),
    outer: size(1, 9),
    depthwise: fc.boolean(),
    kernel: fc.oneof(
      fc.constant([3, 3] as [number, number]),
      size(2, 5).map((k): [number, number] => [k, k]),
      pair(1, 5),
    ),
    stride: fc.oneof(fc.constant([1, 1] as [number, number]), pair(1, 3)),
    dilation: fc.oneof(fc.constant([1, 1] as [number, number]), pair(1, 3)),
    padding: fc.tuple(pair(0, 3), pair(0, 3)),
    extra: pair(0, 36),
  })
  .map(({ n, groups, inner, outer, depthwise, kernel, stride, dilation, padding, extra }) => {
    const least = [0, 1].map((i) =>
      Math.max(1, dilation[i] * (kernel[i] - 1) + 1 - padding[i][0] - padding[i][1]),
    );
    const each = depthwise ? 1 : inner;
    return {
      ...{ n, groups, kernel, stride, dilation, padding },
      channels: groups * each,
      filters: groups * outer,
      height: least[0] + extra[0],
      width: least[1] + extra[1],
    };
  });

/** The result by the reference kernel in float64, and Σ |x| · |w|. */
function exact(g: ConvGeometry, x: Tensor, w: Tensor): { y: Tensor; all: Tensor } {
  return withDevice("cpu", () => {
    const [a, b] = [x.cast("float64"), w.cast("float64")];
    return { y: byAttrs(a, b, g), all: byAttrs(a.abs(), b.abs(), g) };
  });
}

function byAttrs(x: Tensor, w: Tensor, g: ConvGeometry, algorithm?: string): Tensor {
  const { stride, dilation, groups, padding } = g;
  return apply(conv2dOp, [x, w], { stride, dilation, groups, padding, ...(algorithm ? { algorithm } : {}) });
}

function operands(g: ConvGeometry, seed: number): [Tensor, Tensor] {
  const draw = new Generator(seed);
  return [
    draw.normal([g.n, g.channels, g.height, g.width]),
    draw.normal([g.filters, g.channels / g.groups, ...g.kernel]),
  ];
}

function off(g: ConvGeometry, name: string, seed: number): number {
  const [x, w] = operands(g, seed);
  const { y, all } = exact(g, x, w);
  const found = byAttrs(x, w, g, name);
  expect(found.shape).toEqual(y.shape);
  return found.cast("float64").sub(y).abs().max().item() / Math.max(all.max().item(), 1e-30);
}

describe.each(convolution.algorithms().map((a) => [a.name] as const))("%s", (name) => {
  it("on WebAssembly computes the definition, within its bound", () => {
    setDevice("wasm");
    let taken = 0;
    fc.assert(
      fc.property(geometries, size(1, 1000), (g, seed) => {
        if (convolution.findAlgorithm(name).refuses(g) !== null) {
          expect(() => convolution.findAlgorithm(name, g)).toThrow(`conv2d: "${name}" does not take`);
          return;
        }
        taken++;
        expect(off(g, name, seed)).toBeLessThan(BOUNDS[name]);
      }),
      { numRuns: 40 },
    );
    expect(taken).toBeGreaterThan(3);
  });
});

describe.skipIf(!compiler.codegen.nativeAvailable())("in C", () => {
  it("computes the definition too", async () => {
    setDevice("native");
    const g = convolution.geometry({ n: 2, channels: 8, filters: 16, height: 35, width: 37, groups: 8 });
    const sized = convolution.algorithms().filter((a) => a.refuses(g) === null);
    expect(sized.length).toBe(convolution.algorithms().length);
    const report = await convolution.measureConvolution(g, { device: "native", runs: 1 }); // waits for the compiler
    expect(report.timings.every((t) => t.milliseconds !== null)).toBe(true);
    for (const { name } of sized) expect(off(g, name, 5), name).toBeLessThan(BOUNDS[name]);
  });
});

it("larger tiles lose digits: F(4×4) more than F(2×2), which hardly more than the definition", () => {
  setDevice("wasm");
  const g = convolution.geometry({ channels: 64, filters: 8, height: 28 });
  const [x, w] = operands(g, 3);
  const { y } = exact(g, x, w);
  const error = (name: string): number =>
    byAttrs(x, w, g, name).cast("float64").sub(y).square().mean().div(y.square().mean()).sqrt().item();
  const [plain, small, large] = ["im2col", "winograd", "winograd4"].map(error);
  expect(plain).toBeLessThan(5e-7);
  expect(small).toBeLessThan(5e-7);
  expect(large).toBeGreaterThan(3 * small);
  expect(large).toBeLessThan(5e-6);
});

describe("conv2d", () => {
  const draw = new Generator(2);
  const [x, w] = [draw.normal([2, 5, 12, 12]), draw.normal([7, 5, 3, 3])];

  it("takes the name of an algorithm, in gradients and graphs too", () => {
    setDevice("wasm");
    const by = (algorithm?: string) => (a: Tensor, b: Tensor) =>
      conv2d(a, b, { padding: 1, algorithm }).square().sum();
    const wanted = grad(by(), { argnums: [0, 1] })(x, w);
    for (const name of ["im2col", "direct", "winograd"]) {
      const compiled = toStatic(grad(by(name), { argnums: [0, 1] }));
      compiled(x, w).forEach((g, i) => {
        expect(g.sub(wanted[i]).abs().max().item()).toBeLessThan(1e-3);
      });
    }
  });

  it("says what an algorithm does not take, and which there are", () => {
    setDevice("wasm");
    expect(() => conv2d(x, w, { stride: 2, algorithm: "winograd" })).toThrow(
      'conv2d: "winograd" does not take 2×5×12², 7 of 3×3, stride 2: stride is not 1',
    );
    expect(() => conv2d(x, w, { algorithm: "fft" })).toThrow(
      'conv2d: there is no algorithm "fft"; there are im2col, direct',
    );
  });

  it("measures each size once, and keeps to what it found", () => {
    setDevice("wasm");
    const wanted = conv2d(x, w);
    convolution.setConvolutionMode("measured");
    const [first, second] = [conv2d(x, w), conv2d(x, w)];
    expect(first.sub(wanted).abs().max().item()).toBeLessThan(1e-3);
    expect(Array.from(second.toTypedArray())).toEqual(Array.from(first.toTypedArray()));
    expect(() => convolution.setConvolutionMode("guess" as "rule")).toThrow('"guess" is neither');
  });

  it("leaves other dtypes to the device", () => {
    setDevice("wasm");
    const y = conv2d(x.cast("float64"), w.cast("float64"), { algorithm: "winograd" });
    expect(y.dtype).toBe("float64");
  });
});

it("reports time, multiplications and memory of each", async () => {
  const g = convolution.geometry({ channels: 16, filters: 16, height: 16 });
  const report = await convolution.measureConvolution(g, { runs: 1 });
  const by = Object.fromEntries(report.timings.map((t) => [t.algorithm, t]));
  expect(by.im2col.multiplications).toBe(16 * 16 * 9 * 256);
  expect(by.winograd.saving).toBe(2.25);
  expect(by.winograd4.saving).toBe(4);
  expect(by.winograd1d.saving).toBe(1.5);
  expect(by.depthwise).toMatchObject({
    milliseconds: null,
    refused: "channels have no filters of their own",
  });
  expect(Object.keys(by)).toContain(report.fastest);
  const table = convolution.formatReport(report);
  expect(table).toContain("1×16×16², 16 of 3×3 on wasm");
  expect(table).toMatch(/\| winograd \| [\d.]+ \| 0.262 \| 2.25× \| [\d.]+ \|/);
});
