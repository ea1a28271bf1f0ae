// A member of a job that an MPI launcher started: does what its argument says and writes what came out, by rank.
import { writeFileSync } from "node:fs";
import { join } from "node:path";

const [, , folder, task] = process.argv;
const dist = (path) => import(new URL(`../../../dist/distributed/${path}`, import.meta.url).href);
const { memberOf, runCollective } = await dist("index.js");
const { combine } = await dist("collectives/combine/combine.js");
const { open } = await dist("transport/mpi/mpi.js");

const job = open();
const { rank, size } = job;

/** Does what a communication thread does: asks, and sleeps in between. */
async function drive(work) {
  let over = false;
  const end = () => {
    over = true;
  };
  work.then(end, end);
  const nap = new Int32Array(new SharedArrayBuffer(4));
  while (!over) {
    if (!job.poll() && job.patience > 0 && job.patience < 1000) Atomics.wait(nap, 0, 0, job.patience);
    await new Promise(setImmediate);
  }
  return work;
}

const WIDTHS = {
  ...{
    float64: 8,
    float32: 4,
    float16: 2,
    bfloat16: 2,
    int64: 8,
    int32: 4,
    int16: 2,
    int8: 1,
    uint8: 1,
    bool: 1,
  },
};
const FLOATS = { float64: Float64Array, float32: Float32Array };
/** Small numbers as bytes; sums of a few are exact in each dtype. */
function elements(dtype, count, of) {
  const bytes = new Uint8Array(new SharedArrayBuffer(count * WIDTHS[dtype]));
  for (let i = 0; i < count; i++) {
    const value = dtype === "bool" ? (i + of) % 2 : 1 + ((i * 7 + of * 3) % 4);
    if (FLOATS[dtype]) new FLOATS[dtype](bytes.buffer)[i] = value;
    else if (dtype === "float16" || dtype === "bfloat16") {
      const bits = new Uint32Array(new Float32Array([value]).buffer)[0];
      const half = ((bits >> 13) & 0x3ff) | ((((bits >> 23) & 0xff) - 112) << 10);
      new Uint16Array(bytes.buffer)[i] = dtype === "bfloat16" ? bits >>> 16 : half;
    } else bytes[i * WIDTHS[dtype]] = value;
  }
  return bytes;
}
const everyone = Array.from({ length: size }, (_, of) => of);
const combined = (dtype, count, op, of) => {
  const all = elements(dtype, count, of[0]);
  for (const other of of.slice(1)) combine(all, elements(dtype, count, other), dtype, op);
  return all;
};
const even = (count, width) =>
  everyone.map((of) => (Math.floor(count / size) + (of < count % size ? 1 : 0)) * width);
const part = (bytes, counts, of) => {
  const start = counts.slice(0, of).reduce((a, b) => a + b, 0);
  return bytes.subarray(start, start + counts[of]);
};
const whole = (parts) => Uint8Array.from(parts.flatMap((bytes) => [...bytes]));

/** Each kind: the request on this member, and what must be where afterwards. */
const KINDS = {
  reduce(dtype, op, count, root) {
    const data = elements(dtype, count, rank);
    const wanted = rank === root ? combined(dtype, count, op, everyone) : new Uint8Array(0);
    return [{ data, dtype, op, root }, () => (rank === root ? data : new Uint8Array(0)), wanted];
  },
  allReduce(dtype, op, count) {
    const data = elements(dtype, count, rank);
    return [{ data, dtype, op }, () => data, combined(dtype, count, op, everyone)];
  },
  reduceScatter(dtype, op, count) {
    const data = elements(dtype, count, rank);
    const counts = even(count, WIDTHS[dtype]);
    const wanted = part(combined(dtype, count, op, everyone), counts, rank);
    return [{ data, dtype, op, counts }, () => part(data, counts, rank), wanted];
  },
  scan(dtype, op, count) {
    const data = elements(dtype, count, rank);
    const wanted = combined(dtype, count, op, everyone.slice(0, rank + 1));
    return [{ data, dtype, op, exclusive: false }, () => data, wanted];
  },
  broadcast(dtype, _, count, root) {
    const data = elements(dtype, count, rank);
    return [{ data, root }, () => data, elements(dtype, count, root)];
  },
  allGather(dtype, _, count) {
    const counts = everyone.map((of) => (count + of) * WIDTHS[dtype]); // uneven
    const parts = everyone.map((of) => elements(dtype, count + of, of));
    const data = whole(parts);
    for (const of of everyone) if (of !== rank) part(data, counts, of).fill(0);
    return [{ data, counts }, () => data, whole(parts)];
  },
  scatter(dtype, _, count, root) {
    const counts = even(count, WIDTHS[dtype]);
    const all = elements(dtype, count, root);
    const own = new Uint8Array(counts[rank]);
    const data = rank === root ? all : own;
    return [
      { data, counts, root },
      () => (rank === root ? part(all, counts, root) : own),
      part(elements(dtype, count, root), counts, rank),
    ];
  },
  gather(dtype, _, count, root) {
    const counts = everyone.map((of) => (count + of) * WIDTHS[dtype]);
    const own = elements(dtype, count + rank, rank);
    const data = rank === root ? new Uint8Array(counts.reduce((a, b) => a + b, 0)) : null;
    const wanted =
      rank === root ? whole(everyone.map((of) => elements(dtype, count + of, of))) : new Uint8Array(0);
    return [{ own, data, counts, root }, () => data ?? new Uint8Array(0), wanted];
  },
  allToAll(dtype, _, count) {
    const width = WIDTHS[dtype];
    const rows = (from, to) => count + ((from + 2 * to) % 3);
    const from = whole(everyone.map((to) => elements(dtype, rows(rank, to), rank + to)));
    const receiveCounts = everyone.map((of) => rows(of, rank) * width);
    const into = new Uint8Array(receiveCounts.reduce((a, b) => a + b, 0));
    const wanted = whole(everyone.map((of) => elements(dtype, rows(of, rank), of + rank)));
    return [
      { from, into, sendCounts: everyone.map((to) => rows(rank, to) * width), receiveCounts },
      () => into,
      wanted,
    ];
  },
};
const REDUCING = ["reduce", "allReduce", "reduceScatter", "scan"];

const TASKS = {
  /** Every kind, dtype, operator and some sizes: MPI's own and ours over its messages, several at a time. */
  async collectives() {
    const wrong = [];
    let tag = 1;
    let done = 0;
    for (const kind of Object.keys(KINDS))
      for (const dtype of Object.keys(WIDTHS))
        for (const op of REDUCING.includes(kind) ? ["sum", "product", "min", "max"] : ["sum"]) {
          const started = [];
          for (const count of [1, 7, 1001])
            for (const way of ["native", "ours"]) {
              const [request, got, wanted] = KINDS[kind](dtype, op, count, tag % size);
              const work =
                way === "native"
                  ? job.collective(kind, request)
                  : runCollective(kind, memberOf(job, tag), request);
              started.push(
                work.then(() => {
                  done++;
                  if (!Buffer.from(got()).equals(Buffer.from(wanted)))
                    wrong.push(`${way} ${kind} of ${count} ${dtype}, ${op}`);
                }),
              );
              tag++;
            }
          await drive(Promise.all(started));
        }
    await drive(job.collective("barrier", {}));
    return { done, wrong };
  },

  /** Messages: order within a tag, tags that don't wait for each other, sizes, wrong lengths. */
  async messages() {
    const [next, before] = [(rank + 1) % size, (rank + size - 1) % size];
    const big = new Uint8Array(3_000_001).fill(rank);
    const arrived = new Uint8Array(big.length);
    const small = [new Uint8Array(1), new Uint8Array(1), new Uint8Array(0), new Uint8Array(2)];
    await drive(
      Promise.all([
        job.receive(before, 9, small[3]), // sent last
        job.receive(before, 7, small[0]),
        job.receive(before, 7, small[1]),
        job.receive(before, 2 ** 40, small[2]),
        job.receive(before, 8, arrived),
        job.send(next, 8, big),
        job.send(next, 7, Uint8Array.of(11)),
        job.send(next, 7, Uint8Array.of(12)),
        job.send(next, 2 ** 40, new Uint8Array(0)),
        job.send(next, 9, Uint8Array.of(1, 2)),
      ]),
    );
    const said = async (work) => {
      try {
        await drive(work);
        return "nothing";
      } catch (error) {
        return `${error.name}: ${error.message}`;
      }
    };
    const longer = job.receive(before, 21, new Uint8Array(2));
    const shorter = job.receive(before, 22, new Uint8Array(4));
    const errors = [said(longer), said(shorter), said(job.send(size, 1, big))];
    await drive(Promise.all([job.send(next, 21, new Uint8Array(3)), job.send(next, 22, new Uint8Array(3))]));
    return {
      big: arrived.every((byte) => byte === before),
      small: [small[0][0], small[1][0], [...small[3]]],
      errors: await Promise.all(errors),
      host: job.places[before].host === job.places[rank].host,
      nan: await nan(),
      trap: trap(),
    };
  },

  /** One never sends: the others wait without a core's time. */
  async waiting() {
    const missing = job.receive((rank + 1) % size, 1, new Uint8Array(1));
    const cpu = process.cpuUsage();
    const start = performance.now();
    const nap = new Int32Array(new SharedArrayBuffer(4));
    while (performance.now() - start < 1500) {
      if (!job.poll() && job.patience > 0) Atomics.wait(nap, 0, 0, Math.min(1, job.patience));
      await new Promise(setImmediate);
    }
    const { user, system } = process.cpuUsage(cpu);
    const share = (user + system) / 1000 / (performance.now() - start);
    await drive(Promise.all([missing, job.send((rank + size - 1) % size, 1, new Uint8Array(1))]));
    return { share };
  },

  async dies() {
    if (rank === 1) process.exit(7);
    await drive(job.receive(1, 1, new Uint8Array(1)));
    return {};
  },
};

/** A maximum with a NaN in it is NaN. */
async function nan() {
  const data = new Float32Array(new SharedArrayBuffer(8));
  data.set([rank === 0 ? Number.NaN : 1, rank]);
  await drive(
    job.collective("allReduce", { data: new Uint8Array(data.buffer), dtype: "float32", op: "max" }),
  );
  return [...data].map(String);
}

/** An access outside of a WebAssembly memory is an exception still, not the end of the process. */
function trap() {
  const load = [0, 0x20, 0, 0x28, 2, 0, 0x0b]; // no locals; local.get 0; i32.load; end
  const bytes = [
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...[1, 6, 1, 0x60, 1, 0x7f, 1, 0x7f],
    ...[3, 2, 1, 0],
    ...[5, 3, 1, 0, 1],
    ...[7, 5, 1, 1, 0x66, 0, 0],
    ...[10, load.length + 2, 1, load.length, ...load],
  ];
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(bytes)));
  try {
    exports.f(1 << 30);
    return "nothing";
  } catch (error) {
    return error.name;
  }
}

const result = await TASKS[task]();
await drive(job.close());
writeFileSync(join(folder, `${rank}.json`), JSON.stringify({ version: job.version, ...result }));
