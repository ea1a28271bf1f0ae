// Data-parallel training: samples per second of one and of two processes, ours and PyTorch's in turn, and how much of the
// second core comes through.
import { fileURLToPath } from "node:url";
import { runMembers } from "./processes.mjs";
import { budget, TASKS } from "./tasks.mjs";

const LIMIT_MS = 240_000;
const here = (file) => fileURLToPath(new URL(file, import.meta.url));
const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
const short = (value) => Number(value.toPrecision(4));

/** @param torch { python, problem }; @param devices ours: "wasm", "native" … */
export async function ddpRows({ quick, torch, devices }) {
  const node = process.execPath;
  const contenders = [
    ...devices.flatMap((device) => [
      {
        side: "ours",
        name: `tcp, ${device}`,
        run: (size, env) => [node, ["ddp.mjs"], size, { ...env, BENCH_DEVICE: device }],
      },
      {
        side: "ours",
        name: `threads, ${device}`,
        run: (size, env) => [
          node,
          ["ddp.mjs"],
          1,
          { ...env, BENCH_DEVICE: device, BENCH_THREADS: String(size) },
        ],
      },
    ]),
    ...(torch.problem
      ? []
      : [{ side: "peers", name: "pytorch", run: (size, env) => [torch.python, ["ddp.py"], size, env] }]),
  ];
  const rows = [];
  const notes = [
    "ddp: batches of one process are the same whatever the number of processes; one thread for each. Efficiency: samples per second of 2 processes, by twice those of 1.",
  ];
  for (const [task, what] of Object.entries(TASKS)) {
    const seen = new Map(contenders.map((one) => [one, { 1: [], 2: [] }]));
    for (let round = 0; round < (quick ? 1 : 3); round++)
      for (const one of contenders)
        for (const size of [1, 2]) {
          console.log(`measuring ddp ${task}: ${one.name}, ${size}`);
          const env = { BENCH_TASK: JSON.stringify(what), BENCH_BUDGET: String(budget(quick)) };
          const [command, [file], members, all] = one.run(size, env);
          try {
            const out = await runMembers(command, [here(file)], members, all, LIMIT_MS);
            const line = out.split("\n").find((text) => text.includes("samplesPerSecond"));
            seen.get(one)[size].push(JSON.parse(line.slice(line.indexOf("{"))).samplesPerSecond);
          } catch (error) {
            notes.push(`${one.name}: ddp ${task} with ${size} not measured, ${error.message}`);
          }
        }
    const row = (name, unit, value) => {
      const entry = { name, unit, better: "higher", ours: {}, peers: {} };
      for (const [one, times] of seen) {
        const found = value(times);
        if (Number.isFinite(found)) entry[one.side][one.name] = short(found);
      }
      rows.push(entry);
    };
    for (const size of [1, 2])
      row(`ddp ${task}, ${size} process${size > 1 ? "es" : ""}`, "samples/s", (times) => median(times[size]));
    row(`ddp ${task}, efficiency 1→2`, "", (times) => median(times[2]) / (2 * median(times[1])));
  }
  return { rows, notes };
}
