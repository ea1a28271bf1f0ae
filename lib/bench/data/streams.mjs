// Node's own streams: map and batches of Readable, on one thread (they have no other).
import { Readable } from "node:stream";
import { IMAGE, PHOTO, RECORD } from "./made.mjs";
import { DEVIATION, loaders, MEAN, measure, photoFiles } from "./work.mjs";

const { decode, augment, record } = loaders(process.env.BENCH_DATA);
const quick = process.env.BENCH_QUICK === "1" ? 4 : 1;
const random = { below: (n) => Math.floor(Math.random() * n) };

function shuffled(count) {
  const order = Int32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

async function* batches(rows, size, width) {
  let list = [];
  const made = () => {
    const x = new Float32Array(list.length * width);
    for (const [i, row] of list.entries()) x.set(row.x, i * width);
    const batch = { x, y: Int32Array.from(list, ({ y }) => y) };
    list = [];
    return batch;
  };
  for await (const row of rows) if (list.push(row) === size) yield made();
  if (list.length > 0) yield made();
}

/** With sharp alone, as a program on streams would have it: decoded, resized and cut in libvips. */
async function photo(i) {
  const { default: sharp } = await import("sharp");
  const { width, height, resize, crop } = PHOTO;
  const wide = Math.trunc((resize * width) / height);
  const [top, left] = [random.below(resize - crop + 1), random.below(wide - crop + 1)];
  const whole = sharp(read(i)).resize(wide, resize, {
    kernel: "linear",
    fit: "fill",
    fastShrinkOnLoad: false,
  });
  const cut = whole.extract({ top, left, width: crop, height: crop });
  const pixels = await (random.below(2) ? cut.flop() : cut).removeAlpha().raw().toBuffer();
  const x = new Float32Array(pixels.length);
  const plane = crop * crop;
  for (let c = 0; c < 3; c++)
    for (let k = 0; k < plane; k++) x[c * plane + k] = (pixels[3 * k + c] - MEAN[c]) / DEVIATION[c];
  return { x, y: i % 10 };
}

const row = process.env.BENCH_ROW;
const read = row === "photos" ? photoFiles(process.env.BENCH_DATA) : null;
const { task, work, width } = {
  images: { task: IMAGE, work: (i) => augment(decode(i), i, random), width: 3 * IMAGE.crop ** 2 },
  photos: { task: PHOTO, work: photo, width: 3 * PHOTO.crop ** 2 },
  records: { task: RECORD, work: record, width: RECORD.features },
}[row];
const count = task.count / quick;
const rows = Readable.from(shuffled(count)).map(work, { concurrency: 2 });
await measure(row, count, batches(rows, task.batch, width));
