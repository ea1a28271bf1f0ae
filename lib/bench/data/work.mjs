// What is done to one picture and to one record, in JavaScript: the same functions for mlsys and for Node's streams.
import { openSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";
import { inflateSync } from "node:zlib";
import { IMAGE, PHOTO, RECORD } from "./made.mjs";

/** @param folder where the data is */
export function loaders(folder) {
  const { size, crop, channels } = IMAGE;
  const offsets = new Float64Array(
    readFileSync(join(folder, "offsets.bin")).buffer.slice(0, 8 * (IMAGE.count + 1)),
  );
  const images = openSync(join(folder, "images.bin"));
  const records = openSync(join(folder, "records.bin"));
  const { features, bytes: recordBytes } = RECORD;
  const decode = (i) => {
    const bytes = Buffer.allocUnsafe(offsets[i + 1] - offsets[i]);
    readSync(images, bytes, 0, bytes.length, offsets[i]);
    return { pixels: inflateSync(bytes), y: i % 10 };
  };
  /** A random crop, a random flip, (x/255 − mean)/deviation, channels first. */
  const augment = ({ pixels, y }, _, random) => {
    const [top, left, flip] = [random.below(size - crop + 1), random.below(size - crop + 1), random.below(2)];
    const [scale, shift] = [1 / 255 / 0.25, -0.5 / 0.25];
    const x = new Float32Array(channels * crop * crop);
    for (let c = 0; c < channels; c++)
      for (let r = 0; r < crop; r++) {
        const from = ((top + r) * size + left) * channels + c;
        const to = (c * crop + r) * crop;
        for (let k = 0; k < crop; k++)
          x[to + k] = pixels[from + (flip ? crop - 1 - k : k) * channels] * scale + shift;
      }
    return { x, y };
  };
  const record = (i) => {
    const bytes = new Uint8Array(recordBytes);
    readSync(records, bytes, 0, recordBytes, i * recordBytes);
    const x = new Float32Array(bytes.buffer, 0, features);
    return { x, y: new Int32Array(bytes.buffer, 4 * features, 1)[0] };
  };
  return { decode, augment, record };
}

/** Bytes of photograph i. */
export function photoFiles(folder) {
  const bytes = readFileSync(join(folder, "photo-offsets.bin")).buffer.slice(0, 8 * (PHOTO.count + 1));
  const offsets = new Float64Array(bytes);
  const file = openSync(join(folder, "photos.bin"));
  return (i) => {
    const out = Buffer.allocUnsafe(offsets[i + 1] - offsets[i]);
    readSync(file, out, 0, out.length, offsets[i]);
    return out;
  };
}

/** ImageNet's mean and deviation, of pixels 0 … 255. */
export const MEAN = [123.675, 116.28, 103.53];
export const DEVIATION = [58.395, 57.12, 57.375];

/** Prints rows: elements per second from the first batch on, processor time per element, the most memory. */
export async function measure(row, size, batches) {
  let [count, start, last, cpu] = [0, 0, 0, null];
  for await (const batch of batches) {
    const rows = batch.y.shape?.[0] ?? batch.y.length;
    batch.x.dispose?.();
    batch.y.dispose?.();
    if (cpu === null) [start, cpu] = [performance.now(), process.cpuUsage()];
    else count += rows;
    last = performance.now();
  }
  if (count < size / 2) throw new Error(`only ${count} elements came`);
  const { user, system } = process.cpuUsage(cpu);
  print(`${row} per second`, (1000 * count) / (last - start));
  print(`${row}: processor time each`, (user + system) / count);
  print(`${row}: peak memory`, process.resourceUsage().maxRSS / 1024);
}

const print = (row, value) => console.log(JSON.stringify({ row, value }));
