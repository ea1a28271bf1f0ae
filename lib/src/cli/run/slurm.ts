/**
 * A job script for Slurm: `sbatch` gives it machines, `srun` starts one `mlsys run` for each member, which finds its place
 * in Slurm's variables. The members meet on the first machine; with `mpi` Slurm's PMIx brings them together.
 */
import { basename, extname } from "node:path";
import type { RunArguments } from "../run-options.js";

/** Words as a shell takes them. */
const quoted = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

/** The script's text, to be saved and given to sbatch. */
export function jobScript(script: string, args: readonly string[], options: RunArguments): string {
  const { processes = 1, nnodes = 1, cpus = 1, time = "01:00:00", backend, maxRestarts } = options;
  const name = basename(script, extname(script)).replace(/[^\w.-]+/g, "-");
  const command = ["npx", "mlsys", "run", script, ...args].map(quoted).join(" ");
  const lines = [
    "#!/bin/bash",
    `#SBATCH --job-name=${name}`,
    `#SBATCH --nodes=${nnodes}`,
    `#SBATCH --ntasks-per-node=${processes}`,
    `#SBATCH --cpus-per-task=${cpus}`,
    `#SBATCH --time=${time}`,
    "#SBATCH --output=%x-%j.out",
    "set -euo pipefail",
    "",
  ];
  if (backend === "tcp")
    lines.push(
      "# The members meet on the first machine, at a port that follows from the job's number.",
      'MASTER_ADDR="$(scontrol show hostnames "$SLURM_JOB_NODELIST" | sed -n 1p)"',
      "export MASTER_ADDR",
      'export MASTER_PORT="$((20000 + SLURM_JOB_ID % 20000))"',
      "",
    );
  const srun = `srun ${backend === "mpi" ? "--mpi=pmix " : ""}--kill-on-bad-exit=1 --cpus-per-task=${cpus} --label ${command}`;
  if (maxRestarts === 0) lines.push(srun);
  else
    lines.push(
      "# When a member fails srun ends all; they start again and go on from their last checkpoint.",
      `for restart in $(seq 0 ${maxRestarts}); do`,
      '  export TORCHELASTIC_RESTART_COUNT="$restart"',
      `  ${srun} && exit 0`,
      "done",
      "exit 1",
    );
  return `${lines.join("\n")}\n`;
}
