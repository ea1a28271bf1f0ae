// Ours: `node mlsys.mjs` with BENCH_ROW, BENCH_DATA; BENCH_MODE "threads" or "one thread".
import { data } from "../../dist/index.js";
import { IMAGE, PHOTO, RECORD } from "./made.mjs";
import { DEVIATION, loaders, MEAN, measure, photoFiles } from "./work.mjs";

const { decode, augment, record } = loaders(process.env.BENCH_DATA);
const { Dataset } = data;
const quick = process.env.BENCH_QUICK === "1" ? 4 : 1;
const threads = process.env.BENCH_MODE === "threads";
/** The order is that of a walk without threads: the first labels tell. */
const run = (set, order) => {
  const wanted = [...order.take(4)].flat();
  const walk = threads ? set.pipeline({ workers: 2 }) : set;
  return (async function* () {
    const seen = [];
    for await (const batch of walk) {
      if (seen.length < wanted.length) {
        seen.push(...batch.y.toArray());
        if (seen.some((y, i) => i < wanted.length && y !== wanted[i]))
          throw new Error("the order is not kept");
      }
      yield batch;
    }
  })();
};

const labels = (count) =>
  Dataset.range(count)
    .shuffle({ seed: 1 })
    .map((i) => i % 10)
    .batch({ images: IMAGE, photos: PHOTO, records: RECORD }[process.env.BENCH_ROW].batch);

if (process.env.BENCH_ROW === "photos") {
  const count = PHOTO.count / quick;
  const { resize, crop } = PHOTO;
  const read = photoFiles(process.env.BENCH_DATA);
  const { decodeImage } = data;
  const [size, [mean, deviation]] = [crop, [MEAN, DEVIATION]];
  const set = Dataset.range(count)
    .shuffle({ seed: 1 })
    .map(async (i) => ({ image: await decodeImage(read(i), { resize }), y: i % 10 }), { name: "decode" })
    .map(
      ({ image, y }, _, random) => {
        const [height, width] = image.shape;
        const at = [random.below(height - size + 1), random.below(width - size + 1)];
        const cut = data.crop(image, at, [size, size]);
        const turned = random.below(2) ? data.flipHorizontal(cut) : cut;
        return { x: data.hwc2chw(data.normalize(turned, mean, deviation)).data, y };
      },
      { name: "augment" },
    )
    .batch(PHOTO.batch)
    .collate({ dtypes: { y: "int32" }, shapes: { x: [3, crop, crop] } });
  await measure("photos", count, run(set, labels(count)));
} else if (process.env.BENCH_ROW === "images") {
  const count = IMAGE.count / quick;
  const set = Dataset.range(count)
    .shuffle({ seed: 1 })
    .map(decode)
    .map(augment)
    .batch(IMAGE.batch)
    .collate({ dtypes: { y: "int32" }, shapes: { x: [3, IMAGE.crop, IMAGE.crop] } });
  await measure("images", count, run(set, labels(count)));
} else {
  const count = RECORD.count / quick;
  const set = Dataset.range(count)
    .shuffle({ seed: 1 })
    .map(record)
    .batch(RECORD.batch)
    .collate({ dtypes: { y: "int32" } });
  await measure("records", count, run(set, labels(count)));
}
process.exit(0);
