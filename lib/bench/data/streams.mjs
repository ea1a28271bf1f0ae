// Node's own streams: map and batches of Readable, on one thread (they have no other).
import { Readable } from "node:stream";
import { IMAGE, RECORD } from "./made.mjs";
import { loaders, measure } from "./work.mjs";

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

const images = process.env.BENCH_ROW === "images";
const count = (images ? IMAGE.count : RECORD.count) / quick;
const rows = Readable.from(shuffled(count)).map(images ? (i) => augment(decode(i), i, random) : record, {
  concurrency: 2,
});
const width = images ? 3 * IMAGE.crop ** 2 : RECORD.features;
await measure(process.env.BENCH_ROW, count, batches(rows, images ? IMAGE.batch : RECORD.batch, width));
