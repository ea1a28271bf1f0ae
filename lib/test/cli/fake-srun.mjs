#!/usr/bin/env node
// Stands in for Slurm's srun: starts the tasks of a job on this machine, with the variables that srun gives them.
import { spawn } from "node:child_process";

const command = process.argv.slice(2);
const options = [];
while (command[0]?.startsWith("--")) options.push(command.shift());
const perNode = Number(process.env.SLURM_NTASKS_PER_NODE);
const nodes = Number(process.env.SLURM_JOB_NUM_NODES);
const tasks = Array.from({ length: perNode * nodes }, (_, task) =>
  spawn(command[0], command.slice(1), {
    stdio: ["ignore", "inherit", "inherit"],
    env: {
      ...process.env,
      SLURM_STEP_ID: "0",
      SLURM_STEP_NUM_TASKS: String(perNode * nodes),
      SLURM_STEP_TASKS_PER_NODE: nodes > 1 ? `${perNode}(x${nodes})` : String(perNode),
      SLURM_PROCID: String(task),
      SLURM_LOCALID: String(task % perNode),
      SLURM_NODEID: String(Math.floor(task / perNode)),
    },
  }),
);
const codes = await Promise.all(
  tasks.map(
    (child) =>
      new Promise((resolve) =>
        child.on("exit", (code) => {
          if (code !== 0 && options.includes("--kill-on-bad-exit=1")) for (const other of tasks) other.kill();
          resolve(code ?? 143);
        }),
      ),
  ),
);
process.exit(Math.max(...codes));
