// The simulator beside real runs of this machine: constants from measurements of single messages, copies and a single rank's
// step; then allReduce and data-parallel steps on 2 and 4 ranks, predicted and measured. `node lib/bench/distributed/simulator.mjs`,
// or a part of `npm run bench -- distributed`. Other work on the machine's cores shows: compare on a quiet one.
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";

const library = await import(new URL("../../dist/index.js", import.meta.url).href);
const { distributed } = library;
const { simulator } = distributed;

const MIB = 2 ** 20;
// steps of a few milliseconds: short enough to find the cores free on a machine that does other work too
const LAYERS = [256, 512, 512, 10];
const BATCH = 64;

/** Runs on ranks, as source text. Least seconds of each piece of work in turns, so that other load falls on all alike. */
async function collectives(group, { kinds, sizes, turns }) {
  const { Generator, setNumThreads } = await import("mlsys");
  setNumThreads(1);
  const other = (group.rank + 1) % group.size;
  const works = sizes.flatMap((bytes) => {
    const x = new Generator(1).normal([bytes / 4], 0, 1);
    const like = { shape: x.shape, dtype: x.dtype };
    const all = {
      // one message, and its combination
      broadcast: () => group.broadcast(x, 0, { algorithm: "tree" }),
      reduce: () => group.reduce(x, 0, { algorithm: "tree" }),
      // two at once
      exchange: async () => {
        const [, got] = await Promise.all([group.send(x, other), group.receive(like, other)]);
        return got;
      },
      ring: () => group.allReduce(x, { algorithm: "ring" }),
      direct: () => group.allReduce(x, { algorithm: "direct" }),
    };
    return kinds.map((kind) => ({ kind, bytes, run: all[kind], least: Number.POSITIVE_INFINITY }));
  });
  for (let turn = 0; turn < turns; turn++)
    for (const work of works) {
      await group.barrier();
      const start = performance.now();
      const result = await work.run();
      await group.barrier();
      const seconds = (performance.now() - start) / 1e3;
      result?.dispose();
      if (turn > 1) work.least = Math.min(work.least, seconds); // the first ones warm up
    }
  let barrier = Number.POSITIVE_INFINITY;
  for (let turn = 0; turn < 4 * turns; turn++) {
    const start = performance.now();
    await group.barrier();
    barrier = Math.min(barrier, (performance.now() - start) / 1e3);
  }
  return {
    barrier,
    works: works.map(({ kind, bytes, least }) => ({ kind, bytes, seconds: least - barrier })),
  };
}

/** A rank's steps of data-parallel training, eagerly. */
async function steps(group, { layers, batch, turns }) {
  const { Generator, distributed, nn, optim, setNumThreads, tidy } = await import("mlsys");
  setNumThreads(1);
  const generator = new Generator(1);
  const parts = layers
    .slice(1)
    .flatMap((outputs, i) => [new nn.Dense(layers[i], outputs, { generator }), new nn.ReLU()]);
  const model = new distributed.DistributedDataParallel(new nn.Sequential(...parts.slice(0, -1)), { group });
  const optimizer = new optim.SGD(model, { lr: 1e-3 });
  const x = generator.normal([batch, layers[0]], 0, 1);
  const y = generator.randint([batch], 0, layers.at(-1));
  const least = { forward: Infinity, backward: Infinity, optimizer: Infinity };
  const turnSeconds = [];
  for (let turn = 0; turn < turns; turn++) {
    await group.barrier();
    tidy(() => {
      const begun = performance.now();
      optimizer.zeroGrad();
      const loss = nn.crossEntropy(model.forward(x), y);
      loss.item();
      const there = performance.now();
      loss.backward();
      const back = performance.now();
      optimizer.step();
      const end = performance.now();
      if (turn < 3) return;
      least.forward = Math.min(least.forward, there - begun);
      least.backward = Math.min(least.backward, back - there);
      least.optimizer = Math.min(least.optimizer, end - back);
      turnSeconds.push((end - begun) / 1e3);
    });
  }
  const buckets = model.lastPass.map(({ bytes }) => bytes);
  return {
    ...Object.fromEntries(Object.entries(least).map(([k, ms]) => [k, ms / 1e3])),
    turnSeconds,
    buckets,
  };
}

/**
 * The machine's constants where ranks touch so many bytes together: copies are slower once the caches are full. From one
 * message at a time and two at once between two ranks, whose tensors are as large together.
 */
function machineOf(works, touched) {
  const latency = simulator.fitLine(samples(works, "broadcast")).fixed;
  /** Seconds a byte of `kind`, whose ranks touch `tensors` tensors together. */
  const perByte = (kind, tensors) => {
    const near = samples(works, kind).reduce((best, one) =>
      Math.abs(Math.log((one.amount * tensors) / touched)) <
      Math.abs(Math.log((best.amount * tensors) / touched))
        ? one
        : best,
    );
    return Math.max(1e-12, near.seconds - latency) / near.amount;
  };
  const [copy, reduce, both] = [perByte("broadcast", 2), perByte("reduce", 2), perByte("exchange", 4)];
  return {
    ...{ cores: Math.min(2, availableParallelism()), latency },
    copyRate: 1 / copy,
    memoryRate: Math.max(1 / copy, 2 / both),
    combineSecondsPerByte: Math.max(0, reduce - copy),
  };
}

const samples = (works, kind) =>
  works.filter((w) => w.kind === kind).map(({ bytes, seconds }) => ({ amount: bytes, seconds }));

async function predictAllReduce(machine, ranks, bytes, algorithm) {
  const { network, options } = simulator.sharedMemory({ ...machine, ranks });
  const data = new Uint8Array(bytes);
  const run = await simulator.simulatePrograms(
    network,
    ({ member }) =>
      distributed.runCollective("allReduce", member(0), { data, dtype: "float32", op: "sum" }, algorithm),
    { ...options, payload: "phantom" },
  );
  return run.seconds;
}

/** The step of a rank that computes as one alone does, on cores that all ranks and their messages share. */
async function predictStep(machine, ranks, alone, buckets) {
  const { network, options } = simulator.sharedMemory({ ...machine, ranks });
  const whole = buckets.reduce((sum, bytes) => sum + bytes, 0);
  const data = new Uint8Array(Math.max(...buckets));
  const run = await simulator.simulatePrograms(
    network,
    async ({ compute, member }) => {
      await compute(alone.forward);
      const sent = [];
      for (const [i, bytes] of buckets.entries()) {
        await compute((alone.backward * bytes) / whole); // products back take as their parameters are many
        const part = { data: data.subarray(0, bytes), dtype: "float32", op: "sum" };
        sent.push(distributed.runCollective("allReduce", member(i), part));
      }
      await Promise.all(sent);
      await compute(alone.optimizer);
    },
    { ...options, payload: "phantom", model: distributed.modelOf("threads") },
  );
  return run.seconds;
}

export async function rows({ quick }) {
  const turns = quick ? 20 : 60;
  const sizes = [MIB, 4 * MIB, 16 * MIB];
  const launch = (ranks, work, options) => distributed.launch(ranks, work, { args: [options] });
  const micro = { kinds: ["broadcast", "reduce", "exchange"], sizes: [MIB / 4, ...sizes, 64 * MIB], turns };
  const { works: single } = (await launch(2, collectives, micro))[0];
  // with the wrapper of data-parallel training, that fills buckets and empties them, but nobody to send them to
  const [alone] = await launch(1, steps, { layers: LAYERS, batch: BATCH, turns: 10 * turns });
  const out = [];
  const row = (name, predicted, measured) =>
    out.push({
      ...{ name: `simulated ${name}`, unit: "ms", better: "lower" },
      ...{ ours: { predicted: predicted * 1e3 }, peers: { measured: measured * 1e3 } },
    });
  for (const ranks of [2, 4]) {
    const kinds = ["ring", "direct"];
    const { works } = (await launch(ranks, collectives, { kinds, sizes, turns }))[0];
    for (const { kind, bytes, seconds } of works) {
      const machine = machineOf(single, 2 * ranks * bytes); // each rank's own tensor and its result
      const predicted = await predictAllReduce(machine, ranks, bytes, kind);
      row(`allReduce ${kind} ${bytes / MIB} MiB, ${ranks} ranks`, predicted, seconds);
    }
    const real = await launch(ranks, steps, { layers: LAYERS, batch: BATCH, turns: 10 * turns });
    // a step ends when its last rank does
    const measured = Math.min(
      ...real[0].turnSeconds.map((_, turn) => Math.max(...real.map((r) => r.turnSeconds[turn]))),
    );
    const { buckets } = real[0];
    const machine = machineOf(single, 2 * ranks * Math.max(...buckets));
    row(`DDP step, ${ranks} ranks`, await predictStep(machine, ranks, alone, buckets), measured);
  }
  const { latency, copyRate, memoryRate, combineSecondsPerByte } = machineOf(single, 8 * MIB);
  const gb = (rate) => `${(rate / 1e9).toFixed(1)} GB/s`;
  const ms = (seconds) => `${(seconds * 1e3).toFixed(2)} ms`;
  const notes = [
    `simulator: constants from single messages, here of 4 MiB: ${(latency * 1e6).toFixed(0)} µs, copies ${gb(copyRate)} (two at once ${gb(memoryRate)}), combining ${(combineSecondsPerByte * 1e9).toFixed(2)} ns a byte besides; a step of one rank: forward ${ms(alone.forward)}, backward ${ms(alone.backward)}, optimizer ${ms(alone.optimizer)}`,
  ];
  return { rows: out, missing: {}, notes };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const found = await rows({ quick: process.argv.includes("--quick") });
  for (const note of found.notes) console.log(note);
  for (const { name, ours, peers } of found.rows) {
    const off = 100 * (ours.predicted / peers.measured - 1);
    console.log(
      `${name.padEnd(48)} predicted ${ours.predicted.toFixed(2).padStart(8)} ms  measured ${peers.measured.toFixed(2).padStart(8)} ms  ${off > 0 ? "+" : ""}${off.toFixed(0)} %`,
    );
  }
}
