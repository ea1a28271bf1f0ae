// Ours: `node mlsys.mjs` with BENCH_ROW, BENCH_DATA; BENCH_MODE "threads" or "one thread".
import { data } from "../../dist/index.js";
import { IMAGE, RECORD } from "./made.mjs";
import { loaders, measure } from "./work.mjs";

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
    .batch(process.env.BENCH_ROW === "images" ? IMAGE.batch : RECORD.batch);

if (process.env.BENCH_ROW === "images") {
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
