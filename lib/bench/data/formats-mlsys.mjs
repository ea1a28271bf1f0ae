// Our side of the formats' rows: makes the files in BENCH_DATA, then reads them. Prints { row, name, value } lines.
import { createReadStream, existsSync, openSync, renameSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import Papa from "papaparse";
import { data } from "../../dist/index.js";

const folder = process.env.BENCH_DATA;
const quick = process.env.BENCH_QUICK === "1";
const [COUNT, FEATURES, BATCH] = [400_000, 64, 256];
const show = (row, value, name = "mlsys") => console.log(JSON.stringify({ row, name, value }));
const seconds = async (body) => {
  const start = performance.now();
  await body();
  return (performance.now() - start) / 1e3;
};

const paths = Object.fromEntries(
  ["a.rec", "a.bin", "a.tfrecord", "a.csv", "moby.txt"].map((n) => [n, join(folder, n)]),
);
const schema = { label: "int32", x: { dtype: "float32", shape: [FEATURES] } };
const text = await data.mobyDick();

async function make() {
  if (existsSync(paths["moby.txt"])) return;
  const x = { dtype: "float32", shape: [FEATURES], data: new Float32Array(FEATURES) };
  const plain = openSync(paths["a.bin"], "w");
  const out = data.recordWriter(paths["a.rec"], schema, { sync: "never" });
  const row = new Int32Array(1 + FEATURES);
  for (let i = 0; i < COUNT; i++) {
    for (let j = 0; j < FEATURES; j++) x.data[j] = Math.sin(i + j);
    out.write({ label: i % 10, x });
    new Float32Array(row.buffer, 0, FEATURES).set(x.data);
    row[FEATURES] = i % 10;
    writeSync(plain, row);
  }
  out.close();
  const examples = function* () {
    for (let i = 0; i < 20_000; i++)
      yield data.encodeExample({
        label: [BigInt(i % 10)],
        x: Array.from({ length: FEATURES }, (_, j) => Math.sin(i + j)),
      });
  };
  await data.writeTfRecords(paths["a.tfrecord"], examples());
  let csv = "id,name,x,y,note\n";
  for (let i = 0; i < 200_000; i++)
    csv += `${i},name ${i},${Math.sin(i)},${(i * 7) % 1000},"a, ""b"" ${i % 100}"\n`;
  writeFileSync(paths["a.csv"], csv);
  writeFileSync(`${paths["moby.txt"]}.tmp`, text);
  renameSync(`${paths["moby.txt"]}.tmp`, paths["moby.txt"]);
}

/** Batches of labels and features from records in this order. */
function batches(records) {
  let [labels, xs, filled, sum] = [new Int32Array(BATCH), new Float32Array(BATCH * FEATURES), 0, 0];
  for (const { label, x } of records) {
    labels[filled] = label;
    xs.set(x.data, filled * FEATURES);
    if (++filled === BATCH) {
      sum += labels[0] + xs[0];
      [labels, xs, filled] = [new Int32Array(BATCH), new Float32Array(BATCH * FEATURES), 0];
    }
  }
  return sum;
}

await make();
{
  const file = data.openRecords(paths["a.rec"], { schema });
  show("record file in order", COUNT / (await seconds(() => batches(file))));
}
{
  const file = data.openRecords(paths["a.rec"], { schema });
  const view = data.sourceView(file, { shuffle: { seed: 7 } });
  const shuffled = function* () {
    for (let i = 0; i < view.length; i++) yield view.at(i);
  };
  show("record file shuffled", COUNT / (await seconds(() => batches(shuffled()))));
}
{
  const n = 10_000_000;
  globalThis.gc?.();
  const before = process.memoryUsage().rss;
  const view = data.sourceView({ length: n, at: (i) => i }, { shuffle: { seed: 7 } });
  let sum = 0;
  const time = await seconds(() => {
    for (let i = 0; i < n; i++) sum += view.at(i);
  });
  if (sum !== (n * (n - 1)) / 2) throw new Error("not a permutation");
  show("order of 10 M positions", n / time);
  show("order of 10 M positions, memory", Math.max(0, (process.memoryUsage().rss - before) / 2 ** 20));
}
{
  let sum = 0;
  const time = await seconds(async () => {
    for await (const payload of data.readTfRecords(paths["a.tfrecord"]))
      sum += data.decodeExample(payload).x.values[0];
  });
  if (!Number.isFinite(sum)) throw new Error("values are missing");
  show("TFRecord with Example", 20_000 / time);
}
{
  let [rows, bytes] = [0, 0];
  const time = await seconds(async () => {
    for await (const row of data.readCsv(paths["a.csv"])) rows += row.y >= 0 ? 1 : 0;
  });
  for await (const chunk of createReadStream(paths["a.csv"])) bytes += chunk.length;
  show("CSV", bytes / 1e6 / time);
  if (rows !== 200_000) throw new Error("rows are missing");
  const raw = await seconds(
    () =>
      new Promise((resolve) => {
        Papa.parse(createReadStream(paths["a.csv"]), { step: () => {}, complete: resolve });
      }),
  );
  show("CSV", bytes / 1e6 / raw, "papaparse");
}
{
  let tokenizer;
  const time = await seconds(() => {
    tokenizer = data.trainBpe([text], { vocabSize: 8000 });
  });
  show("BPE train to 8000", time);
  const times = [];
  for (let i = 0; i < (quick ? 1 : 3); i++) times.push(await seconds(() => tokenizer.encode(text)));
  show("BPE encode", Buffer.byteLength(text) / 1e6 / Math.min(...times));
}
