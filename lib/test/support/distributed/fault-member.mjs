// A member of a job to which something happens. Prints JSON lines.
import { Session } from "node:inspector";
import { Worker } from "node:worker_threads";

const { distributed, ones, tensor } = await import(new URL("../../../dist/index.js", import.meta.url).href);
const [, , task, options = "{}"] = process.argv;
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const group = await distributed.init({ timeout: 60_000, ...JSON.parse(options) });
const { rank, size } = group;
const victim = size - 1;

const tasks = {
  /** All wait for the last one, which has more to do. */
  async blocked() {
    group.allReduce(ones([10])).wait();
    say({ ready: rank });
    if (rank === victim) return new Promise((resolve) => setTimeout(resolve, 600_000));
    const begun = performance.now();
    for (const call of [() => group.allReduce(ones([100_000])).wait(), () => group.barrier()])
      try {
        await call();
      } catch (error) {
        say({ error: error.name, message: error.message, lost: error.rank, ms: performance.now() - begun });
      }
  },

  /** Rank 1 takes nothing for as long as rank 0 has not seen that its sends wait. */
  async slow() {
    const [count, length] = [20, 500_000];
    const like = { shape: [length], dtype: "float32" };
    if (rank === 0) {
      const works = Array.from({ length: count }, (_, i) => group.send(ones([length]).mul(i), 1));
      group.receive({ shape: [1], dtype: "float32" }, 1, { tag: 1 }).wait(); // it is there, and has its hands full
      say({ unfinished: works.filter((work) => !work.done).length });
      group.send(ones([1]), 1, { tag: 1 }).wait();
      for (const work of works) await work;
    } else {
      group.send(ones([1]), 0, { tag: 1 }).wait();
      group.receive({ shape: [1], dtype: "float32" }, 0, { tag: 1 }).wait();
      const right = Array.from(
        { length: count },
        (_, i) => group.receive(like, 0).wait().toTypedArray()[length - 1] === i,
      );
      say({ right: right.filter(Boolean).length });
    }
    await group.close();
  },

  /** V8 ends a blocked wait, as a kernel's interrupt does; the group can be closed, and others hear of it. */
  async interrupted() {
    if (rank === 0) {
      globalThis.work = group.receive({ shape: [1], dtype: "float32" }, 1, { tag: 5 });
      globalThis.begun = new Int32Array(new SharedArrayBuffer(4));
      const worker = new Worker(
        `const { Session } = require("node:inspector");
        const { workerData } = require("node:worker_threads");
        Atomics.wait(workerData, 0, 0);
        const session = new Session();
        session.connectToMainThread();
        session.post("Runtime.terminateExecution");`,
        { eval: true, workerData: globalThis.begun },
      );
      await new Promise((resolve) => worker.on("online", resolve));
      const session = new Session();
      session.connect();
      let result;
      session.post(
        "Runtime.evaluate",
        { expression: "Atomics.store(begun, 0, 1); Atomics.notify(begun, 0); work.wait()" },
        (error) => {
          result = error?.message ?? "it came to an end";
        },
      );
      say({ result });
      await group.abandon("interrupted");
      say({ closed: true });
    } else {
      try {
        await group.barrier();
      } catch (error) {
        say({ error: error.name, message: error.message, lost: error.rank });
      }
      await group.close();
    }
  },

  /** Something of everything, over whatever lies between. */
  async all() {
    const x = group.allReduce(ones([300_000]).mul(rank + 1)).wait();
    const objects = await group.allGatherObject(group.ranks[rank]);
    say({
      sum: x.toTypedArray()[299_999],
      objects,
      mean: group
        .allReduce(tensor([rank]), { op: "mean" })
        .wait()
        .item(),
    });
    await group.barrier();
    await tasks.blocked();
  },
};
await tasks[task]();
process.exit(0);
