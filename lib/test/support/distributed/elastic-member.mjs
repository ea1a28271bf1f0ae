// A member of an elastic job: full-batch linear regression, its rows parted among the members, a checkpoint every 5 steps.
// With FAULT, the member of rank 1 kills itself in step 12, once.
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const { tensor, distributed } = await import(new URL("../../../dist/index.js", import.meta.url).href);
const [, , folder, fault] = process.argv;
const [ROWS, STEPS, EVERY] = [24, 30, 5];
const rows = Array.from({ length: ROWS }, (_, i) => [Math.sin(i), Math.cos(3 * i), 1]);
const wanted = rows.map(([a, b]) => 2 * a - 3 * b + 0.5);

await distributed.elastic(
  async (group, restart) => {
    const checkpoint = join(folder, "checkpoint.json");
    let { step, weights } = existsSync(checkpoint)
      ? JSON.parse(readFileSync(checkpoint, "utf8"))
      : { step: 0, weights: [0, 0, 0] };
    // what rank 0 reads, all have
    ({ step, weights } = await group.broadcastObject({ step, weights }));
    console.log(JSON.stringify({ rank: group.rank, size: group.size, restart, from: step }));
    for (; step < STEPS; step++) {
      if (fault === "FAULT" && step === 12 && group.rank === 1 && !existsSync(join(folder, "killed"))) {
        writeFileSync(join(folder, "killed"), "");
        process.kill(process.pid, "SIGKILL");
      }
      const gradient = [0, 0, 0];
      for (let i = group.rank; i < ROWS; i += group.size) {
        const error = rows[i].reduce((sum, x, k) => sum + x * weights[k], -wanted[i]);
        for (const k of [0, 1, 2]) gradient[k] += (2 * error * rows[i][k]) / ROWS;
      }
      const all = group
        .allReduce(tensor(gradient, { dtype: "float64" }))
        .wait()
        .toTypedArray();
      weights = weights.map((w, k) => w - 0.3 * all[k]);
      if ((step + 1) % EVERY === 0 && group.rank === 0) {
        writeFileSync(`${checkpoint}.new`, JSON.stringify({ step: step + 1, weights }));
        renameSync(`${checkpoint}.new`, checkpoint);
      }
    }
    if (group.rank === 0) writeFileSync(join(folder, "result.json"), JSON.stringify(weights));
    await group.barrier();
  },
  {
    timeout: 60_000,
    onRestart: (error, restart) => console.log(JSON.stringify({ lost: error.name, restart })),
  },
);
