// Serving under load: requests of one row with binary data, by autocannon, on so many connections at a time. The peer is ONNX
// Runtime as a backend of the very same server: what differs is the kernels alone. Run by `npm run bench -- serve`.
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { autocannon, onnxruntime, tried } from "./peers/install.mjs";

const CONNECTIONS = [1, 16];
const SIZES = { mlp: [1, 784], cnn: [1, 1, 28, 28] };
const FORMS = ["batches", "single"];

/** One row as a client sends it. */
function request(shape) {
  const data = Float32Array.from({ length: 784 }, (_, i) => Math.sin(i));
  const json = JSON.stringify({
    parameters: { binary_data_output: true },
    inputs: [{ name: "x", datatype: "FP32", shape, parameters: { binary_data_size: data.byteLength } }],
  });
  return {
    body: Buffer.concat([Buffer.from(json), Buffer.from(data.buffer)]),
    headers: {
      "content-type": "application/octet-stream",
      "inference-header-content-length": String(json.length),
    },
  };
}

const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
const percentile = (sorted, p) => sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)];

async function load(url, model, connections, seconds) {
  const { body, headers } = request(SIZES[model.split("-")[0]]);
  const cannon = autocannon()({
    url: `${url}/v2/models/${model}/infer`,
    method: "POST",
    ...{ connections, duration: seconds, body, headers },
  });
  const times = []; // its own histogram knows whole milliseconds only
  cannon.on("response", (_client, _status, _bytes, ms) => times.push(ms));
  const found = await cannon;
  if (found.non2xx > 0 || found.errors > 0)
    throw new Error(`${model}: ${found.non2xx} refused, ${found.errors} failed of ${found.requests.total}`);
  times.sort((a, b) => a - b);
  return {
    rate: found.requests.total / found.duration,
    p50: percentile(times, 50),
    p99: percentile(times, 99),
  };
}

export async function run({ quick }) {
  const missing = {};
  const { missing: reason } = tried(onnxruntime);
  if (reason) missing.onnxruntime = reason;
  const peers = missing.onnxruntime ? [] : ["onnxruntime"];
  const child = fork(fileURLToPath(new URL("./serve/server.mjs", import.meta.url)), peers);
  try {
    const [{ url, ours }] = await once(child, "message");
    const engines = [...ours, ...peers];
    const rows = [];
    for (const net of Object.keys(SIZES))
      for (const connections of CONNECTIONS) {
        const cases = FORMS.flatMap((form) => engines.map((engine) => ({ form, engine, found: [] })));
        for (const one of cases) await load(url, `${net}-${one.engine}-${one.form}`, connections, 1); // warm
        // in turn, so that what interrupts the machine meets all alike
        for (let round = 0; round < (quick ? 1 : 5); round++)
          for (const one of cases)
            one.found.push(await load(url, `${net}-${one.engine}-${one.form}`, connections, quick ? 2 : 4));
        for (const [what, unit, better, key] of [
          ["throughput", "requests/s", "higher", "rate"],
          ["p50", "ms", "lower", "p50"],
          ["p99", "ms", "lower", "p99"],
        ]) {
          const values = (some) =>
            Object.fromEntries(
              cases
                .filter(({ engine }) => some.includes(engine))
                .map(({ engine, form, found }) => [
                  `${engine}, ${form}`,
                  Number(median(found.map((one) => one[key])).toPrecision(4)),
                ]),
            );
          rows.push({
            name: `${net}, ${connections} connection${connections > 1 ? "s" : ""}: ${what}`,
            ...{ unit, better, ours: values(ours), peers: values(peers) },
          });
        }
      }
    const closed = once(child, "exit");
    child.send("close");
    await closed;
    return { rows, missing };
  } finally {
    child.kill("SIGKILL");
  }
}
