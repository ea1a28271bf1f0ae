import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { expectedFile } from "../../../test/support/expected.js";
import { data } from "../../index.js";

const { centerCrop, chw2hwc, crop, decodeImage, encodeImage, flipHorizontal, flipVertical, hwc2chw } = data;
const { imageFolder, normalize, oneHotLabel, padImage, randomCrop, randomHorizontalFlip, randomRotation } =
  data;
const { randomVerticalFlip, resize, rotate } = data;

const folder = mkdtempSync(join(tmpdir(), "mlsys-vision-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Packed {
  readonly shape: number[];
  readonly data: string;
}
interface Expected {
  readonly images: Record<string, Packed>;
  readonly resize: { image: string; kind: data.Interpolation; size: [number, number]; result: Packed }[];
  readonly rotate: { image: string; kind: "nearest" | "bilinear"; angle: number; result: Packed }[];
  readonly files: { name: string; bytes: string; rgb: Packed; gray: Packed }[];
}
const expected = expectedFile<Expected>("formats/vision.json");
const unpack = ({ shape, data: text }: Packed): data.Image => ({
  dtype: "uint8",
  shape,
  data: new Uint8Array(Buffer.from(text, "base64")),
});
const of = (shape: number[], values: number[]): data.Image => ({
  dtype: "uint8",
  shape,
  data: Uint8Array.from(values),
});

/** Largest difference, and the share of elements that differ. */
function difference(a: data.Image, b: data.Image): { most: number; share: number } {
  expect(a.shape).toEqual(b.shape);
  let [most, count] = [0, 0];
  for (const [i, value] of a.data.entries()) {
    most = Math.max(most, Math.abs(value - b.data[i]));
    if (value !== b.data[i]) count++;
  }
  return { most, share: count / a.data.length };
}

describe("images in files", () => {
  it("are decoded as Pillow decodes them: PNG to the bit, JPEG within the rounding of its transforms", async () => {
    for (const { name, bytes, rgb, gray } of expected.files) {
      const file = Buffer.from(bytes, "base64");
      const { most } = difference(await decodeImage(file), unpack(rgb));
      expect(most, name).toBeLessThanOrEqual(name.startsWith("png") ? 0 : 4);
      const toGray = difference(await decodeImage(file, { channels: 1 }), unpack(gray));
      if (name.includes("gray"))
        expect(toGray.most, name).toBeLessThanOrEqual(name.startsWith("png") ? 0 : 4);
      const four = await decodeImage(file, { channels: 4 });
      expect(four.shape[2]).toBe(4);
      expect(four.data[3]).toBe(255);
    }
  });

  it("are resized while they are decoded, nearly as behind it", async () => {
    const [height, width] = [120, 181];
    const smooth = of(
      [height, width, 3],
      Array.from({ length: height * width * 3 }, (_, i) => {
        const [pixel, c] = [Math.floor(i / 3), i % 3];
        return Math.round(
          128 + 100 * Math.sin((pixel % width) / (9 + 4 * c)) * Math.cos(Math.floor(pixel / width) / 11),
        );
      }),
    );
    for (const format of ["png", "jpeg"] as const) {
      const file = await encodeImage(smooth, { format });
      const whole = await decodeImage(file);
      for (const size of [100, 40, 13, 240, [60, 90], [17, 200]] as (number | [number, number])[]) {
        const [found, wanted] = [await decodeImage(file, { resize: size }), data.resize(whole, size)];
        expect(found.shape).toEqual(wanted.shape);
        const mean =
          found.data.reduce((sum, x, i) => sum + Math.abs(x - wanted.data[i]), 0) / found.data.length;
        expect(mean, `${format} ${size}`).toBeLessThan(3);
      }
      const gray = await decodeImage(file, { resize: [5, 7], channels: 1 });
      expect(gray.shape).toEqual([5, 7, 1]);
      await expect(decodeImage(file, { resize: 0 })).rejects.toThrow(/a size is two whole numbers from 1/);
      await expect(decodeImage(file, { resize: [2 ** 20, 2 ** 20] })).rejects.toThrow(
        /of at most 67108864 pixels/,
      );
    }
  });

  it("that are PNG give back what was written", async () => {
    const image = fc
      .tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }), fc.constantFrom(1, 3, 4))
      .chain(([h, w, c]) =>
        fc
          .uint8Array({ minLength: h * w * c, maxLength: h * w * c })
          .map((values) => of([h, w, c], Array.from(values))),
      );
    await fc.assert(
      fc.asyncProperty(image, async (wanted) => {
        const channels = wanted.shape[2] as 1 | 3 | 4;
        const found = await decodeImage(await encodeImage(wanted), { channels });
        expect(found.shape).toEqual(wanted.shape);
        expect(Array.from(found.data)).toEqual(Array.from(wanted.data));
      }),
      { numRuns: 30 },
    );
  });

  it("cut, damaged, too large or of other kinds are refused with one error", async () => {
    for (const { name, bytes } of expected.files.filter((f) => /png rgb|4:2:0/.test(f.name))) {
      const file = Buffer.from(bytes, "base64");
      for (let cut = 0; cut < file.length - 20; cut += 7)
        await expect(decodeImage(file.subarray(0, cut)), `${name} cut at ${cut}`).rejects.toThrow(
          /^decodeImage: /,
        );
      await fc.assert(
        fc.asyncProperty(fc.nat(file.length - 1), fc.nat(255), async (at, value) => {
          const changed = Buffer.from(file);
          changed[at] = value;
          try {
            await decodeImage(changed);
          } catch (error) {
            expect((error as Error).name, (error as Error).stack).toBe("ValueError");
          }
        }),
        { numRuns: 60 },
      );
    }
    const large = await encodeImage(of([40, 50, 1], new Array<number>(2000).fill(3)));
    await expect(decodeImage(large, { maxPixels: 1999 })).rejects.toThrow(/exceeds pixel limit/);
    await expect(decodeImage(Buffer.from("<svg/>"))).rejects.toThrow(
      /neither PNG nor JPEG: the first bytes are 60/,
    );
    await expect(encodeImage(of([1, 1, 2], [1, 2]))).rejects.toThrow(/1, 3 or 4 channels, got 2/);
    await expect(encodeImage(of([1, 2], [1, 2]))).rejects.toThrow(
      /\(height, width, channels\), got \(1, 2\)/,
    );
  });
});

describe("operations on images", () => {
  it("resize as Pillow does, to the bit", () => {
    for (const { image, kind, size, result } of expected.resize) {
      const found = resize(unpack(expected.images[image]), size, { interpolation: kind });
      expect(difference(found, unpack(result)).most, `${image} ${kind} ${size}`).toBe(0);
    }
    expect(resize(of([4, 8, 1], new Array<number>(32).fill(9)), 2).shape).toEqual([2, 4, 1]);
    expect(resize(of([9, 3, 1], new Array<number>(27).fill(9)), 2).shape).toEqual([6, 2, 1]);
  });

  it("rotate as Pillow does, but for borders of pixels", () => {
    for (const { image, kind, angle, result } of expected.rotate) {
      const found = rotate(unpack(expected.images[image]), angle, { interpolation: kind });
      const { share } = difference(found, unpack(result));
      expect(share, `${image} ${kind} ${angle}`).toBeLessThanOrEqual(angle % 90 === 0 ? 0 : 0.02);
    }
  });

  const image = fc
    .tuple(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 4 }))
    .map(([h, w, c]) =>
      of(
        [h, w, c],
        Array.from({ length: h * w * c }, (_, i) => (i * 37) % 256),
      ),
    );
  const pixel = ({ shape, data: d }: data.Image, y: number, x: number) =>
    Array.from(d.subarray((y * shape[1] + x) * shape[2], (y * shape[1] + x + 1) * shape[2]));

  it("crop, flip, pad and transpose by the definition", () => {
    fc.assert(
      fc.property(image, fc.nat(6), fc.nat(6), fc.integer(), (img, top, left, seed) => {
        const [h, w, c] = img.shape;
        const [t, l] = [top % h, left % w];
        const part = crop(img, [t, l], [h - t, w - l]);
        expect(pixel(part, h - t - 1, 0)).toEqual(pixel(img, h - 1, l));
        expect(pixel(flipHorizontal(img), t, l)).toEqual(pixel(img, t, w - 1 - l));
        expect(pixel(flipVertical(img), t, l)).toEqual(pixel(img, h - 1 - t, l));
        expect(pixel(padImage(img, 2, 5), t + 2, l + 2)).toEqual(pixel(img, t, l));
        expect(padImage(img, 2, 5).data[0]).toBe(5);
        const chw = hwc2chw(img);
        expect(chw.shape).toEqual([c, h, w]);
        expect(chw.data[t * w + l]).toBe(img.data[(t * w + l) * c]);
        expect(chw2hwc(chw)).toEqual(img);
        const once = randomCrop(img, [h, w], [seed, 0], { padding: 2 });
        expect(randomCrop(img, [h, w], [seed, 0], { padding: 2 })).toEqual(once);
        expect(randomRotation(img, [0, 15], [seed, 1])).toEqual(randomRotation(img, [0, 15], [seed, 1]));
      }),
    );
    const odd = of(
      [5, 5, 1],
      Array.from({ length: 25 }, (_, i) => i),
    );
    expect(Array.from(centerCrop(odd, [2, 3]).data)).toEqual([11, 12, 13, 16, 17, 18]); // as torchvision: round(1.5) is 2
  });

  it("that are random come evenly", () => {
    const wide = of([1, 9, 1], [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    const counts = new Uint32Array(9);
    let [mirrored, turned, angles] = [0, 0, 0];
    for (let i = 0; i < 9000; i++) {
      counts[randomCrop(wide, [1, 1], [7, i]).data[0]]++;
      if (randomHorizontalFlip(wide, [7, i]).data[0] === 8) mirrored++;
      if (randomVerticalFlip(of([2, 1, 1], [0, 1]), [7, i], 0.25).data[0] === 1) turned++;
      if (randomRotation(of([2, 2, 1], [1, 2, 3, 4]), [0, 180], [7, i]).data[0] === 2) angles++;
    }
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
    expect(Math.abs(mirrored - 4500)).toBeLessThan(200);
    expect(Math.abs(turned - 2250)).toBeLessThan(200);
    expect(Math.abs(angles - 4500)).toBeLessThan(300); // from 45° to 135°
  });

  it("follow the book's pipeline: decode, resize to 256, rotate by 0 to 15, normalize, channels first; labels as vectors", async () => {
    const file = Buffer.from(expected.files[0].bytes, "base64");
    const run = async (key: data.RandomKey) => {
      const resized = resize(await decodeImage(file), [256, 256]);
      const turned = randomRotation(resized, [0, 15], key);
      return hwc2chw(normalize(turned, [100, 115, 121], [71, 68, 70]));
    };
    const [first, again, other] = [await run([1, 0]), await run([1, 0]), await run([1, 1])];
    expect(first.shape).toEqual([3, 256, 256]);
    expect(first).toEqual(again);
    expect(first.data).not.toEqual(other.data);
    expect(first.data[0]).toBeCloseTo((0 - 100) / 71, 1);
    expect(Array.from(oneHotLabel(1, 4, { smoothing: 0.2 }).data).map((x) => x.toFixed(2))).toEqual([
      "0.05",
      "0.85",
      "0.05",
      "0.05",
    ]);
  });

  it("refuse what doesn't fit", () => {
    const img = of([2, 3, 1], [1, 2, 3, 4, 5, 6]);
    expect(() => crop(img, [1, 0], [2, 3])).toThrow(/crop: 2 × 3 at \(1, 0\) goes past the image of 2 × 3/);
    expect(() => randomCrop(img, [3, 3], [0, 0])).toThrow(/randomCrop: 3 × 3 from an image of 2 × 3/);
    expect(() => resize(img, [0, 3])).toThrow(/got 0 × 3/);
    expect(() => resize(img, 2, { interpolation: "cubic" as never })).toThrow(/interpolations are nearest/);
    expect(() => rotate(img, Number.NaN)).toThrow(/degrees are a number, got NaN/);
    expect(() => normalize(img, [1, 2], [1, 1])).toThrow(/for each of 1 channels, got 1, 2 and 1, 1/);
    expect(() => normalize(img, [1], [0])).toThrow(/a std other than 0/);
    expect(() => oneHotLabel(4, 4)).toThrow(/labels are 0 to 3, got 4/);
    expect(() => hwc2chw(of([2, 2, 1], [1]))).toThrow(/1 elements for the shape \(2, 2, 1\)/);
  });
});

describe("a folder of images", () => {
  it("is a class per folder, in order; images are read when asked for", async () => {
    const root = join(folder, "pets");
    const file = Buffer.from(expected.files[0].bytes, "base64");
    for (const name of ["dog/b.PNG", "dog/a.jpg", "cat/deep/c.png", "cat/notes.txt"]) {
      mkdirSync(join(root, name, ".."), { recursive: true });
      writeFileSync(join(root, name), file);
    }
    mkdirSync(join(root, "ant"));
    const images = imageFolder(root);
    expect(images.classes).toEqual(["ant", "cat", "dog"]);
    expect(images.files.map((f) => [f.path.slice(root.length + 1), f.label])).toEqual([
      ["cat/deep/c.png", 1],
      ["dog/a.jpg", 2],
      ["dog/b.PNG", 2],
    ]);
    const { image, label } = await images.at(2);
    expect(label).toBe(2);
    expect((await decodeImage(image)).shape).toEqual([19, 23, 3]);
    await expect(images.at(3)).rejects.toThrow(/images 0 to 2, got 3/);
    expect(() => imageFolder(join(root, "ant"))).toThrow(
      /has 0 folders, and no \.png, \.jpg, \.jpeg in them/,
    );
  });
});
