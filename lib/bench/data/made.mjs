// The data of the rows, made once from a seed: compressed pictures of one size, and records of a fixed length.
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { deflateSync } from "node:zlib";

export const IMAGE = { count: 8192, size: 72, crop: 64, channels: 3, batch: 32 };
/** Photographs: JPEG of `width` × `height`; the shorter side becomes `resize`, a random `crop` is cut out. */
export const PHOTO = { count: 1536, width: 400, height: 300, resize: 256, crop: 224, batch: 32, quality: 90 };
export const RECORD = { count: 400_000, features: 64, bytes: 64 * 4 + 4, batch: 256 };

/** A small generator (mulberry32): the same numbers in every run. */
function generator(seed) {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Smooth colours with a little noise: deflate makes about a third of them. */
function picture(random, out) {
  const { size } = IMAGE;
  const [a, b, c] = [random() * 6, random() * 6, random() * 6];
  let at = 0;
  for (let y = 0; y < size; y++)
    for (let x = 0; x < size; x++)
      for (const phase of [a, b, c])
        out[at++] = (128 + 100 * Math.sin(phase + (x + y) / 15) + (random() < 0.3 ? random() * 8 : 0)) & 0xfc;
}

/** photos.bin and photo-offsets.bin: waves of colour with noise, 40 kB or so each. */
async function photos(folder, random) {
  const { count, width, height, quality } = PHOTO;
  const sharp = (await import("sharp")).default;
  const offsets = new Float64Array(count + 1);
  const file = openSync(join(folder, "photos.bin"), "w");
  const pixels = new Uint8Array(width * height * 3);
  for (let i = 0; i < count; i++) {
    const [a, b, c] = [random() * 6, 8 + random() * 40, 8 + random() * 40];
    for (let y = 0, at = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        for (const phase of [a, a + 2, a + 4])
          pixels[at++] = 128 + 90 * Math.sin(phase + x / b) * Math.cos(y / c) + random() * 24;
    const bytes = await sharp(pixels, { raw: { width, height, channels: 3 } })
      .jpeg({ quality })
      .toBuffer();
    writeSync(file, bytes);
    offsets[i + 1] = offsets[i] + bytes.length;
  }
  closeSync(file);
  writeFileSync(join(folder, "photo-offsets.bin"), new Uint8Array(offsets.buffer));
}

/** Files of `folder`: photos.bin, images.bin, its offsets (float64, one more than images), records.bin. */
export async function madeData(folder) {
  const done = join(folder, "done.json");
  const what = JSON.stringify({ IMAGE, PHOTO, RECORD });
  if (existsSync(done) && readFileSync(done, "utf8") === what) return;
  mkdirSync(folder, { recursive: true });
  const random = generator(7);
  const offsets = new Float64Array(IMAGE.count + 1);
  const images = openSync(join(folder, "images.bin"), "w");
  const pixels = new Uint8Array(IMAGE.size ** 2 * IMAGE.channels);
  for (let i = 0; i < IMAGE.count; i++) {
    picture(random, pixels);
    const bytes = deflateSync(pixels);
    writeSync(images, bytes);
    offsets[i + 1] = offsets[i] + bytes.length;
  }
  closeSync(images);
  writeFileSync(join(folder, "offsets.bin"), new Uint8Array(offsets.buffer));
  await photos(folder, random);
  const records = openSync(join(folder, "records.bin"), "w");
  const block = Buffer.alloc(RECORD.bytes * 1000);
  for (let i = 0; i < RECORD.count; i += 1000) {
    for (let k = 0; k < 1000; k++) {
      const at = k * RECORD.bytes;
      for (let f = 0; f < RECORD.features; f++) block.writeFloatLE(i + k + f / 64, at + 4 * f);
      block.writeInt32LE((i + k) % 10, at + 4 * RECORD.features);
    }
    writeSync(records, block);
  }
  closeSync(records);
  writeFileSync(`${done}.part`, what);
  renameSync(`${done}.part`, done);
}
