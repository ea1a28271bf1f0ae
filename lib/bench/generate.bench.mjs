// Generation: a trace of requests of mixed lengths that arrive over time, served by one engine with continuous batching, with
// static batching, and one at a time; what a cache in blocks holds beside one of whole contexts in the same memory; attention over
// blocks beside gathering them first. Run by `npm run bench -- generate`.
// Times are those of this process's one thread on the processor: what else runs on the machine does not count.
const SIZES = { vocabulary: 8192, context: 512, size: 512, depth: 6, heads: 8 };
const MOST = 16; // sequences at once

/** Lengths as those of chats: many short, some long; arrivals as of a Poisson process. All drawn from a seed. */
function traceOf({ Generator }, count, perSecond) {
  const draw = new Generator(11);
  const numbers = (t) => Array.from(t.toTypedArray());
  const [a, b, c] = [draw.normal([count]), draw.normal([count]), draw.uniform([count])].map(numbers);
  const length = (x, middle, most) => Math.max(4, Math.min(most, Math.round(middle * Math.exp(x))));
  let at = 0;
  return Array.from({ length: count }, (_, i) => {
    at += -Math.log(1 - c[i]) / perSecond;
    return {
      at: at * 1000,
      prompt: Array.from(
        { length: length(a[i], 48, 320) },
        (_, j) => (i * 7919 + j * 131) % SIZES.vocabulary,
      ),
      maxTokens: length(b[i], 32, 160),
      temperature: 0,
    };
  });
}

/** Milliseconds of processor time. */
const now = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
const percentile = (list, p) =>
  [...list].sort((x, y) => x - y)[Math.min(list.length - 1, Math.floor(p * list.length))];
const mean = (list) => list.reduce((x, y) => x + y, 0) / list.length;

/** Sends the requests when they arrive. Times in milliseconds. */
async function serve({ deploy }, model, requests, options) {
  const engine = new deploy.GenerationEngine(model, {
    ...{ maxWaiting: requests.length, prefixSharing: false, traceSteps: 1e6 },
    ...options,
  });
  const start = now();
  const read = async (stream, sent) => {
    let [first, tokens] = [0, 0];
    for await (const _ of stream) {
      tokens++;
      if (first === 0) first = now() - sent;
    }
    return { first, tokens, whole: now() - sent };
  };
  const reads = [];
  for (const { at, ...request } of requests) {
    while (now() - start < at) await new Promise((resolve) => setImmediate(resolve));
    reads.push(read(engine.submit(request), now()));
  }
  const served = await Promise.all(reads);
  const seconds = (now() - start) / 1000;
  const { trace, stats } = engine;
  const busy = trace.filter(({ positions }) => positions > 0);
  const blocks = busy.map(({ occupancy }) => occupancy.filter((owners) => owners > 0).length);
  const { blockSize = 16 } = options;
  engine.close();
  return {
    throughput: served.reduce((sum, { tokens }) => sum + tokens, 0) / seconds,
    first: served.map(({ first }) => first),
    perToken: served.map(({ first, tokens, whole }) => (tokens > 1 ? (whole - first) / (tokens - 1) : 0)),
    atOnce: mean(busy.map(({ sequences }) => sequences.length)),
    filled: mean(busy.map(({ positions }) => positions)) / (mean(blocks) * blockSize),
    preemptions: stats.preemptions,
  };
}

/** Milliseconds of attention of one query each of 16 sequences, by the kernel, and by gathering blocks for the library's attention. */
async function attentionTimes({ Generator, attention, tensor, tidy }, context, runs) {
  const { PagedCache } = await import("../dist/deploy/generate/paged-cache.js");
  const [heads, headSize, blockSize, queries] = [4, 64, 16, 16];
  const size = heads * headSize;
  const each = context / blockSize;
  const blocks = queries * each;
  const cache = new PagedCache({ blocks, blockSize, layers: 1, heads, headSize });
  const draw = new Generator(3);
  const order = Array.from(draw.permutation(blocks).toTypedArray());
  const batch = {
    tables: Int32Array.from(order),
    spans: Int32Array.from({ length: 2 * queries }, (_, i) => (i % 2 ? context : (i >> 1) * each)),
    slots: Int32Array.from(
      { length: queries },
      (_, i) => order[i * each + each - 1] * blockSize + blockSize - 1,
    ),
  };
  const joined = draw.normal([queries, 3 * size]);
  const stored = draw.normal([blocks, blockSize, 2 * size]);
  const table = tensor(batch.tables);
  cache.prepare(batch);
  const gathered = () => {
    const all = stored.take(table).reshape([queries, context, 2, heads, headSize]).transpose([2, 0, 3, 1, 4]);
    const q = joined.slice([null, null], [0, size]).reshape([queries, heads, 1, headSize]);
    return attention(q, all.slice(0), all.slice(1));
  };
  const times = [() => cache.attend(0, joined), gathered].map((f) => ({ f, best: Number.POSITIVE_INFINITY }));
  for (let i = 0; i < runs; i++)
    for (const one of times) {
      const start = performance.now(); // short enough to be undisturbed at best
      tidy(() => void one.f());
      one.best = Math.min(one.best, performance.now() - start);
    }
  cache.dispose();
  return times.map(({ best }) => best);
}

export async function run({ quick }) {
  const mlsys = await import("../dist/index.js");
  const { nn, Generator, getNumThreads, setNumThreads } = mlsys;
  const threads = getNumThreads();
  setNumThreads(1);
  const model = new nn.CausalLM({ ...SIZES, generator: new Generator(1) });
  const requests = traceOf(mlsys, quick ? 12 : 48, 7);
  const three = (x) => Number(x.toPrecision(3));
  const modes = {
    continuous: { maxSequences: MOST },
    static: { maxSequences: MOST, batching: "static", maxBatchedTokens: MOST * 320 },
    "one at a time": { maxSequences: 1 },
  };
  await serve(mlsys, model, requests.slice(0, 4), { maxSequences: 4 }); // kernels are compiled
  const found = {};
  for (const [name, options] of Object.entries(modes))
    found[name] = await serve(mlsys, model, requests, options);
  const row = (name, unit, better, value) => {
    const cells = Object.entries(found).map(([mode, result]) => [mode, three(value(result))]);
    return {
      name,
      unit,
      better,
      ours: Object.fromEntries(cells.slice(0, 1)),
      peers: Object.fromEntries(cells.slice(1)),
    };
  };
  const rows = [
    row("generated tokens", "tokens/s", "higher", ({ throughput }) => throughput),
    row("time to first token p50", "ms", "lower", ({ first }) => percentile(first, 0.5)),
    row("time to first token p99", "ms", "lower", ({ first }) => percentile(first, 0.99)),
    row("time per further token p50", "ms", "lower", ({ perToken }) => percentile(perToken, 0.5)),
    row("sequences in a step", "mean", "higher", ({ atOnce }) => atOnce),
  ];

  // the same memory, four contexts of it, in blocks of 16 positions or of a whole context each
  const [paged, contiguous] = [
    await serve(mlsys, model, requests, { maxSequences: 64, blocks: (4 * SIZES.context) / 16 }),
    await serve(mlsys, model, requests, { maxSequences: 64, blocks: 4, blockSize: SIZES.context }),
  ];
  const memory = (name, unit, value) => ({
    ...{ name: `cache of 4 contexts: ${name}`, unit, better: "higher" },
    ours: { paged: three(value(paged)) },
    peers: { contiguous: three(value(contiguous)) },
  });
  rows.push(
    memory("positions that hold tokens", "% of those taken", ({ filled }) => 100 * filled),
    memory("sequences in a step", "mean", ({ atOnce }) => atOnce),
    memory("generated tokens", "tokens/s", ({ throughput }) => throughput),
  );
  for (const context of [128, 512]) {
    const [kernel, gathered] = await attentionTimes(mlsys, context, quick ? 30 : 200);
    rows.push({
      ...{ name: `attention of 16 queries, context ${context}`, unit: "ms", better: "lower" },
      ours: { paged: three(kernel) },
      peers: { "gathered first": three(gathered) },
    });
  }
  setNumThreads(threads);
  const total = (pick) => requests.reduce((sum, request) => sum + pick(request), 0);
  return {
    rows,
    missing: {},
    notes: [
      `${requests.length} requests over ${(requests.at(-1).at / 1000).toFixed(1)} s, ${total(({ prompt }) => prompt.length)} tokens of prompts, ${total(({ maxTokens }) => maxTokens)} generated; a model of 6 blocks of ${SIZES.size} features, ${MOST} sequences at once.`,
      "All columns are the same engine on one thread; times are processor time. Static batching is given more than usual: its tokens are streamed, and sequences that end leave the step.",
      `Paged, sequences were computed anew ${paged.preemptions} times since blocks ran out.`,
    ],
  };
}
